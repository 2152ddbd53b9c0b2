/** One server by itself: what it says of itself to whoever asks, before any login. */
import { connect as connectTls } from 'node:tls';
import type { Document } from 'mongodb';
import { MongoClient } from 'mongodb';
import { innermost, type NetworkFault, networkFaultOf } from './networkFault.ts';

export type Probe =
  | { host: string; hello: Document }
  /** `encryption`: it would have answered with TLS (`missing`), or without (`unwanted`). */
  | { host: string; fault: NetworkFault; message: string; encryption?: 'missing' | 'unwanted' };

/** Options of a URI that are about a set, a login, or writes: one server is asked without them. */
const notOfOneServer =
  /^(replicaSet|directConnection|loadBalanced|srv.*|auth.*|readPreference.*|retry.*|w|wtimeoutMS|journal|timeoutMS|.*(poolSize|connecting))$/i;

/** The URI of one of its hosts, without user and password. A `mongodb+srv` URI means TLS where it says nothing. */
export function directUri(uri: string, host: string, tls?: boolean): string {
  const [, query = ''] = /\?([^?]*)$/.exec(uri) ?? [];
  const given = query
    .split('&')
    .filter((option) => option !== '' && !notOfOneServer.test(option.split('=')[0] ?? ''))
    .filter((option) => tls !== false || !/^(tls|ssl)/i.test(option));
  const implied = uri.startsWith('mongodb+srv:') && !given.some((option) => /^(tls|ssl)=/i.test(option));
  return `mongodb://${host}/?${['directConnection=true', ...given, ...(implied && tls !== false ? ['tls=true'] : [])].join('&')}`;
}

/** Its first answer; rejects as soon as the first try failed. */
async function helloOf(uri: string, ms: number): Promise<Document> {
  const client = new MongoClient(uri, {
    appName: 'communication-base doctor',
    serverSelectionTimeoutMS: ms,
    connectTimeoutMS: ms,
    maxPoolSize: 1,
  });
  const failed = new Promise<never>((_, reject) => {
    client.once('serverHeartbeatFailed', ({ failure }) => reject(failure));
  });
  try {
    return await Promise.race([client.db('admin').command({ hello: 1 }), failed]);
  } finally {
    await client.close().catch(() => {});
  }
}

/** Whether it speaks TLS. Nothing is sent, so whose certificate it is does not matter. */
function speaksTls(host: string, ms: number): Promise<boolean> {
  const [, name = host, port = '27017'] = /^(.*):(\d+)$/.exec(host) ?? [];
  return new Promise((resolve) => {
    const socket = connectTls({
      host: name.replace(/^\[(.*)\]$/, '$1'),
      port: Number(port),
      rejectUnauthorized: false,
    });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ms, () => end(false));
    socket.once('secureConnect', () => end(true));
    socket.on('error', () => end(false));
  });
}

/** Never throws. `isTls`: whether the URI asks for encryption. */
export async function probe(uri: string, host: string, { isTls, ms }: { isTls: boolean; ms: number }): Promise<Probe> {
  try {
    return { host, hello: await helloOf(directUri(uri, host), ms) };
  } catch (error) {
    const fault = networkFaultOf(error);
    const found = { host, fault, message: innermost(error) };
    if (fault !== 'broken') return found;
    if (!isTls) return (await speaksTls(host, ms)) ? { ...found, encryption: 'missing' } : found;
    const plain = await helloOf(directUri(uri, host, false), ms).catch(() => undefined);
    return plain === undefined ? found : { ...found, encryption: 'unwanted' };
  }
}
