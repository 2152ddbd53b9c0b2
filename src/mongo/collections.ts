import type { Collection, CollectionInfo, Db } from 'mongodb';
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
  RateLimitDocument,
  Run,
  Setting,
  Suppression,
  Template,
} from '../domain/model.ts';
import { carryOut, type Done } from './carryOut.ts';
import { type Plan, planOf, readPrepared } from './preparation.ts';

/** Names of the collections that are ours: no audience may read from them (nor from `system.*`). Those of later stages are kept free. */
export const ownCollections: readonly string[] = [...Object.keys(definitionNames), 'outbound_events'];

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
  rates: Collection<RateLimitDocument>;
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
  rates: db.collection('rate_limits'),
});

/** Raised when indexes or validators change; an older release leaves a newer database as it is. */
export const schemaVersion = 14;

/** `changes` are empty when all was there. */
export interface InitReport extends Done {
  partitions: number;
  clusterId: string;
}

/**
 * Makes collections, validators, indexes and partitions. May run again, and on several replicas at once.
 * @throws ServiceError `partitions_mismatch` when the database was prepared for another count.
 */
export async function initDatabase(db: Db, { partitions }: { partitions: number }): Promise<InitReport> {
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > 1024)
    throw new ServiceError('config_invalid', `PARTITIONS is ${partitions}; allowed is a whole number from 1 to 1024`);
  const plan = await planPreparation(db, { partitions });
  refuseMismatch(plan.otherPartitions, partitions);
  const done = await carryOut(db, plan, () => ensureCluster(db, partitions));
  return { partitions, clusterId: await readClusterId(db), ...done };
}

/** What `initDatabase` would do now; reads only. */
export const planPreparation = async (db: Db, { partitions }: { partitions: number }): Promise<Plan> =>
  planOf(await readPrepared(db), { partitions, schemaVersion });

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

const notInitialised = (db: Db): ServiceError =>
  new ServiceError('not_initialised', `database ${db.databaseName} is not prepared: run \`communication-base init\``);

function refuseMismatch(prepared: number | undefined, partitions: number): void {
  if (prepared === undefined || prepared === partitions) return;
  throw new ServiceError(
    'partitions_mismatch',
    `the database was prepared for ${prepared} partitions, PARTITIONS is ${partitions}: the count is fixed at init, so set PARTITIONS to ${prepared}`,
  );
}

const duplicateKey = 11000;

/** Whoever inserts first decides the count; the others compare. */
async function ensureCluster(db: Db, partitions: number): Promise<void> {
  const { settings } = collections(db);
  try {
    await settings.insertOne({ _id: 'cluster', partitions, schemaVersion });
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.code !== duplicateKey) throw error;
    refuseMismatch((await clusterSetting(db))?.partitions, partitions);
    await settings.updateOne({ _id: 'cluster', schemaVersion: { $lt: schemaVersion } }, { $set: { schemaVersion } });
  }
}
