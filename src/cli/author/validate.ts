/** `validate`: a campaign file, checked as the worker would check it before it starts anything, and what its author hardly means. */
import { type Config, loadConfig } from '../../config.ts';
import { flowWarnings } from '../../domain/authorChecks.ts';
import { conditionWarnings } from '../../domain/conditionChecks.ts';
import { readContact } from '../../domain/contact.ts';
import { ContactChecks } from '../../domain/contactChecks.ts';
import { type Fault, isServiceError } from '../../domain/errors.ts';
import { fieldWarnings } from '../../domain/fieldChecks.ts';
import { flowMessages } from '../../domain/flowMessages.ts';
import { guardWarnings } from '../../domain/guard.ts';
import { LeftOut } from '../../domain/leftOut.ts';
import { type FileParams, readBoth } from '../contacts/bothFiles.ts';
import { idKey, newIdSet, type Row } from '../contacts/contactsFile.ts';
import { describeCheck, type ImportReport, importContacts } from '../contacts/contactsImport.ts';
import { checkOptions, type Target } from '../contacts/submitContacts.ts';
import type { Context, ExitCode } from '../context.ts';
import { withDatabase } from '../database.ts';
import { type Examined, examine } from '../document/check.ts';
import { type CampaignFile, isRecord } from '../document/document.ts';
import { faultCount, faultValues, showFaults } from '../document/faults.ts';
import { plural, safe } from '../output.ts';
import { authoredOf } from './author.ts';
import { configFor } from './tryout.ts';

/**
 * Prints every fault, each with its place; 1 when there is any. Asks the database for the template, if there is one to ask.
 * Warnings keep nothing from starting; with `strict` they count as faults.
 */
export async function validate(params: FileParams, context: Context): Promise<ExitCode> {
  const { out, env } = context;
  const { file, strict = false, ...files } = params;
  checkOptions(file, files);
  const config = loadConfig({ ...env }, { requireUri: false });
  const { read, target } = await readBoth({ file, ...files });
  const { examined, notes } = await look(read, target, config, context);
  const { faults } = examined;
  // an author has no worker's settings: the channels of the flow are taken by name
  const tried = warningsOf(read, target, examined, configFor(env, read.document ?? {}).config);
  const { contacts, error } = await judgeContacts(params, target, context, tried?.onRows);
  const warnings = (tried?.warnings() ?? []).map(read.place);
  const rejected = contacts?.rejected ?? 0;
  const valid = faults.length === 0 && error === undefined && rejected === 0 && !(strict && warnings.length > 0);
  out.value({
    ...{ valid, faults: faultValues(faults), warnings: faultValues(warnings), notes },
    contacts: contacts ?? (error && { error }),
  });
  showFaults(file, faults, out);
  if (warnings.length > 0) out.line(out.color.yellow(`${plural(warnings.length, 'warning')}:`));
  showFaults(file, warnings, out);
  for (const note of notes) out.line(out.color.yellow(`note: ${note}`));
  if (contacts && params.contacts)
    for (const line of describeCheck(contacts, params.contacts, params.rejects)) out.line(line);
  out.line(faults.length === 0 ? out.color.green(`${safe(file)} is valid`) : faultCount(file, faults));
  if (error && !out.json) out.failure(error);
  return valid ? 0 : 1;
}

async function look(
  read: CampaignFile,
  target: Target | undefined,
  config: Config,
  context: Context,
): Promise<{ examined: Examined; notes: string[] }> {
  const named = typeof read.document?.['templateId'] === 'string';
  const audience = read.document?.['audience'];
  const queried = isRecord(audience) && audience['collection'] !== undefined && target === undefined;
  const lookUp = (named || queried) && config.mongodbUri !== '';
  const examined = lookUp
    ? await withDatabase(context, (database) => examine(read, config, database))
    : await examine(read, config, undefined);
  const notes = [...(named && !lookUp ? [noTemplate] : []), ...(config.channels.length === 0 ? [noChannels] : [])];
  return { examined, notes };
}

interface Tried {
  onRows: (rows: readonly Row[]) => void;
  /** Once all rows were looked at. */
  warnings(): Fault[];
}

/** Undefined when there is nothing to be tried. */
function warningsOf(
  { document }: CampaignFile,
  target: Target | undefined,
  { checked }: Examined,
  config: Config,
): Tried | undefined {
  if (document === undefined || checked === undefined) return undefined;
  const ofDocument = [...fieldWarnings(document), ...guardWarnings(document['guard'])];
  const authored = authoredOf(document, checked, config);
  if (authored === undefined) return { onRows: () => {}, warnings: () => ofDocument };
  const { context, flow, path } = authored;
  const messages = flowMessages(flow, path);
  const { contacts, map } = audienceOf(document);
  const { variables, campaign } = context;
  const mapped = Object.keys(map);
  const names = { flow: context.flow, variables, campaign, mapped, path };
  const ofFlow = [
    ...flowWarnings({ ...names, messages }),
    ...conditionWarnings({ ...names, source: flow, exitWhen: document['exitWhen'] }),
  ];
  const checks = new ContactChecks(context, messages, mapped);
  const leftOut = new LeftOut();
  const ids = newIdSet();
  for (const [index, raw] of contacts.entries()) {
    const place = `audience.contacts[${index}]`;
    const { contact, invalid } = readContact(raw);
    if (contact === undefined) leftOut.addInvalid(invalid, raw, place);
    else if (ids.add(idKey(contact.id))) checks.look(contact, place);
    else leftOut.addDuplicate(raw, place);
  }
  return {
    onRows: (rows) => {
      for (const { document: row, line } of rows) {
        const { contact } = readContact(row, target?.map ?? {});
        if (contact !== undefined) checks.look(contact, `line ${line}`);
      }
    },
    warnings: () => [...ofDocument, ...leftOut.warnings(contacts.length), ...ofFlow, ...checks.warnings()],
  };
}

/** As far as its shape allows. */
function audienceOf(document: Record<string, unknown>): { contacts: unknown[]; map: Record<string, unknown> } {
  const audience = document['audience'];
  const { contacts, map } = isRecord(audience) ? audience : ({} as Record<string, unknown>);
  return { contacts: Array.isArray(contacts) ? contacts : [], map: isRecord(map) ? map : {} };
}

/** Nothing is written. A file that cannot be used as a whole is an error beside the campaign's own faults. */
async function judgeContacts(
  { file: campaign, contacts: file, rejects }: FileParams,
  target: Target | undefined,
  { out, signal }: Context,
  onRows: Tried['onRows'] | undefined,
): Promise<{ contacts?: ImportReport; error?: { code: string; message: string } }> {
  if (file === undefined) return {};
  try {
    const { report } = await importContacts({ file, campaign, map: target?.map ?? {}, rejects, out, signal, onRows });
    return { contacts: report };
  } catch (error) {
    if (!isServiceError(error) || error.code !== 'document_invalid') throw error;
    return { error: { code: error.code, message: error.message } };
  }
}

const noTemplate = 'MONGODB_URI is not set, so the template and its flow could not be looked at';
const noChannels = 'no channel is configured here: set CHANNEL_<NAME>_DRIVER as for the worker';
