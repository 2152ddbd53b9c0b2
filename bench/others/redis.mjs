// A redis-server on loopback whose data go away with it.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../scripts/freePort.mjs';

const startTimeoutMs = 10_000;

/** As it says it itself; undefined: there is none on PATH. */
export function redisVersion() {
  try {
    return /v=([\d.]+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1];
  } catch {
    return undefined;
  }
}

const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('PING\r\n'));
    const end = (value) => () => {
      socket.destroy();
      resolve(value);
    };
    socket.once('data', end(true));
    socket.once('error', end(false));
  });

/** `appendfsync`: `everysec` or `always`; the append-only file is on either way. */
export async function startRedis(appendfsync) {
  const folder = mkdtempSync(join(tmpdir(), 'communication-base-redis-'));
  const port = await freePort();
  const args = { port, bind: '127.0.0.1', dir: folder, appendonly: 'yes', appendfsync, save: '' };
  const child = spawn(
    'redis-server',
    Object.entries(args).flatMap(([key, value]) => [`--${key}`, String(value)]),
    { stdio: 'ignore' },
  );
  const end = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', end);
  const gone = once(child, 'exit');
  const deadline = Date.now() + startTimeoutMs;
  while (!(await answers(port))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error('redis-server does not answer');
    await sleep(50);
  }
  return {
    pid: child.pid,
    where: { redisPort: port },
    async stop() {
      child.kill('SIGKILL');
      await gone;
      end();
      process.off('exit', end);
    },
  };
}
