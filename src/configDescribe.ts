import type { ChannelConfig, Config } from './config.ts';
import type { ConfigSource } from './configSpec.ts';
import { isSecretName, maskUri } from './configValues.ts';

/** One line of the `config` command. `value` is "" when nothing is set and there is no default. */
export interface ConfigRow {
  variable: string;
  value: string;
  source: ConfigSource;
}

const masked = (secret: string | undefined): string => (secret === undefined ? '' : '***');

const maskHeaders = (headers: ChannelConfig['headers']): string =>
  Object.keys(headers).length === 0
    ? ''
    : JSON.stringify(
        Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name, isSecretName(name) ? '***' : maskInText(value)]),
        ),
      );

/** Where a text may be an address with user and password. */
const maskInText = (value: string): string => (value.includes('://') ? maskUri(value) : value);

const isoDuration = (ms: number): string =>
  ms % 3_600_000 === 0 ? `PT${ms / 3_600_000}H` : ms % 60_000 === 0 ? `PT${ms / 60_000}M` : `PT${ms / 1000}S`;

/** In the largest unit that gives a whole number. */
function rateText(perSecond: number): string {
  const units = [
    ['s', 1],
    ['m', 60],
    ['h', 3_600],
    ['d', 86_400],
  ] as const;
  const isWhole = ([, seconds]: (typeof units)[number]): boolean =>
    Math.abs(perSecond * seconds - Math.round(perSecond * seconds)) < 1e-6;
  const [unit, seconds] = units.find(isWhole) ?? units[0];
  return `${Number((perSecond * seconds).toFixed(3))}/${unit}`;
}

const channelRows = (channel: ChannelConfig): [string, string][] =>
  Object.entries({
    DRIVER: channel.driver,
    URL: maskInText(channel.url ?? ''),
    FROM: channel.from ?? '',
    TOKEN: masked(channel.token),
    HEADERS: maskHeaders(channel.headers),
    ATTACHMENT_HOSTS: channel.attachmentHosts?.join(',') ?? '',
    ACCOUNT: channel.account ?? '',
    STATUS_CALLBACK: channel.statusCallback === undefined ? '' : maskUri(channel.statusCallback),
    MAX_SEGMENTS: channel.maxSegments === undefined ? '' : String(channel.maxSegments),
    DKIM_DOMAIN: channel.dkim?.domain ?? '',
    DKIM_SELECTOR: channel.dkim?.selector ?? '',
    DKIM_KEY: masked(channel.dkim?.key),
    ADDRESS: channel.address,
    CONCURRENCY: String(channel.concurrency),
    TIMEOUT_MS: String(channel.timeoutMs),
    RATE: channel.rate === undefined ? '' : rateText(channel.rate.perSecond),
    BURST: channel.rate === undefined ? '' : String(channel.rate.burst),
    DOMAIN_RATES: Object.entries(channel.domainRates ?? {})
      .map(([domain, rate]) => `${domain}=${rateText(rate)}`)
      .join(','),
    ATTEMPTS: String(channel.attempts),
    GIVE_UP: isoDuration(channel.giveUpMs),
    DELIVERY: channel.delivery,
    ALLOW: channel.allow?.map(maskInText).join(',') ?? '',
    REDIRECT: maskInText(channel.redirect ?? ''),
  }).map(([setting, value]) => [`CHANNEL_${channel.name.toUpperCase()}_${setting}`, value]);

/** What is in force, every variable with its value (secrets masked) and where it came from. */
export function describeConfig(config: Config): ConfigRow[] {
  const rows: [string, string][] = [
    ['MONGODB_URI', config.mongodbUri === '' ? '' : maskUri(config.mongodbUri)],
    ['MONGODB_DATABASE', config.mongodbDatabase],
    ['WORKER_THREADS', String(config.workerThreads)],
    ['BATCH_SIZE', String(config.batchSize)],
    ['BATCH_WINDOW_MS', String(config.batchWindowMs)],
    ['PARTITIONS', String(config.partitions)],
    ['LEASE_TTL_MS', String(config.leaseTtlMs)],
    ['SEND_CONCURRENCY', String(config.sendConcurrency)],
    ['SHUTDOWN_GRACE_MS', String(config.shutdownGraceMs)],
    ['LOG_LEVEL', config.logLevel],
    ['HEALTH_PORT', String(config.healthPort)],
    ['HASH_KEY', masked(config.hashKey)],
    ['WEBHOOK_ALLOWED_HOSTS', config.webhookAllowedHosts?.join(',') ?? ''],
    ...config.channels.flatMap(channelRows),
  ];
  return rows.map(([variable, value]) => ({ variable, value, source: config.sources?.[variable] ?? 'default' }));
}
