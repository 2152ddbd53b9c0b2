import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { assess, type HealthServer, startHealth, type ThreadHealth } from '../../../src/worker/health.ts';
import type { MemberStatus } from '../../../src/worker/protocol.ts';

const lease = 10_000;
const sound: MemberStatus = {
  memberId: 'm',
  joined: true,
  streamOpen: true,
  leaseValid: true,
  partitions: 64,
  inDoubt: 0,
  pipelinesRunning: true,
};
const running = (status: Partial<MemberStatus> = {}, statusAgeMs = 500, thread = 0): ThreadHealth => ({
  thread,
  state: 'running',
  status: { ...sound, ...status },
  statusAgeMs,
});
const gone = (state: 'restarting' | 'ended', thread = 0): ThreadHealth => ({ thread, state, statusAgeMs: 10 });

describe('assess', () => {
  it.each<[string, ThreadHealth[], boolean, boolean, string[]]>([
    ['sound threads', [running(), running({}, 500, 1)], true, true, []],
    [
      'a thread that has not spoken',
      [{ thread: 0, state: 'running', statusAgeMs: 100 }],
      true,
      false,
      ['thread 0: starting'],
    ],
    [
      'MongoDB away from the start on',
      [running({ joined: false, streamOpen: false, leaseValid: false, pipelinesRunning: false, detail: 'no server' })],
      true,
      false,
      ['thread 0: has not joined (no server)'],
    ],
    ['a closed stream', [running({ streamOpen: false })], true, false, ['thread 0: its change stream is not open']],
    [
      'a lease that ran out',
      [running({ leaseValid: false })],
      true,
      false,
      ['thread 0: its last commit is older than its lease'],
    ],
    ['a thread silent past the lease', [running({}, 10_001)], true, false, ['thread 0: silent for 10001 ms']],
    [
      'a stuck thread',
      [running({}, 31_000)],
      false,
      false,
      ['thread 0: stuck, silent for 31 s', 'thread 0: silent for 31000 ms'],
    ],
    [
      'stopped pipelines',
      [running({ pipelinesRunning: false }), running({}, 1, 1)],
      false,
      false,
      ['thread 0: its pipelines stopped'],
    ],
    ['one of two dead', [gone('restarting'), running({}, 1, 1)], true, false, ['thread 0: restarting']],
    ['all dead', [gone('ended')], false, false, ['every thread is dead', 'thread 0: ended']],
  ])('%s', (_, threads, live, ready, reasons) => {
    expect(assess(threads, lease, false)).toEqual({ live, ready, reasons, threads });
  });

  it('while draining: live, not ready, though threads end', () => {
    expect(assess([gone('ended')], lease, true)).toMatchObject({ live: true, ready: false });
  });

  it('a lease as short as the statuses are apart does not flap', () => {
    expect(assess([running({}, 1500)], 1000, false).ready).toBe(true);
  });
});

describe('the server', () => {
  const logger = createLogger({ level: 'error', sink: () => undefined });
  let server: HealthServer | undefined;
  afterEach(async () => {
    await server?.close();
    server = undefined;
  });

  async function serve(threads: ThreadHealth[], metrics = async (_: string) => 'up 1\n', exemplars = false) {
    server = await startHealth({
      port: 0,
      host: '127.0.0.1',
      report: () => assess(threads, lease, false),
      ...{ metrics, exemplars },
      logger,
    });
    const { port } = server;
    return (path: string, method = 'GET', headers = {}) =>
      fetch(`http://127.0.0.1:${port}${path}`, { method, headers });
  }

  it('answers 200 when all is well, with and without a query', async () => {
    const get = await serve([running()]);
    expect((await get('/livez')).status).toBe(200);
    const ready = await get('/readyz?verbose');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ ready: true, reasons: [], threads: [{ thread: 0, state: 'running' }] });
  });

  it('says why it is not ready', async () => {
    const get = await serve([running({ streamOpen: false })]);
    const response = await get('/readyz');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ ready: false, reasons: ['thread 0: its change stream is not open'] });
    expect((await get('/livez')).status).toBe(200);
  });

  it('says why it is not live', async () => {
    const get = await serve([running({ pipelinesRunning: false })]);
    const response = await get('/livez');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ live: false, reasons: ['thread 0: its pipelines stopped'] });
  });

  it('serves metrics in the text format, and 500 when they cannot be had', async () => {
    let fail = false;
    const get = await serve([running()], async () => {
      if (fail) throw new Error('no');
      return 'up 1\n';
    });
    const response = await get('/metrics');
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('up 1\n');
    fail = true;
    expect((await get('/metrics')).status).toBe(500);
  });

  it('serves metrics in OpenMetrics where that is taken and there are traces to name', async () => {
    const accept = { accept: 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5' };
    const get = await serve([running()], async (as) => as, true);
    const response = await get('/metrics', 'GET', accept);
    expect(response.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(await response.text()).toBe('openMetrics');
    expect(await (await get('/metrics')).text()).toBe('text');
    await server?.close();
    const without = await serve([running()], async (as) => as);
    expect(await (await without('/metrics', 'GET', accept)).text()).toBe('text');
  });

  it('knows HEAD, and nothing else', async () => {
    const get = await serve([running()]);
    const head = await get('/readyz', 'HEAD');
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect((await get('/')).status).toBe(404);
    const post = await get('/livez', 'POST');
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('a taken port is a fault of HEALTH_PORT', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    await expect(
      startHealth({ port, host: '127.0.0.1', report: () => assess([], lease, false), metrics: async () => '', logger }),
    ).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining(`HEALTH_PORT is ${port}`) });
    await new Promise((resolve) => other.close(resolve));
  });
});
