import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ObjectId } from 'mongodb';
import { initDatabase } from '../../src/mongo/collections.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Ran, run } from '../unit/cli/host.ts';

type Loose = { _id: string | ObjectId; [field: string]: unknown };
let database: TestDatabase;
let folder = '';
let env: Record<string, string> = {};
beforeAll(async () => {
  database = await testDatabase('cli');
  folder = await mkdtemp(join(tmpdir(), 'cli-'));
  env = {
    MONGODB_URI: database.uri,
    MONGODB_DATABASE: database.name,
    CHANNEL_EMAIL_DRIVER: 'console',
    CHANNEL_SMS_DRIVER: 'console',
  };
  await initDatabase(database.db, { partitions: 64 });
});
afterAll(async () => {
  await database.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const name of ['campaigns', 'campaign_runs', 'conversation_states', 'templates'])
    await database.db.collection(name).deleteMany({});
});

const cli = (...argv: string[]): Promise<Ran> => run(argv, env);
const json = async (...argv: string[]): Promise<Record<string, unknown>> => (await cli('--json', ...argv)).json();
const campaigns = () => database.db.collection<Loose>('campaigns');
const conversations = () => database.db.collection<{ _id: string; [field: string]: unknown }>('conversation_states');
const runs = () => database.db.collection<Loose>('campaign_runs');

async function file(content: unknown): Promise<string> {
  const path = join(folder, `${new ObjectId()}.json`);
  await writeFile(path, JSON.stringify(content));
  return path;
}
const good = {
  _id: 'spring',
  status: 'pending',
  schedule: { startAt: '2030-01-05T09:00:00+01:00' },
  audience: { collection: 'people', filter: { country: 'DE' } },
  unsubscribe: { mailto: 'stop@example.com' },
  flow: { stages: [{ id: 'hello', type: 'message', channel: 'email', content: { subject: 'Hi', text: 'Hello' } }] },
};

describe('init', () => {
  test('prepares once and may be repeated', async () => {
    await using other = await testDatabase('cli_init');
    const there = { ...env, MONGODB_DATABASE: other.name, PARTITIONS: '8' };
    const first = await run(['init', '--json'], there);
    expect(first).toMatchObject({ code: 0 });
    expect(first.json()).toMatchObject({ database: other.name, partitions: 8, problems: [] });
    expect(await run(['init'], there)).toMatchObject({ code: 0, stdout: expect.stringContaining('was ready already') });
    const wrong = await run(['init'], { ...there, PARTITIONS: '16' });
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/8 partitions.*16/) });
  });
});

describe('submit', () => {
  test('stores the campaign with real dates and prints its id', async () => {
    const ran = await cli('submit', await file(good));
    expect(ran).toMatchObject({ code: 0, stdout: 'spring\n' });
    expect(await campaigns().findOne({ _id: 'spring' })).toEqual({
      ...good,
      schedule: { startAt: new Date('2030-01-05T08:00:00Z') },
    });
  });

  test('the same once more changes nothing, whatever the worker has written since', async () => {
    await cli('submit', await file(good));
    await campaigns().updateOne(
      { _id: 'spring' },
      { $set: { status: 'running', version: 4, metrics: { total: 3 }, startedAt: new Date() } },
    );
    const { audience, ...rest } = good;
    const again = await cli(
      'submit',
      await file({ audience: { filter: audience.filter, collection: 'people' }, ...rest }),
    );
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('is running') });
    expect(await campaigns().findOne({ _id: 'spring' })).toMatchObject({ status: 'running', version: 4 });
  });

  test('another one under the same id is refused', async () => {
    await cli('submit', await file(good));
    const path = await file({ ...good, priority: 9 });
    expect(await cli('submit', path)).toMatchObject({ code: 1, stderr: expect.stringContaining('not the same') });
    expect(await json('submit', path)).toMatchObject({ submitted: false, identical: false });
    expect(await campaigns().findOne({ _id: 'spring' })).not.toHaveProperty('priority');
  });

  test('what is wrong is not stored', async () => {
    const path = await file({
      ...good,
      status: 'running',
      templateId: 'none',
      flow: undefined,
      audience: { collection: 'people', filter: { a: { $gtt: 1 } } },
    });
    const ran = await cli('--json', 'submit', path);
    expect(ran.code).toBe(1);
    const faults = ran.json()['faults'] as { path: string }[];
    expect(faults.map((fault) => fault.path).sort()).toEqual(['audience.filter', 'status', 'templateId']);
    expect(await campaigns().countDocuments()).toBe(0);
  });

  test('an ObjectId of extended JSON is stored as one', async () => {
    const id = new ObjectId();
    expect(await cli('submit', await file({ ...good, _id: { $oid: String(id) } }))).toMatchObject({
      code: 0,
      stdout: `${id}\n`,
    });
    expect(await campaigns().countDocuments({ _id: id })).toBe(1);
  });
});

describe('validate with a database', () => {
  test('looks at the template, whose faults begin with its name', async () => {
    const { flow, ...rest } = good;
    await database.db.collection<{ _id: unknown; flow: unknown }>('templates').insertMany([
      { _id: { id: 'welcome', version: 1 }, flow },
      { _id: { id: 'welcome', version: 2 }, flow: { stages: [{ ...flow.stages[0], channel: 'fax' }] } },
    ]);
    const latest = await json('validate', await file({ ...rest, templateId: 'welcome' }));
    expect(latest).toMatchObject({ valid: false, faults: [{ path: 'template.flow.stages[0].channel' }], notes: [] });
    expect(await cli('validate', await file({ ...rest, templateId: 'welcome', templateVersion: 1 }))).toMatchObject({
      code: 0,
    });
    expect(await cli('validate', await file({ ...rest, templateId: 'welcome', templateVersion: 3 }))).toMatchObject({
      code: 1,
    });
  });
});

const metrics = {
  total: 2000,
  active: 500,
  completed: 1490,
  escalated: 0,
  failed: 10,
  suppressed: 0,
  cancelled: 0,
  messages: { sent: 4100, failed: 10, uncertain: 0, skipped: 2, followUps: 900, delivered: 0, bounced: 0 },
  replied: 310,
  stages: { tips: { entered: 900, sent: 880, replied: 60 }, welcome: { entered: 2000, sent: 3220, replied: 250 } },
  reasons: { provider_rejected: 10 },
  outcomes: { activated: 300, no_answer: 1190, failed: 10 },
  updatedAt: new Date('2026-01-05T09:00:10Z'),
};

describe('status', () => {
  test('a recurring campaign tells of its occurrences, and each of them whose it is', async () => {
    const occurrences = {
      ...{ begun: 12, missed: 2, last: new Date('2026-01-05T08:00:00Z'), next: new Date('2026-01-12T08:00:00Z') },
    };
    const expansion = { expanded: 0, skipped: {}, done: false };
    await campaigns().insertMany([
      { ...good, _id: 'news', type: 'recurring', status: 'running', startedAt: new Date(), occurrences },
      { ...good, _id: 'news@20260105T080000Z', status: 'running', parentId: 'news' },
    ]);
    await runs().insertOne({
      ...{ _id: 'news', status: 'running', settled: false, audience: { kind: 'inline' }, expansion, occurrences },
      ...{ partition: 0, priority: 5, variables: {}, campaign: {}, flow: good.flow, child: {}, wake: 0 },
      ...{ createdAt: new Date(), updatedAt: new Date() },
    });
    const { stdout } = await cli('status', 'news');
    expect(stdout).toContain('occurrences: 12 begun, 2 left out, the last one news@20260105T080000Z, next 2026-01-12');
    expect(stdout).not.toContain('audience:');
    expect((await cli('status', 'news@20260105T080000Z')).stdout).toContain('an occurrence of news');
    expect(await json('status', 'news')).toMatchObject({ run: { occurrences: { begun: 12 } } });
    const explained = await cli('explain', 'news:ada');
    expect(explained).toMatchObject({ code: 1 });
    expect(explained.stdout + explained.stderr).toContain('each occurrence is a campaign of its own');
  });

  test('of one campaign: outcomes, funnel in the order of the flow, messages, expansion', async () => {
    await campaigns().insertOne({
      _id: 'spring',
      name: 'Spring\u001b[2J launch',
      status: 'running',
      startedAt: new Date('2026-01-05T09:00:00Z'),
      audience: { contacts: [] },
      expansion: { expanded: 2000, skipped: { duplicate_contact: 3 }, done: true },
      metrics,
    });
    await runs().insertOne(
      { _id: 'spring', status: 'running', flow: { stages: [{ id: 'welcome' }, { id: 'tips' }] } } as never,
      {
        bypassDocumentValidation: true,
      },
    );
    const { code, stdout } = await cli('status', 'spring');
    expect(code).toBe(0);
    expect(stdout).not.toContain('\u001b');
    expect(stdout).toContain('audience: 2,000 contacts entered, left out: 3 duplicate_contact');
    expect(stdout).toMatch(/^active +500 +25\.0 %$/m);
    expect(stdout).toMatch(/^total +2,000$/m);
    expect(stdout).toMatch(/^welcome +2,000 +3,220 +250\ntips +900 +880 +60$/m);
    expect(stdout).toContain('sent 4,100 · failed 10 · skipped 2 · followUps 900');
    expect(stdout).toContain('provider_rejected 10');
    expect(await json('status', 'spring')).toMatchObject({
      _id: 'spring',
      metrics: { total: 2000 },
      run: { status: 'running' },
    });
  });

  test('of a failed one: the error with its path', async () => {
    await campaigns().insertOne({
      _id: 'bad',
      status: 'failed',
      error: { code: 'unknown_channel', path: 'flow.stages[2].channel', message: 'fax' },
    });
    expect((await cli('status', 'bad')).stdout).toContain('unknown_channel at flow.stages[2].channel: fax');
  });

  test('a string id comes before an ObjectId of the same digits', async () => {
    const id = new ObjectId();
    await campaigns().insertOne({ _id: id, status: 'paused' });
    expect(await json('status', String(id))).toMatchObject({ status: 'paused' });
    await campaigns().insertOne({ _id: String(id), status: 'draft' });
    expect(await json('status', String(id))).toMatchObject({ status: 'draft' });
  });

  test('a deleted campaign lives on in its run', async () => {
    await runs().insertOne({ _id: 'gone', status: 'cancelled', metrics } as never, { bypassDocumentValidation: true });
    const { code, stdout } = await cli('status', 'gone');
    expect([code, stdout.split('\n')[0]]).toEqual([0, 'gone  deleted']);
    expect(stdout).toContain('2,000');
  });

  test('one that is not there: 1', async () => {
    expect(await cli('status', 'nowhere')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('nowhere'),
    });
    expect(await json('status', 'nowhere')).toMatchObject({ error: { code: 'not_found' } });
  });

  test('without one: the newest first, bounded, whatever their shape', async () => {
    const at = (day: number) => new Date(Date.UTC(2026, 0, day));
    await campaigns().insertMany([
      { _id: 'old', status: 'completed', startedAt: at(1), metrics },
      { _id: 'new', status: 'running', startedAt: at(3), metrics },
      { _id: 'waits', status: 'pending' },
      { _id: 'odd', status: 7, metrics: 'none', startedAt: 'soon', error: 5 },
    ]);
    const rows = (await cli('status')).stdout.trimEnd().split('\n');
    expect(rows.map((line) => line.split(/\s+/)[0])).toEqual(['campaign', 'waits', 'new', 'old', 'odd']);
    const bounded = await json('status', '--limit', '2');
    expect(bounded).toMatchObject({ campaigns: [{ _id: 'waits' }, { _id: 'new' }], more: true });
  });

  test('none at all: says how to begin', async () => {
    expect(await cli('status')).toMatchObject({ code: 0, stdout: expect.stringContaining('submit') });
  });
});

describe('pause, resume, cancel', () => {
  const set = async (status: string) => {
    await campaigns().replaceOne({ _id: 'spring' }, { _id: 'spring', status, version: 3 }, { upsert: true });
  };
  test.each([
    ['pause', 'paused', ['draft', 'pending', 'scheduled', 'running'], ['completed', 'cancelled', 'failed']],
    ['resume', 'running', ['paused'], ['draft', 'pending', 'scheduled', 'completed', 'cancelled', 'failed']],
    ['cancel', 'cancelled', ['draft', 'pending', 'scheduled', 'running', 'paused'], ['completed', 'failed']],
  ])('%s leads to %s from %j, and is refused from %j', async (command, to, allowed, refused) => {
    for (const status of allowed) {
      await set(status);
      expect(await cli(command, 'spring')).toMatchObject({ code: 0 });
      expect(await campaigns().findOne({ _id: 'spring' })).toEqual({ _id: 'spring', status: to, version: 3 });
    }
    for (const status of refused) {
      await set(status);
      const ran = await cli(command, 'spring');
      expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining(status) });
      expect(await campaigns().findOne({ _id: 'spring' })).toMatchObject({ status });
    }
    await set(to);
    expect(await cli(command, 'spring')).toMatchObject({ code: 0, stdout: expect.stringContaining('already') });
    expect(await cli(command, 'nowhere')).toMatchObject({ code: 1 });
  });
});

describe('event', () => {
  test('is pushed as any other service would push it', async () => {
    await conversations().insertOne({ _id: 'spring:1', status: 'active', stage: 'hello', version: 2, inbox: [] });
    const options = [
      '--type',
      'reply',
      '--text',
      'Yes',
      '--channel',
      'sms',
      '--id',
      'e1',
      '--data',
      '{"score": 5}',
      '--auto',
    ];
    expect(await cli('event', 'spring:1', ...options)).toMatchObject({
      code: 0,
      stdout: 'pushed reply e1 to spring:1\n',
    });
    expect(await cli('event', 'spring:1', '--type', 'opened', '--machine')).toMatchObject({ code: 0 });
    const stored = await conversations().findOne({ _id: 'spring:1' });
    expect(stored).toMatchObject({ version: 2, stage: 'hello' });
    expect(stored?.['inbox']).toEqual([
      { id: 'e1', type: 'reply', text: 'Yes', channel: 'sms', at: expect.any(Date), data: { score: 5 }, auto: true },
      { id: expect.stringMatching(/^[0-9a-f-]{36}$/), type: 'opened', at: expect.any(Date), machine: true },
    ]);
  });

  test('to an ended conversation: stored, and said that it moves nothing', async () => {
    await conversations().insertOne({
      _id: 'spring:1',
      status: 'completed',
      outcome: 'replied',
      stage: 'hello',
      inbox: [],
    });
    expect(await cli('event', 'spring:1', '--type', 'reply')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('moves nothing'),
    });
  });

  test('to nobody: 1', async () => {
    expect(await cli('event', 'spring:9', '--type', 'reply')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('spring:9'),
    });
  });
});
