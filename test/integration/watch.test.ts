/** `watch` beside a real worker: in a pipe, on a terminal (a stream that says it is one, and a real pty), and while MongoDB is away. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Sink } from '../../src/cli/output.ts';
import { runCommandLine } from '../../src/cli/program.ts';
import type { KeySource } from '../../src/cli/screen.ts';
import { initDatabase } from '../../src/mongo/collections.ts';
import { progressQueries } from '../../src/mongo/progressReader.ts';
import { failCommand, type TestDatabase, testDatabase } from '../support/mongo.ts';
import { waitFor } from '../support/waitFor.ts';
import { shortLease, startWorker, type WorkerProcess } from '../support/workers.ts';

let database: TestDatabase;
let workers: WorkerProcess[];
beforeEach(async () => {
  database = await testDatabase('watch');
  await initDatabase(database.db, { partitions: 16 });
  workers = [];
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.kill('SIGKILL')));
  await database.close();
});

const message = { id: 'intro', type: 'message', channel: 'phone', content: { text: 'Hi {{ contact.name }}' } };
const insert = (_id: string, contacts: number, change: Record<string, unknown> = {}) =>
  database.db.collection<{ _id: string; [field: string]: unknown }>('campaigns').insertOne({
    _id,
    status: 'pending',
    audience: {
      contacts: Array.from({ length: contacts }, (_, index) => ({
        id: `c${index}`,
        name: 'A',
        phone: `+49301234${index}`,
      })),
    },
    flow: { stages: [message] },
    ...change,
  });
const setStatus = (_id: string, status: string) =>
  database.db.collection<{ _id: string; status: string }>('campaigns').updateOne({ _id }, { $set: { status } });
const work = (): void => {
  workers.push(startWorker(database, { ...shortLease, CHANNEL_PHONE_DRIVER: 'console', PARTITIONS: '16' }));
};

/** A terminal without one: it says that it is, and takes keys. */
class FakeTerminal implements Sink, KeySource {
  text = '';
  isTTY = true;
  columns = 80;
  rows = 24;
  raw = false;
  private readonly listeners = new Map<string, Set<(data: unknown) => void>>();
  write(text: string): void {
    this.text += text;
  }
  on(event: string, listener: (data: unknown) => void): void {
    this.listeners.set(event, new Set([...(this.listeners.get(event) ?? []), listener]));
  }
  off(event: string, listener: (data: unknown) => void): void {
    this.listeners.get(event)?.delete(listener);
  }
  emit(event: string, data?: unknown): void {
    for (const listener of this.listeners.get(event) ?? []) listener(data);
  }
  get listening(): number {
    return [...this.listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }
  setRawMode(raw: boolean): void {
    this.raw = raw;
  }
  resume(): void {}
  pause(): void {}
  /** Lines of the frame that was painted last, without colours. */
  get frame(): string[] {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences are what is taken out
    const plain = (text: string): string => text.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, '');
    return plain(this.text.split('\u001b[?2026h').at(-1)?.split('\u001b[?2026l')[0] ?? '').split('\r\n');
  }
}
const entered = '\u001b[?1049h';
const left = '\u001b[?7h\u001b[?25h\u001b[?1049l';

function start(argv: string[], change: Record<string, string> = {}) {
  const terminal = new FakeTerminal();
  const stop = new AbortController();
  const env = { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, LEASE_TTL_MS: '2000', ...change };
  const code = runCommandLine(argv, {
    env,
    stdout: terminal,
    stderr: terminal,
    stdin: () => terminal,
    interruptible: () => stop.signal,
  });
  return { terminal, code, stop };
}
const shows = (terminal: FakeTerminal, text: string | RegExp) =>
  waitFor(() => terminal.frame.some((line) => line.search(text) >= 0), {
    what: `the screen to show ${text}`,
    timeoutMs: 30_000,
  });

const command = (argv: string[]) => {
  const bin = new URL('../../bin/communication-base.js', import.meta.url).pathname;
  return [bin, ...argv];
};
const processEnv = () => ({
  PATH: process.env['PATH'] ?? '',
  MONGODB_URI: database.uri,
  MONGODB_DATABASE: database.name,
  LEASE_TTL_MS: '2000',
});

function spawned(file: string, argv: string[], env: Record<string, string> = {}) {
  const child = spawn(file, argv, { env: { ...processEnv(), ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const done = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, done, text: () => text };
}

describe('watch', () => {
  test('in a pipe: waits for the campaign, a line when something changed, figures and exit code at its end', async () => {
    work();
    const plain = spawned(process.execPath, command(['watch', 'spring', '--wait', '--interval', '0.2']));
    const json = spawned(process.execPath, command(['watch', 'spring', '--wait', '--interval', '0.2', '--json']));
    await waitFor(() => plain.text().includes('waiting for it') && json.text().includes('"waiting"'), {
      what: 'both to wait',
      timeoutMs: 30_000,
    });
    await insert('spring', 300);
    expect(await plain.done).toBe(0);
    expect(await json.done).toBe(0);
    expect(plain.text()).not.toContain('\u001b');
    expect(plain.text()).toMatch(/completed 100\.0 % · 300 of 300 ended · sent 300/);
    expect(plain.text().trimEnd()).toMatch(/spring is completed$/);
    const records = json
      .text()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.at(-1)).toMatchObject({
      type: 'end',
      ok: true,
      status: 'completed',
      over: true,
      metrics: { total: 300, active: 0, completed: 300, messages: { sent: 300 } },
      funnel: [{ stage: 'intro', type: 'message', entered: 300, sent: 300, replied: 0 }],
      pending: 0,
    });
  });

  test('on a terminal: why it does not go on, a pause, a resize, and its end; the terminal is given back', async () => {
    await insert('spring', 40, { flow: { stages: [message, { id: 'rest', type: 'wait', for: 'PT1H' }] } });
    const { terminal, code } = start(['watch', 'spring', '--interval', '0.2']);
    await shows(terminal, 'no worker runs');
    expect(terminal.raw).toBe(true);
    work();
    await shows(terminal, /40 within an hour/);
    await shows(terminal, /no estimate: 40 of 40 active wait/);
    await shows(terminal, /alive/);
    await setStatus('spring', 'paused');
    await shows(terminal, 'it is paused by its author or an operator');
    terminal.columns = 40;
    terminal.rows = 8;
    terminal.emit('resize');
    expect(terminal.frame.length).toBeLessThanOrEqual(8);
    await setStatus('spring', 'cancelled');
    expect(await code).toBe(1);
    expect(terminal.text.split(entered)).toHaveLength(2);
    const [, after] = terminal.text.split(left);
    expect(after).toMatch(/spring is cancelled/);
    expect({ raw: terminal.raw, listening: terminal.listening }).toEqual({ raw: false, listening: 0 });
  });

  test.each([
    ['q', (watch: ReturnType<typeof start>) => watch.terminal.emit('data', 'q')],
    ['Ctrl-C', (watch: ReturnType<typeof start>) => watch.terminal.emit('data', '\u0003')],
    ['a signal', (watch: ReturnType<typeof start>) => watch.stop.abort()],
    ['a terminal that is gone', (watch: ReturnType<typeof start>) => watch.terminal.emit('error')],
  ])('%s stops it, says that the campaign goes on, and gives the terminal back', async (_, act) => {
    await insert('spring', 1, { status: 'draft' });
    const watch = start(['watch', 'spring', '--interval', '0.2']);
    await shows(watch.terminal, 'it is a draft');
    act(watch);
    expect(await watch.code).toBe(1);
    const { text, raw, listening } = watch.terminal;
    expect(text.endsWith('stopped watching; spring was draft when last seen, and goes on by itself\n')).toBe(true);
    expect(text).toContain(left);
    expect({ raw, listening }).toEqual({ raw: false, listening: 0 });
  });

  test('an error that nobody expects gives the terminal back before it is told', async () => {
    await insert('spring', 1, { status: 'draft' });
    const { terminal, code } = start(['watch', 'spring', '--interval', '0.2']);
    await shows(terminal, 'it is a draft');
    await using _ = await failCommand(database.client, {
      failCommands: ['find'],
      appName: 'communication-base cli',
      namespace: `${database.name}.campaigns`,
      errorCode: 2,
      times: 'alwaysOn',
    });
    expect(await code).toBe(1);
    expect(terminal.text.indexOf(left)).toBeLessThan(terminal.text.lastIndexOf('error:'));
    expect(terminal.text).toContain(left);
  });

  test('MongoDB that goes away is said and waited for; away at the start is exit code 3', async () => {
    await insert('spring', 1, { status: 'draft' });
    const { terminal, code } = start(['watch', 'spring', '--interval', '0.2']);
    await shows(terminal, 'it is a draft');
    const fault = await failCommand(database.client, {
      failCommands: ['find'],
      appName: 'communication-base cli',
      namespace: `${database.name}.campaigns`,
      errorCode: 11600,
      times: 'alwaysOn',
    });
    await shows(terminal, 'no answer from MongoDB');
    await fault.off();
    await shows(terminal, /q quits · seen/);
    await setStatus('spring', 'cancelled');
    expect(await code).toBe(1);
    const nobody = start(['watch', 'spring'], {
      MONGODB_URI: 'mongodb://127.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=200',
    });
    expect(await nobody.code).toBe(3);
    expect(nobody.terminal.text).not.toContain(entered);
  });

  test('one that is not there, one that failed, one that was deleted', async () => {
    const missing = start(['watch', 'nobody']);
    expect(await missing.code).toBe(1);
    expect(missing.terminal.text).toContain('--wait waits for it');
    const error = { code: 'flow_invalid', message: 'no such stage', path: 'flow.stages[0].on.reply' };
    await insert('broken', 1, { status: 'failed', error });
    const broken = start(['watch', 'broken']);
    expect(await broken.code).toBe(1);
    expect(broken.terminal.text).toContain('broken is failed: flow_invalid at flow.stages[0].on.reply: no such stage');
  });

  const realPty = process.platform === 'linux' && existsSync('/usr/bin/script');
  // where `script` (util-linux) is missing, the tests above with a stream that says it is a terminal stand for it
  if (realPty)
    test('in a real pty: keys are heard, and the terminal is given back', async () => {
      await insert('spring', 1, { status: 'draft' });
      const line = [process.execPath, ...command(['watch', 'spring', '--interval', '0.2'])].join(' ');
      const { child, done, text } = spawned(
        '/usr/bin/script',
        ['-qec', `stty rows 20 cols 90; exec ${line}`, '/dev/null'],
        {
          TERM: 'xterm',
          SHELL: '/bin/sh',
        },
      );
      await waitFor(() => text().includes('it is a draft'), { what: 'a frame', timeoutMs: 30_000 });
      expect(text()).toContain(entered);
      child.stdin.write('q');
      await done;
      expect(text()).toContain(left);
      expect(text()).toContain('stopped watching; spring was draft');
    });

  test('what is due is counted from keys of the index alone', async () => {
    const conversations = database.db.collection('conversation_states');
    const soon = Date.now() + 60_000;
    await conversations.insertMany(
      Array.from({ length: 3000 }, (_, index) => ({
        _id: `spring:c${index}` as never,
        campaignId: 'spring',
        status: 'active',
        partition: index % 16,
        nextChannel: 'phone',
        nextActionAt: new Date(soon + index),
        ...(index % 2 === 0 ? { opening: true } : {}),
      })),
    );
    const pipeline = [
      { $match: progressQueries.due('spring', ['phone'], soon, soon + 999) },
      { $limit: 10_000 },
      { $group: { _id: null, count: { $sum: 1 }, first: { $min: '$nextActionAt' } } },
    ];
    const plan = JSON.stringify(await conversations.aggregate(pipeline, { hint: 'due' }).explain('executionStats'));
    expect(plan).not.toMatch(/COLLSCAN|"FETCH"/);
    const examined = [...plan.matchAll(/"totalDocsExamined":(\d+)/g)].map(([, many]) => Number(many));
    expect(Math.max(...examined)).toBe(0);
    const keys = [...plan.matchAll(/"totalKeysExamined":(\d+)/g)].map(([, many]) => Number(many));
    expect(Math.max(...keys)).toBeLessThan(999 + 16 * 2 * 4);
  });
});
