/** `submit --contacts`: contacts first, into a collection of their own, and only then the campaign that reads from it. */
import { createHash } from 'node:crypto';
import { leafPaths } from '../../domain/contactFile.ts';
import { type Fault, ServiceError } from '../../domain/errors.ts';
import { encodePart } from '../../domain/ids.ts';
import type { Id } from '../../domain/model.ts';
import { isId } from '../../domain/normalise.ts';
import { contactsWriter, countContacts, isEmpty, strangers } from '../../mongo/contactsWriter.ts';
import type { Context } from '../context.ts';
import { type Database, showId } from '../database.ts';
import { isRecord } from '../document/document.ts';
import { plural, safe } from '../output.ts';
import { idKey } from './contactsFile.ts';
import { describeImport, type ImportReport, importContacts } from './contactsImport.ts';

export interface ContactsOptions {
  /** Path of a CSV or JSON lines file, "-" for stdin. */
  contacts: string;
  collection?: string | undefined;
  rejects?: string | undefined;
  /** Bad rows are an error. */
  strict?: boolean | undefined;
  /** Removes contacts of an earlier file. */
  prune?: boolean | undefined;
}

export interface Target {
  collection: string;
  /** Made for this campaign: it holds what the file says, and nothing else. */
  own: boolean;
  map: Record<string, unknown>;
}

/** 120 is the schema's limit. */
const longestName = 120;

/** `contacts_<campaign id>`, encoded as in a conversation's id; a very long id by its hash. */
function contactsCollection(campaignId: Id): string {
  const name = `contacts_${encodePart(campaignId).replaceAll('.', '%2E')}`;
  return name.length <= longestName ? name : `contacts_${createHash('sha256').update(name).digest('hex')}`;
}

/**
 * Where the contacts go. Sets the document's audience to it.
 * @throws ServiceError `usage` when a collection of others would be pruned.
 */
export function targetOf(
  document: Record<string, unknown>,
  { collection: named, prune }: Partial<ContactsOptions>,
): Target | { fault: Fault } {
  const fault = (path: string, message: string): { fault: Fault } => ({
    fault: { code: 'not_allowed', path, message },
  });
  const audience = document['audience'] ?? {};
  // its shape is for the check of the whole document
  if (!isRecord(audience)) return fault('audience', 'has to be an object, or absent: --contacts makes it');
  if (audience['contacts'] !== undefined)
    return fault('audience.contacts', 'is given beside --contacts; one of them says who');
  const written = audience['collection'];
  if (written !== undefined && named !== undefined && written !== named)
    return fault('audience.collection', `was ${JSON.stringify(written)}; --collection says ${JSON.stringify(named)}`);
  if (written !== undefined && typeof written !== 'string') return fault('audience.collection', 'has to be a string');
  if (prune && written !== undefined) throw pruneRefused();
  const id = document['_id'];
  if (!isId(id))
    return { fault: { code: 'required', path: '_id', message: 'is missing; with --contacts a campaign has an id' } };
  const chosen = written ?? named;
  const collection = chosen ?? contactsCollection(id);
  document['audience'] = { ...audience, collection };
  const { map } = audience;
  return { collection, own: chosen === undefined, map: isRecord(map) ? map : {} };
}

/** What keeps the campaign from being stored although its contacts are; undefined when nothing does. */
export type Hindrance = { code: string; message: string } | undefined;

/** Loads the contacts. The campaign must not be stored yet: it would start on half of them. */
export async function loadContacts(
  target: Target,
  options: ContactsOptions & { file: string },
  { db }: Database,
  { out, signal }: Context,
): Promise<{ report: ImportReport; hindrance: Hindrance }> {
  let unset: readonly string[] = [];
  const fresh = await isEmpty(db, target.collection);
  const mode = target.own ? 'replace' : 'merge';
  const writer = () => contactsWriter(db, target.collection, { mode, unset, fresh, signal });
  let made: ReturnType<typeof writer> | undefined;
  const { report, ids } = await importContacts({
    file: options.contacts,
    campaign: options.file,
    map: target.map,
    rejects: options.rejects,
    out,
    signal,
    onColumns: (columns) => {
      unset = leafPaths(columns);
    },
    write: (documents) => {
      made ??= writer();
      return made.write(documents);
    },
  });
  for (const line of describeImport(report, options.contacts, options.rejects)) out.note(line);
  const kept = report.inserted + report.updated + report.unchanged;
  const known = (id: unknown): boolean => isId(id) && ids.has(idKey(id));
  const hindrance = hindered(report, kept > 0, options);
  if (hindrance !== undefined || !target.own || (await countContacts(db, target.collection)) <= kept)
    return { report, hindrance };
  out.note(`${target.collection} holds more than this file: looking for what is not in it`);
  return { report, hindrance: await hinderedByOthers(db, target, known, options.prune) };
}

function hindered(report: ImportReport, kept: boolean, { strict, contacts }: ContactsOptions): Hindrance {
  if (!report.complete)
    return {
      code: 'interrupted',
      message: 'interrupted: what was written so far stays, the campaign is not stored. Run the same command again',
    };
  if (!kept) return { code: 'contacts_missing', message: `there is no contact in ${safe(contacts)} that can be used` };
  if (strict && report.rejected > 0)
    return {
      code: 'contacts_rejected',
      message: `${plural(report.rejected, 'row')} left out, and --strict allows none: the campaign is not stored`,
    };
  return undefined;
}

/** Contacts of an earlier file would get messages although this one does not name them. */
async function hinderedByOthers(
  db: Database['db'],
  { collection }: Target,
  known: (id: unknown) => boolean,
  prune = false,
): Promise<Hindrance> {
  const { count, example } = await strangers(db, collection, known, prune);
  if (count === 0 || prune) return undefined;
  return {
    code: 'contacts_left_over',
    message: `${collection} holds ${plural(count, 'contact')} that this file does not have, such as ${showId(example)}: they would get messages too, so the campaign is not stored. --prune removes them; --collection ${collection} keeps them`,
  };
}

/** @throws ServiceError `usage` for options that make no sense together. */
export function checkOptions(file: string, options: Partial<ContactsOptions>): void {
  const refuse = (message: string): never => {
    throw new ServiceError('usage', message);
  };
  const { contacts, collection, rejects, strict, prune } = options;
  if (contacts === undefined) {
    const alone = Object.entries({ collection, rejects, strict, prune }).find(([, value]) => value !== undefined);
    if (alone) refuse(`--${alone[0]} is of no use without --contacts`);
  }
  if (file === '-' && contacts === '-') refuse('the campaign and its contacts cannot both come from stdin');
  if (prune && collection !== undefined) throw pruneRefused();
}

const pruneRefused = (): ServiceError =>
  new ServiceError(
    'usage',
    '--prune empties the collection of what the file does not have, which is for the one made for the campaign only: it goes with neither --collection nor audience.collection',
  );
