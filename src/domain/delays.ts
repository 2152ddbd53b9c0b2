/** Why a whole campaign is not as far as it might be. `storyWhy.ts` says it of one conversation. */
import { time } from './audit.ts';
import type { CampaignDocument, Run } from './model.ts';
import { type Life, type Ownerless, ranges } from './partitions.ts';
import type { Count, DueCounts } from './progress.ts';
import { type StopSwitch, stopWords } from './stopSwitch.ts';
import { pausedBy } from './storyWhy.ts';

/** Everything that can stand in the way of a campaign, or be waited for, with the sentence that says so. */
export const delayWords = {
  campaign_deleted: 'its document was deleted, which counts as cancelled: its conversations are being ended',
  campaign_cancelled: 'it was cancelled: its conversations are being ended',
  campaign_ended: 'its end (endAt) has come: its conversations are being ended',
  collection_missing:
    'the collection campaigns is not the one it was started from; it waits until its document is put back',
  draft: 'it is a draft: nothing happens until its status is "pending"',
  not_taken_up: 'it waits for a worker to start it',
  scheduled: 'it starts',
  paused: 'it is paused',
  resumed: 'it was resumed, and its run is still paused: if that lasts, see audit',
  held: 'it is held before its start, by its author or an operator',
  sending_stopped: 'sending is stopped for all campaigns (settings, control)',
  no_worker: 'no worker runs',
  all_silent: 'no member has shown a sign of life',
  unowned: 'nobody owns',
  orphaned: 'a member that is gone owns',
  silent: 'a silent member, taken over when its lease ends, owns',
  channel_nowhere: 'no member has channel',
  lag: 'a member reads changes late',
  retry: 'waiting for another try',
  window: 'waiting for their send window',
  holiday: 'waiting for the end of a holiday',
  zone: 'waiting because the time zone of their contact is not known',
  cap: 'waiting because of the limit of messages for a contact',
  warm_up: 'waiting because the ramp of the campaign has no room',
  rate: 'waiting because the domain of their address gets no more a second',
  other: 'waiting, as they say themselves:',
  standing_still: 'work is due, and nothing moves',
} as const;
export type DelayCode = keyof typeof delayWords;

export interface Delay {
  code: DelayCode;
  text: string;
  /** Nothing of the campaign moves before it is over. */
  stops: boolean;
}

export interface DelayFacts {
  campaign: Partial<Pick<CampaignDocument, 'status' | 'error'>> | undefined;
  run: Partial<Pick<Run, 'status' | 'settled' | 'startedAt' | 'endReason' | 'pausedReason' | 'schedule'>> | undefined;
  /** Of the campaign's own schedule, before it has a run. */
  startAt?: Date | undefined;
  sending: 'on' | 'stopped';
  /** What is known of the stop switch beside that. */
  stop?: Partial<StopSwitch> | undefined;
  /** Undefined: they were not read yet. */
  cluster: ClusterFacts | undefined;
  /** Channels of the flow. */
  channels: readonly string[];
  due: DueCounts | undefined;
  /** Conversations whose time is ahead, by `delayed`, among those that were looked at. */
  delayed: readonly (Count & { reason: string })[];
  /** ms in which look after look found no figure changed. */
  stillMs: number;
}

export interface ClusterFacts {
  members: readonly { _id: string; channels: readonly string[]; life: Life; lagSeconds?: number }[];
  ownerless: Ownerless;
}

/** A position is stamped by whole seconds and moves on with the beat; less than this is no lag. */
const lagSeconds = 10;
/** Rounds, sends with time-outs and an election take less. */
const stillAfterMs = 30_000;

const stop = (code: DelayCode, more = ''): Delay => ({ code, text: delayWords[code] + more, stops: true });
const hinder = (code: DelayCode, more = ''): Delay => ({ code, text: delayWords[code] + more, stops: false });

/** What counts most comes first. Of a campaign that is over: nothing. */
export function delaysOf(facts: DelayFacts): Delay[] {
  if (isOver(facts)) return [];
  const state = byStatus(facts);
  const found = [...(state ? [state] : []), ...bySwitch(facts), ...byMembers(facts), ...byDelayed(facts)];
  return found.some(({ stops }) => stops) ? found : [...found, ...standing(facts)];
}

/** A campaign that needs nothing more of anybody. */
export function isOver({ campaign, run }: Pick<DelayFacts, 'campaign' | 'run'>): boolean {
  if (run !== undefined) return run.settled === true;
  return campaign === undefined || ['completed', 'failed', 'cancelled'].includes(String(campaign.status));
}

function byStatus({ campaign, run, startAt }: DelayFacts): Delay | undefined {
  const status = campaign?.status;
  if (run === undefined) {
    if (status === 'draft') return stop('draft');
    if (status === 'paused') return stop('held');
    return startAt === undefined ? stop('not_taken_up') : stop('scheduled', ` ${startAt.toISOString()}`);
  }
  if (run.endReason === 'campaign_ended') return hinder('campaign_ended');
  if (status === 'cancelled') return hinder('campaign_cancelled');
  if (run.pausedReason === 'collection_missing') return stop('collection_missing');
  if (campaign === undefined) return hinder('campaign_deleted');
  if (run.status === 'cancelled') return hinder('campaign_cancelled');
  if (status === 'running' && run.status === 'paused') return stop('resumed');
  if (status === 'paused' || run.status === 'paused') return stop('paused', pausedBy(run as Run, campaign));
  return time(run.startedAt) === undefined ? starting(run) : undefined;
}

function starting({ schedule }: NonNullable<DelayFacts['run']>): Delay {
  const startAt = time(schedule?.startAt);
  return startAt === undefined ? stop('not_taken_up') : stop('scheduled', ` ${new Date(startAt).toISOString()}`);
}

const bySwitch = ({ sending, stop: known = {} }: DelayFacts): Delay[] =>
  sending === 'stopped' ? [stop('sending_stopped', stopWords(known))] : [];

function byMembers({ cluster, channels }: DelayFacts): Delay[] {
  if (cluster === undefined) return [];
  const { members, ownerless } = cluster;
  if (members.length === 0) return [stop('no_worker')];
  if (members.every(({ life }) => life === 'silent')) return [stop('all_silent')];
  const partitions = (code: 'unowned' | 'orphaned' | 'silent'): Delay[] =>
    ownerless[code].length === 0 ? [] : [hinder(code, ` ${partitionWords(ownerless[code])}`)];
  const nowhere = channels.filter((name) => !members.some((member) => member.channels.includes(name)));
  const worst = Math.max(0, ...members.map((member) => member.lagSeconds ?? 0));
  return [
    ...partitions('unowned'),
    ...partitions('orphaned'),
    ...partitions('silent'),
    ...nowhere.map((name) => hinder('channel_nowhere', ` ${name}`)),
    ...(worst > lagSeconds ? [hinder('lag', `: ${worst} s behind; replies and changes are heard later`)] : []),
  ];
}

const partitionWords = (numbers: readonly number[]): string =>
  `${numbers.length === 1 ? 'partition' : `${numbers.length} partitions:`} ${ranges(numbers)}`;

const known: ReadonlySet<string> = new Set<DelayCode>(['retry', 'window', 'holiday', 'zone', 'cap', 'warm_up', 'rate']);

function byDelayed({ delayed }: DelayFacts): Delay[] {
  return delayed.map(({ reason, count, more }) => {
    const many = `${more ? 'at least ' : ''}${count.toLocaleString('en-US')} ${count === 1 ? 'conversation' : 'conversations'} `;
    if (!known.has(reason)) return { code: 'other', text: `${many}${delayWords.other} ${reason}`, stops: false };
    const code = reason as DelayCode;
    return { code, text: many + delayWords[code], stops: false };
  });
}

function standing({ due, stillMs }: DelayFacts): Delay[] {
  if (due === undefined || due.now.count === 0 || stillMs < stillAfterMs) return [];
  return [hinder('standing_still', ` for ${Math.floor(stillMs / 1000)} s; see audit and the workers' logs`)];
}
