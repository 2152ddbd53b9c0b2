/** Connects as a worker does; where that fails, finds out why by asking each server by itself. Writes nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Document, MongoClient } from 'mongodb';
import { isServiceError } from '../domain/errors.ts';
import { clientOf } from './client.ts';
import { innermost, isLoginRefused, type NetworkFault, networkFaultOf } from './networkFault.ts';
import { type Probe, probe } from './probe.ts';

export type ReachFault =
  /** MONGODB_URI cannot be read by the driver. */
  | { code: 'uri'; message: string }
  /** No server of the URI can be talked to; each with why. */
  | { code: NetworkFault | 'tls_missing' | 'tls_unwanted'; hosts: readonly string[]; message: string }
  | { code: 'standalone' | 'not_initiated' | 'not_primary'; host: string }
  | { code: 'other_set'; host: string; asked: string; found: string }
  /** The set answers, and has elected nobody. `silent`: members that do not answer from here. */
  | { code: 'no_primary'; set: string; members: number; silent: readonly string[] }
  /** The set names members that cannot be reached from here, its primary among them. */
  | { code: 'advertised'; set: string; host: string; names: readonly string[]; message: string }
  /** `works`: the same user and password are good in this database. */
  | { code: 'login'; source: string; works?: string; message: string }
  | { code: 'other'; message: string };

export type Reached = { client: MongoClient; hello: Document } | { fault: ReachFault };

export interface ReachOptions {
  appName: string;
  /** The database that is worked in: a user may have been made there. */
  database: string;
  /** Ms to wait for a suitable server, and again for each server by itself. */
  patienceMs: number;
}

/** A server that is there lets in within so long, as a rule: until then nobody asks why not. */
const quickMs = 500;
/** What does not come right by waiting; an election does. */
const lasting: ReadonlySet<ReachFault['code']> = new Set<ReachFault['code']>([
  ...(['dns', 'refused', 'certificate', 'tls_missing', 'tls_unwanted'] as const),
  ...(['standalone', 'not_initiated', 'other_set', 'advertised'] as const),
]);

/** Resolves within some three times `patienceMs`. The client is the caller's to close. Never throws. */
export async function reachMongo(uri: string, options: ReachOptions): Promise<Reached> {
  let client: MongoClient;
  try {
    client = clientOf(uri, { appName: options.appName, serverSelectionTimeoutMs: options.patienceMs });
  } catch (error) {
    return { fault: { code: 'uri', message: (error as Error).message } };
  }
  const over = new AbortController();
  try {
    const connecting = connected(client);
    const reached = await Promise.race([connecting, lastingFault(uri, client, options, over.signal)]);
    if ('fault' in reached) await client.close().catch(() => {});
    connecting.catch(() => {});
    return reached;
  } catch (error) {
    await client.close().catch(() => {});
    return {
      fault: isLoginRefused(error) ? await whyRefused(uri, client, options) : await whyNot(uri, client, options, error),
    };
  } finally {
    over.abort();
  }
}

async function connected(client: MongoClient): Promise<Reached> {
  await client.connect();
  const hello = await client.db('admin').command({ hello: 1 });
  const fault = helloFault(hello, hostsOf(client)[0] ?? '');
  return fault === undefined ? { client, hello } : { fault };
}

/** Why a server does not let in, as soon as that is certain; never settles otherwise. */
async function lastingFault(
  uri: string,
  client: MongoClient,
  options: ReachOptions,
  signal: AbortSignal,
): Promise<{ fault: ReachFault }> {
  const never = new Promise<never>(() => {});
  // the hosts behind SRV records are known only to who connects
  if (client.options.srvHost !== undefined) return never;
  if (!(await passed(quickMs, signal))) return never;
  const fault = await whyNot(uri, client, options, undefined);
  return lasting.has(fault.code) ? { fault } : never;
}

/** False when it was over before. */
const passed = (ms: number, signal: AbortSignal): Promise<boolean> => sleep(ms, true, { signal }).catch(() => false);

/** Asks each server by itself. */
async function whyNot(uri: string, client: MongoClient, options: ReachOptions, error: unknown): Promise<ReachFault> {
  const { srvHost, replicaSet: asked, tls } = client.options;
  // names of SRV records that are not known lead to no host
  if (srvHost !== undefined && networkFaultOf(error) === 'dns')
    return { code: 'dns', hosts: [srvHost], message: innermost(error) };
  const how = { isTls: tls, ms: Math.min(options.patienceMs, 3_000) };
  const ask = (host: string): Promise<Probe> => probe(uri, host, how);
  return explain(await Promise.all(hostsOf(client).map(ask)), { ask, asked, message: innermost(error) });
}

const hostsOf = (client: MongoClient): string[] => client.options.hosts.map(String);

/** What stands in the way of a server that does answer. */
function helloFault(hello: Document, host: string): ReachFault | undefined {
  if (hello['isreplicaset'] === true) return { code: 'not_initiated', host };
  if (hello['msg'] === 'isdbgrid') return undefined;
  if (hello['setName'] === undefined) return { code: 'standalone', host };
  return hello['isWritablePrimary'] === true ? undefined : { code: 'not_primary', host };
}

interface Explaining {
  ask(host: string): Promise<Probe>;
  /** The `replicaSet` of the URI. */
  asked: string | undefined;
  /** What the driver said. */
  message: string;
}

/** Why no server could be chosen, from what each says by itself. */
export async function explain(probes: readonly Probe[], { ask, asked, message }: Explaining): Promise<ReachFault> {
  const answered = probes.find((one) => 'hello' in one);
  if (answered === undefined) return silence(probes, message);
  const { hello, host } = answered;
  const fault = helloFault(hello, host);
  if (fault !== undefined && fault.code !== 'not_primary') return fault;
  const set = String(hello['setName'] ?? '');
  if (asked !== undefined && set !== asked) return { code: 'other_set', host, asked, found: set };
  const names = ['hosts', 'passives', 'arbiters'].flatMap((kind) => (hello[kind] ?? []) as string[]);
  const members = await Promise.all(names.map((name) => probes.find((one) => one.host === name) ?? ask(name)));
  const silent = members.filter((one) => !('hello' in one)).map(({ host: name }) => name);
  const primary = hello['primary'] as string | undefined;
  if (primary === undefined) return { code: 'no_primary', set, members: names.length, silent };
  if (silent.includes(primary)) {
    const why = members.find((one) => one.host === primary);
    return { code: 'advertised', set, host, names: silent, message: why && 'message' in why ? why.message : '' };
  }
  return { code: 'other', message };
}

/** The one that tells most: what can be mended here before what can be mended there. */
const telling = ['certificate', 'broken', 'dns', 'refused', 'silent'] as const;

function silence(probes: readonly Probe[], message: string): ReachFault {
  const failed = probes.filter((one) => 'fault' in one);
  const encryption = failed.find((one) => one.encryption !== undefined)?.encryption;
  const fault = telling.find((code) => failed.some((one) => one.fault === code));
  const code = encryption === undefined ? fault : (`tls_${encryption}` as const);
  if (code === undefined) return { code: 'other', message };
  const said = failed.find((one) => (encryption === undefined ? one.fault === fault : one.encryption === encryption));
  return { code, hosts: failed.map(({ host }) => host), message: said?.message ?? message };
}

/** Mechanisms whose users are kept in a database of the server, with a password. */
const withPassword: unknown[] = [undefined, 'DEFAULT', 'SCRAM-SHA-1', 'SCRAM-SHA-256'];

/** The server says no more than no: whether the same login is good elsewhere is tried, where users usually are. */
async function whyRefused(uri: string, client: MongoClient, options: ReachOptions): Promise<ReachFault> {
  const { source = 'admin', mechanism } = client.options.credentials ?? {};
  const message = 'Authentication failed';
  if (!withPassword.includes(mechanism)) return { code: 'login', source, message };
  for (const works of ['admin', options.database].filter((database) => database !== source)) {
    const other = clientOf(uri, {
      appName: options.appName,
      serverSelectionTimeoutMs: options.patienceMs,
      authSource: works,
    });
    try {
      await other.connect();
      return { code: 'login', source, works, message };
    } catch (error) {
      if (!isServiceError(error) && !isLoginRefused(error)) return { code: 'login', source, message };
    } finally {
      await other.close().catch(() => {});
    }
  }
  return { code: 'login', source, message };
}
