/** A campaign file against everything the worker would refuse it for. */
import { channelFacts } from '../channels/facts.ts';
import type { Config } from '../config.ts';
import { checkCampaign } from '../domain/campaign.ts';
import type { Fault } from '../domain/errors.ts';
import type { Template } from '../domain/model.ts';
import { audienceQuery, checkFilter } from '../mongo/audience.ts';
import { type Collections, ownCollections } from '../mongo/collections.ts';
import { type Db, mongoErrorOf } from '../mongo/values.ts';
import { type CampaignFile, isRecord, type PlacedFault } from './document.ts';

export interface Sources {
  db: Db;
  in: Collections;
}

/** Every fault in the order of the file, one for each path. Without `sources` templates are not looked up. */
export async function check(read: CampaignFile, config: Config, sources: Sources | undefined): Promise<PlacedFault[]> {
  const { document } = read;
  if (document === undefined) return read.faults;
  const template = sources && (await findTemplate(document, sources.in));
  const { faults } = checkCampaign(document, {
    channels: channelFacts(config.channels),
    reservedCollections: ownCollections,
    unsubscribeTokens: config.hashKey !== undefined,
    now: Date.now(),
    audienceFault: await findAudienceFault(document, sources),
    ...(template === undefined ? {} : { template }),
  });
  const known = new Set(read.faults.map(({ path }) => path));
  const placed = faults.filter(({ path }) => path === '' || !known.has(path)).map(read.place);
  return [...read.faults, ...placed].sort((a, b) => a.line - b.line || a.column - b.column);
}

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

/** What our own rules, and then the server's planner, say of the audience's filter. Nothing is read. */
async function findAudienceFault(
  document: Record<string, unknown>,
  sources: Sources | undefined,
): Promise<Fault | undefined> {
  const audience = document['audience'];
  if (!isRecord(audience) || typeof audience['collection'] !== 'string' || !isRecord(audience['filter']))
    return undefined;
  const { collection, filter } = audience;
  const refused = checkFilter(filter);
  if (refused) return { ...refused, path: `audience.filter.${refused.path}` };
  if (sources === undefined || ownCollections.includes(collection)) return undefined;
  try {
    await audienceQuery(sources.db, { collection, filter }, undefined, 1).explain('queryPlanner');
    return undefined;
  } catch (error) {
    const mongo = mongoErrorOf(error);
    if (typeof mongo?.code !== 'number' || !queryErrors.has(mongo.code)) throw error;
    return { code: 'filter_refused', path: 'audience.filter', message: `MongoDB refuses it: ${mongo.message}` };
  }
}

/** BadValue, FailedToParse, TypeMismatch and the planner's own: the query is wrong, not the server. */
const queryErrors: ReadonlySet<number> = new Set([2, 9, 14, 51, 51_091, 51_108, 51_174, 166, 238]);
