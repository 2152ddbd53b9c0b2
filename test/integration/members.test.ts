import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { initDatabase } from '../../src/mongo/collections.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { waitFor } from '../support/waitFor.ts';
import { shortLease, startWorker, type WorkerProcess } from '../support/workers.ts';
import { type Ran, run } from '../unit/cli/host.ts';

let database: TestDatabase;
let workers: WorkerProcess[];
beforeEach(async () => {
  database = await testDatabase('members');
  await initDatabase(database.db, { partitions: 16 });
  workers = [];
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill('SIGKILL')));
  await database.close();
});

const cli = (...argv: string[]): Promise<Ran> =>
  run(argv, { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, LEASE_TTL_MS: '2000' });

function start(): WorkerProcess {
  const env = { CHANNEL_PHONE_DRIVER: 'console', PARTITIONS: '16' };
  const worker = startWorker(database, { ...shortLease, ...env });
  workers.push(worker);
  return worker;
}
const owners = (count: number) =>
  waitFor(async () => (await database.db.collection('partitions').distinct('owner')).length === count, {
    what: `${count} to own partitions`,
    timeoutMs: 30_000,
  });

describe('members', () => {
  test('of a cluster that runs: each alive, with its share and its position', async () => {
    start();
    start();
    await owners(2);
    const ran = await waitFor(
      async () => {
        const found = await cli('members', '--json');
        return found.code === 0 ? found : undefined;
      },
      { what: 'every partition to have a live owner', timeoutMs: 20_000 },
    );
    const { ok, members, partitions } = ran.json() as { ok: boolean; members: never[]; partitions: unknown };
    expect({ ok, partitions }).toEqual({ ok: true, partitions: { count: 16, unowned: [], orphaned: [], silent: [] } });
    const alive = {
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      alive: true,
      thread: 0,
      channels: ['phone'],
      beat: expect.any(Number),
      share: 8,
      startedAt: expect.any(String),
    };
    expect(members).toEqual([expect.objectContaining(alive), expect.objectContaining(alive)]);
    const sizes = members.map(({ partitions }: { partitions: number[] }) => partitions.length);
    expect(sizes).toEqual([8, 8]);
    await waitFor(
      async () => {
        const { members } = (await cli('members', '--json')).json() as {
          members: { position?: { at: string; lagSeconds: number } }[];
        };
        const lags = members.map(({ position }) => position?.lagSeconds ?? Number.POSITIVE_INFINITY);
        return lags.every((lag) => lag >= 0 && lag < 60);
      },
      { what: 'positions near the clock of the server', timeoutMs: 30_000 },
    );
    const plain = await cli('members');
    expect(plain.stdout).toMatch(/^[0-9a-f-]{36} +alive +\S+ +0 +\S+ +phone +\S+Z +\d+ +8\/8 /m);
    expect(plain.stdout).toContain('every partition has a live owner');
  });

  test('one that was killed is silent, and its partitions have no live owner', async () => {
    const worker = start();
    await owners(1);
    await worker.kill('SIGKILL');
    const ran = await cli('members');
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/ silent /);
    expect(ran.stdout).toMatch(/^partitions whose owner is silent: 0-15$/m);
    const { members } = (await cli('members', '--json')).json() as { members: unknown[] };
    expect(members).toEqual([expect.objectContaining({ alive: false, partitions: expect.arrayContaining([0, 15]) })]);
  });

  test('partitions nobody owns, or somebody who is gone, are said as ranges', async () => {
    const partitions = database.db.collection<{ _id: number }>('partitions');
    await partitions.updateMany({ _id: { $in: [4, 5, 7] } }, { $set: { owner: 'gone' } });
    await database.db.collection<{ _id: string }>('members').insertOne({
      _id: 'm1',
      host: 'h',
      thread: 0,
      beat: 3,
      channels: [],
      version: '0',
      filterVersion: 1,
      startedAt: new Date(),
    } as never);
    const ran = await cli('members');
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/^partitions without an owner: 0-3, 6, 8-15$/m);
    expect(ran.stdout).toMatch(/^partitions whose owner is no member any more: 4-5, 7$/m);
  });

  test('without any member: 1, and says that no worker runs', async () => {
    expect(await cli('members')).toMatchObject({ code: 1, stdout: 'no worker runs: there are no members\n' });
    expect((await cli('members', '--json')).json()).toMatchObject({ ok: false, members: [] });
  });

  test('a database that was never prepared: 1, and says what to do', async () => {
    await using other = await testDatabase('members_none');
    const ran = await run(['members'], { MONGODB_URI: other.uri, MONGODB_DATABASE: other.name });
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('init') });
  });
});
