/**
 * Keeps requests to addresses that others gave out of our own networks (server-side request forgery): what counts is the
 * address that is connected to, so it is looked at where the connection is made, after DNS, each time anew.
 */
import { type LookupAddress, lookup as lookupDns } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { buildConnector } from 'undici';

/** As `dns.lookup` with `all`. */
export type ResolveAll = (
  hostname: string,
  callback: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void;

const resolveAll: ResolveAll = (hostname, callback) => lookupDns(hostname, { all: true }, callback);

/** Nothing was connected to, for nothing that the host stands for may be. */
export class AddressRefused extends Error {
  constructor(host: string) {
    super(`${host} stands for no public address, and is not in WEBHOOK_ALLOWED_HOSTS`);
    this.name = 'AddressRefused';
  }
}

/** Azure answers its machines here (metadata, DHCP, DNS), under an address that looks like any other. */
const publicButOurs = new Set(['168.63.129.16']);
/** RFC 4291, 2.5.5.1: the IPv4-compatible form that nobody uses any more. */
const ipv4Compatible: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('::'), 96];

/**
 * True for an address anybody in the internet may have: neither private, loopback, link-local (cloud metadata), shared (RFC
 * 6598), unique local, multicast nor set aside for anything else; IPv4 written as IPv6 is judged as what it stands for.
 */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const ip = ipaddr.parse(address);
  if (ip.kind() === 'ipv4') return ip.range() === 'unicast' && !publicButOurs.has(ip.toString());
  const range = ip.range();
  // RFC 6052, 2.1: networks without IPv4 reach all of it by the last 32 bits of 64:ff9b::/96
  const isEmbedded = range === 'ipv4Mapped' || (range === 'rfc6052' && ip.toString().startsWith('64:ff9b::'));
  if (isEmbedded) return isPublic(ip.toByteArray().slice(-4).join('.'));
  return range === 'unicast' && !ip.match(ipv4Compatible);
}

/** Resolves to the public ones of a host's addresses; an error where there are none. */
export function publicLookup(resolve: ResolveAll = resolveAll): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, (error, found) => {
      const [first, ...others] = (error === null ? found : []).filter(({ address }) => isPublic(address));
      if (first === undefined) callback(error ?? new AddressRefused(hostname), '', 0);
      else if (options.all === true) callback(null, [first, ...others]);
      else callback(null, first.address, first.family);
    });
  };
}

/** Whether an entry of WEBHOOK_ALLOWED_HOSTS names the host: `name`, `name:port` or `*.domain`, as `URL` writes them. */
export function isAllowed(allowed: readonly string[], { hostname, port }: Pick<URL, 'hostname' | 'port'>): boolean {
  return allowed.some((entry) =>
    entry.startsWith('*.') ? hostname.endsWith(entry.slice(1)) : entry === hostname || entry === `${hostname}:${port}`,
  );
}

/** Connects to public addresses, and to `allowed` hosts wherever they are. `timeoutMs`: for a connection to be made. */
export function guardedConnector(
  allowed: readonly string[],
  timeoutMs: number,
  { ca, resolve }: { ca?: string; resolve?: ResolveAll } = {},
): buildConnector.connector {
  const options = { timeout: timeoutMs, allowH2: false, ...(ca === undefined ? {} : { ca }) };
  const free = buildConnector(options);
  const guarded = buildConnector({ ...options, lookup: publicLookup(resolve) } as buildConnector.BuildOptions);
  return (target, callback) => {
    const { hostname, port, protocol } = target;
    if (isAllowed(allowed, { hostname, port: port || (protocol === 'https:' ? '443' : '80') })) free(target, callback);
    else {
      // an address that is written out is never looked up
      const literal = hostname.replace(/^\[|\]$/g, '');
      if (ipaddr.isValid(literal) && !isPublic(literal)) callback(new AddressRefused(hostname), null);
      else guarded(target, callback);
    }
  };
}
