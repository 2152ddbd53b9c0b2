/** Addresses as they are compared, looked up and suppressed: by a hash of their normal form. */
import { encodePart } from './ids.ts';
import { parseMailbox } from './mailAddress.ts';
import type { Contact } from './model.ts';
import { addressIn } from './stages.ts';

/** Hashes of normal forms. One that was made without HASH_KEY begins with `~`. */
export interface AddressBook {
  /** The hash that is written from now on. */
  hash(form: string): string;
  /** There is a HASH_KEY: what was hashed without one is not what is written now. */
  readonly isKeyed: boolean;
  /** Every hash that documents may hold: made with HASH_KEY, and before there was one. */
  hashes(form: string): readonly string[];
}

/** Topic of a suppression that covers all topics. */
export const everyTopic = '*';

const scheme = /^(?:mailto|tel|sms|whatsapp):/i;
const plainMail = /^[\w.%+-]+@[\w.-]+$/;
const phone = /^\+?[\d\s()./\u2010-\u2015-]{4,}$/;
/**
 * Numbers that networks write in two ways, as one. Brazil's mobiles with the ninth digit (Anatel, resolution 553/2010), Mexico's without
 * the 1 and Argentina's without the 9 that once told mobiles apart: WhatsApp names people by the old form.
 */
const variants: readonly (readonly [RegExp, (...groups: string[]) => string])[] = [
  [/^\+55(\d{2})([6-9]\d{7})$/, (_, area, number) => `+55${area}9${number}`],
  [/^\+521(\d{10})$/, (_, number) => `+52${number}`],
  [/^\+549(\d{10})$/, (_, number) => `+54${number}`],
];

/**
 * An address as it was written, but for what never tells two apart: a phone number is `+` and digits (E.164; `00` counts as
 * `+`, and so does nothing at all), mail is in lower case with its domain in ASCII, anything else is only trimmed.
 */
export function plainAddress(text: string): string {
  const bare = text.trim().replace(scheme, '').trim();
  if (plainMail.test(bare)) return bare.toLowerCase();
  if (bare.includes('@')) return (parseMailbox(bare)?.address ?? bare).toLowerCase();
  if (!phone.test(bare)) return bare;
  return `+${bare.replace(/\D/g, '').replace(/^00/, '')}`;
}

/** The one form of all the ways to write an address. */
export function normalAddress(text: string): string {
  const plain = plainAddress(text);
  if (!plain.startsWith('+')) return plain;
  for (const [pattern, write] of variants) if (pattern.test(plain)) return plain.replace(pattern, write);
  return plain;
}

/** `<channel>:<hash>`, as in `conversation_states.addresses`. */
export const addressKey = (channel: string, hash: string): string => `${encodePart(channel)}:${hash}`;

/** Id of a suppression. */
export const suppressionId = (channel: string, topic: string, hash: string): string =>
  `${encodePart(channel)}:${encodePart(topic)}:${hash}`;

/** The address that a suppression is about, `<channel>:<hash>`. */
export function suppressedAddress(id: string): string {
  const topic = id.indexOf(':');
  return topic < 0 ? id : `${id.slice(0, topic)}${id.slice(id.lastIndexOf(':'))}`;
}

/** Of a conversation's address: the suppressions that may keep a message of the topic from it. */
export function suppressionsOf(address: string, topic: string): string[] {
  const at = address.indexOf(':');
  const [channel, hash] = [address.slice(0, at), address.slice(at + 1)];
  return [`${channel}:${everyTopic}:${hash}`, `${channel}:${encodePart(topic)}:${hash}`];
}

/** The contact's address on each channel of a flow that it has one for. */
export function addressesOf(
  contact: Contact,
  flow: { channels: readonly string[] },
  channels: ReadonlyMap<string, { address: string }>,
  book: AddressBook,
): string[] {
  const hashes = new Map<string, string>();
  return flow.channels.flatMap((name) => {
    const field = channels.get(name)?.address;
    const address = field === undefined ? undefined : addressIn(contact, field);
    if (address === undefined) return [];
    const hash = hashes.get(address) ?? book.hash(normalAddress(address));
    hashes.set(address, hash);
    return [addressKey(name, hash)];
  });
}

/** A conversation's address on a channel; undefined when it has none, or was made before addresses were kept. */
export function addressOn(addresses: readonly string[] | undefined, channel: string): string | undefined {
  if (addresses === undefined) return undefined;
  const prefix = addressKey(channel, '');
  return addresses.find((address) => address.startsWith(prefix));
}
