// What is refused of values, and what comes of others, without a cluster.
import { find } from './rules.mjs';

const email = { channels: { email: { driver: 'smtp', url: 'smtp://mail.example', from: 'shop@example.com' } } };
const login = 'https://shop:a-password@hooks.example/in';
const embedded = { enabled: true, auth: { existingSecret: 'passwords' } };

/** Wrong values, and what the refusal has to name. */
export const wrong = [
  [{ replicas: 3 }, 'replicas'],
  [{ replicaCount: 'three' }, 'replicaCount'],
  [{ workerThreads: 0 }, 'workerThreads'],
  [{ config: { shutdownGrace: 5 } }, 'shutdownGrace'],
  [{ channels: { email: { driver: 'smpt' } } }, 'driver'],
  [{ channels: { 'e-mail': { driver: 'smtp' } } }, 'e-mail'],
  [{ channels: { email: { url: 'smtp://mail' } } }, 'driver'],
  [{ existingSecrets: [{ name: 'shop' }] }, 'keys'],
  [{ mongodb: { uri: 'localhost:27017' } }, 'uri'],
  [{ mongodb: { existingSecret: '', enabled: false } }, 'where is MongoDB'],
  [{ mongodb: { existingSecret: 'mongodb', enabled: true } }, 'where is MongoDB'],
  [{ mongodb: { enabled: true } }, 'mongodb.auth.existingSecret'],
  [{ mongodb: { operator: { enabled: true } } }, 'mongodb.operator.existingPasswordSecret'],
  [{ resources: { limits: { memory: '1GB' } } }, 'memory'],
  [{ metrics: { podMonitor: { enabled: true }, serviceMonitor: { enabled: true } } }, 'counts twice'],
  ...['MONGODB_URI', 'HASH_KEY', 'OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS']
    .concat(['URL', 'TOKEN', 'HEADERS', 'DKIM_KEY'].map((setting) => `CHANNEL_SMS_${setting}`))
    .flatMap((name) => [
      [{ env: { [name]: 'a-secret-of-somebody' } }, 'existingSecrets'],
      [{ extraEnv: [{ name, value: 'a-secret-of-somebody' }] }, 'existingSecrets'],
    ]),
  [{ env: { HTTPS_PROXY: login } }, 'no password of a URL in env'],
  [{ extraEnv: [{ name: 'HTTPS_PROXY', value: login }] }, 'no password of a URL in extraEnv'],
  ...[{ statusCallback: login }, { redirect: login }, { allow: [login] }].map((settings) => [
    { channels: { sms: { driver: 'webhook', ...settings } } },
    'no password of a URL in a channel',
  ]),
  [{ existingSecrets: [{ name: 'shop', keys: { HASH_KEY: 'key' } }] }, 'HASH_KEY is set twice'],
  [
    {
      existingSecrets: [
        { name: 'shop', keys: { CHANNEL_SMS_TOKEN: 'sms' } },
        { name: 'more', keys: { CHANNEL_SMS_TOKEN: 'sms' } },
      ],
    },
    'CHANNEL_SMS_TOKEN is set twice',
  ],
  [
    { ...email, existingSecrets: [{ name: 'shop', keys: { CHANNEL_EMAIL_FROM: 'from' } }] },
    'CHANNEL_EMAIL_FROM is set',
  ],
  [{ extraEnv: [{ name: 'HASH_KEY_FILE', value: '/data/key' }] }, 'HASH_KEY is set twice'],
  ...['OTEL_EXPORTER_OTLP_HEADERS', 'HTTPS_PROXY', 'NODE_OPTIONS'].map((name) => [
    { existingSecrets: [{ name: 'shop', keys: { [name]: 'key' } }] },
    'extraEnv with valueFrom',
  ]),
  [{ ...email, env: { CHANNEL_EMAIL_FROM: 'other@example.com' } }, 'CHANNEL_EMAIL_FROM is set twice'],
  [{ extraEnv: [{ name: 'HEALTH_PORT', value: '9090' }] }, 'HEALTH_PORT is set twice'],
  [{ env: { TZ: 'UTC' }, extraEnv: [{ name: 'TZ', value: 'UTC' }] }, 'TZ is set twice'],
  [{ autoscaling: { enabled: true, minReplicas: 11 } }, 'maxReplicas (10)'],
  [{ autoscaling: { enabled: true, targetCPUUtilizationPercentage: 0 } }, 'looks at nothing'],
  [{ commonLabels: { 'app.kubernetes.io/name': 'shop' } }, 'commonLabels'],
  [{ podLabels: { 'app.kubernetes.io/component': 'shop' } }, 'podLabels'],
  [{ fullnameOverride: 'shop.campaigns', mongodb: embedded }, 'fullnameOverride'],
  [{ fullnameOverride: '1shop', mongodb: embedded }, 'fullnameOverride'],
  [{ fullnameOverride: 'shop.campaigns', metrics: { serviceMonitor: { enabled: true } } }, 'fullnameOverride'],
];

const reachesChannels = (all) =>
  all
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .every(({ spec }) => spec.egress.some(({ ports }) => ports.some(({ port }) => port === 443)));
const isName = (name) => /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name) && name.length <= 63;
/** Names that are cut keep to what Kubernetes takes as names and as labels. */
const areNames = (all) =>
  all.every(
    ({ metadata: { name, labels } }) => isName(name) && Object.values(labels).every((text) => /[a-z0-9]$/i.test(text)),
  );
const hookOf = (all) => find(all, 'Job', '-init').metadata.annotations['helm.sh/hook'];
const long = (length) => `${'n'.repeat(length)}.-.x`;

/** Values, what holds of their objects, and its name. */
export const facts = [
  [{}, (all) => !reachesChannels(all), 'no channel, no way out'],
  [email, reachesChannels, 'a channel has a way out'],
  ...[
    { env: { CHANNEL_SMS_DRIVER: 'twilio' } },
    { env: { CHANNEL_SMS_DRIVER_FILE: '/data/driver' } },
    { existingSecrets: [{ name: 'shop', keys: { CHANNEL_SMS_FROM: 'from', CHANNEL_SMS_DRIVER: 'driver' } }] },
    { extraEnv: [{ name: 'CHANNEL_SMS_DRIVER', value: 'twilio' }] },
  ].map((values) => [values, reachesChannels, 'a channel by a variable alone has a way out']),
  [
    { env: { HTTPS_PROXY: 'http://shop@proxy.example:8080/a@b', NO_PROXY: 'a:b@c' } },
    Boolean,
    'a URL without a password is none',
  ],
  [
    { env: { OTEL_RESOURCE_ATTRIBUTES: 'a=http://x:80,b=c@d' } },
    Boolean,
    'attributes with an @ behind a URL are no password',
  ],
  [
    { extraEnv: [{ name: 'NODE_OPTIONS', value: '--trace-warnings' }] },
    (all) =>
      find(all, 'Deployment').spec.template.spec.containers[0].env.filter(({ name }) => name === 'NODE_OPTIONS')
        .length === 1,
    'NODE_OPTIONS of extraEnv takes the place of the chart\u2019s',
  ],
  [{ fullnameOverride: long(39) }, areNames, 'a name that is cut is one'],
  [{ fullnameOverride: long(38) }, areNames, 'a name that is cut is one'],
  [{ nameOverride: long(62), fullnameOverride: 'shop' }, areNames, 'a name that is cut is one'],
  [{ extraEnv: [{ name: 'HASH_KEY', valueFrom: {} }], hashKey: '' }, Boolean, 'a secret by reference is taken'],
  [{}, (all) => hookOf(all) === 'pre-install,pre-upgrade', 'init comes before the Pods'],
  [
    { mongodb: embedded },
    (all) => hookOf(all) === 'post-install,post-upgrade',
    'init comes after a MongoDB that is not there yet',
  ],
  [
    { mongodb: embedded },
    (all) => {
      const { name, args, readinessProbe } = find(all, 'StatefulSet').spec.template.spec.containers[1];
      const { command } = readinessProbe.exec;
      return name === 'replica-set' && args[0].includes(`script member.js\ntouch ${command.at(-1)}\n`);
    },
    'a Pod of the embedded MongoDB is ready when its member has all data',
  ],
  [
    { autoscaling: { enabled: true } },
    (all) => find(all, 'Deployment').spec.replicas === undefined,
    'without a look at the cluster, the autoscaler alone says how many',
  ],
];
