import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../../src/config.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { runSupervisor, type SupervisorDeps } from '../../../src/worker/supervisor.ts';
import { systemClock } from '../../../src/worker/systemClock.ts';
import { waitFor } from '../../support/waitFor.ts';

let dir: string;
let cleanUp: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'supervisor-'));
});
afterEach(async () => {
  for (const step of cleanUp) await step();
  cleanUp = [];
  rmSync(dir, { recursive: true, force: true });
});

/** A supervisor over real threads that run `threads/member.mjs`. */
function run(query: Record<string, string>, env: NodeJS.ProcessEnv = {}, deps: Partial<SupervisorDeps> = {}) {
  const signals = new EventEmitter();
  const lines: Record<string, unknown>[] = [];
  const sink = (line: string): void => void lines.push(JSON.parse(line));
  const script = new URL(`./threads/member.mjs?${new URLSearchParams({ dir, ...query })}`, import.meta.url);
  // A Worker drops the query of its own address; that of an import stays.
  const threadUrl = new URL(`data:text/javascript,${encodeURIComponent(`import ${JSON.stringify(script.href)};`)}`);
  const config = loadConfig({ MONGODB_URI: 'mongodb://x', HEALTH_PORT: '0', SHUTDOWN_GRACE_MS: '5000', ...env });
  let port = 0;
  const code = runSupervisor(config, {
    logger: createLogger({ level: 'debug', sink }),
    signals,
    writeLine: sink,
    threadUrl,
    restart: { baseMs: 20, capMs: 50 },
    listening: (found) => {
      port = found;
    },
    ...deps,
  });
  cleanUp.push(async () => {
    signals.emit('SIGTERM');
    await code.catch(() => undefined);
  });
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  const ready = () =>
    Promise.race([
      waitFor(async () => (await get('/readyz')).status === 200, { what: 'readiness' }),
      code.then((ended) => Promise.reject(new Error(`ended with ${ended} before it was ready`))),
    ]);
  const messages = () => lines.map(({ message }) => message);
  return { signals, lines, messages, code, get, ready };
}

describe('runSupervisor', () => {
  it('runs the threads, gives them the configuration, and drains them on SIGTERM', async () => {
    const { signals, lines, code, ready } = run({}, { WORKER_THREADS: '2', MONGODB_DATABASE: 'abc' });
    await ready();
    signals.emit('SIGTERM');
    expect(await code).toBe(0);
    const stopped = lines.filter(({ message }) => message === 'stopping');
    expect(stopped.map(({ thread }) => thread).sort()).toEqual([0, 1]);
    expect(stopped[0]).toMatchObject({ database: 'abc' });
    expect(signals.listenerCount('SIGTERM')).toBe(0);
  });

  it('can be stopped by its caller instead', async () => {
    const controller = new AbortController();
    const { signals, code, ready } = run({}, {}, { signal: controller.signal });
    await ready();
    expect(signals.listenerCount('SIGTERM')).toBe(0);
    controller.abort();
    expect(await code).toBe(0);
  });

  it('puts a new thread in the place of one that died, and loses no line of the dead', async () => {
    const { lines, ready, get } = run({ die: '2' });
    await ready();
    expect(JSON.parse((await get('/readyz')).text).threads[0].status.memberId).toBe('m3');
    expect(lines.filter(({ message }) => message === 'dying').map(({ number }) => number)).toEqual([1, 2]);
    expect(lines.filter(({ exitCode }) => exitCode === 3)).toHaveLength(2);
  });

  it('logs what a thread threw', async () => {
    const { lines, ready } = run({ die: '1', throw: '' });
    await ready();
    expect(lines).toContainEqual(
      expect.objectContaining({
        message: 'a thread failed',
        thread: 0,
        error: expect.objectContaining({ message: 'nobody catches this' }),
      }),
    );
  });

  it('gives up with exit code 1 when a thread keeps dying', async () => {
    const { messages, code } = run({ die: '99' });
    expect(await code).toBe(1);
    expect(messages().filter((message) => message === 'dying')).toHaveLength(5);
    expect(messages()).toContain('the thread keeps dying');
  });

  it('gives up at once when no other try could help', async () => {
    const { lines, code } = run({ final: '' });
    expect(await code).toBe(1);
    expect(lines).toContainEqual(expect.objectContaining({ message: 'worker gives up', why: 'run init' }));
  });

  it('is neither live nor ready while its only thread is dead', async () => {
    const { get } = run({ die: '1' }, {}, { restart: { baseMs: 60_000, capMs: 60_000 }, random: () => 0.99 });
    await waitFor(async () => (await get('/livez')).status === 503, { what: 'liveness to end' });
    expect(JSON.parse((await get('/readyz')).text)).toMatchObject({
      reasons: ['every thread is dead', 'thread 0: restarting'],
    });
  });

  it('cuts off what does not drain within the grace', async () => {
    const { signals, code, ready, messages } = run({ stop: 'never' }, { SHUTDOWN_GRACE_MS: '50' });
    await ready();
    signals.emit('SIGINT');
    expect(await code).toBe(1);
    expect(messages()).toContain('worker stopped before everything was handed over; other members take it over');
  });

  it('is not ready, but live, while it drains; a second signal does not wait', async () => {
    const { signals, code, ready, get, messages } = run({ stop: 'never' }, { SHUTDOWN_GRACE_MS: '60000' });
    await ready();
    signals.emit('SIGTERM');
    signals.emit('SIGTERM');
    await waitFor(() => messages().includes('stopping'), { what: 'the thread to be asked' });
    expect((await get('/readyz')).status).toBe(503);
    expect((await get('/livez')).status).toBe(200);
    const insist = setInterval(() => signals.emit('SIGTERM'), 100);
    expect(await code).toBe(1);
    clearInterval(insist);
  });

  it('adds the metrics of its threads to those of the process', async () => {
    const { ready, get } = run({}, { WORKER_THREADS: '2' });
    await ready();
    const { text } = await get('/metrics');
    expect(text).toMatch(/^test_total 20$/m);
    expect(text).toMatch(/^communication_base_threads 2$/m);
    expect(text).toMatch(/^communication_base_ready 1$/m);
    expect(text).toMatch(/^process_resident_memory_bytes /m);
  });

  it('no total falls when a thread is replaced', async () => {
    const { ready, get, messages } = run({ dieAfterMetrics: '0' });
    await ready();
    expect((await get('/metrics')).text).toMatch(/^test_total 10$/m);
    await waitFor(() => messages().includes('a thread died; another one takes its place'), { what: 'the death' });
    expect((await get('/metrics')).text).toMatch(/^test_total (10|20)$/m);
    await ready();
    expect((await get('/metrics')).text).toMatch(/^test_total 20$/m);
  });

  it('a thread that dies while a busier one is waited for counts once', async () => {
    // on a busy machine the second thread may be long in coming
    const clock = { ...systemClock, after: (ms: number, then: () => void) => systemClock.after(60 * ms, then) };
    const { ready, get, messages } = run(
      { dieAfterMetrics: '0', after: '0.2' },
      { WORKER_THREADS: '2' },
      { clock, restart: { baseMs: 1, capMs: 1 } },
    );
    await ready();
    const total = async () => Number(/^test_total (\d+)$/m.exec((await get('/metrics')).text)?.[1]);
    expect(await total()).toBe(20);
    expect(messages()).toContain('a thread died; another one takes its place');
    await ready();
    expect(await total()).toBe(30);
  });

  it('starts nothing when the health port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, resolve));
    const { port } = other.address() as AddressInfo;
    const { code, messages } = run({}, { HEALTH_PORT: String(port) });
    await expect(code).rejects.toMatchObject({ code: 'config_invalid' });
    expect(messages()).toEqual([]);
    await new Promise((resolve) => other.close(resolve));
  });

  it('tells the warnings of the configuration', async () => {
    const { lines, ready } = run({}, { WORKER_THREAD: '3' });
    await ready();
    expect(lines).toContainEqual(expect.objectContaining({ level: 'warn', code: 'config_warning' }));
  });
});
