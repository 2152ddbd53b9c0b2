/** What comes next in a conversation, and when. */
import { time } from './audit.ts';
import { collectionMissing } from './campaignWrites.ts';
import { stagesFor } from './flowVersions.ts';
import { sequenceOf } from './ids.ts';
import type { CampaignDocument, Conversation, Member, Message, RateLimitDocument, Run, Stage } from './model.ts';
import type { StopSwitch } from './stopSwitch.ts';
import { placeWords } from './words.ts';

export interface StoryContext {
  conversation: Conversation;
  /** In order of their sequence. */
  rows: readonly Message[];
  run:
    | (Pick<Run, 'status' | 'settled' | 'flow'> &
        Partial<Pick<Run, 'startedAt' | 'endReason' | 'pausedReason' | 'schedule' | 'flows'>>)
    | undefined;
  /** Undefined: it was deleted. */
  campaign: Partial<Pick<CampaignDocument, 'status' | 'error'>> | undefined;
  /** It is gone with its whole collection, and the run may not say so yet. */
  dropped?: boolean;
  /** The stop switch. */
  sending: 'on' | 'stopped';
  /** What is known of it beside that. */
  stop?: Partial<StopSwitch>;
  members: readonly Pick<Member, '_id' | 'channels' | 'channelStates'>[];
  /** Limits of channels by their name, as slots were last given out; see `rate_limits`. */
  rates?: ReadonlyMap<string, Pick<RateLimitDocument, 'inForce' | 'tat'>>;
  /** Of the partition of the conversation. */
  owner: string | undefined;
  /** Whether the owner's beat moved; undefined: nobody watched it. */
  ownerAlive: boolean | undefined;
  /** ms since the epoch. */
  now: number;
}

/** Its campaign is gone, and so is the whole collection: nobody cancelled anything. */
export const isWithoutCollection = ({ campaign, run, dropped }: StoryContext): boolean =>
  campaign === undefined && (dropped === true || run?.pausedReason === collectionMissing);

export interface Next {
  what:
    | 'message'
    | 'retry'
    | 'answer'
    | 'silence_ends'
    | 'wait_ends'
    | 'event'
    | 'choice'
    | 'escalation'
    | 'end'
    | 'nothing';
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
  const channel = awaitedChannel(context) ?? nextChannel;
  const place = placed(context);
  return {
    ...place,
    ...(place.what === 'nothing' ? {} : { stage, step }),
    ...(at === undefined ? {} : { at: new Date(at) }),
    ...(channel === undefined || channel === '-' ? {} : { channel }),
    ...(at === undefined || at > now ? {} : { lateMs: now - at }),
  };
}

/** One that may give way to a fallback waits in no lane of a channel. */
const awaitedChannel = ({ conversation: { awaiting }, rows }: StoryContext): string | undefined =>
  awaiting === undefined ? undefined : rows.find(({ _id }) => _id === awaiting)?.channel;

function placed(context: StoryContext): Pick<Next, 'what' | 'text'> {
  const { conversation, rows, run } = context;
  const { status, awaiting, nextActionAt, nextChannel, stage, step } = conversation;
  const stages = run ? stagesFor(run, conversation) : [];
  const index = stages.findIndex(({ id }) => id === stage);
  const current = stages[index];
  if (status !== 'active' && awaiting !== undefined)
    return { what: 'retry', text: `another try of message ${sequenceOf(awaiting)}: somebody asked for it` };
  if (status === 'escalated')
    return { what: 'nothing', text: 'nothing by itself: it is with a person, and goes on with an event "resume"' };
  if (status !== 'active') return { what: 'nothing', text: 'nothing: it has ended' };
  if (awaiting !== undefined) {
    const channel = awaitedChannel(context) ?? nextChannel;
    const instead = nextChannel === '-' ? ', or the fallback of its stage in its place' : '';
    return { what: 'retry', text: `another try of message ${sequenceOf(awaiting)} on channel ${channel}${instead}` };
  }
  const newest = rows.at(-1);
  if (nextActionAt === undefined) {
    if (newest?.status !== 'sending') {
      if (current?.type !== 'wait' || current.event === undefined) return { what: 'nothing', text: 'nothing is due' };
      return { what: 'event', text: `stage ${stage} waits for event ${current.event}` };
    }
    return { what: 'answer', text: `the answer to message ${sequenceOf(newest._id)} on channel ${newest.channel}` };
  }
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
    case 'wait': {
      const target = stage.event === undefined ? following : (stage.onTimeout ?? following);
      const what = stage.event === undefined ? 'has waited' : `waits for event ${stage.event} no longer`;
      return { what: 'wait_ends', text: `stage ${stage.id} ${what}, ${leads(target)}` };
    }
    case 'branch':
    case 'split':
      return { what: 'choice', text: `stage ${stage.id} chooses the way` };
    case 'webhook':
      return { what: 'message', text: `the webhook of stage ${stage.id} on channel ${channel}` };
    case 'escalate':
      if (step === 0) return { what: 'escalation', text: `stage ${stage.id} hands over to ${stage.to}` };
      return { what: 'wait_ends', text: `${stage.to} has not taken it up, ${leads(stage.onTimeout ?? following)}` };
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
