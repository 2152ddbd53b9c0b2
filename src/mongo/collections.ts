import type { Collection, CollectionInfo, Db, Document } from 'mongodb';
import { MongoServerError } from 'mongodb';
import { ServiceError } from '../domain/errors.ts';
import { collections as definitionNames } from '../domain/generated/schemas.ts';
import type {
  CampaignAddress,
  CampaignDocument,
  CampaignRamp,
  ClusterSetting,
  ContactPressure,
  Conversation,
  Counters,
  DeadLetter,
  Escalation,
  InboundEvent,
  Member,
  Message,
  Partition,
  Run,
  Setting,
  Suppression,
  Template,
} from '../domain/model.ts';
import { indexes } from './indexes.ts';
import { validatorOf } from './validators.ts';

/** Names of the collections that are ours: no audience may read from them (nor from `system.*`). Those of later stages are kept free. */
export const ownCollections: readonly string[] = [...Object.keys(definitionNames), 'outbound_events', 'rate_limits'];

export interface Collections {
  campaigns: Collection<CampaignDocument>;
  templates: Collection<Template>;
  conversations: Collection<Conversation>;
  messages: Collection<Message>;
  runs: Collection<Run>;
  counters: Collection<Counters>;
  addresses: Collection<CampaignAddress>;
  deadLetters: Collection<DeadLetter>;
  escalations: Collection<Escalation>;
  members: Collection<Member>;
  partitions: Collection<Partition>;
  settings: Collection<Setting>;
  inbound: Collection<InboundEvent>;
  suppressions: Collection<Suppression>;
  pressures: Collection<ContactPressure>;
  ramps: Collection<CampaignRamp>;
}

export const collections = (db: Db): Collections => ({
  campaigns: db.collection('campaigns'),
  templates: db.collection('templates'),
  conversations: db.collection('conversation_states'),
  messages: db.collection('messages'),
  runs: db.collection('campaign_runs'),
  counters: db.collection('campaign_counters'),
  addresses: db.collection('campaign_addresses'),
  deadLetters: db.collection('dead_letters'),
  escalations: db.collection('escalations'),
  members: db.collection('members'),
  partitions: db.collection('partitions'),
  settings: db.collection('settings'),
  inbound: db.collection('inbound_events'),
  suppressions: db.collection('suppressions'),
  pressures: db.collection('contact_pressure'),
  ramps: db.collection('campaign_ramps'),
});

/** Raised when indexes or validators change; an older release leaves a newer database as it is. */
export const schemaVersion = 14;

export interface InitReport {
  partitions: number;
  clusterId: string;
  /** What was made or changed by this call, one line each; empty when all was there. */
  changes: string[];
  /** What the user of MONGODB_URI may not do, or what stands in the way; the rest was done. */
  problems: string[];
}

/**
 * Makes collections, validators, indexes and partitions. May run again, and on several replicas at once.
 * @throws ServiceError `partitions_mismatch` when the database was prepared for another count.
 */
export async function initDatabase(db: Db, { partitions }: { partitions: number }): Promise<InitReport> {
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > 1024)
    throw new ServiceError('config_invalid', `PARTITIONS is ${partitions}; allowed is a whole number from 1 to 1024`);
  const changes: string[] = [];
  const problems: string[] = [];
  const before = await clusterSetting(db);
  refuseMismatch(before, partitions);
  if (before === null || before.schemaVersion <= schemaVersion) {
    await ensureCollections(db, changes, problems);
    await ensureIndexes(db, changes, problems);
  }
  await ensureCluster(db, partitions);
  await ensurePartitions(db, partitions, changes);
  await noteCampaigns(db, problems);
  return { partitions, clusterId: await readClusterId(db), changes, problems };
}

/**
 * What is fixed for all members.
 * @throws ServiceError `not_initialised` when the database was never, or only half, prepared.
 */
export async function readCluster(db: Db): Promise<{ partitions: number; clusterId: string }> {
  const cluster = await clusterSetting(db);
  const count = cluster && (await collections(db).partitions.countDocuments({ _id: { $lt: cluster.partitions } }));
  if (cluster === null || count !== cluster.partitions) throw notInitialised(db);
  return { partitions: cluster.partitions, clusterId: await readClusterId(db) };
}

const clusterSetting = async (db: Db): Promise<ClusterSetting | null> =>
  (await collections(db).settings.findOne({ _id: 'cluster' })) as ClusterSetting | null;

/**
 * Identity of the prepared database: the UUID of `settings`, readable with `readWrite` on the database alone.
 * @throws ServiceError `not_initialised` without that collection.
 */
export async function readClusterId(db: Db): Promise<string> {
  // The UUID is given when the collection is made: a dump restored elsewhere gets another one, which a field of a document
  // would not, while a snapshot of the files keeps it together with the oplog that its tokens belong to.
  const uuid = await uuidOf(db, 'settings');
  if (uuid === undefined) throw notInitialised(db);
  return uuid;
}

/** Undefined when there is no such collection. */
export async function uuidOf(db: Db, name: string): Promise<string | undefined> {
  const [found] = (await db.listCollections({ name }, { nameOnly: false }).toArray()) as CollectionInfo[];
  return found?.info?.uuid?.toString();
}

/** Open runs whose documents are in a collection of campaigns that is another one than when they were last seen, as after a restore. */
async function noteCampaigns(db: Db, problems: string[]): Promise<void> {
  const { campaigns, runs } = collections(db);
  const uuid = await uuidOf(db, 'campaigns');
  if (uuid === undefined) return;
  const elsewhere = { settled: false, collectionUuid: { $ne: uuid } };
  const ids = (await runs.find(elsewhere, { projection: { _id: 1 } }).toArray()).map(({ _id }) => _id);
  for (let from = 0; from < ids.length; from += 1000) {
    const there = await campaigns
      .find({ _id: { $in: ids.slice(from, from + 1000) } }, { projection: { _id: 1 } })
      .toArray();
    // dropped and put back meanwhile: whoever sees that notes it
    if ((await uuidOf(db, 'campaigns')) !== uuid) return;
    try {
      await runs.updateMany(
        { _id: { $in: there.map(({ _id }) => _id) }, ...elsewhere },
        { $set: { collectionUuid: uuid } },
      );
    } catch (error) {
      // an older validator that could not be replaced
      if (code(error) !== validationFailed) throw error;
      problems.push(
        'it is not remembered which collection `campaigns` is: the validator of campaign_runs is an older one',
      );
      return;
    }
  }
}

const notInitialised = (db: Db): ServiceError =>
  new ServiceError('not_initialised', `database ${db.databaseName} is not prepared: run \`communication-base init\``);

function refuseMismatch(cluster: ClusterSetting | null, partitions: number): void {
  if (cluster === null || cluster.partitions === partitions) return;
  throw new ServiceError(
    'partitions_mismatch',
    `the database was prepared for ${cluster.partitions} partitions, PARTITIONS is ${partitions}: the count is fixed at init, so set PARTITIONS to ${cluster.partitions}`,
  );
}

const code = (error: unknown): unknown => (error instanceof MongoServerError ? error.code : undefined);
const unauthorized = 13;
const namespaceExists = 48;
const duplicateKey = 11000;
const validationFailed = 121;
/** IndexOptionsConflict, IndexKeySpecsConflict: something of the same name or key is there in another form. */
const indexConflicts: unknown[] = [85, 86];

async function ensureCollections(db: Db, changes: string[], problems: string[]): Promise<void> {
  const found = (await db.listCollections({}, { nameOnly: false }).toArray()) as CollectionInfo[];
  const existing = new Map(found.map(({ name, options }) => [name, JSON.stringify(options?.['validator'])]));
  for (const name of Object.keys(definitionNames)) {
    const validator = validatorOf(name);
    const there = existing.has(name);
    try {
      if (!there) {
        if (await create(db, name, validator)) changes.push(`collection ${name}`);
      } else if (validator && existing.get(name) !== JSON.stringify(validator)) {
        await db.command({ collMod: name, validator, validationLevel: 'strict', validationAction: 'error' });
        changes.push(`validator of ${name}`);
      }
    } catch (error) {
      if (code(error) !== unauthorized) throw error;
      problems.push(
        there
          ? `no right to set the validator of ${name} (collMod, in the role dbAdmin)`
          : `no right to create ${name}`,
      );
    }
  }
}

/** False when another replica was faster. */
async function create(db: Db, name: string, validator: Document | undefined): Promise<boolean> {
  try {
    await db.createCollection(name, validator ? { validator, validationAction: 'error' } : {});
    return true;
  } catch (error) {
    if (code(error) !== namespaceExists) throw error;
    return false;
  }
}

async function ensureIndexes(db: Db, changes: string[], problems: string[]): Promise<void> {
  for (const { collection, reason: _, ...index } of indexes) {
    try {
      const { numIndexesBefore, numIndexesAfter } = await db.command({ createIndexes: collection, indexes: [index] });
      if (numIndexesAfter > numIndexesBefore) changes.push(`index ${collection}.${index.name}`);
    } catch (error) {
      if (code(error) === unauthorized) problems.push(`no right to create index ${collection}.${index.name}`);
      else if (indexConflicts.includes(code(error)))
        problems.push(`index ${collection}.${index.name} is there in another form; drop it and run init again`);
      else throw error;
    }
  }
}

/** Whoever inserts first decides the count; the others compare. */
async function ensureCluster(db: Db, partitions: number): Promise<void> {
  const { settings } = collections(db);
  try {
    await settings.insertOne({ _id: 'cluster', partitions, schemaVersion });
  } catch (error) {
    if (code(error) !== duplicateKey) throw error;
    refuseMismatch(await clusterSetting(db), partitions);
    await settings.updateOne({ _id: 'cluster', schemaVersion: { $lt: schemaVersion } }, { $set: { schemaVersion } });
  }
}

async function ensurePartitions(db: Db, partitions: number, changes: string[]): Promise<void> {
  const { upsertedCount } = await collections(db).partitions.bulkWrite(
    Array.from({ length: partitions }, (_, _id) => ({
      updateOne: { filter: { _id }, update: { $setOnInsert: { _id } }, upsert: true },
    })),
    { ordered: false },
  );
  if (upsertedCount > 0) changes.push(`${upsertedCount} partitions`);
}
