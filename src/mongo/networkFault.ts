/** What the operating system, TLS and the server say of a connection that did not come about, in a few words. */
import { MongoNetworkTimeoutError, MongoServerError, MongoServerSelectionError } from 'mongodb';

export type NetworkFault =
  /** The name is not known. */
  | 'dns'
  /** The machine is there, and nobody listens. */
  | 'refused'
  /** Nothing came back in time. */
  | 'silent'
  /** Its certificate is not trusted, or not for this name. */
  | 'certificate'
  /** It was there and hung up, or said something else: as when only one side encrypts. */
  | 'broken';

const byCode: Readonly<Record<string, NetworkFault>> = {
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  ENODATA: 'dns',
  ESERVFAIL: 'dns',
  ETIMEOUT: 'dns',
  ECONNREFUSED: 'refused',
  ETIMEDOUT: 'silent',
  EHOSTUNREACH: 'silent',
  ENETUNREACH: 'silent',
};
const ofCertificate = /CERT|SIGNATURE|ALTNAME/;

/** By its shape: what the system says may be of another realm. */
const isError = (value: unknown): value is Error & { code?: unknown } =>
  typeof value === 'object' && value !== null && 'message' in value;

/** An error, what caused it, and the first of several addresses that were tried, from the outside in. */
function* chain(error: unknown): Generator<Error & { code?: unknown }> {
  for (let next = error, depth = 0; isError(next) && depth < 8; depth += 1) {
    yield next;
    const { cause, errors } = next as { cause?: unknown; errors?: unknown[] };
    const servers = next instanceof MongoServerSelectionError ? [...(next.reason?.servers.values() ?? [])] : [];
    next = servers.find(({ error: own }) => own !== null)?.error ?? cause ?? errors?.[0];
  }
}

const hasCause = ({ reason }: MongoServerSelectionError): boolean =>
  [...(reason?.servers.values() ?? [])].some(({ error }) => error !== null);

export function networkFaultOf(error: unknown): NetworkFault {
  let fault: NetworkFault = 'broken';
  for (const one of chain(error)) {
    const code = typeof one.code === 'string' ? one.code : '';
    // a look-up of SRV records that fails is one of names, whatever the code
    if ((one as NodeJS.ErrnoException).syscall?.startsWith('query')) return 'dns';
    const known = byCode[code] ?? (ofCertificate.test(code) ? 'certificate' : undefined);
    if (known !== undefined) fault = known;
    else if (one instanceof MongoNetworkTimeoutError) fault = 'silent';
    // nobody said why: what was asked has not been answered
    else if (one instanceof MongoServerSelectionError) fault = hasCause(one) ? fault : 'silent';
  }
  return fault;
}

/** The innermost words: what the system or the server itself said. */
export const innermost = (error: unknown): string =>
  [...chain(error)].map(({ message }) => message).findLast((message) => message !== '') ?? String(error);

/** The server's refusal of a login (AuthenticationFailed), wherever it stands. */
export const isLoginRefused = (error: unknown): boolean =>
  [...chain(error)].some((one) => one instanceof MongoServerError && one.code === 18);
