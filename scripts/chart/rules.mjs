// What this project asks of the chart's manifests beyond what Kubernetes does.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { root } from './tools.mjs';

export const objects = (text) =>
  parseAllDocuments(text)
    .map((document) => document.toJS())
    .filter(Boolean);
export const find = (all, kind, suffix = '') =>
  all.find((one) => one.kind === kind && one.metadata.name.endsWith(suffix));

const isHook = ({ metadata }) => metadata.annotations?.['helm.sh/hook'] !== undefined;
/** `[name, pod]` of everything that makes Pods. */
const pods = (all) =>
  all.flatMap((one) => {
    const pod = one.kind === 'Pod' ? one : one.spec?.template;
    return pod?.spec?.containers ? [[`${one.kind} ${one.metadata.name}`, pod]] : [];
  });

/** Pod Security Standard `restricted`, and what is ours on top: nothing to write to, no token. */
function restricted(name, { spec }) {
  const faults = [];
  const { runAsNonRoot, seccompProfile } = spec.securityContext ?? {};
  if (runAsNonRoot !== true || seccompProfile?.type !== 'RuntimeDefault') faults.push('may run as root or unconfined');
  if (spec.automountServiceAccountToken !== false) faults.push('mounts a token');
  for (const { securityContext: own = {}, name: container, resources } of spec.containers) {
    if (own.allowPrivilegeEscalation !== false || own.readOnlyRootFilesystem !== true)
      faults.push(`${container} may gain privileges or write to its root`);
    if (own.capabilities?.drop?.[0] !== 'ALL' || own.capabilities.add) faults.push(`${container} keeps capabilities`);
    if (!resources?.requests || !resources.limits?.memory) faults.push(`${container} has no requests or no limit`);
  }
  return faults.map((fault) => `${name}: ${fault}`);
}

/** The numbers of a rolling upgrade, as they were rendered. Milliseconds, seconds. */
export function rollingNumbers(all) {
  const worker = find(all, 'Deployment').spec.template.spec;
  const { data } = all.find((one) => one.kind === 'ConfigMap' && !isHook(one) && one.data.SHUTDOWN_GRACE_MS);
  const preStop = worker.containers[0].lifecycle?.preStop.exec.command[1] ?? 0;
  return {
    shutdownGraceMs: Number(data.SHUTDOWN_GRACE_MS),
    leaseTtlMs: Number(data.LEASE_TTL_MS),
    preStopSeconds: Number(preStop),
    terminationGracePeriodSeconds: worker.terminationGracePeriodSeconds,
  };
}

function rolling(all) {
  const { strategy, minReadySeconds } = find(all, 'Deployment').spec;
  const numbers = rollingNumbers(all);
  const worker = numbers.shutdownGraceMs / 1000 + numbers.preStopSeconds;
  const faults = [];
  if (numbers.terminationGracePeriodSeconds < worker + 5)
    faults.push(`killed before it has drained: ${JSON.stringify(numbers)}`);
  if (strategy.rollingUpdate.maxUnavailable !== 0 || minReadySeconds * 1000 < numbers.leaseTtlMs)
    faults.push('a new Pod is not waited for');
  return faults;
}

/** The environment of a Pod as its process would see it, with files in `folder`. */
function environment(all, pod, folder) {
  const [{ envFrom, env }] = pod.spec.containers;
  const config = all.find((one) => one.kind === 'ConfigMap' && one.metadata.name === envFrom[0].configMapRef.name);
  const { sources } = pod.spec.volumes.find(({ name }) => name === 'secrets').projected;
  const variables = { ...config.data };
  for (const { name, value } of env.filter(({ name: any }) => any.endsWith('_FILE'))) {
    const file = value.split('/').at(-1);
    const { name: secret, items } = sources.map((source) => source.secret).find((one) => one.items[0].path === file);
    const own = all.find((one) => one.kind === 'Secret' && one.metadata.name === secret);
    const text = own?.stringData?.[items[0].key] ?? Buffer.from(own?.data?.[items[0].key] ?? '', 'base64').toString();
    writeFileSync(join(folder, file), text || standIn(file));
    variables[name] = join(folder, file);
  }
  return variables;
}

/** What a Secret that is not the chart's would hold. */
function standIn(variable) {
  if (variable === 'MONGODB_URI') return 'mongodb://worker:secret@mongodb.example/?replicaSet=rs0';
  return variable.endsWith('_REDIRECT') ? 'test@example.com' : 'a-secret-that-is-long-enough';
}

/** The program itself reads what the chart gives it: the worker, and the hook with its copies. */
function understood(all) {
  return pods(all)
    .filter(([name, { spec }]) => spec.containers[0].envFrom && /^(Deployment|Job) /.test(name))
    .flatMap(([name, pod]) => {
      const folder = mkdtempSync(join(tmpdir(), 'chart-'));
      try {
        const env = { PATH: process.env.PATH, ...environment(all, pod, folder) };
        const { status, stdout, stderr } = spawnSync(
          process.execPath,
          ['bin/communication-base.js', 'config', '--json'],
          {
            ...{ cwd: root, env, encoding: 'utf8' },
          },
        );
        if (status !== 0) return [`${name}: ${stdout}${stderr}`];
        const { warnings, variables } = JSON.parse(stdout);
        const secret = variables.filter(
          ({ variable, source }) =>
            /URI|HASH_KEY|_TOKEN$|_HEADERS$|_DKIM_KEY$/.test(variable) && source === 'environment',
        );
        return [...warnings, ...secret.map(({ variable }) => `${variable} is in the environment`)].map(
          (text) => `${name}: ${text}`,
        );
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
}

const matches = (labels, { matchLabels = {}, matchExpressions = [] }) =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, values }) => values.includes(labels[key]));

/** Everything that a label chooses is there. */
function chosen(all) {
  const worker = find(all, 'Deployment').spec.template.metadata.labels;
  const faults = [];
  for (const one of all) {
    const selector = {
      PodDisruptionBudget: one.spec?.selector,
      NetworkPolicy: one.spec?.podSelector,
      PodMonitor: one.spec?.selector,
    }[one.kind];
    if (selector && !/-(mongodb|init)$/.test(one.metadata.name) && !matches(worker, selector))
      faults.push(`${one.kind} ${one.metadata.name} chooses no worker`);
    if (one.kind === 'ServiceMonitor' && !matches(find(all, 'Service', '-metrics').metadata.labels, one.spec.selector))
      faults.push('ServiceMonitor chooses no Service');
  }
  if (find(all, 'HorizontalPodAutoscaler') && find(all, 'Deployment').spec.replicas !== undefined)
    faults.push('Deployment and HorizontalPodAutoscaler both say how many');
  return faults;
}

/** Hook `a` is made for the same events as `b`, and before it. */
function comesBefore(a, b) {
  const [early, late] = [a.metadata.annotations ?? {}, b.metadata.annotations];
  return (
    early['helm.sh/hook'] === late['helm.sh/hook'] &&
    Number(early['helm.sh/hook-weight']) < Number(late['helm.sh/hook-weight']) &&
    early['helm.sh/hook-delete-policy'] === late['helm.sh/hook-delete-policy']
  );
}

/** A Job of a hook brings what it needs: before the release nothing of it is there, and that of the last one may be wrong. */
function brought(all) {
  const jobs = all.filter((one) => one.kind === 'Job' && isHook(one));
  return jobs.flatMap((job) => {
    const { labels } = job.spec.template.metadata;
    const policies = all.filter(({ kind, spec }) => kind === 'NetworkPolicy' && matches(labels, spec.podSelector));
    const name = `Job ${job.metadata.name}`;
    if (policies.length !== 1) return [`${name}: ${policies.length} policies of the network choose it`];
    return comesBefore(policies[0], job) ? [] : [`${name}: its policy of the network is not there before it`];
  });
}

export const ruleFaults = (all) => [
  ...pods(all).flatMap(([name, pod]) => restricted(name, pod)),
  ...rolling(all),
  ...chosen(all),
  ...brought(all),
  ...understood(all),
];
