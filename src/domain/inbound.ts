/** Events of those who know an address or a provider's message id, and no conversation: what they say, and whose they are. */
import { type AddressBook, addressKey, everyTopic, normalAddress, plainAddress, suppressionId } from './addresses.ts';
import type { Fault } from './errors.ts';
import { encodePart, isObjectId } from './ids.ts';
import type { ConversationHead, RowHead } from './inboundPorts.ts';
import type { Id, InboundEvent, InboxEvent, SuppressionChange } from './model.ts';
import { isId, normalise } from './normalise.ts';
import type { WritingKind } from './optOut.ts';
import { suppressing, suppression, wordIn } from './suppression.ts';
import { faultsOf } from './validation.ts';

/** An event that fits, with the id its pushes have. */
export type ReadInbound = InboundEvent & { key: string };
export type InboundResult = { event: ReadInbound; fault?: never } | { fault: Fault; event?: never };

const named = ['conversationId', 'providerMessageId', 'address'] as const;

/** Checks what somebody stored; the first thing that is wrong with it. Never throws. */
export function readInbound(raw: Record<string, unknown> & { _id: Id }): InboundResult {
  const document = normalise(raw) as InboundEvent;
  const [fault] = faultsOf('InboundEvent', withoutNulls(document));
  if (fault !== undefined) return { fault };
  const event = withoutNulls(document);
  if (named.every((field) => event[field] === undefined)) {
    const message = `says nobody it is for: one of ${named.join(', ')} is needed`;
    return { fault: { code: 'required', path: 'address', message } };
  }
  if (event.address !== undefined && event.channel === undefined)
    return {
      fault: { code: 'required', path: 'channel', message: 'is needed beside address: opt-outs are per channel' },
    };
  const { _id } = event;
  return { event: { ...event, key: typeof _id === 'string' ? _id : isObjectId(_id) ? _id.toHexString() : `#${_id}` } };
}

/** Tells ids of all types apart, those that none of ours has too. */
export const inboundKey = (id: Id): string => (isId(id) ? `${typeof id}:${String(id)}` : `?:${JSON.stringify(id)}`);

/** Whether an event may be an opt-out, on whatever channel it came. */
export const maySuppress = (event: ReadInbound): boolean =>
  suppressing(event, 'phone', everyTopic) !== undefined || suppressing(event, 'mail', everyTopic) !== undefined;

/** Null counts as not set. */
const withoutNulls = (document: InboundEvent): InboundEvent =>
  Object.fromEntries(Object.entries(document).filter(([, value]) => value !== null)) as unknown as InboundEvent;

/** Addresses a conversation may be found by, in every hash that documents hold. */
export function lookUpKeys({ address, channel }: InboundEvent, book: AddressBook): string[] {
  if (address === undefined || channel === undefined) return [];
  return book.hashes(normalAddress(address)).map((hash) => addressKey(channel, hash));
}

/** What was found of what an event names. */
export interface Found {
  /** Open conversations of its address. */
  byAddress: readonly ConversationHead[];
  byId?: ConversationHead | undefined;
  row?: RowHead | undefined;
}

export interface Routing {
  /** Conversations whose inbox it goes to, newest first. */
  conversations: readonly string[];
  /** Named by `providerMessageId`, and not known yet. */
  isEarly: boolean;
  suppressions: readonly SuppressionChange[];
  /** Of the suppression, where it is of one topic or of all: whichever conversation it comes to. */
  topic?: string;
  /** What it asks for and cannot be done. */
  fault?: Fault;
}

export interface RoutingContext {
  book: AddressBook;
  now: number;
  /** Topic of a campaign; "default" where it is not known. */
  topicOf: (campaignId: Id) => string;
  /** Field of a channel's addresses; undefined for a channel that is not configured here. */
  fieldOf: (channel: string) => string | undefined;
}

/** Events that are about the address, so that every conversation of it has to hear of them. */
const aboutAddress: ReadonlySet<string> = new Set(['unsubscribe', 'bounce', 'complaint']);

/** Whose an event is, and what it says of its address. */
export function route(event: ReadInbound, found: Found, context: RoutingContext): Routing {
  const routing = aimed(event, found, context);
  // where it was to go once, maybe by somebody who is gone, it goes for good
  if (event.conversations !== undefined) return { ...routing, conversations: event.conversations, isEarly: false };
  return routing;
}

function aimed(event: ReadInbound, found: Found, context: RoutingContext): Routing {
  const { row, byId, byAddress } = found;
  const isEarly = event.providerMessageId !== undefined && row === undefined;
  const changes = suppressionChanges(event, found, context);
  const address = row?.to ?? event.address;
  const ofOne = isOfSeveral(address, byAddress) ? [] : byAddress.toSorted(newestFirst);
  const named = row?.conversationId ?? (event.conversationId === undefined ? undefined : (byId?._id ?? ''));
  if (named !== undefined) {
    const others = isOfAddress(event, found, context) ? ofOne.map(({ _id }) => _id) : [];
    const conversations = [...new Set([named, ...others])].filter((id) => id !== '');
    return { conversations, isEarly: isEarly && byId === undefined, ...changes };
  }
  const all = aboutAddress.has(event.type) || wordIn(event, kindOf(event, found, context)) === 'stop';
  return { conversations: (all ? ofOne : ofOne.slice(0, 1)).map(({ _id }) => _id), isEarly, ...changes };
}

/** An opt-out is about its address, however it names it. */
const isOfAddress = (event: ReadInbound, found: Found, context: RoutingContext): boolean =>
  suppressing(event, kindOf(event, found, context), everyTopic) !== undefined;

/**
 * Addresses, as `lookUpKeys`, of the other conversations that have to hear of an opt-out: it names a message or a conversation,
 * and is about the address behind it.
 */
export function behindKeys(event: ReadInbound, found: Found, context: RoutingContext): string[] {
  if ((found.row ?? found.byId) === undefined || !isOfAddress(event, found, context)) return [];
  return placesOf(event, found, context.book).flatMap(({ channel, hashes }) =>
    hashes.map((hash) => addressKey(channel, hash)),
  );
}

/** Who was written to comes before who was not; then the one that was at work last. */
function newestFirst(a: ConversationHead, b: ConversationHead): number {
  const written = Number(b.sequence > 0) - Number(a.sequence > 0);
  const time = ({ updatedAt, createdAt }: ConversationHead): number => Number(updatedAt ?? createdAt ?? 0);
  return written || time(b) - time(a) || (a._id < b._id ? -1 : 1);
}

/** Two ways to write one number that are two contacts: nobody can say whose it is. */
function isOfSeveral(address: string | undefined, heads: readonly ConversationHead[]): boolean {
  if (address === undefined) return false;
  const form = normalAddress(address);
  const written = new Map<string, string>();
  for (const { contact } of heads) {
    const fields = [contact.email, contact.phone, contact.whatsapp, contact.url];
    const own = fields.find((field) => typeof field === 'string' && normalAddress(field) === form);
    written.set(encodePart(contact.id), own === undefined ? form : plainAddress(own));
  }
  return written.size > 1 && new Set(written.values()).size > 1;
}

function kindOf(event: InboundEvent, { row }: Found, { fieldOf }: RoutingContext): WritingKind {
  const address = row?.to ?? event.address;
  if (address !== undefined) return address.includes('@') ? 'mail' : 'phone';
  return fieldOf(event.channel ?? '') === 'email' ? 'mail' : 'phone';
}

/**
 * Written by whoever handles the event, whether or not a conversation is found: it has to be there within two seconds. What
 * only the flow can tell (which channel) is left to the conversation.
 */
export function suppressionChanges(
  event: ReadInbound,
  found: Found,
  context: RoutingContext,
): Pick<Routing, 'suppressions' | 'topic' | 'fault'> {
  const { book, now, topicOf } = context;
  const { row, byId } = found;
  const kind = kindOf(event, found, context);
  const campaignId = row?.campaignId ?? byId?.campaignId;
  const why = suppressing(event, kind, campaignId === undefined ? everyTopic : topicOf(campaignId));
  const isStart = wordIn(event, kind) === 'start';
  if (why === undefined && !isStart) return { suppressions: [] };
  const said = saidAt(event);
  const places = placesOf(event, found, book);
  if (why !== undefined) {
    const at = Math.min(said?.getTime() ?? now, now);
    return {
      suppressions: places.map(({ channel, hashes }) =>
        suppression(suppressionId(channel, why.topic, hashes[0] as string), why.reason, at, campaignId),
      ),
      topic: why.topic,
    };
  }
  if (said === undefined) return { suppressions: [], fault: timeless };
  return {
    suppressions: places.flatMap(({ channel, hashes }) =>
      hashes.map((hash) => ({ kind: 'lift' as const, id: suppressionId(channel, everyTopic, hash), at: said })),
    ),
  };
}

/** Without a time nobody can say whether an opt-out was said before or after it: it lifts none. */
const timeless: Fault = {
  code: 'required',
  path: 'at',
  message: 'says when START was said; without it, or an ObjectId as `_id`, no opt-out is taken back',
};

/** When an event happened, as it says itself, or as its ObjectId was made. */
export function saidAt({ at, _id }: Pick<InboundEvent, 'at' | '_id'>): Date | undefined {
  if (at !== undefined) return at;
  return isObjectId(_id) ? new Date(Number.parseInt(_id.toHexString().slice(0, 8), 16) * 1000) : undefined;
}

/** The addresses that an event is about: the one it names, that of its message, or that of its conversation. */
function placesOf({ address, channel }: InboundEvent, { row, byId }: Found, book: AddressBook) {
  const at = (name: string, text: string) => ({ channel: name, hashes: book.hashes(normalAddress(text)) });
  if (row?.to !== undefined) return [at(row.channel, row.to)];
  if (address !== undefined && channel !== undefined) return [at(channel, address)];
  const kept = byId?.addresses ?? [];
  const own = channel === undefined ? kept : kept.filter((one) => one.startsWith(addressKey(channel, '')));
  return own.length !== 1
    ? []
    : own.map((one) => ({
        channel: decodeURIComponent(one.slice(0, one.indexOf(':'))),
        hashes: [one.slice(one.indexOf(':') + 1)],
      }));
}

/** What is pushed to an inbox. `topic`: that somebody left, where the event does not say it itself. */
export function inboxEventOf(
  event: ReadInbound,
  row: RowHead | undefined,
  topic?: string,
): InboxEvent & { id: string } {
  const at = saidAt(event);
  const { key: id, type, channel, text, data, providerMessageId, auto, machine } = event;
  const names = {
    ...(providerMessageId === undefined ? {} : { providerMessageId }),
    ...(row === undefined ? {} : { messageId: row._id }),
  };
  const more = { ...(topic !== undefined && type === 'unsubscribe' ? { topic } : {}), ...data, ...names };
  return {
    ...{ id, type },
    ...(at === undefined ? {} : { at }),
    ...(channel === undefined ? (row === undefined ? {} : { channel: row.channel }) : { channel }),
    ...(text === undefined ? {} : { text }),
    ...(Object.keys(more).length > 0 ? { data: more } : {}),
    ...(auto === undefined ? {} : { auto }),
    ...(machine === undefined ? {} : { machine }),
  };
}
