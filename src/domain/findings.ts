/** What `audit` looks at and what it can find. */
import type { Conversation, Id, Message } from './model.ts';

/** Every kind of finding; the text says what is wrong then. */
export const findingKinds = {
  row_missing: 'a message of a conversation has no row',
  row_orphaned: 'a row belongs to no conversation, or lies beyond its sequence',
  sequence_invalid: 'the sequence of a conversation is no number of messages',
  order_wrong: 'the times of a message, or of two that follow each other, run back, or one is missing',
  pending_wrong: 'pending does not fit the status of a row',
  pending_old: 'a row that is not the newest one is pending',
  queued_wrong: 'a row waits for another try that its conversation does not know of',
  awaiting_wrong: 'a conversation waits for a row that is not queued',
  ended_wrong: 'an ended conversation has something due',
  ended_untold: 'the history of an ended conversation does not tell its end',
  handed_late: 'a message was handed over after its conversation or its campaign had ended',
  consumed_twice: 'an event was consumed twice',
  partition_wrong: 'a document is in another partition than its id hashes to',
  belongs_wrong: 'a document names another campaign or conversation than its id',
  run_missing: 'there are conversations or messages of a campaign that has no run',
  settled_wrong: 'a run is settled, and something of it is left or says otherwise',
  count_wrong: 'counters differ from what the documents say',
  metrics_wrong: 'metrics of an ended campaign differ from what the documents say',
  overdue: 'a conversation is due and was not taken up',
  stranded: 'nothing will ever move a conversation on',
  sending_stuck: 'a message is on its way and never answered',
  inbox_stuck: 'events wait in an inbox',
  not_ended: 'the campaign is over, and a conversation is still active',
  not_started: 'a campaign has to start, and does not',
  undecided: 'a campaign was resumed, and its run is still paused',
  expansion_stuck: 'the audience of a campaign is not expanded further',
  not_settled: 'nothing of a campaign is left to do, and it does not end',
  partition_unowned: 'partitions have no live owner',
} as const;
export type FindingKind = keyof typeof findingKinds;

/** Ids and states only: no content, no address. */
export interface Claim {
  kind: FindingKind;
  message?: string;
  found: string;
  expected: string;
}
export interface Finding extends Claim {
  campaign?: Id;
  conversation?: string;
}

/** As much of a conversation as is looked at. */
export interface AuditedConversation
  extends Pick<Conversation, '_id' | 'campaignId' | 'partition' | 'version' | 'status' | 'stage' | 'sequence'>,
    Partial<
      Pick<
        Conversation,
        | 'nextActionAt'
        | 'nextChannel'
        | 'opening'
        | 'awaiting'
        | 'outcome'
        | 'reason'
        | 'repliedAt'
        | 'updatedAt'
        | 'expireAt'
      >
    > {
  /** When it ended, as far as its bounded history knows. */
  endedAt?: Date;
  /** Entries of its history. */
  told: number;
  /** Ids in `consumed` beyond one of each. */
  repeated: number;
  error?: { code?: unknown };
  /** Events in its inbox. */
  waiting: number;
  /** What tells the first of them from others. */
  firstEvent?: string;
}
export type AuditedRow = Pick<
  Message,
  '_id' | 'campaignId' | 'conversationId' | 'partition' | 'status' | 'stage' | 'step'
> &
  Partial<
    Pick<
      Message,
      'reason' | 'attempts' | 'pending' | 'queuedAt' | 'handedAt' | 'sentAt' | 'worker' | 'expireAt' | 'replay'
    >
  >;
