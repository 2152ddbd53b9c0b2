import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { run } from './host.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(content: unknown): Promise<string> {
  const path = join(folder, `${Math.random().toString(36).slice(2)}.json`);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const channels = { CHANNEL_EMAIL_DRIVER: 'console', CHANNEL_SMS_DRIVER: 'console' };
const good = {
  _id: 'spring',
  status: 'pending',
  audience: { contacts: [{ id: 1, email: 'a@example.com', name: 'Ada' }] },
  unsubscribe: { mailto: 'stop@example.com' },
  flow: {
    stages: [
      { id: 'hello', type: 'message', channel: 'email', content: { subject: 'Hi', text: 'Hello {{ contact.name }}' } },
    ],
  },
};

describe('wrong use ends with 2', () => {
  test.each([
    ['no command', []],
    ['an unknown command', ['sendd']],
    ['an unknown option', ['status', '--fast']],
    ['a missing argument', ['pause']],
    ['too many arguments', ['pause', 'a', 'b']],
    ['a missing option', ['event', 'a:1']],
    ['an option out of range', ['demo', '--contacts', '1']],
    ['an option that is no number', ['audit', '--overdue', 'soon']],
    ['a file that is not there', ['validate', '/nowhere/campaign.json']],
    ['no MONGODB_URI', ['status']],
    ['--data that is no object', ['event', 'a:1', '--type', 'reply', '--data', '[1]']],
  ])('%s', async (_, argv) => {
    const ran = await run(argv);
    expect(ran.code).toBe(2);
    expect(ran.stderr).not.toBe('');
    expect(ran.stderr).not.toContain('    at ');
  });

  test('a wrong variable is named', async () => {
    const ran = await run(['config'], { BATCH_SIZE: 'many' });
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain('BATCH_SIZE');
  });
});

describe('help', () => {
  test('says every command, and ends with 0', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    for (const command of [
      'worker',
      'demo',
      'init',
      'doctor',
      'config',
      'submit',
      'export',
      'validate',
      'preview',
      'simulate',
      'status',
      'pause',
      'resume',
      'cancel',
      'event',
      'members',
      'audit',
      'explain',
    ])
      expect(stdout).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'));
    expect(stdout).toContain('Exit codes');
  });

  test('of a command names --json', async () => {
    expect((await run(['status', '--help'])).stdout).toContain('--json');
  });

  test('the version is the package’s', async () => {
    expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('MongoDB out of reach ends with 3', () => {
  const env = { MONGODB_URI: 'mongodb://ada:secret@127.0.0.1:1/?serverSelectionTimeoutMS=50' };

  test('and says where it looked, without the password', async () => {
    const ran = await run(['status'], env);
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain('mongodb://***@127.0.0.1:1');
    expect(ran.stderr).not.toContain('secret');
    expect(ran.stderr).not.toContain('    at ');
  }, 20_000);

  test('the stack comes with LOG_LEVEL=debug, the document with --json', async () => {
    const ran = await run(['--json', 'status'], { ...env, LOG_LEVEL: 'debug' });
    expect(ran.code).toBe(3);
    expect(ran.json()).toMatchObject({
      error: { code: 'database_unreachable', message: expect.stringContaining('    at ') },
    });
  }, 20_000);
});

describe('validate without a database', () => {
  test('a campaign that could run ends with 0', async () => {
    const path = await file(good);
    expect(await run(['validate', path], channels)).toMatchObject({ code: 0, stdout: `${path} is valid\n` });
  });

  test('says every fault at once, each with its path', async () => {
    const path = await file({
      ...good,
      status: 7,
      priority: 12,
      schedule: { startAt: '2026-01-05 09:00' },
      audience: { collection: 'messages' },
      flow: {
        stages: [{ id: 'a', type: 'message', channel: 'fax', content: { text: '{{ oops' }, on: { reply: 'nowhere' } }],
      },
    });
    const ran = await run(['validate', path, '--json'], channels);
    expect(ran.code).toBe(1);
    const faults = ran.json()['faults'] as { path: string; message: string }[];
    expect(faults.map((fault) => fault.path)).toEqual(
      expect.arrayContaining([
        'status',
        'priority',
        'schedule.startAt',
        'audience.collection',
        'flow.stages[0].channel',
        'flow.stages[0].content.text',
        'flow.stages[0].on.reply',
      ]),
    );
    expect(faults.every(({ message }) => message.length > 0)).toBe(true);
    const plain = await run(['validate', path], channels);
    expect(plain.stdout.split('\n').filter((line) => line.startsWith(`${path}:1:`))).toHaveLength(faults.length);
  });

  test('says that a template could not be looked at', async () => {
    const { flow: _, ...rest } = good;
    const ran = await run(['validate', await file({ ...rest, templateId: 'welcome' })], channels);
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('MONGODB_URI is not set') });
  });

  test('a file that is no JSON is a fault', async () => {
    expect(await run(['validate', await file('{"_id":')], channels)).toMatchObject({ code: 1 });
  });

  test('an operator that runs code is refused where it stands', async () => {
    const path = await file({ ...good, audience: { collection: 'people', filter: { $or: [{ $where: '1' }] } } });
    const ran = await run(['validate', path, '--json'], channels);
    expect(ran.json()['faults']).toMatchObject([{ path: 'audience.filter.$or[0].$where' }]);
  });
});

describe('config', () => {
  test('prints what is in force, secrets masked, and works without a database', async () => {
    const env = {
      ...channels,
      CHANNEL_HOOK_DRIVER: 'http',
      CHANNEL_HOOK_ADDRESS: 'url',
      CHANNEL_HOOK_URL: 'https://example.com',
      CHANNEL_HOOK_TOKEN: 'topsecret',
    };
    const ran = await run(['config'], env);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/^BATCH_SIZE +1000 +default$/m);
    expect(ran.stdout).toMatch(/^CHANNEL_HOOK_TOKEN +\*\*\* +environment$/m);
    expect(ran.stdout).not.toContain('topsecret');
    expect(ran.stdout).toContain('MONGODB_URI is not set');
    const rows = (await run(['config', '--json'], env)).json()['variables'];
    expect(rows).toContainEqual({ variable: 'WORKER_THREADS', value: '1', source: 'default' });
  });
});
