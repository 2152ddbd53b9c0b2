import type { SendResult } from '../domain/channelPorts.ts';
import { meaningOf, parseReply } from './smtpStatus.ts';
import { oneLine } from './text.ts';
import { trouble, troubleMs } from './trouble.ts';

/** What went wrong, as nodemailer's SMTPConnection tells it. */
export interface SmtpError extends Error {
  /** `EAUTH`, `ETLS`, `EENVELOPE`, `EMESSAGE`, `ECONNECTION`, … */
  code?: string;
  /** The code of the socket or of TLS that became `code`. */
  originalCode?: string;
  /** `MAIL FROM`, `RCPT TO`, `DATA` (the command, and the message), `CONN`, `API`, `AUTH …`, … */
  command?: string;
  /** The server's reply, when one came. */
  response?: string;
  responseCode?: number;
}

/** A server that has too much to do says so with the connection: it is not asked again at once. */
const busyMs = 10_000;

const certificate = /CERT|TLS|SSL|SIGNATURE|SELF_SIGNED/;

/**
 * What came of an attempt to connect, to encrypt and to log in. A reply, a certificate or a login that is refused concerns
 * the whole channel; undefined: no answer, the connection failed.
 */
export function connectVerdict(error: SmtpError, said: string): SendResult | undefined {
  const { code, originalCode = '', responseCode = 0 } = error;
  if (code === 'EAUTH') return trouble('login_failed', said, isTemporary(responseCode) ? busyMs : troubleMs);
  if (code === 'ETLS' || certificate.test(originalCode)) return trouble('tls_failed', said);
  if (responseCode === 0) return undefined;
  return trouble(`smtp_${responseCode}`, said, isTemporary(responseCode) ? busyMs : troubleMs);
}

const isTemporary = (code: number): boolean => code >= 400 && code < 500;
/** RFC 4954, 6: the login is missing, too weak, or expired. RFC 3207, 4: TLS is missing. */
const loginReplies = new Set([530, 534, 535, 538]);
/**
 * What a reply to MAIL, RCPT, DATA or the message stands for: 4xx is tried again, 5xx is final (RFC 5321, 4.2.1), and a hard bounce
 * where it says that the address is dead. A refused sender or login is the channel's, not the message's, wherever it is told: that
 * message waits, others are tried. 421 and 503 (the two sides disagree where they are) say nothing of the message either; 421 as
 * the answer to the message itself counts, as every other 4xx there does.
 */
export function replyVerdict(error: SmtpError, said: string): SendResult {
  const reply = parseReply(error.response ?? '');
  const { code } = reply;
  const isMessage = error.code === 'EMESSAGE';
  if (code === 421 && !isMessage) return trouble('smtp_421', said, busyMs);
  if (loginReplies.has(code)) return trouble('login_failed', said);
  const meaning = meaningOf(reply);
  if (meaning === 'sender') return trouble('sender_refused', said);
  // a grey list, or a mailbox that is full: the server works
  const ofRecipient = error.command === 'RCPT TO' && code !== 503 ? { ofRecipient: true as const } : {};
  if (code < 500 || code === 503)
    return { kind: 'retry', code: `smtp_${code}`, message: said, counts: true, ...ofRecipient };
  if (error.command === 'MAIL FROM' && meaning !== 'large') return trouble('sender_refused', said);
  // A mail has one recipient: the answer to the message can only mean the same.
  const isAddress = meaning === 'missing' || meaning === 'invalid';
  const bounce = meaning === 'missing' || meaning === 'closed' ? { bounce: true as const } : {};
  return { kind: 'rejected', code: isAddress ? 'address_invalid' : `smtp_${code}`, message: said, ...bounce };
}

/**
 * What of a login a reply must not repeat: the password as it is, and as AUTH LOGIN and AUTH PLAIN write it (RFC 4616).
 * The longest first: one may stand in another. A reply may leave the padding out.
 */
export function secretsOf({ user, pass }: { user: string; pass: string }): string[] {
  const base64 = (text: string): string => Buffer.from(text).toString('base64').replace(/=+$/, '');
  const written = pass === '' ? [] : [base64(`\0${user}\0${pass}`), base64(pass), pass];
  return written.toSorted((a, b) => b.length - a.length);
}

/** One line for people: `SMTP 550 5.1.1 at RCPT TO: no such user`; none of `secrets` ever shows. */
export function describe(error: SmtpError, secrets: readonly string[]): string {
  const hide = (text: string): string => secrets.reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
  const { response, command } = error;
  if (response === undefined || response === '') return oneLine(hide(error.message), 200);
  const { code, enhanced, text } = parseReply(response);
  const where = command === undefined || command === 'CONN' ? 'the connection' : command;
  return oneLine(`SMTP ${[code, enhanced].filter(Boolean).join(' ')} at ${where}: ${hide(text)}`, 200);
}

/** The queue ids of Postfix, Exim, Sendmail and OpenSMTPD, qmail, Exchange, Amazon SES, Google and Haraka. */
const queueIds = [
  /\bqueued(?: mail for delivery)? as <?([^\s<>]+)/i,
  /\[InternalId=(\d+)/i,
  /\bid=<?([^\s<>,;]+)/i,
  /^<?([\w.-]+@[\w.-]+)>?\s/,
  /\bqp (\d+)/i,
  /^(?:ok:?\s+)([0-9a-f]{8,}(?:-[0-9a-f]+)+)$/i,
  /^OK\s+(\d+ \S+) - gsmtp/i,
  /^(\S{8,}) Message accepted for delivery/i,
  /\bqueued \(([^)\s]{4,})\)/i,
];

/** The id under which the server knows the message from now on; undefined where none is to be recognised. */
export function queueIdOf(response: string): string | undefined {
  const { text } = parseReply(response.slice(0, 2000));
  for (const pattern of queueIds) {
    const id = pattern.exec(text)?.[1];
    if (id !== undefined) return id.replace(/[.,;]$/, '').slice(0, 512);
  }
  return undefined;
}
