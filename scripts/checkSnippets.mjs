#!/usr/bin/env node
// Runs the programs of docs/writing-campaigns.md, each on a database of its own with a real worker and a gateway, and compares what
// they print with what the page shows. MongoDB asks for a login: they have the role of docs/security.md, the worker `readWrite` alone. Python and Go have to be on the machine: where one is not, its program is left out; where CI
// is set they are fetched (scripts/fetched.mjs), and it fails where they are not to be had. `--only go` runs one of them. What they need goes to a folder that goes away.
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { transform } from '@swc/core';
import { startGateway } from '../examples/sandbox/gateway.mjs';
import { go, goEnv, goOf, goOnPath, pipCommand } from './fetched.mjs';
import { overreach, startGuardedReplicaSet } from './guardedReplicaSet.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const page = 'docs/writing-campaigns.md';
const installTimeoutMs = 240_000;
const programTimeoutMs = 90_000;

/** Each: what has to be on the machine, `find` throws without it; and how its program is made ready, which resolves with what starts it. */
const languages = {
  typescript: {
    find: () => undefined,
    // this Node may be older than those that run TypeScript as it is; modules are found from below the checkout
    async prepare() {
      const folder = join(root, 'tmp', `snippets-${process.pid}`);
      await mkdir(folder, { recursive: true });
      const source = await readFile(join(root, 'examples/typescript/campaigns.ts'), 'utf8');
      const options = {
        swcrc: false,
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'nodenext' },
      };
      const { code } = await transform(source, options);
      await writeFile(join(folder, 'campaigns.mjs'), code);
      return {
        command: [process.execPath, join(folder, 'campaigns.mjs')],
        clean: () => rm(folder, { recursive: true }),
      };
    },
  },
  python: {
    find: pipCommand,
    async prepare(folder, [pip, ...args]) {
      const target = join(folder, 'python');
      const quiet = ['--quiet', '--disable-pip-version-check', '--root-user-action=ignore', '--no-compile'];
      const what = ['--target', target, '--requirement', join(root, 'examples/python/requirements.txt')];
      await run(pip, [...args, 'install', ...quiet, ...what], { timeout: installTimeoutMs });
      const env = { PYTHONPATH: target, PYTHONDONTWRITEBYTECODE: '1' };
      return { command: ['python3', join(root, 'examples/python/campaigns.py')], env };
    },
  },
  go: {
    find: () => (process.env.CI ? go : goOnPath)(goOf('examples/go/go.mod')),
    async prepare(folder, command) {
      const program = join(folder, 'campaigns');
      // neither optimised nor with what a debugger wants: that is a third quicker from nothing
      const build = ['build', '-gcflags=all=-N -l', '-ldflags=-s -w', '-o', program, '.'];
      await run(command, build, { cwd: join(root, 'examples/go'), env: goEnv(), timeout: installTimeoutMs });
      return { command: [program] };
    },
  },
};

/** What every program prints: the block behind that comment. */
async function expected() {
  const text = await readFile(join(root, page), 'utf8');
  const shown = text.match(/<!-- printed -->\n```text\n([\s\S]*?)^```$/m)?.[1];
  if (shown === undefined) throw new Error(`${page} does not show what is printed`);
  return shown;
}

/** A worker for one database; `stop` waits until it is gone. */
function startWorker(uri, database, gatewayPort) {
  const own = Object.entries(process.env).filter(([name]) => !/^(MONGODB_|CHANNEL_|HASH_KEY)/.test(name));
  const env = {
    ...Object.fromEntries(own),
    MONGODB_URI: uri,
    MONGODB_DATABASE: database,
    HEALTH_PORT: '0',
    LOG_LEVEL: 'warn',
    CHANNEL_SMS_DRIVER: 'http',
    CHANNEL_SMS_URL: `http://127.0.0.1:${gatewayPort}/messages`,
  };
  const worker = spawn(process.execPath, [join(root, 'bin/communication-base.js'), 'worker'], { env });
  let log = '';
  for (const stream of [worker.stdout, worker.stderr]) stream.setEncoding('utf8').on('data', (text) => (log += text));
  const gone = new Promise((resolve) => worker.once('exit', resolve));
  const stop = async () => {
    worker.kill('SIGTERM');
    await gone;
  };
  return { stop, log: () => log };
}

/** Resolves with what is wrong; undefined if nothing is. */
async function check(language, { mongo, port, folder, shown, found }) {
  const started = Date.now();
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`;
  const { command, env = {}, clean } = await languages[language].prepare(folder, found[language]);
  const ready = seconds();
  const database = `snippets_${language}`;
  const users = await mongo.addDatabase(database);
  const worker = startWorker(users.worker, database, port);
  try {
    const [file, ...args] = command;
    const own = { ...process.env, ...env, MONGODB_URI: users.service, MONGODB_DATABASE: database };
    for (const time of ['first', 'second']) {
      const { stdout } = await run(file, args, { env: own, timeout: programTimeoutMs });
      // whoever runs it again finds everything done, but for the cancel
      const wanted = time === 'first' ? shown : shown.replace('cancelled: true', 'cancelled: false');
      if (stdout !== wanted) return `the ${time} time it printed\n${stdout}and not\n${wanted}${worker.log()}`;
    }
    const allowed = await overreach(users.service, database);
    if (allowed.length > 0) return `the role of docs/security.md allows ${allowed.join(', ')}`;
    process.stdout.write(`${language}: prints what ${page} shows (ready after ${ready}, ${seconds()} in all)\n`);
    return undefined;
  } catch (error) {
    return `${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}${worker.log()}`;
  } finally {
    await Promise.all([worker.stop(), clean?.()]);
  }
}

const only = process.argv.indexOf('--only');
const wanted = only < 0 ? Object.keys(languages) : [process.argv[only + 1]];
const problems = [];
const found = {};
for (const language of wanted) {
  try {
    found[language] = languages[language].find();
  } catch (error) {
    if (process.env.CI) problems.push(`${language}: ${error.message}`);
    else process.stdout.write(`${language}: NOT RUN, ${error.message}\n`);
  }
}
const shown = await expected();
const folder = await mkdtemp(join(tmpdir(), 'communication-base-snippets-'));
const mongo = await startGuardedReplicaSet({ folder, page: await readFile(join(root, 'docs/security.md'), 'utf8') });
const gateway = await startGateway({ port: 0, replies: 'http://127.0.0.1:9/', say: () => {} });
try {
  const lanes = Object.keys(found).map(async (language) => {
    const wrong = await check(language, { mongo, port: gateway.port, folder, shown, found }).catch(String);
    if (wrong) problems.push(`${language}: ${wrong}`);
  });
  await Promise.all(lanes);
} finally {
  await gateway.close();
  await mongo.stop();
  await rm(folder, { recursive: true, force: true });
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
