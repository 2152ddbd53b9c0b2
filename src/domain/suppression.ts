/** Who must not be written to: what an event says about an address, and what a decision makes of an address that is suppressed. */
import { addressesOf, addressKey, addressOn, everyTopic, normalAddress, suppressionId } from './addresses.ts';
import type { FlowContext } from './decision.ts';
import type { Draft } from './draft.ts';
import type { CompiledFlow, CompiledMessage, CompiledStage } from './flow.ts';
import type { Conversation, Id, InboxEvent, Message, SkipReason, Suppression, SuppressionChange } from './model.ts';
import { isDate } from './normalise.ts';
import { type Word, type WritingKind, wordOf } from './optOut.ts';
import { isPlain, own } from './plain.ts';
import { timeOf } from './receipts.ts';
import { addressIn, leave, messageOf } from './stages.ts';

/**
 * From the weakest to the strongest: what is said of an address that is suppressed already changes its reason only to a
 * stronger one, so that START does not lift what was a complaint meanwhile.
 */
export const reasonsByStrength = [
  ...['unsubscribe', 'opt_out', 'provider_opted_out', 'bounce', 'rule', 'manual', 'complaint'],
] as readonly Suppression['reason'][];

/** Reasons that a person gives, to us or to her provider, and can take back. */
export const liftable: readonly Suppression['reason'][] = ['opt_out', 'unsubscribe', 'provider_opted_out'];

/** Reasons that give way to this one. */
export const weakerThan = (reason: Suppression['reason']): readonly Suppression['reason'][] =>
  reasonsByStrength.slice(0, reasonsByStrength.indexOf(reason));

/** An address that takes nothing is nobody's will; whatever else is said of it is. */
export const isWill = (reason: Suppression['reason']): boolean => reason !== 'bounce';

/** It bounced, and nobody is known to have said anything: what came before or after, too, for no bounce hides an opt-out. */
export const hasOnlyBounced = ({ reason, willed }: Pick<Suppression, 'reason' | 'willed'>): boolean =>
  !isWill(reason) && willed !== true;

/** Why nothing may go to a channel. `bounced`: suppressed for that alone, which is no will of its contact. */
export type Refusal = 'suppressed' | 'unsubscribed_topic' | 'bounced';
/** By channel. */
export type Refusals = ReadonlyMap<string, Refusal>;
export const noRefusals: Refusals = new Map();

/** Mail is where the address is a mail address; unknown channels are taken for phones, whose words are more. */
export const writingOf = (address: string | undefined): WritingKind => (address === 'email' ? 'mail' : 'phone');

/** The word that an event is; nobody's robot says one. */
export function wordIn(
  event: Pick<InboxEvent, 'type' | 'text' | 'auto' | 'machine'>,
  kind: WritingKind,
): Word | undefined {
  if (event.type !== 'reply' || event.auto === true || event.machine === true) return undefined;
  return typeof event.text === 'string' ? wordOf(event.text, kind) : undefined;
}

/** Types of the events that `suppressing` may say something of. */
export const optOutTypes: readonly string[] = ['reply', 'unsubscribe', 'complaint', 'bounce'];

/** Why an event suppresses its address, and for which topics; undefined when it does not. `topic`: of the campaign it came to. */
export function suppressing(
  event: Pick<InboxEvent, 'type' | 'text' | 'auto' | 'machine' | 'data'>,
  kind: WritingKind,
  topic: string,
): { reason: Suppression['reason']; topic: string } | undefined {
  if (wordIn(event, kind) === 'stop') return { reason: 'opt_out', topic: everyTopic };
  if (event.type === 'complaint') return { reason: 'complaint', topic: everyTopic };
  if (event.type === 'bounce') return isSoft(event) ? undefined : { reason: 'bounce', topic: everyTopic };
  if (event.type !== 'unsubscribe' || event.machine === true) return undefined;
  const asked = isPlain(event.data) ? own(event.data, 'topic') : undefined;
  return { reason: 'unsubscribe', topic: typeof asked === 'string' && asked !== '' ? asked : topic };
}

/** The mailbox is full, the phone is off: it may be another time. */
export const isSoft = ({ data }: Pick<InboxEvent, 'data'>): boolean => isPlain(data) && own(data, 'soft') === true;

export const suppression = (
  id: string,
  reason: Suppression['reason'],
  now: number,
  campaignId?: Id,
): SuppressionChange => ({
  kind: 'add',
  suppression: { _id: id, reason, at: new Date(now), ...(campaignId === undefined ? {} : { campaignId }) },
});

/** A contact's addresses, as its conversation keeps them; made anew where that may not be all, or is from before there was a HASH_KEY. */
export function conversationAddresses(
  { addresses, contact }: Pick<Conversation, 'addresses' | 'contact'>,
  { flow, channels, addressBook }: Pick<FlowContext, 'flow' | 'channels' | 'addressBook'>,
): readonly string[] {
  // others may have replaced the document
  const kept = Array.isArray(addresses) ? addresses.filter((one) => typeof one === 'string') : [];
  if (addressBook === undefined) return kept;
  // nothing is hashed to find out that nothing is missing: who has no phone has none in the next message either
  const isKept = (name: string): boolean => {
    const field = channels.get(name)?.address;
    const isThere = field !== undefined && addressIn(contact, field) !== undefined;
    return !isThere || addressOn(kept, name) !== undefined;
  };
  const isOld = addressBook.isKeyed && kept.some(isUnkeyed);
  if (!isOld && flow.channels.every(isKept)) return kept;
  return [...new Set([...kept, ...addressesOf(contact, flow, channels, addressBook)])];
}

/** Made before there was a HASH_KEY. */
export const isUnkeyed = (address: string): boolean => address.includes(':~');

/** Notes in the draft what an event says about the address it came from. */
export function heed(draft: Draft, event: InboxEvent, row: Message | undefined): Heeded {
  const { context } = draft;
  const { topic = 'default' } = context;
  const channel = row?.channel ?? channelOf(draft, event);
  const kind = writingOf(context.channels.get(channel ?? '')?.address);
  const word = wordIn(event, kind);
  const found = suppressing(event, kind, topic);
  const isToOthers = row !== undefined && !isToContact(draft, row.channel, row.to);
  if (found !== undefined && !isToOthers) {
    suppressOn(draft, channel, found, Math.min(timeOf(event, draft.now).getTime(), draft.now));
  }
  // without a time nobody can say whether it was said before an opt-out or after
  const { at } = event;
  if (word === 'start' && isDate(at) && !Number.isNaN(at.getTime()))
    for (const id of [everyTopic, topic].flatMap((one) => idsOn(draft, channel, one)))
      draft.suppress({ kind: 'lift', id, at });
  const isOfOthers = found !== undefined && found.topic !== everyTopic && found.topic !== topic;
  return { channel, type: word === undefined ? event.type : asEvent[word], isOthers: isToOthers || isOfOthers };
}

/** The contact is not written to any more by that channel. */
export function suppressOn(
  draft: Draft,
  channel: string | undefined,
  { reason, topic }: { reason: Suppression['reason']; topic: string },
  at = draft.now,
): void {
  for (const id of idsOn(draft, channel, topic)) draft.suppress(suppression(id, reason, at, draft.context.campaignId));
}

function idsOn({ context, state }: Draft, channel: string | undefined, topic: string): string[] {
  const address = channel === undefined ? undefined : contactAddress(context, state, channel);
  return address === undefined || channel === undefined
    ? []
    : [suppressionId(channel, topic, address.slice(address.indexOf(':') + 1))];
}

export interface Heeded {
  /** Channel the event came by or is about. */
  channel: string | undefined;
  /** What the flow takes it for. */
  type: string;
  /** It is about a message that did not go to the contact, or an opt-out from what the campaign is not about. */
  isOthers: boolean;
}
const asEvent: Readonly<Record<Word, string>> = { stop: 'unsubscribe', start: 'start', help: 'help' };

/** As it is hashed from now on; of a channel that is not configured here, as the conversation keeps it. */
function contactAddress(
  { addressBook, channels }: FlowContext,
  { addresses, contact }: Conversation,
  channel: string,
): string | undefined {
  const field = channels.get(channel)?.address;
  const written = field === undefined ? undefined : addressIn(contact, field);
  if (addressBook === undefined || written === undefined) return addressOn(addresses, channel);
  return addressKey(channel, addressBook.hash(normalAddress(written)));
}

// ---------------------------------------------------------------- where a conversation stands

/** The channel an event came by: what it says, if the flow has it, else that of a message to the contact. */
function channelOf(draft: Draft, { channel }: InboxEvent): string | undefined {
  const { flow, channels } = draft.context;
  if (channel !== undefined && (flow.channels.includes(channel) || channels.has(channel))) return channel;
  return currentChannel(draft) ?? nextChannel(draft) ?? firstChannel(flow);
}

/** Of the first message of a flow; what a webhook or a notification leaves by is none of the contact's. */
function firstChannel({ stages }: CompiledFlow): string | undefined {
  for (const stage of stages.values()) if (stage.type === 'message') return stage.channel;
  return undefined;
}

/** Of the message that was sent last in its stage. */
function currentChannel({ context: { flow }, state }: Draft): string | undefined {
  const { stage: id, step, fallback } = state;
  const stage = flow.stages.get(id);
  if (stage?.type !== 'message') return undefined;
  return (messageOf(stage, Math.max(0, step - 1), step > 0 && fallback) ?? stage).channel;
}

/** More stages without a message than a flow goes through by silence. */
const mostStages = 100;

/** Of the next message, if silence leads to one. */
function nextChannel({ context: { flow }, state, scope, awaitedChannel }: Draft): string | undefined {
  let stage: CompiledStage | undefined = flow.stages.get(state.stage);
  const isForOthers = stage?.type === 'webhook' || stage?.type === 'escalate';
  const next = awaitedChannel ?? state.nextChannel;
  if (!isForOthers && next !== undefined && next !== '-') return next;
  for (let n = 0; stage !== undefined && n < mostStages; n++) {
    // which way it will go there, nobody knows yet
    if (stage.type === 'end' || stage.type === 'branch' || stage.type === 'split') return undefined;
    const destination = leave(flow, stage, 0, scope);
    if ('finished' in destination) return undefined;
    stage = flow.stages.get(destination.stage);
    if (stage?.type === 'message') return stage.channel;
  }
  return undefined;
}

/** An opt-out ends a conversation whose current or next message is on its channel; others go on and skip what is on it. */
export const standsOn = (draft: Draft, channel: string | undefined): boolean =>
  channel === undefined || currentChannel(draft) === channel || nextChannel(draft) === channel;

// ---------------------------------------------------------------- messages that may not go out

/** Whether something went to the contact's address: whoever is asked in, or a webhook, has one of its own. */
export const isToContact = ({ context, state }: Draft, channel: string, to: string | undefined): boolean => {
  const field = context.channels.get(channel)?.address;
  const own = field === undefined ? undefined : addressIn(state.contact, field);
  if (field === undefined || to === undefined || own === to) return true;
  return own !== undefined && normalAddress(own) === normalAddress(to);
};

/**
 * Why something may not go out on a channel; undefined when it may. A message is for the contact, whatever its address was when
 * it was written; what a service or a colleague is sent is, where its author wrote the contact's address.
 */
export function refusalOf(
  draft: Draft,
  refusals: Refusals,
  channel: string,
  { stage, to }: Partial<Pick<Message, 'stage' | 'to'>> = {},
): SkipReason | undefined {
  const reason = refusals.get(channel);
  if (reason === undefined) return undefined;
  const isMessage = stage !== undefined && draft.context.flow.stages.get(stage)?.type === 'message';
  if (!isMessage && !isToContact(draft, channel, to)) return undefined;
  if (reason === 'bounced') return 'suppressed';
  return reason === 'unsubscribed_topic' && draft.context.transactional === true ? undefined : reason;
}

/**
 * Ends a conversation whose flow has no message left by which its contact may be written to. True when it did. Where a flow hands
 * over or calls a service it goes on: those are for others, and what may not leave to them says nothing of the contact either.
 */
export function endIfUnreachable(draft: Draft, reason: SkipReason, refusals: Refusals): boolean {
  const { flow, channels } = draft.context;
  const isOpen = (name: string): boolean => {
    const field = channels.get(name)?.address;
    if (refusalOf(draft, refusals, name) !== undefined) return false;
    return field === undefined || addressIn(draft.state.contact, field) !== undefined;
  };
  const stages = [...flow.stages.values()];
  if (stages.some(({ type }) => type === 'escalate' || type === 'webhook')) return false;
  // no fallback takes the place of what is not wanted
  const fallsBack = ({ channel, fallback }: CompiledMessage): boolean =>
    fallback !== undefined &&
    isOpen(fallback.channel) &&
    (refusals.get(channel) === 'bounced' || refusalOf(draft, refusals, channel) === undefined);
  const messages = stages.filter((stage) => stage.type === 'message');
  if (
    messages.some(
      (stage) => isOpen(stage.channel) || fallsBack(stage) || stage.followUps.some(({ channel }) => isOpen(channel)),
    )
  )
    return false;
  draft.end({ status: 'suppressed', outcome: 'suppressed', reason }, reason);
  return true;
}
