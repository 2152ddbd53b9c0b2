import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { collections, initDatabase } from '../../src/mongo/collections.ts';
import { throwStopSwitch } from '../../src/mongo/control.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Ran, run } from '../unit/cli/host.ts';

let database: TestDatabase;
let env: Record<string, string> = {};
beforeAll(async () => {
  database = await testDatabase('control');
  env = { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, LEASE_TTL_MS: '1000' };
  await initDatabase(database.db, { partitions: 8 });
});
afterAll(() => database.close());
beforeEach(async () => {
  await settings().deleteOne({ _id: 'control' });
});

type Loose = { _id: string; [field: string]: unknown };
const settings = () => database.db.collection<Loose>('settings');
const stored = () => settings().findOne({ _id: 'control' });
const cli = (...argv: string[]): Promise<Ran> => run(argv, env);
const json = async (...argv: string[]): Promise<Record<string, unknown>> => (await cli('--json', ...argv)).json();

test('stop-all keeps who, when and why; a second one replaces nothing; start-all ends it', async () => {
  const before = Date.now();
  const first = await cli('stop-all', '--reason', 'wrong prices');
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('sending is stopped for all campaigns: wrong prices'),
  });
  expect(first.stdout).toContain('no message is with a provider');
  const document = await stored();
  expect(document).toEqual({
    ...{ _id: 'control', sending: 'stopped', reason: 'wrong prices' },
    by: expect.stringMatching(/.+@.+/),
    at: expect.any(Date),
  });
  expect(Math.abs(Number(document?.['at']) - before)).toBeLessThan(30_000);
  const again = await cli('stop-all', '--reason', 'another');
  expect(again).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/stopped for all campaigns since .* by .*: wrong prices/),
  });
  expect(await stored()).toEqual(document);
  expect(await json('start-all')).toMatchObject({
    changed: true,
    sending: 'on',
    stoppedMs: expect.any(Number),
    running: 0,
  });
  expect(await stored()).toEqual({ _id: 'control', sending: 'on', by: expect.anything(), at: expect.any(Date) });
  expect(await cli('start-all')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('sending is on already since '),
  });
});

test('nobody ever stopped anything: start-all writes nothing', async () => {
  expect(await json('start-all')).toMatchObject({ changed: false, sending: 'on' });
  expect(await stored()).toBeNull();
});

test('what others wrote is heeded, and of several at once one counts', async () => {
  await settings().insertOne({ _id: 'control', sending: 'on' });
  const of = collections(database.db);
  const thrown = await Promise.all(['a', 'b', 'c'].map((by) => throwStopSwitch(of, { sending: 'stopped', by })));
  expect(thrown.filter(Boolean)).toHaveLength(1);
  await settings().deleteOne({ _id: 'control' });
  const anew = await Promise.all(['a', 'b', 'c'].map((by) => throwStopSwitch(of, { sending: 'stopped', by })));
  expect(anew.filter(Boolean)).toHaveLength(1);
});

test('status and members say it first, and loudly; with --json it is there only then', async () => {
  expect(await json('status')).not.toHaveProperty('stopped');
  await json('stop-all', '--reason', 'wrong prices');
  for (const command of ['status', 'members'])
    expect((await cli(command)).stdout).toMatch(
      /^SENDING IS STOPPED for all campaigns since .* by .*: wrong prices \(start-all/,
    );
  expect(await json('status')).toMatchObject({ stopped: { sending: 'stopped', reason: 'wrong prices' } });
  expect(await json('members')).toMatchObject({ stopped: { reason: 'wrong prices' } });
});
