// Values that change on a release that runs, on a real API server: how many Pods there are, where MongoDB is, and what cannot change.
import { until } from './cluster.mjs';

const quick = 'minReadySeconds=0,rollingUpdate.maxSurge=9';

/** `cluster`: `{ helm, api, at, get, must, ready }`; `asked`: chart and flags of the release; `full`: its full name. */
export async function changesHold(cluster, { asked, full }) {
  const change = (verb, set, { flags = [], check = true } = {}) =>
    cluster.helm([...verb.split(' '), ...asked, '--set', `${quick},${set}`, ...flags], { check });
  await scalesOn(cluster, full, change);
  await movesIn(cluster, full, change);
  cluster.helm(['uninstall', 'campaigns', '--wait', '--timeout', '2m']);
}

async function scalesOn({ api, at, get, must, ready }, full, change) {
  const deployment = ['/apis/apps/v1', 'deployments', full];
  const wanted = async () => (await get(...deployment)).spec.replicas;
  const auto = (more) => `autoscaling.enabled=true,${more}`;
  const fresh = change('install fresh', auto('autoscaling.minReplicas=4'), { flags: ['--dry-run=server'] });
  must(/^ {2}replicas: 4$/m.test(fresh.stdout), 'with an autoscaler it begins with as many Pods as there have to be');
  change('install campaigns', 'replicaCount=6');
  await ready(deployment.slice(1), 6);
  change('upgrade campaigns', auto('autoscaling.minReplicas=2'));
  must((await wanted()) === 6, 'the autoscaler takes over with as many Pods as there are');
  const path = `${at(...deployment)}/scale`;
  const scale = (await api('GET', path)).body;
  await api('PUT', path, { ...scale, spec: { replicas: 8 } });
  change('upgrade campaigns', auto('autoscaling.minReplicas=2,workerThreads=2'));
  must((await wanted()) === 8, 'an upgrade leaves as many as the autoscaler wants');
  change('upgrade campaigns', auto('autoscaling.minReplicas=9'));
  must((await wanted()) === 9, 'and brings as many as there have to be');
}

async function movesIn({ helm, api, at, get, must, ready }, full, change) {
  const events = () => /helm\.sh\/hook: (\S+)/.exec(helm(['get', 'hooks', 'campaigns']).stdout)?.[1];
  const moved = 'mongodb.existingSecret=,mongodb.enabled=true,mongodb.persistence.storageClass=disks';
  must(events() === 'pre-install,pre-upgrade', 'init runs first where MongoDB is elsewhere');
  change('upgrade campaigns', moved);
  must(events() === 'post-install,post-upgrade', 'init runs last in the upgrade that brings MongoDB');
  await ready(['statefulsets', `${full}-mongodb`], 3);
  change('upgrade campaigns', `${moved},mongodb.persistence.size=8192Mi`);
  must(events() === 'post-install,pre-upgrade', 'and first in the next one, which takes 8192Mi for 8Gi');
  const threads = async () => (await get('/api/v1', 'configmaps', full)).data.WORKER_THREADS;
  for (const [set, named] of [
    ['mongodb.persistence.size=20Gi', 'mongodb.persistence.size cannot change'],
    ['mongodb.persistence.enabled=false', 'mongodb.persistence.enabled cannot change'],
    ['mongodb.persistence.storageClass=other', 'mongodb.persistence.storageClass cannot change'],
    [`nameOverride=other,fullnameOverride=${full}`, 'nameOverride cannot change'],
  ]) {
    const { status, stderr } = change('upgrade campaigns', `${moved},workerThreads=3,${set}`, { check: false });
    must(status !== 0 && stderr.includes(named) && (await threads()) === '1', `${named}, and nothing has changed`);
  }
  const members = ['/apis/apps/v1', 'statefulsets', `${full}-mongodb`];
  const before = (await get(...members)).metadata.uid;
  await api('DELETE', at(...members), { propagationPolicy: 'Orphan' });
  await until(async () => (await get(...members)).code === 404, 'the StatefulSet to go');
  change('upgrade campaigns', `${moved},mongodb.persistence.size=20Gi`);
  await ready(members.slice(1), 3);
  const after = await get(...members);
  must(
    after.metadata.uid !== before && JSON.stringify(after.spec.volumeClaimTemplates).includes('20Gi'),
    'without its StatefulSet it takes another size, with the members that there are',
  );
}
