// Another release of this repository, built in a folder of its own.
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, say } from '../fetched.mjs';

const git = (...args) => run('git', args).stdout.trim();
const file = 'src/mongo/collections.ts';
const pattern = /^export const schemaVersion = (\d+);$/m;

/** Of a commit; undefined: it has none. */
export const schemaVersionOf = (commit) =>
  Number(pattern.exec(run('git', ['show', `${commit}:${file}`], { check: false }).stdout)?.[1]) || undefined;

/** The last commit before this one whose schema version is lower. */
export function lastOfOlderSchema() {
  const now = schemaVersionOf('HEAD');
  const commits = git('log', '--format=%H', '--', file).split('\n');
  const found = commits.find((commit) => (schemaVersionOf(commit) ?? now) < now);
  if (found === undefined) throw new Error(`no commit has a schema version below ${now}`);
  return found;
}

/** Whether a schema of that commit names the field. */
export const knows = (commit, schema, field) => git('show', `${commit}:schemas/${schema}.json`).includes(`"${field}"`);

/** Path of the program of a commit, built in `folder` unless it is there. */
export function builtRelease(commit, folder) {
  const program = join(folder, 'bin/communication-base.js');
  if (existsSync(join(folder, 'dist/src/main.js'))) return program;
  mkdirSync(folder, { recursive: true });
  const archive = join(folder, 'release.tar');
  git('archive', '--format=tar', '-o', archive, commit);
  run('tar', ['-xf', archive, '-C', folder]);
  if (run('git', ['diff', '--quiet', commit, '--', 'package-lock.json'], { check: false }).status === 0)
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  else {
    say('its packages are others: npm ci');
    run('npm', ['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: folder });
  }
  run(process.execPath, ['scripts/build.mjs'], { cwd: folder });
  return program;
}
