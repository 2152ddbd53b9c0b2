#!/usr/bin/env node
// The chart on a real API server that enforces the Pod Security Standard `restricted`: install, test, upgrade, roll back, uninstall;
// values that change on a release that runs; then a rolling restart of real workers under load with the numbers that the chart renders.
// `npm run proof:chart`
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { changesHold } from './chart/changes.mjs';
import { startCluster, until } from './chart/cluster.mjs';
import { passwordsHold } from './chart/passwords.mjs';
import { rollingRestart } from './chart/rolling.mjs';
import { crdFolders } from './chart/schemas.mjs';
import { helmProgram, root, run, say } from './chart/tools.mjs';

const chart = join(root, 'helm/communication-base');
const namespace = 'shop';
const full = 'campaigns-communication-base';
const must = (isSo, what) => {
  if (!isSo) throw new Error(`not so: ${what}`);
  say(`ok: ${what}`);
};

/** What a release may have made. */
const kinds = [
  ...['pods', 'services', 'configmaps', 'secrets', 'serviceaccounts', 'persistentvolumeclaims'].map(
    (kind) => `/api/v1|${kind}`,
  ),
  ...['deployments', 'replicasets', 'statefulsets'].map((kind) => `/apis/apps/v1|${kind}`),
  ...[
    '/apis/batch/v1|jobs',
    '/apis/autoscaling/v2|horizontalpodautoscalers',
    '/apis/networking.k8s.io/v1|networkpolicies',
  ],
  ...['/apis/policy/v1|poddisruptionbudgets', '/apis/mongodbcommunity.mongodb.com/v1|mongodbcommunity'],
  ...['podmonitors', 'servicemonitors', 'prometheusrules'].map((kind) => `/apis/monitoring.coreos.com/v1|${kind}`),
];

const { api, kubeconfig, folder, stop } = await startCluster();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => stop().finally(() => process.exit(1)));
const at = (base, kind, name = '') => `${base}/namespaces/${namespace}/${kind}${name && `/${name}`}`;
const get = async (base, kind, name) => (await api('GET', at(base, kind, name))).body;
const create = async (path, body) => {
  const answer = await api('POST', path, body);
  if (answer.status >= 300) throw new Error(`POST ${path}: ${JSON.stringify(answer.body)}`);
};
const secret = (name, data) => create(at('/api/v1', 'secrets'), { metadata: { name }, stringData: data });

/** Runs Helm; a warning of the API server is a failure. */
function helm(args, { check = true, namespace: where = namespace } = {}) {
  const env = { PATH: process.env.PATH, HOME: folder, KUBECONFIG: kubeconfig };
  const done = run(helmProgram(), [...args, '--namespace', where], { env, check });
  if (/PodSecurity|unknown field|deprecated/i.test(done.stderr)) throw new Error(`helm ${args[0]}: ${done.stderr}`);
  return done;
}
const values = (set, ...more) => ['--values', join(chart, `ci/${set}.yaml`), ...more];
/** Here is a cluster to look at, so the chart makes the passwords. */
const making = ['--set', 'mongodb.auth.existingSecret=,mongodb.operator.existingPasswordSecret='];

async function left() {
  const found = [];
  for (const [base, kind] of kinds.map((one) => one.split('|')))
    for (const { metadata } of (await get(base, kind)).items ?? []) found.push(`${kind}/${metadata.name}`);
  return found.filter((name) => !['configmaps/kube-root-ca.crt', 'serviceaccounts/default'].includes(name));
}

async function refusals() {
  const { items } = await get('/api/v1', 'events');
  return items
    .filter(({ type, reason }) => type === 'Warning' && /^FailedCreate$/.test(reason))
    .map(({ message }) => message);
}

async function prepare() {
  const labels = Object.fromEntries(
    ['enforce', 'warn', 'audit'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']),
  );
  await create('/api/v1/namespaces', { metadata: { name: namespace, labels } });
  const bad = { metadata: { name: 'bad' }, spec: { containers: [{ name: 'bad', image: 'bad' }] } };
  await until(
    async () => (await get('/api/v1', 'serviceaccounts', 'default')).kind === 'ServiceAccount',
    'the service account',
  );
  const { status, body } = await api('POST', at('/api/v1', 'pods'), bad);
  must(status === 403 && /restricted/.test(body.message), 'a Pod that is not restricted is refused here');
  for (const source of crdFolders())
    for (const file of readdirSync(source).filter((name) => name.endsWith('.yaml')))
      for (const document of parseAllDocuments(readFileSync(join(source, file), 'utf8')))
        await create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions?fieldManager=proof', document.toJS());
  await create('/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'important' }, value: 1000 });
  for (const n of Array.from({ length: 6 }).keys())
    await create('/api/v1/persistentvolumes', {
      metadata: { name: `disk-${n}` },
      spec: {
        capacity: { storage: '8Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'disks',
        hostPath: { path: `/none/${n}` },
      },
    });
}

const ready = async (kind, count) =>
  until(
    async () => {
      const { status, spec, metadata } = await get('/apis/apps/v1', ...kind);
      return (
        status?.readyReplicas === count &&
        (status.updatedReplicas ?? 0) === spec.replicas &&
        status.observedGeneration === metadata.generation
      );
    },
    `${kind.join(' ')} to be ready`,
  );
const passwords = async () => JSON.stringify((await get('/api/v1', 'secrets', `${full}-mongodb`)).data);
const threads = async () => (await get('/api/v1', 'configmaps', full)).data.WORKER_THREADS;

async function embedded() {
  const set = values('embedded', ...making, '--set', 'mongodb.persistence.storageClass=disks');
  const wait = ['--wait', '--timeout', '2m'];
  helm(['install', 'campaigns', chart, ...set, ...wait]);
  await ready(['deployments', full], 2);
  await ready(['statefulsets', `${full}-mongodb`], 3);
  const before = await passwords();
  must(
    (await left()).every((name) => !name.includes('-init')),
    'installed; the hook has run and left nothing',
  );
  const test = helm(['test', 'campaigns', '--timeout', '2m']);
  must(/Phase:\s+Succeeded/.test(test.stdout), 'helm test: its Pod came to its end');
  const old = (await get('/apis/apps/v1', 'replicasets')).items.map(({ metadata }) => metadata.name);
  helm(['upgrade', 'campaigns', chart, ...set, '--set', 'workerThreads=2', ...wait]);
  await ready(['deployments', full], 2);
  const sets = (await get('/apis/apps/v1', 'replicasets')).items;
  must(sets.length === old.length + 1 && (await threads()) === '2', 'upgraded: Pods were replaced');
  must((await passwords()) === before, 'passwords are those of the installation');
  const refused = helm(['upgrade', 'campaigns', chart, ...set, '--set', 'workerThreads=many'], { check: false });
  must(
    refused.status !== 0 && /workerThreads/.test(refused.stderr) && (await threads()) === '2',
    'a wrong value changes nothing',
  );
  helm(['rollback', 'campaigns', '1', ...wait]);
  await ready(['deployments', full], 2);
  must((await threads()) === '1' && (await passwords()) === before, 'rolled back, with the same passwords');
  const held = { secret: `${full}-mongodb`, holds: 'PersistentVolumeClaim', setting: 'mongodb.auth.existingSecret' };
  await passwordsHold({ helm, api, at, get, must }, { ...held, asked: [chart, ...set] });
  must((await refusals()).length === 0, 'no Pod was refused');
  const disks = [0, 1, 2].map((n) => `persistentvolumeclaims/data-${full}-mongodb-${n}`);
  const stays = [`secrets/${full}-mongodb`, ...disks].toSorted().join();
  const uninstall = async () => {
    helm(['uninstall', 'campaigns', ...wait]);
    await until(async () => (await left()).toSorted().join() === stays, 'the rest to go');
  };
  await uninstall();
  must(true, `uninstalled; by design stay ${stays}`);
  helm(['install', 'campaigns', chart, ...set, ...wait]);
  must((await passwords()) === before, 'installed again over the volumes that stayed, with their passwords');
  await uninstall();
  await clear();
}

async function clear() {
  await api('DELETE', at('/api/v1', 'persistentvolumeclaims'));
  await api('DELETE', at('/api/v1', 'secrets', `${full}-mongodb`));
  await until(async () => (await left()).length === 0, 'nothing to be left');
}

async function changes() {
  await changesHold({ helm, api, at, get, must, ready }, { asked: [chart, ...values('minimal')], full });
  must((await refusals()).length === 0, 'no Pod was refused');
  await clear();
}

/** Whatever the set: what it makes is taken, runs, and goes. `stays`: by design, or ours. */
async function through(set, names, stays, held) {
  const asked = [chart, ...values(set, ...making)];
  helm(['install', 'campaigns', ...asked, '--wait', '--timeout', '2m']);
  const made = await left();
  must(
    names.every((name) => made.some((one) => one.startsWith(name))),
    `${set}: made ${made.length} objects, with ${names.join(', ')}`,
  );
  helm(['upgrade', 'campaigns', ...asked, '--set', 'config.logLevel=debug', '--wait', '--timeout', '2m']);
  if (held) await passwordsHold({ helm, api, at, get, must }, { ...held, asked });
  must((await refusals()).length === 0, `${set}: no Pod was refused`);
  helm(['uninstall', 'campaigns', '--wait', '--timeout', '2m']);
  await until(
    async () => (await left()).toSorted().join() === stays.toSorted().join(),
    `only ${stays.join()} to be left`,
  );
  for (const name of stays) await api('DELETE', at('/api/v1', ...name.split('/')));
  must(true, `${set}: uninstalled; ${stays.join(', ')} stay by design`);
}

try {
  await prepare();
  await embedded();
  await changes();
  for (const [name, key] of [
    ['mongodb-uri', 'connectionString.standardSrv'],
    ['communication-base', 'hash-key'],
  ])
    await secret(name, { [key]: 'x' });
  await through(
    'production',
    ['horizontalpodautoscalers/', 'podmonitors/', 'networkpolicies/', 'poddisruptionbudgets/'],
    ['secrets/communication-base', 'secrets/mongodb-uri'],
  );
  await through('operator', ['mongodbcommunity/'], [`secrets/${full}-mongodb-user`], {
    ...{ secret: `${full}-mongodb-user`, holds: 'MongoDBCommunity' },
    setting: 'mongodb.operator.existingPasswordSecret',
  });
  const report = rollingRestart(chart);
  must(
    report.good && report.messages.repeated === 0,
    'rolling restart: no message was repeated, and no worker was killed',
  );
} catch (error) {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
} finally {
  await stop();
}
