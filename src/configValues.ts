/** The kinds of values that are more than a number or a word, and how secrets in them are masked. */

import { hidden, type Spec, secretMatching, textMatching } from './configSpec.ts';
import { allowedDomainRates, allowedRate, type DomainRates, parseDomainRates, parseRate } from './domain/rates.ts';

export const drivers = ['smtp', 'http', 'twilio', 'whatsapp', 'webhook', 'console', 'file'] as const;
export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export const addressFields = ['email', 'phone', 'whatsapp', 'url'] as const;
export type Driver = (typeof drivers)[number];
export type LogLevel = (typeof logLevels)[number];
export type AddressField = (typeof addressFields)[number];

const secretName = /auth|key|token|secret|passw|cookie|signature|credential/i;

/** True for names of headers and of URI options whose values are not to be shown. */
export const isSecretName = (name: string): boolean => secretName.test(name) && !/^auth(source|mechanism)$/i.test(name);

/** The URI without its credentials: neither user and password nor the values of options with a telling name. */
export function maskUri(uri: string): string {
  if (!uri.includes('://')) return hidden(uri);
  // The last "@" of all: a password may hold unescaped ones, and rather too much is hidden than too little.
  const masked = uri.replace(/^([^:]+:\/\/).*@/s, '$1***@');
  return masked.replace(/([?&;])([^=&;#]+)=([^&;#]*)/g, (whole, start: string, name: string) =>
    isSecretName(name) ? `${start}${name}=***` : whole,
  );
}

/** A wrong URI may be half of one, its host forgotten: behind the scheme, nothing is shown that may be of a password. */
export function maskWrongUri(text: string): string {
  const [, scheme, rest = ''] = /^([a-z][a-z\d+.-]*:\/\/)(.*)$/is.exec(text) ?? [];
  if (scheme === undefined) return hidden(text);
  return /[:@]/.test(rest) ? `${scheme}***` : maskUri(text);
}

export const mongodbUri: Spec<string> = {
  allowed: 'mongodb://… or mongodb+srv://… of a replica set (special characters in user and password percent-encoded)',
  parse: (text) =>
    /^mongodb(\+srv)?:\/\/([^@/\s]*@)?[^/?@\s]+(\/[^?@\s]*)?(\?\S*)?$/.test(text.trim()) ? text.trim() : undefined,
  show: maskWrongUri,
};

/** DOC "Naming Restrictions": no `/\. "$*<>:|?`, fewer than 64 bytes; and not one of the server's own. */
export const databaseName: Spec<string> = {
  allowed:
    'a database name of 1 to 63 bytes without / \\ . " $ * < > : | ? or spaces, and none of admin, local, config',
  parse: (text) =>
    /^[^/\\.\s"$*<>:|?\0]+$/.test(text) && Buffer.byteLength(text) < 64 && !['admin', 'local', 'config'].includes(text)
      ? text
      : undefined,
};

export const hashKey = secretMatching('a secret of at least 16 characters, never changed later', /^.{16,}$/s);

/** RFC 6750: what may follow "Bearer"; wider here (any visible ASCII), as providers are. */
export const token = secretMatching('visible ASCII characters without spaces', /^[\x21-\x7e]+$/);

export const oneLine = textMatching('text of one line', /^[^\p{Cc}]+$/u);

export const httpUrl: Spec<string> = {
  allowed: 'an http:// or https:// URL',
  parse: (text) => (URL.canParse(text) && /^https?:\/\//i.test(text) ? text : undefined),
  show: maskWrongUri,
};

export const perSecond: Spec<number> = { allowed: allowedRate, parse: parseRate };
export const domainRates: Spec<DomainRates> = { allowed: allowedDomainRates, parse: parseDomainRates };

export const filePath: Spec<string> = {
  allowed: 'the path of a file, or a file:/// URL',
  parse: (text) => (/^[a-z][a-z0-9+.-]+:\/\//i.test(text) && !/^file:\/\/\//i.test(text) ? undefined : text),
  show: maskWrongUri,
};

export const recipients: Spec<readonly string[]> = {
  allowed: 'recipients, separated by commas',
  parse: (text) => {
    const list = text.split(',').map((entry) => entry.trim());
    return list.includes('') ? undefined : list;
  },
  refuseEmpty: true,
};

export const recipient: Spec<string> = { ...oneLine, allowed: 'one recipient', refuseEmpty: true };

/** Ours: what identifies and frames the message must be the same at every try. */
const reserved = [
  'connection',
  'content-length',
  'content-type',
  'host',
  'idempotency-key',
  'traceparent',
  'transfer-encoding',
];

const isHeader = ([name, value]: [string, unknown]): boolean =>
  // RFC 9110, 5.1 and 5.5: a name is a token, a value has no control characters but the tab.
  /^[!#$%&'*+.^`|~\w-]+$/.test(name) &&
  name !== '__proto__' &&
  !reserved.includes(name.toLowerCase()) &&
  typeof value === 'string' &&
  /^[\t\x20-\x7e\x80-\xff]*$/.test(value);

/** Headers as a JSON object. */
export const headersSpec = (
  allowed: string,
  isHeader: (entry: [string, unknown]) => boolean,
): Spec<Record<string, string>> => ({
  allowed,
  parse: (text) => {
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
      const entries = Object.entries(value);
      const names = new Set(entries.map(([name]) => name.toLowerCase()));
      return names.size === entries.length && entries.every(isHeader) ? (value as Record<string, string>) : undefined;
    } catch {
      return undefined;
    }
  },
  show: hidden,
});

export const headers = headersSpec(
  `a JSON object of header names and texts, each name once, none of ${reserved.join(', ')}`,
  isHeader,
);
