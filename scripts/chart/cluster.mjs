// A real API server with its controllers and scheduler, on loopback. Its one node is kwok's: Pods are admitted, scheduled and
// said to run, but nothing is executed.
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../freePort.mjs';
import { etcd, kubernetesProgram, kwok, kwokSource } from './tools.mjs';

const token = 'admin-of-this-machine';

export async function until(condition, what, timeoutMs = 90_000) {
  for (const deadline = Date.now() + timeoutMs; ; await sleep(200)) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
  }
}

/** Asks the API server; resolves with `{ status, body, warnings }`. */
const client = (port) => (method, path, body) =>
  new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const options = { host: '127.0.0.1', port, method, path, headers, rejectUnauthorized: false, agent: false };
    const asked = request(options, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      answer.on('end', () => {
        const isJson = /json/.test(answer.headers['content-type'] ?? '');
        const warnings = answer.headers['warning'] ?? '';
        resolve({ status: answer.statusCode, body: isJson ? JSON.parse(text) : text, warnings });
      });
    });
    asked.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  });

/** Pods of Jobs and of `helm test`, which run once, come to their end. */
function stages() {
  const folder = join(kwokSource(), 'kustomize/stage');
  const files = ['node', 'pod'].flatMap((kind) =>
    readdirSync(join(folder, kind, 'fast'))
      .filter((name) => name.startsWith(`${kind}-`))
      .map((name) => readFileSync(join(folder, kind, 'fast', name), 'utf8')),
  );
  const once = (text) =>
    text.includes('name: pod-complete')
      ? text.replace("'.metadata.ownerReferences.[].kind'", "'.spec.restartPolicy'").replace("- 'Job'", "- 'Never'")
      : text;
  return files.map(once).join('\n---\n');
}

const kubeconfig = (port) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
  users: [{ name: 'u', user: { token } }],
  contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
  'current-context': 'x',
});

/** `{ api, kubeconfig, folder, stop() }`. Programs that are not there are built, which takes minutes. */
export async function startCluster() {
  const programs = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'].map(kubernetesProgram);
  const folder = mkdtempSync(join(tmpdir(), 'cluster-'));
  const at = (name) => join(folder, name);
  const [client2, peer, port, kwokPort] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const children = [];
  // Debian's etcd cannot tell how far a watch is, so lists do not come as watches: else each one is tried and given up, for minutes.
  const env = { PATH: process.env.PATH, HOME: folder, KUBE_FEATURE_WatchListClient: 'false' };
  const start = (name, command, args) => {
    const log = openSync(at(`${name}.log`), 'w');
    const child = spawn(command, args, {
      stdio: ['ignore', log, log],
      cwd: folder,
      env,
    });
    children.push({ name, child, gone: new Promise((resolve) => child.once('exit', resolve)) });
  };
  // The API server before etcd: it ends cleanly only while its store is there.
  const stop = async () => {
    for (const { child, gone } of children.splice(0).toReversed()) {
      child.kill('SIGTERM');
      await Promise.race([gone, sleep(15_000).then(() => child.kill('SIGKILL'))]);
    }
    rmSync(folder, { recursive: true, force: true });
  };
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(at('sa.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(at('sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(at('tokens.csv'), `${token},admin,admin,system:masters\n`);
  writeFileSync(at('kubeconfig'), JSON.stringify(kubeconfig(port)));
  writeFileSync(at('stages.yaml'), stages());
  const url = (number) => `http://127.0.0.1:${number}`;
  try {
    start(
      'etcd',
      etcd(),
      ['--data-dir', at('etcd'), '--unsafe-no-fsync', '--listen-client-urls', url(client2)].concat(
        [
          '--advertise-client-urls',
          url(client2),
          '--listen-peer-urls',
          url(peer),
          '--initial-advertise-peer-urls',
          url(peer),
        ],
        ['--initial-cluster', `default=${url(peer)}`],
      ),
    );
    start('kube-apiserver', programs[0], [
      ...[
        `--etcd-servers=${url(client2)}`,
        `--cert-dir=${at('certificates')}`,
        '--bind-address=127.0.0.1',
        '--advertise-address=127.0.0.1',
      ],
      ...[
        `--secure-port=${port}`,
        '--service-cluster-ip-range=10.96.0.0/24',
        '--service-account-issuer=https://kubernetes.default.svc',
      ],
      ...[
        `--service-account-key-file=${at('sa.pub')}`,
        `--service-account-signing-key-file=${at('sa.key')}`,
        '--authorization-mode=RBAC',
      ],
      ...[
        `--token-auth-file=${at('tokens.csv')}`,
        '--endpoint-reconciler-type=none',
        '--feature-gates=WatchList=false',
      ],
    ]);
    const api = client(port);
    await until(
      () =>
        api('GET', '/readyz').then(
          ({ status }) => status === 200,
          () => false,
        ),
      'the API server',
    );
    const as = [`--kubeconfig=${at('kubeconfig')}`, '--bind-address=127.0.0.1', '--leader-elect=false'];
    const login = [`--authentication-kubeconfig=${at('kubeconfig')}`, `--authorization-kubeconfig=${at('kubeconfig')}`];
    start('kube-controller-manager', programs[1], [
      ...as,
      '--secure-port=0',
      `--service-account-private-key-file=${at('sa.key')}`,
      '--controllers=*,-nodeipam,-nodelifecycle',
    ]);
    start('kube-scheduler', programs[2], [...as, ...login, '--secure-port=0']);
    start('kwok', kwok(), [
      `--kubeconfig=${at('kubeconfig')}`,
      '--config',
      at('stages.yaml'),
      '--manage-all-nodes=true',
      `--server-address=127.0.0.1:${kwokPort}`,
      '--enable-crds=',
    ]);
    const size = { cpu: '64', memory: '256Gi', pods: '200' };
    await api('POST', '/api/v1/nodes', {
      kind: 'Node',
      metadata: { name: 'n1', labels: { 'kubernetes.io/hostname': 'n1', 'kubernetes.io/os': 'linux' } },
      status: { capacity: size, allocatable: size },
    });
    await until(async () => {
      const { body } = await api('GET', '/api/v1/nodes/n1');
      if (body.spec?.taints) await api('PUT', '/api/v1/nodes/n1', { ...body, spec: { ...body.spec, taints: [] } });
      return (
        !body.spec?.taints && body.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
      );
    }, 'the node');
    return { api, kubeconfig: at('kubeconfig'), folder, stop };
  } catch (error) {
    const logs = children.map(
      ({ name }) =>
        `${name}: ${readFileSync(at(`${name}.log`), 'utf8')
          .split('\n')
          .slice(-4)
          .join('\n')}`,
    );
    await stop();
    throw new Error(`${error.message}\n${logs.join('\n')}`, { cause: error });
  }
}
