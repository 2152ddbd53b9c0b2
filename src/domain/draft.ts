/** What one decision collects: facts, rows, counters. `decide` (conversation.ts) and `recordResult` (outbox.ts) fill it. */
import { changeOf, evolve, type Fact, historyOf } from './evolve.ts';
import type { CompiledFlow } from './flow.ts';
import type {
  Conversation,
  CounterDelta,
  HistoryEntry,
  Id,
  Message,
  MessageChange,
  SkipReason,
  Unit,
} from './model.ts';
import type { ChannelFacts } from './ports.ts';
import { absent } from './shape.ts';
import { arriveAt, type LeftStage, leave, type Place, targetOf } from './stages.ts';
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
  /** How contacts leave, as headers of mail. */
  unsubscribe?: CompiledUnsubscribe | undefined;
  /** What templates of `unsubscribe` see as `token`, by conversation id. */
  unsubscribeToken?: ((conversationId: string) => string) | undefined;
  /** Written to rows as `worker`. */
  worker: string;
}

export interface Decision {
  /** Absent when there is nothing to write. */
  unit?: Unit;
  /** The row to hand over once the unit is committed. */
  send?: Message;
  /** The conversation as it will be; `version` counts the write. */
  conversation: Conversation;
}

/** `state` only changes by facts. */
export class Draft {
  readonly context: FlowContext;
  readonly now: number;
  readonly random: () => number;
  state: Conversation;
  send: Message | undefined;
  /** Ids of the rows whose answers are recorded. */
  private readonly answered: readonly string[];
  private readonly before: Conversation;
  private readonly at: Date;
  private readonly history: HistoryEntry[] = [];
  private readonly counters: CounterDelta = {};
  private readonly inserts: Message[] = [];
  private readonly rows = new Map<string, Omit<MessageChange, 'id'>>();
  private readonly deadLetters: Unit['deadLetters'] = [];

  constructor(
    context: FlowContext,
    conversation: Conversation,
    answered: readonly string[],
    now: number,
    random: () => number,
  ) {
    this.context = context;
    this.answered = answered;
    this.before = conversation;
    this.state = conversation;
    this.now = now;
    this.at = new Date(now);
    this.random = random;
  }

  apply(fact: Fact): void {
    const before = this.state;
    this.state = evolve(before, fact);
    const entry = historyOf(before, this.state, fact, this.at);
    if (entry) this.history.push(entry);
  }

  count(path: string, by = 1): void {
    this.counters[path] = (this.counters[path] ?? 0) + by;
  }

  insert(row: Message): void {
    this.inserts.push(row);
  }

  /** Changes of one row in one decision add up. */
  changeRow(
    { _id, channel }: Pick<Message, '_id' | 'channel'>,
    set: Partial<Message>,
    unset: (keyof Message)[] = [],
    from: MessageChange['from'] = undefined,
  ): void {
    const change = this.rows.get(_id);
    if (change === undefined) {
      this.rows.set(_id, { channel, from: this.answered.includes(_id) ? 'sending' : from, set, unset });
      return;
    }
    this.rows.set(_id, {
      channel,
      from: change.from,
      set: { ...change.set, ...set },
      unset: [...change.unset, ...unset],
    });
  }

  deadLetter(reason: string, message: string, document: unknown): void {
    this.deadLetters.push({ reason, error: { code: reason, message, path: 'inbox' }, document });
  }

  moveTo(place: Place, planned = false): void {
    if (place.stage !== this.state.stage || (place.step === 0 && this.state.step > 0))
      this.count(`stages.${place.stage}.entered`);
    this.apply({ type: 'moved', place, planned });
  }

  /** Ends the conversation; a row that still waits for another try is skipped for `rowReason`. */
  end(fact: Omit<Extract<Fact, { type: 'ended' }>, 'type'>, rowReason: SkipReason): void {
    this.skipAwaited(rowReason);
    this.apply({ type: 'ended', ...fact });
    this.count('active', -1);
    this.count(fact.status);
    this.count(`outcomes.${fact.outcome}`);
  }

  skipAwaited(reason: SkipReason): void {
    const { awaiting, nextChannel = '-' } = this.state;
    if (awaiting === undefined) return;
    this.skipRow({ _id: awaiting, channel: nextChannel }, reason);
    this.apply({ type: 'resumed' });
  }

  skipRow(row: Pick<Message, '_id' | 'channel'>, reason: SkipReason): void {
    this.changeRow(row, { status: 'skipped', reason }, ['pending']);
    this.count('messages.skipped');
    this.count(`reasons.${reason}`);
    this.count('pending', -1);
  }

  decision(): Decision {
    const change = changeOf(this.before, this.state, this.history);
    const rows = [...this.rows].map(([id, row]) => ({ id, ...row }));
    const conversation = change ? { ...this.state, version: this.before.version + 1 } : this.state;
    if (!change && rows.length === 0) return { conversation, send: absent, unit: absent };
    return {
      conversation,
      send: this.send ?? absent,
      unit: {
        conversationId: this.before._id,
        campaignId: this.context.campaignId,
        change: change ?? absent,
        inserts: this.inserts,
        rows,
        counters: this.counters,
        deadLetters: this.deadLetters,
      },
    };
  }
}

/** Leaves a stage as silence does. */
export function goOn(draft: Draft, stage: LeftStage, at: number): void {
  const destination = leave(draft.context.flow, stage, at);
  if ('finished' in destination) draft.end({ status: 'completed', outcome: 'finished' }, 'stopped');
  else draft.moveTo(destination);
}

/** A message that failed for good: where its author leads it, else the conversation failed. */
export function fail(
  draft: Draft,
  stageId: string,
  reason: SkipReason,
  error: { code: string; message: string },
): void {
  const { flow } = draft.context;
  const target = targetOf(flow.stages.get(stageId), 'failed');
  const place = target === undefined ? undefined : arriveAt(flow, target, draft.now);
  if (place) draft.moveTo(place);
  else draft.end({ status: 'failed', outcome: 'failed', reason, error }, 'stopped');
}
