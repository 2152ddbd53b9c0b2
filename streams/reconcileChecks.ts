import type { Message } from '../src/domain/model.ts';
import type { CampaignStore, ConversationStore } from '../src/domain/ports.ts';
import type { Attention } from './attention.ts';
import type { Campaigns } from './campaigns.ts';
import type { HintQueue } from './conversations.ts';
import type { Dispatch } from './dispatch.ts';
import type { Ownership } from './ownership.ts';
import type { Check } from './reconcile.ts';
import type { Round } from './round.ts';
import type { Runs } from './runs.ts';
import type { Schedule } from './schedule.ts';

export interface ChecksParams {
  conversations: Pick<ConversationStore, 'withInbox' | 'byIds' | 'pendingMessages'>;
  campaignStore: Pick<CampaignStore, 'openRuns'>;
  campaigns: Campaigns;
  attention: Attention;
  runs: Runs;
  schedule: Schedule;
  dispatch: Dispatch;
  ownership: Ownership;
  round: Pick<Round, 'isUntouchable'>;
  hints: HintQueue;
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
];

/** Events that nobody consumes. */
function inboxes({ conversations, ownership, runs, round, hints }: ChecksParams): Check {
  return {
    kind: 'inbox',
    async look() {
      const found = new Map<string, string>();
      const ids = await conversations.withInbox(ownership.active, undefined, limit);
      if (ids.length === 0) return found;
      for (const { _id, partition, campaignId, version } of await conversations.byIds(ids))
        if (ownership.isActive(partition) && !round.isUntouchable(_id) && runs.get(campaignId)?.context)
          found.set(_id, String(version));
      return found;
    },
    repair: (ids) => hints.offer(ids),
  };
}

/** Rows `sending` that this member, whose they are, does not have in doubt. */
function messages({ conversations, ownership, dispatch, runs, round }: ChecksParams): Check {
  let rows = new Map<string, Message>();
  return {
    kind: 'message',
    async look() {
      rows = new Map();
      for (const row of await conversations.pendingMessages(ownership.active, undefined, limit)) {
        const { _id, status, partition, conversationId, campaignId } = row;
        if (status !== 'sending' || !ownership.isActive(partition) || round.isUntouchable(conversationId)) continue;
        if (dispatch.entry(conversationId) === undefined && runs.get(campaignId)?.context) rows.set(_id, row);
      }
      return new Map([...rows.values()].map(({ _id, attempts, worker }) => [_id, `${attempts} ${worker}`]));
    },
    async repair(ids) {
      const lost = ids.flatMap((id) => rows.get(id) ?? []);
      dispatch.adopt(
        lost.filter(({ partition }) => ownership.isActive(partition)),
        'lost',
      );
    },
  };
}

/** Conversations that are due in lanes which the schedule takes for idle. */
function due({ schedule, dispatch, round }: ChecksParams): Check {
  return {
    kind: 'due',
    look: () => schedule.forgotten((id) => dispatch.entry(id) !== undefined || round.isUntouchable(id)),
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
      for (const run of await campaignStore.openRuns()) {
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
    look: () => own.forgotten(limit),
    repair: () => own.sweep(),
  };
}
