/** Whether what should move does move. A document is suspected first; only one that stands still when it is looked at again is a finding. */
import { type AuditedConversation, type AuditedRow, type Claim, instant, time } from './audit.ts';
import { collectionMissing } from './campaignWrites.ts';
import type { CampaignDocument, Run } from './model.ts';

/** What of a campaign says whether its conversations have to move. */
export interface CampaignState {
  run: Pick<Run, 'status' | 'settled' | 'expansion' | 'updatedAt'> &
    Partial<
      Pick<
        Run,
        'schedule' | 'pausedReason' | 'flow' | 'flows' | 'startedAt' | 'endReason' | 'endTakenInAt' | 'occurrences'
      >
    > & {
      audience?: { kind: Run['audience']['kind']; live?: true };
    };
  /** Undefined: it was deleted. */
  campaign: { status?: unknown; startAt?: unknown } | undefined;
  /** It is gone with its whole collection, and the run may not say so yet. */
  dropped?: boolean;
  /** The stop switch. */
  sending: 'on' | 'stopped';
  /** ms since the epoch. */
  now: number;
}

/** How long what should move may stand still, ms. */
export interface Patience {
  overdueMs: number;
  /** A message may be on its way for so long: no less than channels wait for their answers. */
  answerMs: number;
}

/** An answer waits for its round, ms. */
const recordedMs = 5_000;

/** As much of a channel as says how long a message may be on its way. */
export interface ChannelPace {
  /** Sends at a time. */
  concurrency: number;
  timeoutMs: number;
}

/**
 * All that a member may have in doubt may wait in front of one channel that hangs, as many at a time as it sends. Each of those
 * has its time-out twice: for the way there, and for the answer.
 * @param sendConcurrency Rows in doubt on a member, at most.
 */
export function patience(overdueMs: number, channels: readonly ChannelPace[], sendConcurrency: number): Patience {
  const answers = channels.map(
    ({ concurrency, timeoutMs }) => Math.ceil(sendConcurrency / concurrency) * 2 * timeoutMs + recordedMs,
  );
  return { overdueMs, answerMs: Math.max(overdueMs, ...answers) };
}

/** `running`: what is due leaves; `ending`: whatever is active ends; `resting`: nothing has to move. */
export type Motion = 'running' | 'ending' | 'resting';

export function motionOf({ run, campaign, dropped, sending, now }: CampaignState): Motion {
  if (run.settled) return 'resting';
  const status = campaign?.status as CampaignDocument['status'] | undefined;
  const endAt = time(run.schedule?.endAt);
  if (run.status === 'cancelled' || status === 'cancelled') return 'ending';
  // without the whole collection nobody cancelled anything, and nobody ends anything either before it is back
  if (campaign === undefined) return dropped || run.pausedReason === collectionMissing ? 'resting' : 'ending';
  if (endAt !== undefined && endAt <= now) return 'ending';
  return run.status === 'running' && status === 'running' && sending === 'on' ? 'running' : 'resting';
}

const mayStandStill = ({ run }: CampaignState, stageId: string): boolean => {
  // it may wait for ever for its event
  return [run, ...(run.flows ?? [])].some(({ flow }) => {
    const stage = flow?.stages.find(({ id }) => id === stageId);
    return stage?.type === 'wait' && stage.event !== undefined && stage.timeout === undefined;
  });
};

/** @param newest Its newest row, if it has one. */
export function suspicions(
  conversation: AuditedConversation,
  newest: AuditedRow | undefined,
  state: CampaignState,
  { overdueMs, answerMs }: Patience,
): Claim[] {
  const motion = motionOf(state);
  const sending = state.run.settled ? [] : sendingStuck(conversation, newest, state, answerMs);
  const events = conversation.waiting > 0 ? [inboxStuck(conversation, state)] : [];
  const replayed = replayOverdue(conversation, state, overdueMs);
  return [...sending, ...stuck(motion, conversation, newest, state, overdueMs), ...replayed, ...events];
}

/** It has ended, and a message of it is to be tried again: that goes on when its campaign is over, too. */
function replayOverdue(conversation: AuditedConversation, state: CampaignState, overdueMs: number): Claim[] {
  const { status, awaiting } = conversation;
  if (status === 'active' || awaiting === undefined || state.sending === 'stopped') return [];
  return state.run.settled || motionOf(state) === 'running' ? dueSince(conversation, state, overdueMs) : [];
}

function dueSince({ nextActionAt }: AuditedConversation, { now }: CampaignState, overdueMs: number): Claim[] {
  const at = time(nextActionAt);
  if (at === undefined || now - at <= overdueMs) return [];
  return [
    { kind: 'overdue', found: `due at ${instant(nextActionAt)}`, expected: `taken up within ${overdueMs / 1000} s` },
  ];
}

function stuck(
  motion: Motion,
  conversation: AuditedConversation,
  newest: AuditedRow | undefined,
  state: CampaignState,
  overdueMs: number,
): Claim[] {
  if (motion === 'ending') return notEnded(conversation, state, overdueMs);
  return motion === 'resting' || newest?.status === 'sending' ? [] : due(conversation, newest, state, overdueMs);
}

/** Events are consumed whatever the campaign does, in a pause and after its end too. */
const inboxStuck = ({ waiting }: AuditedConversation, { run: { settled } }: CampaignState): Claim => ({
  kind: settled ? 'settled_wrong' : 'inbox_stuck',
  found: `${waiting} in the inbox, the same as before`,
  expected: 'events are consumed at once',
});

function sendingStuck(
  { updatedAt }: AuditedConversation,
  newest: AuditedRow | undefined,
  { now }: CampaignState,
  answerMs: number,
): Claim[] {
  if (newest?.status !== 'sending') return [];
  const changed = Math.max(time(newest.queuedAt) ?? 0, time(updatedAt) ?? 0);
  if (now - changed <= answerMs) return [];
  const found = `sending since ${new Date(changed).toISOString()}`;
  return [{ kind: 'sending_stuck', message: newest._id, found, expected: `an answer within ${answerMs / 1000} s` }];
}

function due(
  conversation: AuditedConversation,
  newest: AuditedRow | undefined,
  state: CampaignState,
  overdueMs: number,
): Claim[] {
  const { status, stage, nextActionAt, nextChannel } = conversation;
  if (status !== 'active') return [];
  const at = time(nextActionAt);
  if (at !== undefined && nextChannel !== undefined) return dueSince(conversation, state, overdueMs);
  if (newest?.pending === true || (at === undefined && mayStandStill(state, stage))) return [];
  const found = at === undefined ? 'no nextActionAt' : 'no nextChannel';
  return [{ kind: 'stranded', found, expected: 'an action that is due, or a pending row' }];
}

/** Since when a campaign that is over had time to end its conversations. */
function notEnded(conversation: AuditedConversation, { run, now }: CampaignState, overdueMs: number): Claim[] {
  if (conversation.status !== 'active') return [];
  const passed = [run.schedule?.endAt, run.updatedAt, conversation.updatedAt].flatMap((at) => time(at) ?? []);
  const since = Math.max(0, ...passed.filter((at) => at <= now));
  if (now - since <= overdueMs) return [];
  const found = `active, nothing moved since ${new Date(since).toISOString()}`;
  return [{ kind: 'not_ended', found, expected: 'it ends with its campaign' }];
}

/** A run of which nothing is left, as the documents say, has to end. */
export function unsettled(
  state: CampaignState,
  left: { active: number; pending: number },
  overdueMs: number,
): Claim | undefined {
  const { run, now } = state;
  const motion = motionOf(state);
  if (motion === 'resting' || left.active > 0 || left.pending > 0) return undefined;
  if (motion === 'running' && !run.expansion.done) return undefined;
  const since = time(run.updatedAt) ?? 0;
  if (now - since <= overdueMs) return undefined;
  const found = `${run.status}, nothing moved since ${new Date(since).toISOString()}`;
  return { kind: 'not_settled', found, expected: 'it ends when nothing is left' };
}

/** Equal for a conversation that nobody wrote since. A push of another event alone leaves it equal: the first one still waits. */
export const markOf = ({ version, firstEvent }: AuditedConversation): string => `${version} ${firstEvent ?? ''}`;
