// The others at exact versions, in a cache of this user: they are no dependencies of this package.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const exec = promisify(execFile);
const installTimeoutMs = 300_000;

/** The newest at the time of the figures in README.md; ioredis is the release that BullMQ is tested with. */
const packages = {
  bullmq: { bullmq: '6.7.0', ioredis: '5.11.1' },
  agenda: { agenda: '6.2.6', '@agendajs/mongo-backend': '4.0.3', mongodb: '7.9.0' },
};
/** Names under which one module exports them. */
const exported = { agenda: 'agenda', '@agendajs/mongo-backend': 'backend', bullmq: 'bullmq', ioredis: 'ioredis' };

export const versionsOf = (name) =>
  Object.entries(packages[name] ?? {})
    .map(([id, version]) => `${id} ${version}`)
    .join(', ');

/** URL of a module that exports the packages of `name`; installs them with npm where they are not there yet. */
export async function installed(name) {
  const wanted = packages[name];
  const ids = Object.entries(wanted).map(([id, version]) => `${id}@${version}`);
  const base = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'communication-base', 'others');
  const folder = join(base, ids.join('+').replaceAll(/[^\w.@+-]/g, '-'));
  const entry = join(folder, 'index.mjs');
  if (existsSync(entry)) return pathToFileURL(entry).href;
  const scratch = `${folder}.${process.pid}`;
  mkdirSync(scratch, { recursive: true });
  try {
    process.stderr.write(`npm installs ${ids.join(', ')} below ${base}, once\n`);
    const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', scratch, ...ids];
    await exec('npm', args, { cwd: scratch, timeout: installTimeoutMs });
    const lines = Object.keys(wanted)
      .filter((id) => exported[id])
      .map((id) => `export * as ${exported[id]} from '${id}';\n`);
    writeFileSync(join(scratch, 'index.mjs'), lines.join(''));
    if (!existsSync(entry)) renameSync(scratch, folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return pathToFileURL(entry).href;
}
