/** What comes next in a conversation, when, and what stands in the way. */
import { time } from './audit.ts';
import { sequenceOf } from './ids.ts';
import type { CampaignDocument, Conversation, Member, Message, Run, Stage } from './model.ts';
import { endWords, errorWords, placeWords } from './words.ts';

export interface StoryContext {
  conversation: Conversation;
  /** In order of their sequence. */
  rows: readonly Message[];
  run:
    | (Pick<Run, 'status' | 'settled' | 'flow'> &
        Partial<Pick<Run, 'startedAt' | 'endReason' | 'pausedReason' | 'schedule'>>)
    | undefined;
  /** Undefined: it was deleted. */
  campaign: Partial<Pick<CampaignDocument, 'status' | 'error'>> | undefined;
  /** The stop switch. */
  sending: 'on' | 'stopped';
  members: readonly Pick<Member, '_id' | 'channels'>[];
  /** Of the partition of the conversation. */
  owner: string | undefined;
  /** Whether the owner's beat moved; undefined: nobody watched it. */
  ownerAlive: boolean | undefined;
  /** ms since the epoch. */
  now: number;
}

export interface Next {
  what: 'message' | 'retry' | 'answer' | 'silence_ends' | 'wait_ends' | 'end' | 'nothing';
  at?: Date;
  stage?: string;
  step?: number;
  channel?: string;
  /** ms since it was due; absent while it is not. */
  lateMs?: number;
  text: string;
}

export function nextOf(context: StoryContext): Next {
  const { conversation, now } = context;
  const { nextActionAt, nextChannel, stage, step } = conversation;
  const at = time(nextActionAt);
  const place = placed(context);
  return {
    ...place,
    ...(place.what === 'nothing' ? {} : { stage, step }),
    ...(at === undefined ? {} : { at: new Date(at) }),
    ...(nextChannel === undefined || nextChannel === '-' ? {} : { channel: nextChannel }),
    ...(at === undefined || at > now ? {} : { lateMs: now - at }),
  };
}

function placed({ conversation, rows, run }: StoryContext): Pick<Next, 'what' | 'text'> {
  const { status, awaiting, nextActionAt, nextChannel, stage, step } = conversation;
  if (status !== 'active') return { what: 'nothing', text: 'nothing: it has ended' };
  if (awaiting !== undefined)
    return { what: 'retry', text: `another try of message ${sequenceOf(awaiting)} on channel ${nextChannel}` };
  const newest = rows.at(-1);
  if (nextActionAt === undefined) {
    if (newest?.status !== 'sending') return { what: 'nothing', text: 'nothing is due' };
    return { what: 'answer', text: `the answer to message ${sequenceOf(newest._id)} on channel ${newest.channel}` };
  }
  const stages = run?.flow.stages ?? [];
  const index = stages.findIndex(({ id }) => id === stage);
  const current = stages[index];
  if (current === undefined) return { what: 'nothing', text: `stage ${stage} is not in the flow` };
  return inStage(current, step, nextChannel ?? '-', stages[index + 1]?.id);
}

function inStage(
  stage: Stage,
  step: number,
  channel: string,
  following: string | undefined,
): Pick<Next, 'what' | 'text'> {
  const leads = (target: string | undefined): string =>
    target === undefined ? 'then the conversation is finished' : `then stage ${target}`;
  switch (stage.type) {
    case 'end':
      return { what: 'end', text: `it ends as ${stage.outcome}` };
    case 'wait':
      return { what: 'wait_ends', text: `stage ${stage.id} has waited, ${leads(following)}` };
    case 'message': {
      if (step <= (stage.followUps?.length ?? 0)) {
        const name = step === 0 ? `the message of stage ${stage.id}` : placeWords(stage.id, step);
        return { what: 'message', text: `${name} on channel ${channel}` };
      }
      return {
        what: 'silence_ends',
        text: `no reply in stage ${stage.id}, ${leads(stage.on?.['noReply'] ?? following)}`,
      };
    }
  }
}

// ---------------------------------------------------------------- why not

/** Everything that can stand in the way, or be waited for, with the sentence that says so. */
export const whyWords = {
  ended: 'the conversation has ended',
  run_missing: 'its campaign has no run: somebody deleted our record of it',
  campaign_over: 'its campaign has ended, and the conversation is still active: that should not be, see audit',
  campaign_deleted: 'its campaign was deleted, which counts as cancelled: the conversation ends',
  campaign_cancelled: 'its campaign was cancelled: the conversation ends',
  campaign_ended: 'its campaign came to its end (endAt): the conversation ends',
  campaign_not_started: 'its campaign has not started',
  campaign_paused: 'its campaign is paused',
  sending_stopped: 'sending is stopped for all campaigns (settings, control)',
  no_worker: 'no worker runs',
  owner_missing: 'no member owns its partition',
  owner_silent: 'the member that owns its partition is silent; it is taken over when its lease is over',
  channel_nowhere: 'no member has that channel',
  channel_elsewhere: 'the member that owns its partition does not have that channel',
  stage_missing: 'its stage is not in the flow: it fails when it is due',
  retry: 'its message waits for another try',
  held: 'its message was held back before it left, and is decided again',
  in_doubt: 'its message is with the provider (in doubt)',
  waits_for_reply: 'it waits for a reply',
  waits: 'its flow waits',
  due: 'it is due; a member will take it up',
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
  if (conversation.status !== 'active') return [because('ended', `: ${endWords(conversation)}`)];
  const reasons = [...byCampaign(context), ...byMembers(context, next), ...bySelf(context, next)];
  if (reasons.length > 0) return reasons;
  if (next.lateMs !== undefined) return [because('due', lateBy(next.lateMs))];
  return [because('stranded')];
}

const lateBy = (ms: number): string => ` (${Math.floor(ms / 1000)} s late)`;

function byCampaign(context: StoryContext): Why[] {
  const { sending } = context;
  const state = campaignWhy(context);
  return [...(state ? [state] : []), ...(sending === 'stopped' ? [because('sending_stopped')] : [])];
}

function campaignWhy({ run, campaign, now }: StoryContext): Why | undefined {
  if (run === undefined) return because('run_missing');
  if (run.settled) return because('campaign_over');
  if (run.endReason === 'campaign_ended') return because('campaign_ended');
  const status = campaign?.status;
  if (status === 'cancelled') return because('campaign_cancelled');
  if (campaign === undefined && run.pausedReason !== 'collection_missing') return because('campaign_deleted');
  if (run.status === 'cancelled') return because('campaign_cancelled');
  const endAt = time(run.schedule?.endAt);
  if (endAt !== undefined && endAt <= now) return because('campaign_ended');
  if (run.startedAt === undefined) return because('campaign_not_started', startsAt(run.schedule?.startAt));
  if (status === 'paused' || run.status === 'paused') return because('campaign_paused', pausedBy(run, campaign));
  return undefined;
}

const startsAt = (startAt: Date | undefined): string => (startAt === undefined ? '' : `: it starts at ${iso(startAt)}`);

function pausedBy({ pausedReason }: { pausedReason?: string }, campaign: StoryContext['campaign']): string {
  const error = campaign?.error;
  if (pausedReason !== undefined)
    return ` by the service itself (${error?.code === pausedReason ? errorWords(error) : pausedReason})`;
  return ` by its author or an operator${error === undefined ? '' : `; its error is ${errorWords(error)}`}`;
}

function byMembers({ members, owner, ownerAlive, run }: StoryContext, { channel }: Next): Why[] {
  if (run?.settled) return [];
  if (members.length === 0) return [because('no_worker')];
  const owning = members.find(({ _id }) => _id === owner);
  const ownership =
    owning === undefined ? [because('owner_missing')] : ownerAlive === false ? [because('owner_silent')] : [];
  if (channel === undefined) return ownership;
  if (!members.some(({ channels }) => channels.includes(channel)))
    return [...ownership, because('channel_nowhere', `: ${channel}`)];
  return owning === undefined || owning.channels.includes(channel)
    ? ownership
    : [...ownership, because('channel_elsewhere', `: ${channel}`)];
}

function bySelf({ conversation, rows, run }: StoryContext, next: Next): Why[] {
  const { awaiting, delayed, nextActionAt, stage, updatedAt } = conversation;
  const newest = rows.at(-1);
  if (newest?.status === 'sending') {
    const since = Math.max(time(newest.queuedAt) ?? 0, time(updatedAt) ?? 0);
    return [because('in_doubt', ` since ${iso(new Date(since))}`)];
  }
  if (awaiting !== undefined) {
    const error = rows.find(({ _id }) => _id === awaiting)?.error;
    if (delayed !== 'retry' || error === undefined) return next.lateMs === undefined ? [because('held')] : [];
    const more = `, at ${iso(nextActionAt)}, since ${errorWords(error)}`;
    return next.lateMs === undefined ? [because('retry', more)] : [];
  }
  if (run !== undefined && !run.flow.stages.some(({ id }) => id === stage)) return [because('stage_missing')];
  if (next.at === undefined || next.lateMs !== undefined) return [];
  const forReply = next.what === 'silence_ends' || (next.what === 'message' && conversation.step > 0);
  return [because(forReply ? 'waits_for_reply' : 'waits', ` until ${iso(nextActionAt)}`)];
}
