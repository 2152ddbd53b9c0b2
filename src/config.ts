/**
 * The environment as one typed, frozen value. Everything that is wrong is reported at once, and nothing is ignored:
 * a variable of the contract that this release does not support is refused. The layers read `Config`, never `process.env`.
 */
import { readFileSync } from 'node:fs';
import { readChannels } from './configChannels.ts';
import type { DkimConfig } from './configDkim.ts';
import { type ConfigSource, closest, createReader, fileSuffix, oneOf, type Reader, wholeNumber } from './configSpec.ts';
import {
  type AddressField,
  type Driver,
  databaseName,
  hashKey,
  type LogLevel,
  logLevels,
  mongodbUri,
} from './configValues.ts';
import { ServiceError } from './domain/errors.ts';
import type { DomainRates, RateLimit } from './domain/rates.ts';

export { type ConfigRow, describeConfig } from './configDescribe.ts';
export type { DkimConfig } from './configDkim.ts';
export type { ConfigSource } from './configSpec.ts';

export type { AddressField, Driver, LogLevel } from './configValues.ts';

/** One channel: everything of `CHANNEL_<NAME>_*`. */
export interface ChannelConfig {
  /** `<NAME>` in lower case, underscores kept: the word flows use. */
  readonly name: string;
  readonly driver: Driver;
  /**
   * smtp: the server, see configMail.ts; http: where to POST; whatsapp: the Graph API with its version; webhook: where to POST,
   * absent: to each recipient's own address; file: path or `file:` URL of the file to append to.
   */
  readonly url?: string;
  /**
   * http, whatsapp: sent as `Authorization: Bearer <token>`; smtp: the password of the URL's user; webhook: the secrets to sign
   * with, separated by commas; twilio: the auth token, or an API key `SK…:secret`.
   */
  readonly token?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** twilio: the SID of the account; always there. */
  readonly account?: string;
  /** twilio: where it tells what becomes of a message. Absent: nowhere, or where the Messaging Service says. */
  readonly statusCallback?: string;
  /** twilio, and http where it is set: parts of a message, at most. */
  readonly maxSegments?: number;
  /** smtp: `Name <address>` or the address alone; whatsapp: the id of the number; twilio: the sender. All three always have it. */
  readonly from?: string;
  /** smtp: `host` or `host:port` that attachments may be fetched from by https. Absent: none. */
  readonly attachmentHosts?: readonly string[];
  /** webhook: WEBHOOK_ALLOWED_HOSTS. Absent: none. */
  readonly allowedHosts?: readonly string[];
  /** smtp: mail is signed. Absent: it is not, or by the relay. */
  readonly dkim?: DkimConfig;
  /** The contact's field that holds the address. */
  readonly address: AddressField;
  readonly concurrency: number;
  readonly timeoutMs: number;
  /** Over all replicas together. Absent: no limit. */
  readonly rate?: RateLimit;
  /** Where its address is `email`: messages a second to a domain, over all replicas together. */
  readonly domainRates?: DomainRates;
  readonly attempts: number;
  readonly giveUpMs: number;
  readonly delivery: 'at-least-once' | 'at-most-once';
  /** Only these recipients. Absent: everybody. Never empty. */
  readonly allow?: readonly string[];
  /** Everything goes to this one recipient. */
  readonly redirect?: string;
}

/** What is in force. Plain data, so that it can be handed to a worker thread. */
export interface Config {
  /** Empty only when the command does not require it. */
  readonly mongodbUri: string;
  readonly mongodbDatabase: string;
  readonly workerThreads: number;
  readonly batchSize: number;
  readonly batchWindowMs: number;
  readonly partitions: number;
  readonly leaseTtlMs: number;
  readonly sendConcurrency: number;
  readonly shutdownGraceMs: number;
  readonly logLevel: LogLevel;
  readonly healthPort: number;
  readonly hashKey?: string;
  /** Hosts that webhooks may go to although their addresses are not public. Absent: none. */
  readonly webhookAllowedHosts?: readonly string[];
  /** By name, in alphabetical order. */
  readonly channels: readonly ChannelConfig[];
  /** Where each variable that is set came from. */
  readonly sources?: Readonly<Record<string, ConfigSource>>;
  /** What is allowed but probably not meant. */
  readonly warnings?: readonly string[];
}

export interface LoadOptions {
  /** False for commands that work without a database. Default true. */
  requireUri?: boolean;
  readFile?: (path: string) => string;
}

const numbers = {
  workerThreads: ['WORKER_THREADS', 1, wholeNumber(1, 64)],
  batchSize: ['BATCH_SIZE', 1000, wholeNumber(1, 10_000)],
  batchWindowMs: ['BATCH_WINDOW_MS', 10, wholeNumber(0, 10_000)],
  partitions: ['PARTITIONS', 64, wholeNumber(1, 1024)],
  leaseTtlMs: ['LEASE_TTL_MS', 10_000, wholeNumber(1000, 600_000)],
  sendConcurrency: ['SEND_CONCURRENCY', 512, wholeNumber(1, 10_000)],
  shutdownGraceMs: ['SHUTDOWN_GRACE_MS', 25_000, wholeNumber(0, 3_600_000)],
  healthPort: ['HEALTH_PORT', 8080, wholeNumber(0, 65_535)],
} as const;
type NumberKey = keyof typeof numbers;

/** Every variable but those of channels, with its key in `Config`. */
export const variables = {
  mongodbUri: 'MONGODB_URI',
  mongodbDatabase: 'MONGODB_DATABASE',
  workerThreads: 'WORKER_THREADS',
  batchSize: 'BATCH_SIZE',
  batchWindowMs: 'BATCH_WINDOW_MS',
  partitions: 'PARTITIONS',
  leaseTtlMs: 'LEASE_TTL_MS',
  sendConcurrency: 'SEND_CONCURRENCY',
  shutdownGraceMs: 'SHUTDOWN_GRACE_MS',
  logLevel: 'LOG_LEVEL',
  healthPort: 'HEALTH_PORT',
  hashKey: 'HASH_KEY',
  webhookAllowedHosts: 'WEBHOOK_ALLOWED_HOSTS',
} as const;

const unsupported = ['ENCRYPTION_KEYS', 'ENCRYPTED_FIELDS', 'PLUGINS', 'RETENTION_DAYS', 'EVENTS_RETENTION_DAYS'];

function readNumbers(reader: Reader): Record<NumberKey, number> {
  const read = ([key, [name, fallback, spec]]: [string, (typeof numbers)[NumberKey]]): [string, number] => [
    key,
    reader.read(name, spec) ?? fallback,
  ];
  return Object.fromEntries(Object.entries(numbers).map(read)) as Record<NumberKey, number>;
}

function readUri(reader: Reader, required: boolean): string {
  if (required && !reader.isSet('MONGODB_URI')) {
    reader.fault(`MONGODB_URI is not set; allowed: ${mongodbUri.allowed}`);
  }
  return reader.read('MONGODB_URI', mongodbUri) ?? '';
}

/** Names that are nearly one of ours: most likely a slip that would leave a default in force unnoticed. */
function misspelt(env: NodeJS.ProcessEnv): string[] {
  const known: string[] = Object.values(variables);
  const bare = (name: string): string => (name.endsWith(fileSuffix) ? name.slice(0, -fileSuffix.length) : name);
  return Object.keys(env).flatMap((name) => {
    if (known.includes(bare(name))) return [];
    const meant = closest(bare(name), known, bare(name).length > 9 ? 2 : 1);
    return meant === undefined ? [] : [`${name} is not known and has no effect: did you mean ${meant}?`];
  });
}

/** Why: with it, a connection that timed out may hand one caller another's reply, and writes may wait for ever. */
const timeoutWarning = (uri: string): string[] =>
  /[?&]timeoutMS=/i.test(uri)
    ? ['MONGODB_URI sets timeoutMS: leave it out, the service sets maxTimeMS and wtimeoutMS for each operation itself']
    : [];

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}

/**
 * The settings with everything that is wrong with them: what is wrong counts as not set. For those who tell of faults; whoever
 * works with the settings takes `loadConfig`.
 */
export function readConfig(env: NodeJS.ProcessEnv, options: LoadOptions = {}): { config: Config; faults: string[] } {
  const reader = createReader(env, options.readFile ?? ((path) => readFileSync(path, 'utf8')));
  for (const name of unsupported) {
    if (reader.isSet(name)) reader.fault(`${name} is set; it is not supported by this release: remove it`);
  }
  const uri = readUri(reader, options.requireUri ?? true);
  const key = reader.read('HASH_KEY', hashKey);
  const { warnings, ...channels } = readChannels(env, reader);
  const config: Config = {
    mongodbUri: uri,
    mongodbDatabase: reader.read('MONGODB_DATABASE', databaseName) ?? 'communication_base',
    ...readNumbers(reader),
    logLevel: reader.read('LOG_LEVEL', oneOf(...logLevels)) ?? 'info',
    ...(key === undefined ? {} : { hashKey: key }),
    ...channels,
    sources: reader.sources,
    warnings: [...timeoutWarning(uri), ...warnings, ...misspelt(env)],
  };
  return { config: deepFreeze(config), faults: reader.faults };
}

/** Throws ServiceError `config_invalid` whose message lists every fault: the variable, what it was (secrets masked), what is allowed. */
export function loadConfig(env: NodeJS.ProcessEnv, options: LoadOptions = {}): Config {
  const { config, faults } = readConfig(env, options);
  if (faults.length > 0)
    throw new ServiceError('config_invalid', ['The configuration is wrong:', ...faults].join('\n- '));
  return config;
}
