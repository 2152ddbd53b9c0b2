/** What is asked of a database that is reached: the looks, each of them bounded, none of which writes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../config.ts';
import { collections, ownCollections, planPreparation } from '../../mongo/collections.ts';
import { readStopSwitch } from '../../mongo/control.ts';
import { compareHashKey } from '../../mongo/hashKey.ts';
import { readRights } from '../../mongo/rights.ts';
import {
  clockOffset,
  confirmsMajority,
  openStream,
  readTroubles,
  serverVersion,
  type Trouble,
} from '../../mongo/serverFacts.ts';
import { type Db, mongoErrorOf } from '../../mongo/values.ts';
import { watchMembers } from '../memberWatch.ts';
import { judgePreparation } from './judgePreparation.ts';
import { judgeRights } from './judgeRights.ts';
import { judgeClock, judgeMajority, judgeSet, judgeStream, judgeVersion } from './judgeServer.ts';
import { judgeCampaigns, judgeWorkers } from './judgeWork.ts';
import { brief, type Look } from './runChecks.ts';
import { type Group, ok, type Result, type Verdict } from './verdict.ts';

export interface LookContext {
  config: Config;
  /** PARTITIONS itself is wrong: what is stored counts. */
  partitionsUnknown: boolean;
  db: Db;
  hello: Record<string, unknown>;
  /** Wall clock, ms. */
  now(): number;
}

const limitMs = 10_000;
const majorityMs = 3_000;
/** A campaign starts within 2 s; one that was stored just now is no trouble. */
const startsWithinMs = 2_000;

const one = (group: Group, check: string, judge: () => Promise<Verdict>, limit = limitMs): Look => ({
  group,
  check,
  limitMs: limit,
  run: async (): Promise<Result[]> => [{ group, check, ...(await judge()) }],
});

const several = (group: Group, check: string, run: () => Promise<Result[]>, limit = limitMs): Look => ({
  group,
  check,
  limitMs: limit,
  run,
});

export function databaseLooks(context: LookContext): Look[] {
  const { config, db, hello, now } = context;
  const place = { database: config.mongodbDatabase, collections: ownCollections };
  const channels = config.channels.map(({ name }) => name);
  return [
    one('mongodb', 'connection', async () => ok('a server answers')),
    one('mongodb', 'replica set', async () => judgeSet(hello)),
    one('mongodb', 'version', async () => judgeVersion(await serverVersion(db))),
    one('mongodb', 'majority', async () =>
      judgeMajority(await confirmsMajority(db, majorityMs), majorityMs / 1000, hello),
    ),
    one('mongodb', 'clock', async () => judgeClock(await clockOffset(db, now))),
    one('mongodb', 'change stream', async () => judgeStream(await refusalOf(() => openStream(db)))),
    several('rights', 'work', async () => judgeRights(await readRights(db), place)),
    several('preparation', 'database', () => preparation(context)),
    several(
      'workers',
      'members',
      async () => {
        const cluster = await watchMembers(collections(db), config.leaseTtlMs);
        return judgeWorkers(cluster, config.leaseTtlMs, channels);
      },
      config.leaseTtlMs + limitMs,
    ),
    several('campaigns', 'campaigns', () => campaigns(context)),
  ];
}

const unauthorized = 13;

/** What the server says no with, but for want of a right; what is no answer of a server is thrown. */
async function refusalOf(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    const refused = mongoErrorOf(error);
    if (refused?.code === undefined || refused.code === unauthorized) throw error;
    return brief(refused.message);
  }
}

async function preparation({ config, db, partitionsUnknown }: LookContext): Promise<Result[]> {
  const { mongodbDatabase: database, hashKey } = config;
  const first = await planPreparation(db, config);
  const stored = partitionsUnknown ? first.otherPartitions : undefined;
  const plan = stored === undefined ? first : await planPreparation(db, { partitions: stored });
  return judgePreparation({
    plan,
    database,
    partitions: stored ?? config.partitions,
    hashKey: await compareHashKey(db, hashKey),
    hasHashKey: hashKey !== undefined,
  });
}

async function campaigns({ db, now }: LookContext): Promise<Result[]> {
  const stop = await readStopSwitch(collections(db));
  const first = await readTroubles(db, new Date(now()));
  const waiting = first.waiting.length === 0 ? [] : await stillWaiting(db, first.waiting, now);
  return judgeCampaigns({ ...first, waiting, stop });
}

async function stillWaiting(db: Db, before: readonly Trouble[], now: () => number): Promise<Trouble[]> {
  await sleep(startsWithinMs);
  const { waiting } = await readTroubles(db, new Date(now() - startsWithinMs));
  const known = new Set(before.map(({ _id }) => String(_id)));
  return waiting.filter(({ _id }) => known.has(String(_id)));
}
