// What goes wrong, and when. A fault begins, lasts, and is over when its promise resolves.
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
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

/** Aims a fail point at the members alone, on whoever is primary now. */
async function failCommand({ set }, mode, data) {
  const node = await set.primary();
  await node.admin({ configureFailPoint: 'failCommand', mode, data: { ...data, appName } });
}

const worker =
  (field) =>
  ({ workers }, random) => ({ [field]: random.int(0, workers.count - 1) });

/**
 * By name: how to draw its particulars from the seed, and how to do it. `servers`: no two of these at a time, since more
 * would leave no majority.
 */
const kinds = {
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
      if (!workers.signal(who, 'SIGSTOP')) return nothing;
      await sleep(ms);
      workers.signal(who, 'SIGCONT');
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
      const heal = network.disturb(kind, pid);
      await sleep(ms);
      heal();
    },
  },
  'cut all workers off': {
    draw: (_, random) => ({ kind: random.pick(['cut', 'reset']), ms: random.int(500, 6000) }),
    async run({ network }, { kind, ms }) {
      const heal = network.disturb(kind);
      await sleep(ms);
      heal();
    },
  },
  'slow connections': {
    draw: (_, random) => ({ delayMs: random.int(10, 250), ms: random.int(2000, 8000) }),
    async run({ network }, { delayMs, ms }) {
      const heal = network.disturb('slow', undefined, delayMs);
      await sleep(ms);
      heal();
    },
  },
  'the primary steps down': {
    servers: true,
    draw: (_, random) => ({ seconds: random.int(3, 10) }),
    async run({ set }, { seconds }) {
      const node = await set.primary();
      await node.admin({ replSetStepDown: seconds, secondaryCatchUpPeriodSecs: 5, force: true }).catch(() => {});
    },
  },
  'kill a server': {
    servers: true,
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
    servers: true,
    draw: (_, random) => ({ ms: random.int(500, 12_000) }),
    async run({ set }, { ms }) {
      const node = await set.primary();
      node.freeze();
      await sleep(ms);
      node.thaw();
    },
  },
  'a commit whose answer is lost': {
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
    draw: (_, random) => ({
      command: random.pick(['getMore', 'insert', 'update', 'find', 'aggregate', 'commitTransaction']),
      how: random.pick([{ closeConnection: true }, { errorCode: 11_602 }, { errorCode: 189 }, { errorCode: 112 }]),
      times: random.int(1, 10),
    }),
    run: (world, { command, how, times }) => failCommand(world, { times }, { failCommands: [command], ...how }),
  },
  'a stream killed by an admin': {
    draw: (_, random) => ({ code: random.pick([280, 286, 43, 237]), times: random.int(1, 3) }),
    run: (world, { code, times }) =>
      failCommand(world, { times }, { failCommands: ['getMore', 'aggregate'], errorCode: code }),
  },
  'positions are deleted': {
    draw: worker('who'),
    async run({ db, workers }, { who }) {
      await workers.end(who, 'SIGKILL');
      for (const name of ['partitions', 'members'])
        await surely(() => db.collection(name).updateMany({}, { $unset: { position: '' } }));
      workers.start(who);
    },
  },
  'positions fall off the oplog': {
    servers: true,
    draw: () => ({}),
    async run({ workers, rollOplog }) {
      const all = Array.from({ length: workers.count }, (_, index) => index);
      await Promise.all(all.map((index) => workers.end(index, 'SIGKILL')));
      await rollOplog();
      for (const index of all) workers.start(index);
    },
  },
  'the provider misbehaves': {
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
      end();
    },
  },
};

export const faultNames = Object.keys(kinds);

/** Rolling the oplog stops everybody for a while: once in so many rounds of the bag. */
const rare = { 'positions fall off the oplog': 4 };

/**
 * The schedule of a seed: `[{ at, name, particulars }]`, `at` in ms from the start. Kinds come from a bag that is filled
 * again when it is empty, so each has its turn in a short run too.
 */
export function schedule(world, random, { totalMs, everyMs }) {
  const plan = [];
  let bag = [];
  let round = 0;
  let serversFreeAt = 0;
  for (let at = everyMs; at < totalMs; at += everyMs * (0.4 + 1.2 * random.next())) {
    if (bag.length === 0) {
      bag = random.shuffled(faultNames.filter((name) => round % (rare[name] ?? 1) === 0));
      round += 1;
    }
    const busy = at < serversFreeAt;
    const index = busy ? bag.findIndex((name) => !kinds[name].servers) : 0;
    if (index < 0) continue;
    const [name] = bag.splice(index, 1);
    const particulars = kinds[name].draw(world, random.fork());
    // time for the one that was away to catch up
    if (kinds[name].servers) serversFreeAt = at + (particulars.ms ?? (particulars.seconds ?? 8) * 1000) + 6000;
    plan.push({ at, name, particulars });
  }
  return plan;
}

export const perform = (world, { name, particulars }) => kinds[name].run(world, particulars);
