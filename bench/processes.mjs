// The processes of a run and what they cost, read from /proc (Linux).
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** USER_HZ: fixed at 100 for what /proc shows. */
const ticksPerSecond = 100;
const folder = new URL('.', import.meta.url);
const children = new Set();

process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

function keep(child) {
  children.add(child);
  child.gone = once(child, 'exit').then(([code, signal]) => {
    children.delete(child);
    return signal ?? code;
  });
  return child;
}

/** A role of the bench (a module of this folder) in a process of its own; resolves with its first message. */
export async function startRole(file, args = []) {
  const child = keep(
    fork(fileURLToPath(new URL(file, folder)), args.map(String), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  );
  const first = await Promise.race([
    once(child, 'message').then(([message]) => message),
    child.gone.then((end) => ({ end })),
  ]);
  if ('end' in first) throw new Error(`${file} ended with ${first.end}`);
  return { child, first };
}

const ours = fileURLToPath(new URL('../bin/communication-base.js', folder));

/** `communication-base <args>` with these variables and nothing of the service's from the shell. `program`: that of another release. */
export function startProgram(args, env, { nodeArgs = [], onLine = () => {}, program = ours } = {}) {
  const inherited = Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'LANG'].map((name) => [name, process.env[name] ?? '']),
  );
  const child = keep(
    spawn(process.execPath, [...nodeArgs, program, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...inherited, ...env },
    }),
  );
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) onLine(line);
  });
  return child;
}

/** CPU seconds a process has used, threads included. */
export function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Highest resident memory so far, in MB. */
export function peakRssMb(pid) {
  const kb = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kb) / 1024);
}

/** What the processes use from now on. */
export function meter(pids) {
  const before = pids.map(cpuSeconds);
  return () => pids.reduce((sum, pid, index) => sum + cpuSeconds(pid) - before[index], 0);
}
