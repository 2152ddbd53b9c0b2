/** `submit`: a campaign file, checked as the worker would check it before it starts anything, and stored. */
import { isDeepStrictEqual } from 'node:util';
import { type Fault, ServiceError } from '../../domain/errors.ts';
import type { CampaignDocument, Id } from '../../domain/model.ts';
import { type Collection, comparable, isDuplicateKey } from '../../mongo/values.ts';
import { type FileParams, readBoth } from '../contacts/bothFiles.ts';
import { checkOptions, loadContacts } from '../contacts/submitContacts.ts';
import type { Context, ExitCode } from '../context.ts';
import { showId, withDatabase } from '../database.ts';
import { check } from '../document/check.ts';
import { faultCount, faultValues, showFaults } from '../document/faults.ts';
import { type Output, safe } from '../output.ts';

/**
 * Checks and stores a campaign, its contacts before it; prints its id. 1 when it is not valid, its id is taken by a
 * different campaign, or its contacts cannot be used.
 */
export async function submit(params: FileParams, context: Context): Promise<number> {
  checkOptions(params.file, params);
  return withDatabase(context, async (database): Promise<number> => {
    const { out } = context;
    const { read, target } = await readBoth(params);
    const { document } = read;
    const found = await check(read, database.config, database);
    const faults =
      document && !found.some(({ path }) => path === 'status')
        ? [...found, ...statusFaults(document).map(read.place)]
        : found;
    if (document === undefined || faults.length > 0) {
      out.value({ submitted: false, faults: faultValues(faults) });
      showFaults(params.file, faults, out);
      out.line(`${faultCount(params.file, faults)}: not submitted`);
      return 1;
    }
    const { contacts } = params;
    if (target === undefined || contacts === undefined) return store(document, database.in.campaigns, out);
    // It may be reading its audience by now, so nothing is written under it.
    const stored = await database.in.campaigns.findOne({ _id: document['_id'] as Id });
    if (stored) return compare(document, stored, out, 'its contacts were left as they are');
    const { report, hindrance } = await loadContacts(target, { ...params, contacts }, database, context);
    const summary = { collection: target.collection, ...report };
    if (hindrance === undefined) return store(document, database.in.campaigns, out, { contacts: summary });
    out.value({ submitted: false, error: hindrance, contacts: summary });
    if (!out.json) out.failure(hindrance);
    return hindrance.code === 'interrupted' ? 130 : 1;
  });
}

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
  more: Record<string, unknown> = {},
): Promise<ExitCode> {
  const valid = document as unknown as CampaignDocument;
  try {
    await campaigns.insertOne(valid);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return compare(document, await campaigns.findOne({ _id: valid._id }), out);
  }
  out.value({ submitted: true, campaign: valid._id, status: valid.status, ...more });
  out.line(showId(valid._id));
  return 0;
}

function compare(
  document: Record<string, unknown>,
  stored: CampaignDocument | null,
  out: Output,
  note?: string,
): ExitCode {
  const id = showId(document['_id']);
  if (!stored) throw new ServiceError('not_found', `campaign ${id} was there and is gone: submit it again`);
  const identical = isDeepStrictEqual(authored(document), authored(stored));
  out.value({ submitted: false, identical, campaign: stored._id, status: stored.status, ...(note ? { note } : {}) });
  if (identical) {
    out.line(id);
    out.line(out.color.dim(`it was submitted before and is ${safe(stored.status)}${note ? `; ${note}` : ''}`));
    return 0;
  }
  const message = `there is a campaign ${id} already (${safe(stored.status)}), and it is not the same: one id is one campaign, so choose another`;
  if (!out.json) out.failure({ code: 'exists', message });
  return 1;
}
