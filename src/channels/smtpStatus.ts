/** What a server's reply says, and of whom: its codes, and where their meaning comes from. */

export interface Reply {
  /** RFC 5321, 4.2.1; 0 where there is none. */
  code: number;
  /** RFC 3463; of the same class as `code` (RFC 2034), else it is not heeded. */
  enhanced: string | undefined;
  /** All lines as one, without codes. */
  text: string;
}

/**
 * `missing`: there is no such address. `closed`: there is, and it takes nothing any more. Both are hard bounces. `invalid`: something
 * is wrong with the address, but it may be how it was written or whom it was told. `large`: the message is. `sender`: we are refused,
 * whatever the message and whoever its recipient.
 */
export type Meaning = 'missing' | 'closed' | 'invalid' | 'large' | 'sender';

/**
 * Permanent codes that say more than their reply code does. Those that are absent are judged by the reply code alone, so that
 * nobody is suppressed for a full mailbox (5.2.2), for routes and systems that fail (5.3.x, 5.4.x), for what a mail contains
 * (5.6.x), or for a policy, which is about its sender (5.7.x).
 */
const meanings: ReadonlyMap<string, Meaning> = new Map([
  // RFC 3463, 3.2: no such mailbox; no such host, or one that takes no mail; moved, and nobody knows where
  ['5.1.1', 'missing'],
  ['5.1.2', 'missing'],
  ['5.1.6', 'missing'],
  // RFC 7505: the domain says itself that it takes no mail
  ['5.1.10', 'missing'],
  // RFC 3463, 3.3: the mailbox is there, and will not be enabled again
  ['5.2.1', 'closed'],
  // RFC 3463, 3.2: some other trouble with an address; its syntax
  ['5.1.0', 'invalid'],
  ['5.1.3', 'invalid'],
  // RFC 3463, 3.3 and 3.4: too large for the mailbox, for the system
  ['5.2.3', 'large'],
  ['5.3.4', 'large'],
  // RFC 3463, 3.2: the sender's address, its syntax or its domain. RFC 7505: a sender whose domain takes no mail
  ['5.1.7', 'sender'],
  ['5.1.8', 'sender'],
  ['5.7.27', 'sender'],
]);

/** Postfix and others judge the sender, and who may relay, only once they know the recipient; many say it by the text alone. */
const senderText = /sender (address rejected|verify failed)/i;
const relayText = /relay(ing)?( access)? (denied|not permitted|not allowed)|unable to relay/i;
/** Gmail says 5.2.1 also of a mailbox that is there, and gets too much at the moment. */
const busyText = /\bat a rate\b|too (quickly|fast|many)/i;
/** Servers without RFC 2034 say it by the text, and by 550 alone (RFC 5321, 4.2.3). */
const missingText =
  /\b(no such|unknown) (user|mailbox|recipient|address|account|local part)\b|\b(user|mailbox|recipient|address|account) (is )?(unknown|not found|does(n't| not) exist)\b|\bno mailbox here\b/i;

const enhancedStart = /^([245]\.\d{1,3}\.\d{1,3})(?=\s|$)/;
/** As qmail writes it. */
const enhancedWithin = /\(#([245]\.\d{1,3}\.\d{1,3})\)/;

/** `response`: as it came, with all its lines. */
export function parseReply(response: string): Reply {
  const lines = response.split(/\r?\n/).map((line) => line.replace(/^\d{3}[ -]?/, ''));
  const text = lines.map((line) => line.replace(enhancedStart, '').trim()).join(' ');
  const found = lines.map((line) => enhancedStart.exec(line)?.[1]).find((one) => one !== undefined);
  const enhanced = found ?? enhancedWithin.exec(text)?.[1];
  const code = Number(/^\d{3}/.exec(response)?.[0] ?? 0);
  return { code, enhanced: enhanced?.[0] === String(code)[0] ? enhanced : undefined, text };
}

/** Undefined: nothing beyond what the first digit of its code says. */
export function meaningOf({ code, enhanced, text }: Reply): Meaning | undefined {
  const permanent = enhanced?.replace(/^4/, '5') ?? '';
  const meaning = meanings.get(permanent);
  // one mailbox, even where the text repeats what another host said of relaying or of a sender
  if (permanent === '5.1.1') return code < 500 ? undefined : 'missing';
  // whether for now or for good: it is us who are refused
  if (meaning === 'sender' || senderText.test(text)) return 'sender';
  if (enhanced === undefined && code === 550 && missingText.test(text)) return 'missing';
  if (relayText.test(text)) return 'sender';
  if (code < 500) return undefined;
  // RFC 7504: the domain of the address takes no mail; RFC 1870: the message is too large
  if (meaning === undefined && code === 556) return 'missing';
  if (meaning === undefined && code === 552 && enhanced !== '5.2.2') return 'large';
  return meaning === 'closed' && busyText.test(text) ? undefined : meaning;
}
