/** `bin/health.js`, the health check of the image, as a process against the real health server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { type HealthServer, startHealth } from '../../../src/worker/health.ts';

const script = new URL('../../../bin/health.js', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'health-'));
let server: HealthServer;

beforeAll(async () => {
  server = await startHealth({
    port: 0,
    host: '127.0.0.1',
    report: () => ({ live: true, ready: false, reasons: ['thread 0: has not joined'], threads: [] }),
    metrics: async () => '',
    logger: createLogger({ level: 'error' }),
  });
  writeFileSync(join(folder, 'port'), `${server.port}\n`);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

async function ask(env: Record<string, string>, ...args: string[]): Promise<{ code: number; said: string }> {
  const child = spawn(process.execPath, [script, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, said };
}

describe('bin/health.js', () => {
  it('says yes where the process lives, and no where it does not work yet', async () => {
    const env = { HEALTH_PORT: String(server.port) };
    expect(await ask(env)).toEqual({ code: 0, said: expect.stringMatching(/^200 /) });
    expect(await ask(env, 'ready')).toEqual({ code: 1, said: expect.stringMatching(/^503 .*has not joined/s) });
  });

  it('reads the port from a file, as the worker does', async () => {
    expect((await ask({ HEALTH_PORT: '', HEALTH_PORT_FILE: join(folder, 'port') })).code).toBe(0);
  });

  it.each([
    ['a port that nobody listens on', { HEALTH_PORT: '1' }, /ECONNREFUSED/],
    ['a port that cannot be known', { HEALTH_PORT: '0' }, /any free port/],
    ['a file that is not there', { HEALTH_PORT_FILE: '/nowhere' }, /ENOENT/],
  ])('says no at %s', async (_, env: Record<string, string>, why) => {
    expect(await ask(env)).toEqual({ code: 1, said: expect.stringMatching(why) });
  });
});
