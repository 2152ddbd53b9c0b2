/** What a decision is made of, and what comes of it. */
import type { AddressBook } from './addresses.ts';
import type { ChannelFacts } from './channelPorts.ts';
import type { CompiledFlow } from './flow.ts';
import type { FlowVersion } from './flowVersions.ts';
import type { Asking } from './migration.ts';
import type { Conversation, Id, Message, Unit } from './model.ts';
import type { Cap } from './pressure.ts';
import type { CompiledQuery } from './query.ts';
import type { Ramp } from './ramp.ts';
import type { CompiledUnsubscribe } from './unsubscribe.ts';

/** What is the same for every conversation of a campaign on one member. */
export interface FlowContext {
  campaignId: Id;
  flow: CompiledFlow;
  variables: Record<string, unknown>;
  /** What templates see as `campaign`. */
  campaign: Record<string, unknown>;
  channels: ReadonlyMap<string, ChannelFacts>;
  /** Set when the campaign is over: whatever is active ends. */
  stopped?: 'campaign_ended' | 'campaign_cancelled';
  /** When its last pause was over, ms since the epoch; absent: there was none. */
  resumedAt?: number;
  /** It has ended for good: nobody comes back. */
  isOver?: boolean;
  /** Whoever fits it leaves before the next message. */
  exitWhen?: CompiledQuery | undefined;
  /** How contacts leave, as headers of mail. */
  unsubscribe?: CompiledUnsubscribe | undefined;
  /** What templates of `unsubscribe` see as `token`, by conversation id. */
  unsubscribeToken?: ((conversationId: string) => string) | undefined;
  /** What a person can leave by itself; "default" where the campaign does not say. */
  topic?: string | undefined;
  /** How many messages a contact may get. */
  cap?: Cap | undefined;
  /** How many messages may leave in each period. */
  ramp?: Ramp | undefined;
  /** Heeds no opt-out of a topic. */
  transactional?: boolean | undefined;
  /** Hashes addresses. Absent: nothing is suppressed by what happens here. */
  addressBook?: AddressBook | undefined;
  /** Written to rows as `worker`. */
  worker: string;
  /** The version of the template; absent: the one of the campaign's start. */
  version?: FlowVersion;
  /** Of a campaign that was migrated: what its conversations are asked. */
  asking?: Asking | undefined;
}

export interface Decision {
  /** Absent when there is nothing to write. */
  unit?: Unit;
  /** The row to hand over once the unit is committed. */
  send?: Message;
  /** Until when `send` may leave, ms since the epoch; absent: without end. */
  until?: number;
  /** The conversation as it will be; `version` counts the write. */
  conversation: Conversation;
}
