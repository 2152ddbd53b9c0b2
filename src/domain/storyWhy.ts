/** Why the next thing has not happened yet in a conversation. */
import { time } from './audit.ts';
import { stagesFor } from './flowVersions.ts';
import type { ChannelState } from './model.ts';
import { rateOfCampaign } from './ratePorts.ts';
import { stopWords } from './stopSwitch.ts';
import { isWithoutCollection, type Next, type StoryContext } from './storyNext.ts';
import { endWords, errorWords } from './words.ts';

/** Everything that can stand in the way, or be waited for, with the sentence that says so. */
const whyWords = {
  ended: 'the conversation has ended',
  run_missing: 'its campaign has no run: somebody deleted our record of it',
  campaign_over: 'its campaign has ended, and the conversation is still active: that should not be, see audit',
  campaign_deleted: 'its campaign was deleted, which counts as cancelled: the conversation ends',
  collection_missing:
    'the collection campaigns is gone, and its campaign with it: it waits until that is back (to delete the one document would be to cancel it)',
  campaign_cancelled: 'its campaign was cancelled: the conversation ends',
  campaign_ended: 'its campaign came to its end (endAt): the conversation ends',
  campaign_not_started: 'its campaign has not started',
  campaign_paused: 'its campaign is paused',
  campaign_resumed: 'its campaign was resumed, and its run is still paused: if that lasts, see audit',
  sending_stopped: 'sending is stopped for all campaigns (settings, control)',
  no_worker: 'no worker runs',
  owner_missing: 'no member owns its partition',
  owner_silent: 'the member that owns its partition is silent; it is taken over when its lease is over',
  channel_nowhere: 'no member has that channel',
  channel_elsewhere: 'the member that owns its partition does not have that channel',
  circuit_open: 'its channel is left alone for a while, since its provider fails or asks for it',
  rate_limited: 'its channel has more to send than its rate allows',
  campaign_rate: 'its campaign has more to send than its rate (limits.perSecond) allows',
  stage_missing: 'its stage is not in the flow: it fails when it is due',
  retry: 'its message waits for another try',
  replayed: 'a message of it that gave up is tried again',
  window: 'its send window is closed',
  holiday: 'it is a holiday in its send window',
  zone: 'the time zone of its contact is not known, and its send window asks for one; an event "contact" with data.timezone tells it',
  cap: 'its contact has had as many messages as limits.maxMessagesPerContact allows',
  warm_up: 'the ramp of its campaign (limits.ramp) has no room',
  rate: 'the domain of its address gets no more a second (rates of domains)',
  held: 'its message was held back before it left, and is decided again',
  inbox_waits: 'events wait in its inbox, and come first',
  in_doubt: 'its message is with the provider (in doubt)',
  waits_for_reply: 'it waits for a reply',
  waits: 'its flow waits',
  due: 'it is due; a member will take it up',
  channel_unset: 'it has a due time, and no channel to be taken up for: nobody will take it up, see audit',
  stranded: 'nothing is due and no message is pending: nothing will move it but an event, see audit',
} as const;
export type WhyCode = keyof typeof whyWords;
export interface Why {
  code: WhyCode;
  text: string;
}

/** @param more What is known beyond the sentence. */
const because = (code: WhyCode, more = ''): Why => ({ code, text: `${whyWords[code]}${more}` });

const iso = (value: unknown): string => {
  const at = time(value);
  return at === undefined ? '-' : new Date(at).toISOString();
};

/** Why the next thing has not happened yet; the first reason is the one that counts. */
export function whyOf(context: StoryContext, next: Next): Why[] {
  const { conversation } = context;
  const events = byInbox(context);
  if (conversation.status !== 'active') {
    const replayed = conversation.awaiting === undefined ? [] : byReplay(context);
    const left = [...inDoubt(context), ...replayed, ...events];
    const over = because('ended', `: ${endWords(conversation)}`);
    return [over, ...left, ...(left.length > 0 ? byMembers(context, next) : [])];
  }
  const reasons = [...byCampaign(context), ...byMembers(context, next), ...events, ...bySelf(context, next)];
  if (reasons.length > 0) return reasons;
  if (next.lateMs !== undefined) return [because('due', lateBy(next.lateMs))];
  return [because('stranded')];
}

/** A message of it is tried again although it has ended. */
function byReplay({ sending, stop = {}, conversation: { delayed, nextActionAt } }: StoryContext): Why[] {
  const why = byDelay.find((code) => code === delayed);
  return [
    ...(sending === 'stopped' ? [because('sending_stopped', stopWords(stop))] : []),
    why === undefined ? because('replayed', ` at ${iso(nextActionAt)}`) : because(why, untilWords(why, nextActionAt)),
  ];
}

const lateBy = (ms: number): string => ` (${Math.floor(ms / 1000)} s late)`;

function byCampaign(context: StoryContext): Why[] {
  const { sending, stop = {} } = context;
  const state = campaignWhy(context);
  const stopped = sending === 'stopped' ? [because('sending_stopped', stopWords(stop))] : [];
  return [...(state ? [state] : []), ...stopped];
}

function campaignWhy(context: StoryContext): Why | undefined {
  const { run, campaign, now } = context;
  if (run === undefined) return because('run_missing');
  if (run.settled) return because('campaign_over');
  if (run.endReason === 'campaign_ended') return because('campaign_ended');
  const status = campaign?.status;
  if (status === 'cancelled') return because('campaign_cancelled');
  if (campaign === undefined && !isWithoutCollection(context)) return because('campaign_deleted');
  if (run.status === 'cancelled') return because('campaign_cancelled');
  if (campaign === undefined) return because('collection_missing');
  const endAt = time(run.schedule?.endAt);
  if (endAt !== undefined && endAt <= now) return because('campaign_ended');
  if (run.startedAt === undefined) return because('campaign_not_started', startsAt(run.schedule?.startAt));
  if (status === 'running' && run.status === 'paused') return because('campaign_resumed');
  if (status === 'paused' || run.status === 'paused') return because('campaign_paused', pausedBy(run, campaign));
  return undefined;
}

const startsAt = (startAt: Date | undefined): string => (startAt === undefined ? '' : `: it starts at ${iso(startAt)}`);

/** Who paused it, to follow a sentence that says that it is. */
export function pausedBy({ pausedReason }: { pausedReason?: string }, campaign: StoryContext['campaign']): string {
  const error = campaign?.error;
  if (pausedReason !== undefined)
    return ` by the service itself (${error?.code === pausedReason ? errorWords(error) : pausedReason})`;
  return ` by its author or an operator${error === undefined ? '' : `; its error is ${errorWords(error)}`}`;
}

function byMembers(context: StoryContext, { channel, lateMs }: Next): Why[] {
  const { members, owner, ownerAlive, run } = context;
  if (run?.settled) return [];
  if (members.length === 0) return [because('no_worker')];
  const owning = members.find(({ _id }) => _id === owner);
  const ownership =
    owning === undefined ? [because('owner_missing')] : ownerAlive === false ? [because('owner_silent')] : [];
  if (channel === undefined) return ownership;
  if (!members.some(({ channels }) => channels.includes(channel)))
    return [...ownership, because('channel_nowhere', `: ${channel}`)];
  if (owning === undefined) return ownership;
  if (!owning.channels.includes(channel)) return [...ownership, because('channel_elsewhere', `: ${channel}`)];
  if (lateMs === undefined) return ownership;
  const state = owning.channelStates?.[channel];
  if (state === undefined) return [...ownership, ...rateWhy(context, channel), ...campaignRateWhy(context)];
  return [...ownership, because('circuit_open', `: ${circuitWords(channel, state)}`)];
}

function campaignRateWhy({ rates, now, conversation: { campaignId } }: StoryContext): Why[] {
  const { inForce, tat = 0 } = rates?.get(rateOfCampaign(campaignId)) ?? {};
  if (inForce === undefined || tat <= now) return [];
  return [because('campaign_rate', `: ${Number(inForce.perSecond.toPrecision(6))} a second over all workers`)];
}

/** Slots are given out ahead of their time only where there is work for all of them. */
function rateWhy({ rates, now }: StoryContext, channel: string): Why[] {
  const { inForce, tat = 0 } = rates?.get(channel) ?? {};
  if (inForce === undefined || tat <= now) return [];
  return [
    because('rate_limited', `: ${channel}, ${Number(inForce.perSecond.toPrecision(6))} a second over all workers`),
  ];
}

/** What is known of a channel that is left alone. */
export function circuitWords(channel: string, { state, since, until, code, message }: ChannelState): string {
  const next = state === 'open' ? `tried again at ${iso(until)}` : 'one message is tried';
  return `${channel}, since ${iso(since)}, ${next}; ${errorWords({ code, message })}`;
}

function byInbox({ conversation: { inbox } }: StoryContext): Why[] {
  const waiting = Array.isArray(inbox) ? inbox.length : 0;
  return waiting > 0 ? [because('inbox_waits', `: ${waiting}`)] : [];
}

function inDoubt({ conversation: { updatedAt }, rows }: StoryContext): Why[] {
  const newest = rows.at(-1);
  if (newest?.status !== 'sending') return [];
  const since = Math.max(time(newest.queuedAt) ?? 0, time(updatedAt) ?? 0);
  return [because('in_doubt', ` since ${iso(new Date(since))}`)];
}

const byDelay = ['window', 'holiday', 'zone', 'cap', 'warm_up', 'rate'] as const satisfies readonly WhyCode[];

const untilWords = (code: (typeof byDelay)[number], at: unknown): string =>
  code === 'zone' || code === 'warm_up' || code === 'rate' ? `; looked at again at ${iso(at)}` : ` until ${iso(at)}`;

function bySelf(context: StoryContext, next: Next): Why[] {
  const { conversation, rows, run } = context;
  const { awaiting, delayed, nextActionAt, nextChannel, stage } = conversation;
  const doubt = inDoubt(context);
  if (doubt.length > 0) return doubt;
  if (next.at !== undefined && nextChannel === undefined) return [because('channel_unset')];
  const why = byDelay.find((code) => code === delayed);
  if (why !== undefined && next.at !== undefined)
    return next.lateMs === undefined ? [because(why, untilWords(why, nextActionAt))] : [];
  if (awaiting !== undefined) {
    const error = rows.find(({ _id }) => _id === awaiting)?.error;
    if (delayed !== 'retry' || error === undefined) return next.lateMs === undefined ? [because('held')] : [];
    const more = `, at ${iso(nextActionAt)}, since ${errorWords(error)}`;
    return next.lateMs === undefined ? [because('retry', more)] : [];
  }
  if (run !== undefined && !stagesFor(run, conversation).some(({ id }) => id === stage))
    return [because('stage_missing')];
  if (next.at === undefined || next.lateMs !== undefined) return [];
  const forReply = next.what === 'silence_ends' || (next.what === 'message' && conversation.step > 0);
  return [because(forReply ? 'waits_for_reply' : 'waits', ` until ${iso(nextActionAt)}`)];
}
