// Who is compared: what each stores its work in, how its processes start, and how long a killed worker's work stays held.
import { startReplicaSet } from '../../scripts/replicaSet.mjs';
import { startRole } from '../processes.mjs';
import { installed, versionsOf } from './installed.mjs';
import * as ours from './ours.mjs';
import { redisVersion, startRedis } from './redis.mjs';

const database = 'bench';

async function mongod() {
  const set = await startReplicaSet({ cacheGb: 2 });
  return { pid: set.nodes[0].pid, where: { uri: set.uri, database }, stop: set.stop };
}

const role = async (candidate, task, settings) =>
  (await startRole('others/role.mjs', [candidate, task, JSON.stringify(settings)])).child;

/** A candidate of two modules' worth: one process that makes the jobs, one that does them. */
const byRoles = (id, more) => ({
  id,
  install: () => installed(id),
  versions: versionsOf(id),
  startWorker: (settings) => role(id, 'work', settings),
  async startProducer(settings) {
    const child = await role(id, 'produce', settings);
    return { pids: [child.pid], begin: () => child.send('go'), stop: () => child.disconnect() };
  },
  ...more,
});

const bullmq = (appendfsync) =>
  byRoles('bullmq', {
    name: `BullMQ, appendfsync ${appendfsync}`,
    startDatabase: () => startRedis(appendfsync),
    versions: `${versionsOf('bullmq')}, redis-server ${redisVersion()}`,
    // lockDuration and stalledInterval, 30 s each
    heldMs: 75_000,
    lacks: () => (redisVersion() ? undefined : 'redis-server is not on PATH (Debian: apt-get install redis-server)'),
  });

export const candidates = {
  ours: {
    id: 'ours',
    name: 'communication-base',
    startDatabase: mongod,
    install: async () => undefined,
    prepare: ours.prepare,
    async startWorker(settings) {
      const child = ours.startWorker(settings);
      if (!settings.again) await ours.ready(settings);
      return child;
    },
    startProducer: async (settings) => ({ pids: [], begin: () => ours.begin(settings), stop: () => {} }),
    heldMs: 60_000,
  },
  bullmq: bullmq('everysec'),
  'bullmq-always': bullmq('always'),
  agenda: byRoles('agenda', {
    name: 'Agenda',
    startDatabase: mongod,
    // defaultLockLifetime
    heldMs: 630_000,
  }),
  polling: byRoles('polling', {
    name: 'polling loop',
    startDatabase: mongod,
    install: async () => undefined,
    // its lock of 60 s, and the sweep
    heldMs: 75_000,
  }),
};
