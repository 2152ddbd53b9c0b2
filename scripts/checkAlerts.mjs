#!/usr/bin/env node
// The alerts by promtool: the file is a rules file, and test/alerts says when each fires. `--if-there` is content without promtool.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const rules = 'helm/communication-base/files/alerts.yaml';
const tests = readdirSync(join(root, 'test/alerts')).map((name) => `test/alerts/${name}`);
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'communication-base', 'prometheus');
const run = (command, args, options = {}) =>
  spawnSync(command, args, { encoding: 'utf8', timeout: 60_000, ...options });
const answers = (command) => run(command, ['--version']).status === 0;

/** From PATH, from the cache, or unpacked into it from Debian's package: no root is needed, and nothing is installed. */
export function findPromtool() {
  if (answers('promtool')) return 'promtool';
  const kept = join(cache, 'usr/bin/promtool');
  if (existsSync(kept)) return kept;
  mkdirSync(cache, { recursive: true });
  const fetched = run('apt-get', ['download', 'prometheus'], { cwd: cache });
  if (fetched.status !== 0) return undefined;
  const [file] = readdirSync(cache).filter((name) => name.endsWith('.deb'));
  return file && run('dpkg', ['-x', file, '.'], { cwd: cache }).status === 0 && answers(kept) ? kept : undefined;
}

const promtool = findPromtool();
if (promtool === undefined) {
  process.stdout.write('promtool is not to be had: apt-get install prometheus\n');
  process.exit(process.argv.includes('--if-there') ? 0 : 1);
}
for (const args of [
  ['check', 'rules', rules],
  ['test', 'rules', ...tests],
]) {
  const { status, stdout, stderr } = run(promtool, args, { cwd: root });
  process.stdout.write(`${stdout}${stderr}`);
  if (status !== 0) process.exit(1);
}
