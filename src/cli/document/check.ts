/** A campaign file against everything the worker would refuse it for. */
import { channelFacts } from '../../channels/facts.ts';
import type { Config } from '../../config.ts';
import { type CheckedCampaign, checkCampaign } from '../../domain/campaign.ts';
import { wantsHolidays } from '../../domain/compileSchedule.ts';
import type { Fault } from '../../domain/errors.ts';
import { loadHolidays } from '../../domain/holidays.ts';
import type { Template } from '../../domain/model.ts';
import { audienceQuery } from '../../mongo/audience.ts';
import { checkFilter } from '../../mongo/audienceRefusals.ts';
import { type Collections, ownCollections } from '../../mongo/collections.ts';
import { type Db, mongoErrorOf } from '../../mongo/values.ts';
import { type CampaignFile, isRecord, type PlacedFault } from './document.ts';

export interface Sources {
  db: Db;
  in: Collections;
}

export interface Examined {
  /** In the order of the file, one for each path. */
  faults: PlacedFault[];
  /** Undefined when there is no document to check. */
  checked?: CheckedCampaign;
}

/** Every fault in the order of the file, one for each path. Without `sources` templates are not looked up. */
export const check = async (read: CampaignFile, config: Config, sources: Sources | undefined): Promise<PlacedFault[]> =>
  (await examine(read, config, sources)).faults;

/** The same, with what was made of the document; `now`: ms since the epoch. */
export async function examine(
  read: CampaignFile,
  config: Config,
  sources: Sources | undefined,
  now = Date.now(),
): Promise<Examined> {
  const { document } = read;
  if (document === undefined) return { faults: read.faults };
  const template = sources && (await findTemplate(document, sources.in));
  const asked = wantsHolidays(document, template === 'missing' ? undefined : template);
  const checked = checkCampaign(document, {
    channels: channelFacts(config.channels),
    reservedCollections: ownCollections,
    unsubscribeTokens: config.hashKey !== undefined,
    now,
    ...(asked ? { holidays: await loadHolidays() } : {}),
    audienceFault: await findAudienceFault(document, sources),
    ...(template === undefined ? {} : { template }),
  });
  const known = new Set(read.faults.map(({ path }) => path));
  const placed = checked.faults
    .filter(({ path }) => path === '' || !known.has(path))
    .map((fault) => read.place(hinted(fault)));
  return { faults: [...read.faults, ...placed].sort((a, b) => a.line - b.line || a.column - b.column), checked };
}

/** A campaign in a file may have its audience in another. */
const hinted = (fault: Fault): Fault =>
  fault.path === 'audience' && fault.code === 'required'
    ? { ...fault, message: `${fault.message}; or give --contacts FILE` }
    : fault;

/** The version it names, else the latest; undefined when it names none. */
async function findTemplate(
  { templateId, templateVersion }: Record<string, unknown>,
  { templates }: Collections,
): Promise<Template | 'missing' | undefined> {
  if (typeof templateId !== 'string') return undefined;
  const version = typeof templateVersion === 'number' ? { '_id.version': templateVersion } : {};
  const [found] = await templates
    .find({ '_id.id': templateId, ...version })
    .sort({ '_id.version': -1 })
    .limit(1)
    .toArray();
  return found ?? 'missing';
}

/** What our own rules, and then the server's planner, say of the audience's filters. Nothing is read. */
async function findAudienceFault(
  document: Record<string, unknown>,
  sources: Sources | undefined,
): Promise<Fault | undefined> {
  const audience = document['audience'];
  if (!isRecord(audience)) return undefined;
  return (
    (await findFilterFault(audience, 'audience', sources)) ??
    (await findFilterFault(audience['exclude'], 'audience.exclude', sources))
  );
}

async function findFilterFault(
  source: unknown,
  path: string,
  sources: Sources | undefined,
): Promise<Fault | undefined> {
  if (!isRecord(source) || typeof source['collection'] !== 'string' || !isRecord(source['filter'])) return undefined;
  const { collection, filter } = source;
  const refused = checkFilter(filter);
  if (refused) return { ...refused, path: `${path}.filter.${refused.path}` };
  if (sources === undefined || ownCollections.includes(collection)) return undefined;
  try {
    await audienceQuery(sources.db, { collection, filter }, undefined, 1).explain('queryPlanner');
    return undefined;
  } catch (error) {
    const mongo = mongoErrorOf(error);
    if (typeof mongo?.code !== 'number' || !queryErrors.has(mongo.code)) throw error;
    return { code: 'filter_refused', path: `${path}.filter`, message: `MongoDB refuses it: ${mongo.message}` };
  }
}

/** BadValue, FailedToParse, TypeMismatch and the planner's own: the query is wrong, not the server. */
const queryErrors: ReadonlySet<number> = new Set([2, 9, 14, 51, 51_091, 51_108, 51_174, 166, 238]);
