/** `validate` and `submit`: a campaign file, checked as the worker would check it before it starts anything. */
import { isDeepStrictEqual } from 'node:util';
import { loadConfig } from '../config.ts';
import { type Fault, ServiceError } from '../domain/errors.ts';
import type { CampaignDocument } from '../domain/model.ts';
import { type Collection, comparable, isDuplicateKey } from '../mongo/values.ts';
import { check } from './check.ts';
import type { Context, ExitCode } from './context.ts';
import { showId, withDatabase } from './database.ts';
import { isRecord, readCampaignFile } from './document.ts';
import { faultCount, faultValues, showFaults } from './faults.ts';
import { type Output, safe } from './output.ts';

export interface FileParams {
  /** Path, or "-" for stdin. */
  file: string;
}

/** Prints every fault, each with its path; 1 when there is any. Asks the database for the template, if there is one to ask. */
export async function validate({ file }: FileParams, context: Context): Promise<ExitCode> {
  const { out, env } = context;
  const config = loadConfig({ ...env }, { requireUri: false });
  const read = await readCampaignFile(file);
  const named = typeof read.document?.['templateId'] === 'string';
  const audience = read.document?.['audience'];
  const queried = isRecord(audience) && audience['collection'] !== undefined;
  const lookUp = (named || queried) && config.mongodbUri !== '';
  const faults = lookUp
    ? await withDatabase(context, (database) => check(read, config, database))
    : await check(read, config, undefined);
  const notes = [...(named && !lookUp ? [noTemplate] : []), ...(config.channels.length === 0 ? [noChannels] : [])];
  out.value({ valid: faults.length === 0, faults: faultValues(faults), notes });
  showFaults(file, faults, out);
  for (const note of notes) out.line(out.color.yellow(`note: ${note}`));
  out.line(faults.length === 0 ? out.color.green(`${safe(file)} is valid`) : faultCount(file, faults));
  return faults.length === 0 ? 0 : 1;
}

const noTemplate = 'MONGODB_URI is not set, so the template and its flow could not be looked at';
const noChannels = 'no channel is configured here: set CHANNEL_<NAME>_DRIVER as for the worker';

/** Checks and stores a campaign; prints its id. 1 when it is not valid, or its id is taken by a different campaign. */
export const submit = ({ file }: FileParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async (database): Promise<ExitCode> => {
    const { out } = context;
    const read = await readCampaignFile(file);
    const { document } = read;
    const found = await check(read, database.config, database);
    const faults =
      document && !found.some(({ path }) => path === 'status')
        ? [...found, ...statusFaults(document).map(read.place)]
        : found;
    if (document === undefined || faults.length > 0) {
      out.value({ submitted: false, faults: faultValues(faults) });
      showFaults(file, faults, out);
      out.line(`${faultCount(file, faults)}: not submitted`);
      return 1;
    }
    return store(document, database.in.campaigns, out);
  });

function statusFaults({ status }: Record<string, unknown>): Fault[] {
  if (status === 'pending' || status === 'draft') return [];
  return [
    {
      code: 'not_allowed',
      path: 'status',
      message: `was ${JSON.stringify(status)}; a new campaign is "pending" (starts) or "draft" (waits)`,
    },
  ];
}

// ---------------------------------------------------------------- storing

/** Written by the worker into the campaign: no difference between what was submitted and what is stored. */
const written = new Set([
  'status',
  'version',
  'error',
  'expansion',
  'metrics',
  'results',
  'startedAt',
  'completedAt',
  'trace',
]);

/** As BSON has it, whatever the order of the fields. */
function authored(document: Record<string, unknown>): unknown {
  const kept = Object.fromEntries(Object.entries(document).filter(([field]) => !written.has(field)));
  return comparable(kept);
}

async function store(
  document: Record<string, unknown>,
  campaigns: Collection<CampaignDocument>,
  out: Output,
): Promise<ExitCode> {
  const valid = document as unknown as CampaignDocument;
  try {
    await campaigns.insertOne(valid);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return compare(document, await campaigns.findOne({ _id: valid._id }), out);
  }
  out.value({ submitted: true, campaign: valid._id, status: valid.status });
  out.line(showId(valid._id));
  return 0;
}

function compare(document: Record<string, unknown>, stored: CampaignDocument | null, out: Output): ExitCode {
  const id = showId(document['_id']);
  if (!stored) throw new ServiceError('not_found', `campaign ${id} was there and is gone: submit it again`);
  const identical = isDeepStrictEqual(authored(document), authored(stored));
  out.value({ submitted: false, identical, campaign: stored._id, status: stored.status });
  if (identical) {
    out.line(id);
    out.line(out.color.dim(`it was submitted before and is ${safe(stored.status)}`));
    return 0;
  }
  const message = `there is a campaign ${id} already (${safe(stored.status)}), and it is not the same: one id is one campaign, so choose another`;
  if (!out.json) out.failure({ code: 'exists', message });
  return 1;
}
