/** `migrate` says what would come of it, and stores the wish. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { initDatabase } from '../../src/mongo/collections.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Ran, run } from '../unit/cli/host.ts';

type Loose = { _id: string; [field: string]: unknown };
let database: TestDatabase;
let env: Record<string, string> = {};
beforeAll(async () => {
  database = await testDatabase('cli_migrate');
  env = { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, CHANNEL_SMS_DRIVER: 'console' };
  await initDatabase(database.db, { partitions: 8 });
});
afterAll(() => database.close());

const of = (name: string) => database.db.collection<Loose>(name);
const cli = (...argv: string[]): Promise<Ran> => run(['migrate', 'spring', ...argv], env);
const say = (id: string, channel = 'sms') => ({ id, type: 'message', channel, content: { text: id } });
const flow = { stages: [say('a'), say('b'), say('c')] };
const now = new Date();

beforeEach(async () => {
  for (const name of ['campaigns', 'campaign_runs', 'conversation_states', 'templates']) await of(name).deleteMany({});
  const version = (number: number, stages: object[]) => ({ _id: { id: 'series', version: number }, flow: { stages } });
  await database.db
    .collection<{ _id: object }>('templates')
    .insertMany([version(3, flow.stages), version(4, [say('b'), say('a'), say('x')]), version(5, [say('a', 'fax')])]);
  await of('campaigns').insertOne({ _id: 'spring', status: 'running', templateId: 'series', templateVersion: 3 });
  await of('campaign_runs').insertOne({
    ...{
      _id: 'spring',
      partition: 1,
      status: 'running',
      settled: false,
      priority: 5,
      flow,
      variables: {},
      campaign: {},
    },
    ...{
      audience: { kind: 'inline' },
      template: { id: 'series', version: 3 },
      startedAt: now,
      createdAt: now,
      updatedAt: now,
    },
    ...{ expansion: { expanded: 4, skipped: {}, done: true }, wake: 1 },
  });
  await of('conversation_states').insertMany(
    ['a', 'a', 'b', 'c'].map((stage, n) => ({ _id: `spring:k${n}`, campaignId: 'spring', status: 'active', stage })),
  );
});

const wish = async () => (await of('campaigns').findOne({ _id: 'spring' }))?.['migrate'];

test('a dry run says who goes over and who stays, and writes nothing', async () => {
  const dry = await cli('--to', '4', '--dry-run', '--json');
  expect(dry).toMatchObject({ code: 0 });
  expect(dry.json()).toEqual({
    ...{ campaign: 'spring', from: 3, to: 4, changed: false, moves: 2, stays: 2, lacking: ['c'] },
    stages: [
      { stage: 'a', conversations: 2, moves: true },
      { stage: 'b', conversations: 1, moves: false, why: 'would_repeat', repeats: 'a' },
      { stage: 'c', conversations: 1, moves: false, why: 'stage_missing' },
    ],
  });
  const told = await cli('--to', '4', '--dry-run');
  expect(told.stdout).toContain('stays: it leads back to a');
  expect(told.stdout).toContain('version 4 lacks 1 stage: c');
  expect(await wish()).toBeUndefined();
});

test('the wish is stored; workers do the rest', async () => {
  expect(await cli('--to', '4')).toMatchObject({ code: 0 });
  expect(await wish()).toEqual({ toVersion: 4 });
  await of('conversation_states').deleteMany({});
  expect((await cli('--to', '4', '--dry-run')).stdout).toContain('no conversation is active');
});

test.each<[string, string, number, string]>([
  ['a version with a fault', '5', 1, 'template.flow.stages[0].channel'],
  ['a version that is not there', '9', 1, 'migrate.toVersion'],
  ['no version', 'four', 2, 'version'],
])('%s is refused', async (_, to, code, text) => {
  const refused = await cli('--to', to);
  expect(refused.code).toBe(code);
  expect(refused.stdout + refused.stderr).toContain(text);
  expect(await wish()).toBeUndefined();
});

test('the version it follows is there already; what has ended, or not begun, has none to go over to', async () => {
  expect((await cli('--to', '3')).stdout).toContain('follows version 3 already');
  await of('campaign_runs').updateOne({ _id: 'spring' }, { $set: { settled: true, status: 'completed' } });
  expect(await cli('--to', '4')).toMatchObject({ code: 1 });
  await of('campaign_runs').updateOne(
    { _id: 'spring' },
    { $set: { settled: false, status: 'scheduled' }, $unset: { startedAt: '' } },
  );
  expect((await cli('--to', '4')).stderr).toContain('templateVersion');
  await of('campaign_runs').deleteMany({});
  expect(await cli('--to', '4')).toMatchObject({ code: 1 });
});
