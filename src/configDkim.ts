/** Signatures of mail (DKIM, RFC 6376): whose they are, and the key that makes them. */
import { hidden, type Reader, type Spec } from './configSpec.ts';
import { asciiDomain, parseMailbox } from './domain/mailAddress.ts';

export interface DkimConfig {
  /** `d=`: whose signature it is. */
  readonly domain: string;
  /** `s=`: the public key is the TXT record `<selector>._domainkey.<domain>`. */
  readonly selector: string;
  /** PEM. */
  readonly key: string;
}

const domain: Spec<string> = {
  allowed: 'a domain such as compass.example, in ASCII',
  parse: (text) => {
    const name = text.trim().toLowerCase();
    return asciiDomain(name) === name && name.includes('.') ? name : undefined;
  },
};

/** RFC 6376, 3.1: names of a domain, one or several. */
const selector: Spec<string> = {
  allowed: 'the selector of the public key, such as 2026a: letters, digits and hyphens, in parts joined by dots',
  parse: (text) => {
    const name = text.trim();
    return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(name) &&
      name.length <= 128
      ? name
      : undefined;
  },
};

/** What the key has to be; that it is one is asked where it is used. */
export const dkimKeyAllowed = 'an RSA private key of 1024 to 4096 bits as PEM, without a passphrase';

/** What the first line says, in the words of a fault. */
function looksLike(text: string): string {
  const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1] ?? '';
  if (/PUBLIC KEY$/.test(label)) return ', which is a public key';
  if (/^ENCRYPTED/.test(label) || /Proc-Type: 4,ENCRYPTED/.test(text)) return ', which has a passphrase';
  if (label === '') return ', which is no PEM';
  return label === 'PRIVATE KEY' || label === 'RSA PRIVATE KEY' ? ', which is not whole' : `, which says ${label}`;
}

const key: Spec<string> = {
  allowed: dkimKeyAllowed,
  parse: (text) => {
    // where a variable has one line, its line ends are written out
    const pem = text.replaceAll('\\n', '\n').trim();
    const isWhole = /^-----BEGIN ((?:RSA )?PRIVATE KEY)-----\r?\n[\s\S]+\n-----END \1-----$/.test(pem);
    return isWhole && !pem.includes('ENCRYPTED') ? pem : undefined;
  },
  show: (text) => `${hidden(text)}${looksLike(text)}`,
};

const settings = ['DKIM_DOMAIN', 'DKIM_SELECTOR', 'DKIM_KEY'] as const;
export type DkimSetting = (typeof settings)[number];

/** All three, or none. */
export function readDkim(at: (setting: DkimSetting) => string, reader: Reader): DkimConfig | undefined {
  const set = settings.filter((setting) => reader.isSet(at(setting)));
  if (set.length === 0) return undefined;
  for (const setting of settings)
    if (!set.includes(setting))
      reader.fault(`${at(setting)} is not set; allowed with ${at(set[0] as DkimSetting)}: ${specs[setting].allowed}`);
  const values = {
    domain: reader.read(at('DKIM_DOMAIN'), domain),
    selector: reader.read(at('DKIM_SELECTOR'), selector),
    key: reader.read(at('DKIM_KEY'), key),
  };
  return values.domain === undefined || values.selector === undefined || values.key === undefined
    ? undefined
    : { domain: values.domain, selector: values.selector, key: values.key };
}
const specs: Readonly<Record<DkimSetting, Spec<string>>> = {
  DKIM_DOMAIN: domain,
  DKIM_SELECTOR: selector,
  DKIM_KEY: key,
};

/** RFC 7489, 3.1.1: a signature of a domain that the sender's is no part of says nothing of the sender to who reads `From`. */
export function dkimWarning(variable: string, { domain }: DkimConfig, from: string | undefined): string[] {
  const address = parseMailbox(from ?? '')?.address ?? '';
  const sender = address.slice(address.lastIndexOf('@') + 1).toLowerCase();
  if (sender === '' || `.${sender}`.endsWith(`.${domain}`) || `.${domain}`.endsWith(`.${sender}`)) return [];
  return [`${variable} is ${domain} and mail is from ${sender}: such a signature does not count for DMARC`];
}
