// What this project asks of docker-compose.yml beyond what Docker Compose does, and files that must be refused.
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Faults of a loaded project (JSON of compose-go), as sentences; none when all is well. */
export function composeFaults({ services, volumes = {} }, root) {
  const all = Object.entries(services);
  return [
    ...all.flatMap(([name, service]) => serviceFaults(service).map((fault) => `${name}: ${fault}`)),
    ...dead(volumes, all),
  ].concat(
    all.flatMap(([name, { volumes: mounts = [] }]) => missing(name, mounts, root)),
    scraped(services, root),
  );
}

function serviceFaults(service) {
  const faults = [];
  if (!service.build && !/:v?\d+\.\d+\.\d+$/.test(service.image ?? ''))
    faults.push(`${service.image} names no full version`);
  if (!service.read_only) faults.push('its root can be written to');
  if (!service.cap_drop?.includes('ALL')) faults.push('capabilities are kept');
  if (!service.security_opt?.includes('no-new-privileges:true')) faults.push('it may gain privileges');
  for (const { host_ip: host, target } of service.ports ?? [])
    if (host !== '127.0.0.1') faults.push(`port ${target} is open to other machines`);
  // podman 4 takes the arguments as one text and cuts it at blanks
  if (service.healthcheck?.test?.some((argument) => /\s/.test(argument)))
    faults.push('its health check has an argument with a blank in it');
  if (!service.healthcheck && service.restart === 'unless-stopped') faults.push('it has no health check');
  return faults;
}

const dead = (volumes, all) =>
  Object.keys(volumes)
    .filter((volume) => !all.some(([, service]) => service.volumes?.some(({ source }) => source === volume)))
    .map((volume) => `volume ${volume} is used by nobody`);

/** Docker makes an empty folder of a file that is not there. */
const missing = (name, mounts, root) =>
  mounts
    .filter(({ type, source }) => type === 'bind' && !existsSync(source))
    .map(({ source }) => `${name}: ${relative(root, source)} is not there`);

const answersTo = (service, { networks = {} }) => [
  service,
  ...Object.values(networks).flatMap((network) => network?.aliases ?? []),
];

/** Prometheus asks services by name: a name that is none would only be silent. */
function scraped(services, root) {
  const { names } = /names: \[(?<names>.*)\]/.exec(readFileSync(join(root, 'deploy/prometheus.yml'), 'utf8')).groups;
  return names
    .split(/,\s*/)
    .filter((name) => !Object.keys(services).some((service) => answersTo(service, services[service]).includes(name)))
    .map((name) => `deploy/prometheus.yml asks ${name}, which is no service`);
}

/** Changes to a good file, each of which Docker Compose must refuse: a loader that takes them proves nothing. */
export const refused = (good) => [
  [
    'an unknown key',
    good.replace('\nservices:\n', '\nservices:\n  extra:\n    image: mongo:8.0.20\n    imagge: mongo\n'),
  ],
  [
    'a service that waits for nobody',
    good.replace('\nservices:\n', '\nservices:\n  extra:\n    image: mongo:8.0.20\n    depends_on: [nobody]\n'),
  ],
  ['a variable that is required and not set', good.replace(/\$\{HASH_KEY:-[^}]*\}/, () => '\u0024{HASH_KEY:?}')],
  ['a volume that is not declared', good.replace('\n  data2:\n', '\n')],
];
