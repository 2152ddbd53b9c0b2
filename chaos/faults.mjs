// What goes wrong, and when. A fault begins, lasts, and is over when its promise resolves.
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoServerError } from 'mongodb';
import { moods } from './provider.mjs';

const appName = `communication-base/${hostname()}/0`;

/** What a fault returns that met nothing to fail. */
export const nothing = 'nothing';

/** The database may be away at the same time, for a while. */
export async function surely(work) {
  for (const deadline = Date.now() + 120_000; ; ) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}

/** So long a fail point waits for somebody to run into it, ms. */
const armedMs = 6_000;

/** Aims a fail point at the members alone, on whoever is primary now; met nothing when nobody ran into it. */
async function failCommand({ set }, mode, data) {
  const node = await set.primary();
  const { count } = await node.admin({ configureFailPoint: 'failCommand', mode, data: { ...data, appName } });
  const name = 'failpoint.failCommand';
  for (const deadline = Date.now() + armedMs; Date.now() < deadline; ) {
    await sleep(100);
    // gone, and the fail point with it: nobody can say
    const { [name]: point } = await node.admin({ getParameter: 1, [name]: 1 }).catch(() => ({}));
    if (point === undefined) return nothing;
    if (point.timesEntered > count) return undefined;
  }
  await node.admin({ configureFailPoint: 'failCommand', mode: 'off' }).catch(() => {});
  return nothing;
}

const unlessMet = (met) => (met > 0 ? undefined : nothing);

const ofServers = { alone: 'servers', servers: true, deafens: true };
const everyone = (workers) => Array.from({ length: workers.count }, (_, index) => index);

const worker =
  (field) =>
  ({ workers }, random) => ({ [field]: random.int(0, workers.count - 1) });

/**
 * By name: how to draw its particulars from the seed, and how to do it; it returns `nothing` when it met nothing to fail.
 * `alone`: no two of a group at a time; of `servers` more would leave no majority, others would end each other.
 * `servers`: the database may be out of reach for everybody.
 * `deafens`: workers may learn late of what they lost.
 */
export const kinds = {
  'kill a worker': {
    draw: (world, random) => ({ ...worker('who')(world, random), pauseMs: random.int(0, 3000) }),
    async run({ workers }, { who, pauseMs }) {
      if (!(await workers.end(who, 'SIGKILL'))) return nothing;
      await sleep(pauseMs);
      workers.start(who);
    },
  },
  'freeze a worker': {
    draw: (world, random) => ({
      ...worker('who')(world, random),
      ms: random.int(world.leaseTtlMs / 4, world.leaseTtlMs * 3),
    }),
    async run({ workers }, { who, ms }) {
      const end = workers.begin('frozen', [who]);
      if (!workers.signal(who, 'SIGSTOP')) return nothing;
      await sleep(ms);
      workers.signal(who, 'SIGCONT');
      end();
    },
  },
  'stop a worker and start it again': {
    draw: worker('who'),
    async run({ workers }, { who }) {
      if (!(await workers.end(who, 'SIGTERM'))) return nothing;
      workers.start(who);
    },
  },
  'cut one worker off': {
    draw: (world, random) => ({
      ...worker('who')(world, random),
      kind: random.pick(['cut', 'reset']),
      ms: random.int(500, world.leaseTtlMs * 3),
    }),
    async run({ workers, network }, { who, kind, ms }) {
      const pid = workers.pid(who);
      if (pid === undefined) return nothing;
      const end = workers.begin('cut off', [who]);
      const heal = network.disturb(kind, pid);
      await sleep(ms);
      const met = heal();
      end();
      return unlessMet(met);
    },
  },
  'cut all workers off': {
    deafens: true,
    draw: (_, random) => ({ kind: random.pick(['cut', 'reset']), ms: random.int(500, 6000) }),
    async run({ network, workers }, { kind, ms }) {
      const end = workers.begin('cut off', everyone(workers));
      const heal = network.disturb(kind);
      await sleep(ms);
      const met = heal();
      end();
      return unlessMet(met);
    },
  },
  'slow connections': {
    deafens: true,
    draw: (_, random) => ({ delayMs: random.int(10, 250), ms: random.int(2000, 8000) }),
    async run({ network }, { delayMs, ms }) {
      const heal = network.disturb('slow', undefined, delayMs);
      await sleep(ms);
      return unlessMet(heal());
    },
  },
  'the primary steps down': {
    ...ofServers,
    draw: (_, random) => ({ seconds: random.int(3, 10) }),
    async run({ set }, { seconds }) {
      const node = await set.primary();
      // less than `seconds`, or it is refused; a connection that is closed on the way has done it, too
      await node.admin({ replSetStepDown: seconds, secondaryCatchUpPeriodSecs: 2, force: true }).catch((error) => {
        if (error instanceof MongoServerError) throw error;
      });
    },
  },
  'kill a server': {
    ...ofServers,
    draw: (_, random) => ({ primary: random.chance(0.7), ms: random.int(500, 6000) }),
    async run({ set }, { primary, ms }) {
      const leader = await set.primary();
      const node = primary ? leader : set.nodes.find((one) => one !== leader);
      await node.kill();
      await sleep(ms);
      await node.start();
    },
  },
  'freeze the primary': {
    ...ofServers,
    draw: (_, random) => ({ ms: random.int(500, 12_000) }),
    async run({ set }, { ms }) {
      const node = await set.primary();
      node.freeze();
      await sleep(ms);
      node.thaw();
    },
  },
  'a commit whose answer is lost': {
    alone: 'fail points',
    draw: (_, random) => ({ times: random.int(1, 4), applied: random.chance(0.5) }),
    run: (world, { times, applied }) =>
      failCommand(
        world,
        { times },
        {
          failCommands: ['commitTransaction'],
          ...(applied ? { writeConcernError: { code: 91, errmsg: 'lost' } } : { closeConnection: true }),
        },
      ),
  },
  'commands that fail': {
    alone: 'fail points',
    draw: (_, random) => ({
      command: random.pick(['getMore', 'insert', 'update', 'find', 'aggregate', 'commitTransaction']),
      how: random.pick([{ closeConnection: true }, { errorCode: 11_602 }, { errorCode: 189 }, { errorCode: 112 }]),
      times: random.int(1, 10),
    }),
    run: (world, { command, how, times }) => failCommand(world, { times }, { failCommands: [command], ...how }),
  },
  'a stream killed by an admin': {
    alone: 'fail points',
    draw: (_, random) => ({ code: random.pick([280, 286, 43, 237]), times: random.int(1, 3) }),
    run: (world, { code, times }) =>
      failCommand(world, { times }, { failCommands: ['getMore', 'aggregate'], errorCode: code }),
  },
  'positions are deleted': {
    draw: worker('who'),
    async run({ db, workers }, { who }) {
      await workers.end(who, 'SIGKILL');
      let met = 0;
      for (const name of ['partitions', 'members']) {
        const deleted = await surely(() => db.collection(name).updateMany({}, { $unset: { position: '' } }));
        met += deleted.modifiedCount;
      }
      workers.start(who);
      return unlessMet(met);
    },
  },
  'positions fall off the oplog': {
    ...ofServers,
    draw: () => ({}),
    async run({ workers, rollOplog }) {
      const all = everyone(workers);
      await Promise.all(all.map((index) => workers.end(index, 'SIGKILL')));
      await rollOplog();
      for (const index of all) workers.start(index);
    },
  },
  'campaigns are dropped and put back': {
    ...{ ...ofServers, restores: true },
    // who gains partitions of one that leaves looks at their campaigns just then
    draw: (world, random) => ({
      ...(random.chance(0.7) ? worker('leaves')(world, random) : {}),
      ms: random.int(500, 2000),
    }),
    run: ({ restoreCampaigns }, { leaves, ms }) => restoreCampaigns({ leaves, ms }),
  },
  'sending is stopped for all': {
    ...{ alone: 'sending' },
    draw: (_, random) => ({ ms: random.int(3000, 8000) }),
    async run({ db, sendingStops }, { ms }) {
      const set = (sending) =>
        surely(() => db.collection('settings').updateOne({ _id: 'control' }, { $set: { sending } }, { upsert: true }));
      await set('stopped');
      const from = Date.now();
      await sleep(ms);
      sendingStops.push({ from, to: Date.now() });
      await set('on');
    },
  },
  'the provider misbehaves': {
    ...{ alone: 'provider' },
    draw: (_, random) => ({
      mood: random.pick(Object.keys(moods)),
      channel: random.pick(['phone', 'alert']),
      share: random.pick([0.05, 0.3, 1]),
      ms: random.int(1000, 5000),
      seed: random.fork(),
    }),
    async run({ provider }, { mood, channel, share, ms, seed }) {
      const end = provider.misbehave(mood, channel, share, seed.next);
      await sleep(ms);
      return unlessMet(end());
    },
  },
};
