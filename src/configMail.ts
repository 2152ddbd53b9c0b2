/** What a channel with driver smtp is configured by: server, sender, headers, where attachments may come from. */
import type { Reader, Spec } from './configSpec.ts';
import { headersSpec, maskWrongUri, recipient } from './configValues.ts';
import { asciiDomain, isInternational, parseAddress, parseMailbox } from './domain/mailAddress.ts';

const options = ['tls', 'name'];
const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

/** `tls=none`: no STARTTLS is asked for; `tls=opportunistic`: only where the server offers it. `name`: what the service calls itself in EHLO. */
export const smtpUrl: Spec<string> = {
  allowed:
    'smtp://[user:password@]host[:587] (STARTTLS is required) or smtps://…[:465], ports from 1 to 65535; options: ?tls=opportunistic or ?tls=none (smtp only), ?name=<own name for EHLO>',
  parse: (text) => {
    if (!URL.canParse(text)) return undefined;
    const { protocol, hostname, port, pathname, hash, searchParams } = new URL(text);
    const given = [...searchParams.keys()];
    const tls = searchParams.get('tls');
    const name = searchParams.get('name');
    const plain = tls === null || (['none', 'opportunistic'].includes(tls) && protocol === 'smtp:');
    const known = given.every((option) => options.includes(option)) && new Set(given).size === given.length;
    return (protocol === 'smtp:' || protocol === 'smtps:') &&
      /^([\w.-]+|\[[\da-f:.]+\])$/i.test(hostname) &&
      port !== '0' &&
      (pathname === '' || pathname === '/') &&
      hash === '' &&
      known &&
      plain &&
      (name === null || asciiDomain(name) === name)
      ? text
      : undefined;
  },
  show: maskWrongUri,
};

/** The local part in ASCII: not every server that takes a recipient's mail can answer another one (RFC 6531). */
export const sender: Spec<string> = {
  allowed: 'one sender, such as news@example.com or "Example, Inc." <news@example.com>',
  parse: (text) => {
    const mailbox = parseMailbox(text);
    return mailbox === undefined || isInternational(mailbox.address) ? undefined : text.trim();
  },
};

/** Where all mail goes instead of to its recipients. */
export const mailRecipient: Spec<string> = {
  ...recipient,
  allowed: 'one mail address, such as tester@example.com',
  parse: (text) => (parseAddress(text) === undefined ? undefined : text.trim()),
};

/** Ours: written for each mail, or what would make another mail of it. */
const reservedHeaders =
  /^(from|sender|to|cc|bcc|subject|date|message-id|mime-version|content-.*|list-unsubscribe(-post)?|return-path|received|resent-.*|dkim-signature|x-mailer)$/i;

/** RFC 5322, 2.2: a name is printable ASCII without colon; the value is one line, and short enough to be folded. */
const isHeader = ([name, value]: [string, unknown]): boolean =>
  /^[A-Za-z][\w-]{0,75}$/.test(name) &&
  !reservedHeaders.test(name) &&
  typeof value === 'string' &&
  value.trim() !== '' &&
  value.length <= 900 &&
  !/[\p{Cc}\u2028\u2029]/u.test(value);

export const mailHeaders = headersSpec(
  'a JSON object of header names and texts of one line, each name once; not those that are written for each mail: From, Sender, To, Cc, Bcc, Subject, Date, Message-ID, MIME-Version, Content-*, List-Unsubscribe(-Post), Return-Path, Received, Resent-*, DKIM-Signature, X-Mailer',
  isHeader,
);

/** `host` or `host:port`, as a URL has them. */
export const hosts: Spec<readonly string[]> = {
  allowed: 'hosts separated by commas, such as files.example.com or files.example.com:8443, without https:// and paths',
  parse: (text) => {
    const list = text.split(',').map((entry) => entry.trim().toLowerCase());
    const isHost = (entry: string): boolean => {
      const [name = '', port = '443', ...more] = entry.split(':');
      const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
      return more.length === 0 && asciiDomain(name) === name && number > 0 && number < 65_536;
    };
    return list.every(isHost) ? list.map((entry) => entry.replace(/:443$/, '')) : undefined;
  },
};

/** Who logs in, and that nobody else reads it. */
export function checkLogin(
  at: (setting: 'URL' | 'TOKEN') => string,
  { url, token }: { url: string | undefined; token: string | undefined },
  reader: Reader,
): void {
  if (url === undefined) return;
  const { username, password, hostname, searchParams } = new URL(url);
  if (token !== undefined && password !== '') {
    reader.fault(`${at('TOKEN')} and a password in ${at('URL')} are both set; allowed: one of them`);
  } else if (username === '' && (token !== undefined || password !== '')) {
    reader.fault(`${at('URL')} has no user for the password; allowed: smtp://user@host or smtps://user@host`);
  } else if (username !== '' && token === undefined && password === '') {
    reader.fault(`${at('URL')} has a user and no password; allowed: smtp://user:password@host, or ${at('TOKEN')}`);
  }
  const tls = searchParams.get('tls');
  if (username !== '' && tls !== null && !loopback.test(hostname)) {
    reader.fault(
      `${at('URL')} has tls=${tls} and a user: the password could be read on its way; allowed: one of them, or a host on this machine`,
    );
  }
}
