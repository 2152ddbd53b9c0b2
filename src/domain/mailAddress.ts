/** Addresses of mail: one mailbox, checked, with its domain in the form that goes over the wire. Never a list, never a comment. */

export interface Mailbox {
  /** Without quotes. Absent when there is none. */
  name?: string;
  /** `local@domain`, the domain in ASCII (IDNA). The local part may hold what RFC 6531 allows. */
  address: string;
}

/** RFC 5321, 4.5.3.1: octets of a local part, and of a path without its brackets. */
const maxLocalBytes = 64;
const maxAddressBytes = 254;
/** RFC 5322, 3.2.3 `dot-atom`, with what RFC 6531 adds: no spaces, controls, line separators or marks that turn the writing around. */
const localPart = /^[^\s\p{C}\p{Z}()<>[\]:;@\\,."]+(\.[^\s\p{C}\p{Z}()<>[\]:;@\\,."]+)*$/u;
const label = /^(?!-)[a-z\d-]{1,63}(?<!-)$/;
const encoder = new TextEncoder();

/** The domain in lower-case ASCII as RFC 5891 writes it; undefined when it is none. Address literals are none. */
export function asciiDomain(text: string): string | undefined {
  // What a URL would read as something else than a name never gets there.
  if (text === '' || /[\s\p{Cc}%/\\?#@:[\]]/u.test(text)) return undefined;
  const url = `http://${text}`;
  if (!URL.canParse(url)) return undefined;
  const domain = new URL(url).hostname;
  // A last label of digits is an IPv4 address, which `URL` writes out.
  const isName = domain.split('.').every((part) => label.test(part)) && !/(^|\.)\d+$/.test(domain);
  return isName && domain.length <= 253 ? domain : undefined;
}

/** One address (RFC 5321 `Mailbox` without quoted local parts and literals); undefined when it is anything else. */
export function parseAddress(text: string): string | undefined {
  const trimmed = text.trim();
  const at = trimmed.lastIndexOf('@');
  const local = trimmed.slice(0, Math.max(at, 0));
  const domain = asciiDomain(trimmed.slice(at + 1));
  if (domain === undefined || encoder.encode(local).length > maxLocalBytes || !localPart.test(local)) return undefined;
  const address = `${local}@${domain}`;
  return encoder.encode(address).length <= maxAddressBytes ? address : undefined;
}

/** `Name <local@domain>`, `"Name" <local@domain>` or the address alone; undefined for anything else, lists included. */
export function parseMailbox(text: string): Mailbox | undefined {
  const trimmed = text.trim();
  const open = trimmed.lastIndexOf('<');
  if (open === -1) {
    const bare = parseAddress(trimmed);
    return bare === undefined ? undefined : { address: bare };
  }
  const address = trimmed.endsWith('>') ? parseAddress(trimmed.slice(open + 1, -1)) : undefined;
  const name = displayName(trimmed.slice(0, open).trim());
  if (address === undefined || name === undefined) return undefined;
  return name === '' ? { address } : { name, address };
}

/** Undefined when the name holds what would make a second address of it. */
function displayName(text: string): string | undefined {
  if (/\p{Cc}/u.test(text)) return undefined;
  const quoted = /^"((?:[^"\\]|\\.)*)"$/u.exec(text)?.[1];
  if (quoted !== undefined) return quoted.replace(/\\(.)/gu, '$1').trim();
  return /[<>"@,;:\\]/.test(text) ? undefined : text;
}

/** Needs SMTPUTF8 (RFC 6531): its local part is not ASCII. */
export const isInternational = (address: string): boolean => /[^\0-\x7f]/.test(address);
