// The campaigns dropped and put back, as `mongorestore --drop` does, while everything runs.
import { setTimeout as sleep } from 'node:timers/promises';
import { nothing, surely } from './faults.mjs';

/** For the deletion of a campaign to be taken in, ms: its owner may be gone. */
const mostMs = 20_000;
const noticedMs = 1_500;
/** All workers may be away at the same time. */
const notedMs = 120_000;

/**
 * Other services write nothing meanwhile.
 * @param leaves which worker is stopped at the same time, if any; `ms`: how long the collection is missing at least.
 */
export async function dropAndRestore({ db, traffic, workers }, { leaves, ms }) {
  return traffic.exclusively(async () => {
    if (!(await deletionsAreTakenIn(db, traffic))) return nothing;
    const campaigns = db.collection('campaigns');
    const [{ options }] = await surely(() => db.listCollections({ name: 'campaigns' }).toArray());
    const indexes = (await surely(() => campaigns.indexes())).filter(({ name }) => name !== '_id_');
    // numbers keep their types
    const dump = await surely(() => campaigns.find({}, { promoteValues: false }).toArray());
    if (dump.length === 0) return nothing;
    await surely(() => campaigns.drop());
    const left = leaves === undefined ? undefined : workers.end(leaves, 'SIGTERM');
    await sleep(ms);
    if (left !== undefined) await noticed(db);
    // a member that starts just then prepares the database
    await unlessDone(48, () => db.createCollection('campaigns', options));
    await unlessDone(11_000, () => campaigns.insertMany(dump, { ordered: false }));
    for (const { key, v: _, ...rest } of indexes) await surely(() => campaigns.createIndex(key, rest));
    await collectionIsNoted(db);
    if (await left) workers.start(leaves);
  });
}

/** Somebody looked at a campaign that is missing, or has had the time to. */
async function noticed(db) {
  const held = () => db.collection('campaign_runs').findOne({ pausedReason: 'collection_missing' });
  for (const deadline = Date.now() + noticedMs; Date.now() < deadline && !(await surely(held)); ) await sleep(100);
}

/** What is deleted before anybody saw it in the new collection cannot be told from what was dropped. */
async function collectionIsNoted(db) {
  const [{ info }] = await surely(() => db.listCollections({ name: 'campaigns' }).toArray());
  const elsewhere = { settled: false, collectionUuid: { $ne: info.uuid.toString() } };
  const open = async () => {
    const runs = await db
      .collection('campaign_runs')
      .find(elsewhere, { projection: { _id: 1 } })
      .toArray();
    return db.collection('campaigns').countDocuments({ _id: { $in: runs.map(({ _id }) => _id) } });
  };
  for (const deadline = Date.now() + notedMs; Date.now() < deadline && (await surely(open)) > 0; ) await sleep(100);
}

const unlessDone = (code, work) =>
  surely(() =>
    work().catch((error) => {
      if (error.code !== code) throw error;
    }),
  );

/** Nobody could tell afterwards whether a document that is missing was deleted or dropped. */
async function deletionsAreTakenIn(db, traffic) {
  const deleted = [...traffic.campaigns]
    .filter(([, { fate, endedAt }]) => fate === 'delete' && endedAt !== undefined)
    .map(([id]) => id);
  const open = { _id: { $in: deleted }, status: { $ne: 'cancelled' }, settled: false };
  for (const deadline = Date.now() + mostMs; Date.now() < deadline; ) {
    if ((await surely(() => db.collection('campaign_runs').countDocuments(open))) === 0) return true;
    await sleep(200);
  }
  return false;
}
