/** What `preview` and `simulate` begin with: a campaign file, checked, and its contacts; nothing is written, no channel opened. */
import { type Config, loadConfig } from '../../config.ts';
import { readContact } from '../../domain/contact.ts';
import { ServiceError } from '../../domain/errors.ts';
import type { LeftOut } from '../../domain/leftOut.ts';
import type { Contact } from '../../domain/model.ts';
import { isPlain } from '../../domain/plain.ts';
import { readAudiencePage } from '../../mongo/audience.ts';
import { readBoth } from '../contacts/bothFiles.ts';
import { idKey, newIdSet, readContacts } from '../contacts/contactsFile.ts';
import { checkOptions, type Target } from '../contacts/submitContacts.ts';
import type { Context } from '../context.ts';
import { withDatabase } from '../database.ts';
import { examine } from '../document/check.ts';
import { isRecord, type PlacedFault } from '../document/document.ts';
import type { Environment } from '../output.ts';
import { type Authored, authoredOf } from './author.ts';

export interface TryoutParams {
  /** Path, or "-" for stdin. */
  file: string;
  contacts?: string | undefined;
}

export interface Tryout {
  document: Record<string, unknown>;
  faults: PlacedFault[];
  /** Undefined when the flow itself has faults. */
  authored: Authored | undefined;
  config: Config;
  target: Target | undefined;
  /** What is not as it will be on a worker. */
  notes: string[];
}

/**
 * The campaign of a file.
 * @param now ms since the epoch: an end before it has passed.
 * @param options See `authoredOf`.
 */
export async function readTryout(
  params: TryoutParams,
  context: Context,
  now: number,
  options: { isRead?: boolean } = {},
): Promise<Tryout> {
  const { file, contacts } = params;
  const files = { file, ...(contacts === undefined ? {} : { contacts }) };
  checkOptions(file, files);
  const { read, target } = await readBoth(files);
  const document = read.document ?? {};
  const { config, notes } = configFor(context.env, document);
  const isNamed = typeof document['templateId'] === 'string';
  if (isNamed && config.mongodbUri === '') notes.push('MONGODB_URI is not set, so the template could not be looked at');
  const examined =
    isNamed && config.mongodbUri !== ''
      ? await withDatabase(context, (database) => examine(read, config, database, now))
      : await examine(read, config, undefined, now);
  const needsKey = examined.faults.some(({ code }) => code === 'hash_key_missing');
  if (needsKey) notes.push('HASH_KEY is not set: {{ token }} is none that the service would read');
  const { checked } = examined;
  return {
    ...{ document, config, target, notes },
    faults: examined.faults.filter(({ code }) => code !== 'hash_key_missing'),
    authored: checked === undefined ? undefined : authoredOf(document, checked, config, options),
  };
}

/** Where no channel is configured at all, those of the flow are taken by their names: an author has no worker's settings. */
export function configFor(env: Environment, document: Record<string, unknown>): { config: Config; notes: string[] } {
  const config = loadConfig({ ...env }, { requireUri: false });
  const names = [...new Set(channelNames(document['flow']))].filter((name) => /^[a-z][a-z0-9_]{0,63}$/.test(name));
  if (config.channels.length > 0 || names.length === 0) return { config, notes: [] };
  const settings = names.flatMap((name) => {
    const variable = `CHANNEL_${name.toUpperCase()}`;
    const address = addressOf(name);
    return [
      [`${variable}_DRIVER`, 'console'],
      ...(address === undefined ? [] : [[`${variable}_ADDRESS`, address]]),
    ] as [string, string][];
  });
  const note = `no channel is configured here: ${names.join(', ')} taken by name, with the settings of a console`;
  return { config: loadConfig({ ...env, ...Object.fromEntries(settings) }, { requireUri: false }), notes: [note] };
}

/** Of names that do not tell theirs. */
const addressOf = (name: string): string | undefined =>
  ['email', 'phone', 'sms', 'whatsapp', 'url'].includes(name) ? undefined : /mail/.test(name) ? 'email' : 'phone';

function channelNames(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(channelNames);
  if (!isPlain(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'channel' && typeof inner === 'string' ? [inner] : channelNames(inner),
  );
}

/**
 * The contacts of the file, those in the campaign itself, or of its collection, as the expansion would take them.
 * @throws ServiceError `usage` when they are in a database and MONGODB_URI is not set.
 */
export async function* contactsOf(
  { document, target, config }: Pick<Tryout, 'document' | 'target' | 'config'>,
  { contacts: file }: TryoutParams,
  context: Context,
  leftOut: LeftOut,
): AsyncGenerator<Contact> {
  const audience = isRecord(document['audience']) ? document['audience'] : {};
  const map = isRecord(audience['map']) ? audience['map'] : {};
  if (file !== undefined) {
    yield* contactsInFile(file, target?.map ?? {}, context, leftOut);
    return;
  }
  const { contacts: listed, collection } = audience;
  const isStored = typeof collection === 'string';
  if (!Array.isArray(listed) && !(isStored && config.mongodbUri !== ''))
    throw new ServiceError(
      'usage',
      `${isStored ? storedElsewhere : noContacts}: give --contacts FILE (CSV or JSON lines)`,
    );
  const raws = Array.isArray(listed) ? (listed as unknown[]) : await storedContacts(audience, context);
  const known = newIdSet();
  for (const [index, raw] of raws.entries()) {
    const { contact, invalid } = readContact(raw, isStored ? map : undefined);
    const place = isStored ? `document ${index + 1} of the collection` : `audience.contacts[${index}]`;
    if (contact === undefined) leftOut.addInvalid(invalid, raw, place);
    else if (known.add(idKey(contact.id))) yield contact;
    else leftOut.addDuplicate(raw, place);
  }
}

const storedElsewhere = 'the audience is a collection, and MONGODB_URI is not set';
const noContacts = 'the campaign file has no contacts';

async function* contactsInFile(
  file: string,
  map: Record<string, unknown>,
  { signal }: Context,
  leftOut: LeftOut,
): AsyncGenerator<Contact> {
  for await (const { rows, rejects } of readContacts({ file, map, ids: newIdSet(), signal })) {
    for (const { line, reason } of rejects) leftOut.addInvalid(reason, undefined, `line ${line}`);
    for (const { document: row } of rows) {
      const { contact } = readContact(row, map);
      if (contact !== undefined) yield contact;
    }
  }
}

const pageSize = 1000;

/** Reads only. */
const storedContacts = (audience: Record<string, unknown>, context: Context): Promise<unknown[]> =>
  withDatabase(context, async ({ db }) => {
    const filter = isRecord(audience['filter']) ? audience['filter'] : {};
    const source = { collection: String(audience['collection']), filter };
    const found: unknown[] = [];
    for (let after: unknown, isDone = false; !isDone; ) {
      const page = await readAudiencePage(db, source, after, pageSize);
      found.push(...page.documents.map(({ raw }) => raw));
      after = page.documents.at(-1)?.after;
      isDone = page.done;
    }
    return found;
  });
