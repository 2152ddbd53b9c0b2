import type { CampaignStore } from '../src/domain/campaignPorts.ts';
import type { ConversationStore } from '../src/domain/conversationPorts.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Id, Message } from '../src/domain/model.ts';
import type { Attention } from './attention.ts';
import type { Campaigns } from './campaigns.ts';
import type { HintQueue } from './conversations.ts';
import type { Dispatch } from './dispatch.ts';
import type { Enrollments } from './enrollments.ts';
import type { Inbound } from './inbound.ts';
import type { Ownership } from './ownership.ts';
import type { Check } from './reconcile.ts';
import type { Round } from './round.ts';
import type { Runs } from './runs.ts';
import type { Schedule } from './schedule.ts';

export interface ChecksParams {
  conversations: Pick<ConversationStore, 'withInbox' | 'byIds' | 'pendingMessages' | 'messages'>;
  campaignStore: Pick<CampaignStore, 'openRunHeads'>;
  campaigns: Campaigns;
  enrollments: Enrollments;
  attention: Attention;
  runs: Runs;
  schedule: Schedule;
  dispatch: Dispatch;
  ownership: Ownership;
  round: Pick<Round, 'isUntouchable' | 'isInHand'>;
  hints: HintQueue;
  /** Absent: inbound events are left alone. */
  inbound?: Pick<Inbound, 'forgotten' | 'offer'>;
}

/** Looked at in one turn, at most; what is left over has its turn when these are dealt with. */
const limit = 1000;

/** Everything a member may owe its documents. */
export const reconcileChecks = (params: ChecksParams): Check[] => [
  inboxes(params),
  messages(params),
  due(params),
  runs(params),
  campaigns(params),
  enrollments(params),
  ...(params.inbound ? [inbound(params.inbound)] : []),
];

/** Inbound events that nobody takes anywhere. */
function inbound(own: NonNullable<ChecksParams['inbound']>): Check {
  let found = new Map<string, Id>();
  return {
    kind: 'inbound',
    async look() {
      found = await own.forgotten();
      return new Map([...found.keys()].map((key) => [key, '']));
    },
    repair: (keys) => own.offer(keys.flatMap((key) => found.get(key) ?? [])),
  };
}

/** A page a turn; the last one comes short. */
class Pages {
  after: string | undefined;
  private last: string | undefined;

  /** Told the ids that a look read. */
  read(ids: readonly string[]): void {
    this.last = ids.length < limit ? undefined : ids.at(-1);
  }

  next(): void {
    this.after = this.last;
  }
}

/** Events that nobody consumes. */
function inboxes({ conversations, ownership, runs, round, hints }: ChecksParams): Check {
  const pages = new Pages();
  return {
    kind: 'inbox',
    async look() {
      const found = new Map<string, string>();
      const ids = await conversations.withInbox(ownership.active, pages.after, limit);
      pages.read(ids);
      if (ids.length === 0) return found;
      const waiting = await conversations.byIds(ids);
      const isUsable = await usable(runs, waiting);
      for (const { _id, partition, campaignId, version } of waiting) {
        const isInHand = hints.has(_id) || round.isInHand(_id) || round.isUntouchable(_id);
        if (ownership.isActive(partition) && !isInHand && isUsable(campaignId)) found.set(_id, String(version));
      }
      return found;
    },
    next: () => pages.next(),
    repair: (ids) => hints.offer(ids),
  };
}

/** Rows `sending` that this member, whose they are, does not have in doubt. */
function messages({ conversations, ownership, dispatch, runs, round }: ChecksParams): Check {
  const pages = new Pages();
  return {
    kind: 'message',
    async look() {
      const rows = await conversations.pendingMessages(ownership.active, pages.after, limit, true);
      pages.read(rows.map(({ _id }) => _id));
      const isUsable = await usable(runs, rows);
      const alone: Message[] = [];
      for (const row of rows) {
        const { status, partition, conversationId: id, campaignId } = row;
        if (status !== 'sending' || !ownership.isActive(partition) || round.isUntouchable(id)) continue;
        // between its commit and its hand-over it is in the hand of a round
        if (dispatch.entry(id) !== undefined || round.isInHand(id)) continue;
        if (isUsable(campaignId)) alone.push(row);
      }
      if (alone.length === 0) return new Map();
      const found = await conversations.byIds(alone.map(({ conversationId }) => conversationId));
      const versions = new Map(found.map(({ _id, version }) => [_id, version]));
      // whatever answers a row that stays `sending` in the end writes its conversation as well
      const state = ({ attempts, worker, conversationId }: Message): string =>
        `${attempts} ${worker} ${versions.get(conversationId)}`;
      return new Map(alone.map((row) => [row._id, state(row)]));
    },
    next: () => pages.next(),
    async repair(ids) {
      const rows = await conversations.messages(ids);
      dispatch.adopt(
        rows.filter(({ status, partition }) => status === 'sending' && ownership.isActive(partition)),
        'lost',
      );
    },
  };
}

/** Nobody here can decide about conversations of a run that does not compile. */
async function usable(runs: Runs, of: readonly { campaignId: Id }[]): Promise<(campaignId: Id) => boolean> {
  const ids = new Map(of.map(({ campaignId }) => [campaignKey(campaignId), campaignId]));
  const known = await runs.load([...ids.values()]);
  return (campaignId) => (known.get(campaignKey(campaignId))?.contexts.size ?? 0) > 0;
}

/** Conversations that are due in lanes which the schedule takes for idle. */
function due({ schedule, dispatch, round }: ChecksParams): Check {
  return {
    kind: 'due',
    look: () =>
      schedule.forgotten((id) => dispatch.entry(id) !== undefined || round.isInHand(id) || round.isUntouchable(id)),
    next: () => schedule.forgottenTurns.next(),
    async repair() {
      schedule.lookAtAll();
    },
  };
}

/** Runs whose stored state this member did not take in. */
function runs({ campaignStore, attention }: ChecksParams): Check {
  return {
    kind: 'run',
    async look() {
      const found = new Map<string, string>();
      for (const run of await campaignStore.openRunHeads()) {
        const news = attention.newsOf(run);
        if (news !== undefined) found.set(String(run._id), news);
      }
      return found;
    },
    repair: () => attention.loadRuns(),
  };
}

/** Campaigns of ours that wait for a decision, for their audience to go on, or for their end. */
function campaigns({ campaigns: own }: ChecksParams): Check {
  return {
    kind: 'campaign',
    look: () => own.forgotten(),
    next: () => own.forgottenTurns.next(),
    repair: () => own.sweep(),
  };
}

/** Enrollments that wait for nothing, which nobody decides. */
function enrollments({ enrollments: own }: ChecksParams): Check {
  return {
    kind: 'enrollment',
    look: () => own.forgotten(),
    next: () => own.nextForgotten(),
    repair: () => own.look(),
  };
}
