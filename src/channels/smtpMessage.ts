/** A message as mail. Whatever the row settles gives the same bytes at every try. Only this file knows MailComposer. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { compile } from 'html-to-text';
import MailComposer from 'nodemailer/lib/mail-composer';
import { encodeWord } from 'nodemailer/lib/mime-funcs';
import type MimeNode from 'nodemailer/lib/mime-node';
import type { OutboundMessage } from '../domain/channelPorts.ts';
import { isInternational, parseAddress, parseMailbox } from '../domain/mailAddress.ts';
import type { Attachment } from './smtpAttachments.ts';
import type { Signer } from './smtpSigning.ts';
import { withoutMarks } from './text.ts';

/** Final for this message: it cannot be sent as it is. */
export class MailFault extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'MailFault';
    this.code = code;
  }
}

export interface Mail {
  envelope: { from: string; to: string; size?: number };
  /** The recipient's address needs SMTPUTF8 (RFC 6531). */
  international: boolean;
  /** Its bytes, from their beginning. To be called once. */
  open: () => Readable;
}

/** What rows of a release before this one do not settle themselves. */
export interface MailDefaults {
  from: string;
  headers: Readonly<Record<string, string>>;
}

const maxSubjectLength = 2000;

/** A text part for those who read no HTML, and for filters that expect one: links shown, images left out. */
const asText = compile({
  wordwrap: 78,
  limits: { maxInputLength: 4_000_000, maxDepth: 256 },
  selectors: [
    { selector: 'img', format: 'skip' },
    { selector: 'a', options: { hideLinkHrefIfSameAsText: true, linkBrackets: ['<', '>'] } },
  ],
});

/** Header values are one line: what would end it is a space. */
const lineOf = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();

/** RFC 5322, 2.1.1: a line has 998 octets at most, and is folded at spaces; what has none for so long is encoded (RFC 2047). */
const foldable = (text: string): string => (/\S{900}/.test(text) ? encodeWord(text, 'B', 52) : text);

const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex').slice(0, 40);

/** `Message-ID` of a key (RFC 5322, 3.6.4): its SHA-256, cut, at the sender's domain. */
export const messageIdOf = (key: string, domain: string): string => `<${hashOf(key)}@${domain}>`;

/** RFC 3834, 5: programs do not answer it; people do. `Precedence` keeps older ones quiet about mail to many. */
const automatic = (headers: Readonly<Record<string, string>>): Record<string, string> => ({
  'Auto-Submitted': 'auto-generated',
  ...('List-Unsubscribe' in headers ? { Precedence: 'bulk' } : {}),
});

/** Names without case: what the channel says wins over what is written by itself. */
function withHeaders(given: Readonly<Record<string, string>>): { key: string; value: string }[] {
  const names = new Set(Object.keys(given).map((name) => name.toLowerCase()));
  const own = Object.entries(automatic(given)).filter(([name]) => !names.has(name.toLowerCase()));
  return [...own, ...Object.entries(given)].map(([key, value]) => ({ key, value: lineOf(value) }));
}

/** Throws MailFault. `attachments`: already loaded. */
export function composeMail(
  message: OutboundMessage,
  defaults: MailDefaults,
  attachments: readonly Attachment[],
  sign?: Signer,
): Mail {
  const { content, messageId, queuedAt } = message;
  const to = parseAddress(message.to);
  if (to === undefined) throw new MailFault('address_invalid', 'the recipient is no mail address');
  const from = parseMailbox(content.from ?? defaults.from);
  if (from === undefined) throw new MailFault('message_invalid', 'the sender is no mail address');
  const subject = lineOf(content.subject ?? '');
  if (subject.length > maxSubjectLength) {
    throw new MailFault('message_invalid', `the subject is longer than ${maxSubjectLength} characters`);
  }
  const toName = withoutMarks(content.toName ?? '');
  const node = new MailComposer({
    from: { name: from.name ?? '', address: from.address },
    to: { name: toName, address: to },
    subject: foldable(subject),
    ...partsOf(content),
    attachments: [...attachments],
    headers: withHeaders(content.headers ?? defaults.headers),
    messageId: messageIdOf(messageId, from.address.slice(from.address.lastIndexOf('@') + 1)),
    date: queuedAt,
    baseBoundary: hashOf(`boundary ${messageId}`),
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile();
  if (toName.includes('=?')) encodeName(node, toName);
  const size = attachments.reduce((sum, { content: { length } }) => sum + encodedLength(length), 0);
  return {
    envelope: { from: from.address, to, ...(size > 0 ? { size } : {}) },
    international: isInternational(to),
    open: () => (sign === undefined ? node.createReadStream() : sign(node.createReadStream())),
  };
}

/**
 * RFC 2047, 5: what looks like an encoded word is none within quotes. Many programs decode it all the same, so it leaves as an
 * encoded word that says just that text.
 */
function encodeName(node: MimeNode, name: string): void {
  const encode = node.encodeHeaderValue.bind(node);
  node.encodeHeaderValue = (key, value) => {
    const text = encode(key, value);
    return key === 'To' ? `${encodeWord(name, 'Q', 52)} ${text.slice(text.lastIndexOf('<'))}` : text;
  };
}

/** In base64 with its line ends: what a server that says its limit (RFC 1870) can refuse before it has read it all. */
const encodedLength = (bytes: number): number => Math.ceil(bytes / 3) * 4 + 2 * Math.ceil(bytes / 57);

function partsOf({ text, html }: OutboundMessage['content']): { text?: string; html?: string } {
  if (isEmpty(html)) {
    if (isEmpty(text)) throw new MailFault('message_invalid', 'mail needs text or html; the message has neither');
    return { text };
  }
  const written = isEmpty(text) ? asText(html) : text;
  return written.trim() === '' ? { html } : { text: written, html };
}

const isEmpty = (text: string | undefined): text is undefined | '' => text === undefined || text.trim() === '';
