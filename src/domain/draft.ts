/** What one decision collects: facts, rows, counters. `decide` (conversation.ts) and `recordResult` (outbox.ts) fill it. */
import type { Decision, FlowContext } from './decision.ts';
import { endEscalation } from './escalation.ts';
import { changeOf, evolve, type Fact, historyOf } from './evolve.ts';
import type { LimitFacts } from './limiting.ts';
import type {
  Contact,
  Conversation,
  CounterDelta,
  EscalationChange,
  HistoryEntry,
  InboundEvent,
  LimitChange,
  Message,
  MessageChange,
  SkipReason,
  SuppressionChange,
  Unit,
} from './model.ts';
import type { Subject } from './query.ts';
import { receivedStatus } from './receipts.ts';
import { absent } from './shape.ts';
import type { Place, PlaceScope } from './stages.ts';

/** Code of a row whose sender was killed before its answer was recorded. */
export const senderLost = 'sender_lost';

/** What a row says whose sender was lost before: nobody knows whether that try left. */
export const lostBefore = ({ error }: { error?: Message['error'] | undefined }): Message['error'] | undefined =>
  error?.code === senderLost ? error : undefined;

/** `state` only changes by facts. */
export class Draft {
  context: FlowContext;
  readonly now: number;
  readonly random: () => number;
  state: Conversation;
  send: Message | undefined;
  /** The row that waited for another try, as it was read. */
  private readonly awaited: Message | undefined;
  /** Of `send`: when its window closes. */
  until: number | undefined;
  /** The contact as its source has it now, where that was asked for. */
  fresh: Contact | undefined;
  /** Why no message that gave up is tried again any more. */
  stopsReplays: 'campaign_cancelled' | 'campaign_ended' | undefined;
  /** What is known for the limits of its campaign. */
  limits: LimitFacts | undefined;
  /** Messages that count no more for the cap of their contact. */
  lowered: ReadonlySet<string> = nothing;
  /** Rows that limits count, as far as they were changed. */
  private counted: Map<string, LimitedRow> | undefined;
  readonly escalations: EscalationChange[] = [];
  /** Ids of the rows whose answers are recorded. */
  private readonly answered: readonly string[];
  private readonly before: Conversation;
  private readonly at: Date;
  private readonly history: HistoryEntry[] = [];
  private readonly counters: CounterDelta = {};
  private readonly inserts: Message[] = [];
  private readonly rows = new Map<string, Omit<MessageChange, 'id'>>();
  private readonly suppressions: SuppressionChange[] = [];
  private readonly limitChanges: LimitChange[] = [];
  private readonly inbound: InboundEvent[] = [];
  private readonly deadLetters: Unit['deadLetters'] = [];
  private reopened = false;

  constructor(
    context: FlowContext,
    conversation: Conversation,
    answered: readonly string[],
    now: number,
    random: () => number,
    awaited?: Message,
  ) {
    this.awaited = awaited;
    this.context = context;
    this.answered = answered;
    this.before = conversation;
    this.state = conversation;
    this.now = now;
    this.at = new Date(now);
    this.random = random;
  }

  /** From here on it follows another version of its flow. */
  migrate(to: FlowContext): void {
    this.context = to;
  }

  /** What due times are worked out of. */
  get scope(): PlaceScope {
    const { contact, event, fallback, stage } = this.state;
    return { contact, variables: this.variables, event, fellBack: fallback ? stage : undefined };
  }

  /** The campaign's, and over them what the conversation learnt. */
  get variables(): Record<string, unknown> {
    const { variables } = this.state;
    return variables === undefined ? this.context.variables : { ...this.context.variables, ...variables };
  }

  /** What conditions are asked of. */
  subject(event: unknown = this.state.event): Subject {
    const { contact } = this.state;
    return {
      ...{ contact, variables: this.variables, campaign: this.context.campaign },
      ...{ conversation: conversationScope(this.state), event },
    };
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
    row: LimitedRow,
    set: Partial<Message>,
    unset: (keyof Message)[] = [],
    from: MessageChange['from'] = undefined,
  ): void {
    const { _id, channel } = row;
    if (row.pressure !== undefined || row.ramp !== undefined) this.counted = (this.counted ?? new Map()).set(_id, row);
    const change = this.rows.get(_id);
    if (change === undefined) {
      this.rows.set(_id, { channel, from: this.answered.includes(_id) ? 'sending' : from, set, unset });
      return;
    }
    const before = { ...change.set };
    for (const field of unset) delete before[field];
    this.rows.set(_id, {
      channel,
      from: change.from,
      set: { ...before, ...set },
      // the server takes no change that sets a field and unsets it
      unset: [...change.unset.filter((field) => !(field in set) && !unset.includes(field)), ...unset],
    });
  }

  /** A row with what this decision changes of it so far. */
  rowAs(row: Message): Message {
    const change = this.rows.get(row._id);
    return change === undefined ? row : { ...row, ...change.set };
  }

  suppress(change: SuppressionChange): void {
    this.suppressions.push(change);
  }

  limit(change: LimitChange): void {
    this.limitChanges.push(change);
  }

  /** A message that its contact does not get: it counts no more for the cap. */
  lower({ _id, channel, pressure }: LimitedRow): void {
    if (pressure === undefined) return;
    this.lowered = new Set([...this.lowered, _id]);
    this.limit({ kind: 'lower', id: pressure, messageId: _id });
    this.changeRow({ _id, channel }, {}, ['pressure']);
  }

  /** Other conversations have to hear of it. */
  tell(event: InboundEvent): void {
    this.inbound.push(event);
  }

  deadLetter(reason: string, message: string, document: unknown): void {
    this.deadLetters.push({ reason, error: { code: reason, message, path: 'inbox' }, document });
  }

  /** `passing`: nothing was done yet but to choose a way. */
  moveTo(place: Place, planned = false, passing = false): void {
    if (place.stage !== this.state.stage || (place.step === 0 && this.state.step > 0))
      this.count(`stages.${place.stage}.entered`);
    this.apply({ type: 'moved', place, planned, passing, entering: place.step === 0 });
  }

  /** Ends the conversation; a row that still waits for another try is skipped for `rowReason`. */
  end(fact: Omit<Extract<Fact, { type: 'ended' }>, 'type'>, rowReason: SkipReason): void {
    this.skipAwaited(rowReason);
    if (fact.status !== 'escalated') endEscalation(this, 'closed');
    this.apply({ type: 'ended', ...fact });
    this.count('active', -1);
    this.count(fact.status);
    this.count(`outcomes.${fact.outcome}`);
  }

  /** It had ended, and goes on: only while its campaign is not over, which the store sees to. */
  reopen(): void {
    this.count(`outcomes.${this.state.outcome}`, -1);
    this.count(this.state.status, -1);
    this.count('active');
    this.apply({ type: 'reopened' });
    this.reopened = true;
  }

  skipAwaited(reason: SkipReason): void {
    const { awaiting } = this.state;
    if (awaiting === undefined) return;
    this.skipRow({ _id: awaiting, channel: this.awaitedChannel as string }, reason);
    this.apply({ type: 'resumed' });
  }

  /** Of the row that waits for another try, if one does. */
  get awaitedChannel(): string | undefined {
    const { awaiting, nextChannel = '-' } = this.state;
    if (awaiting === undefined) return undefined;
    const read = this.awaited?._id === awaiting ? this.awaited.channel : nextChannel;
    return this.rows.get(awaiting)?.channel ?? read;
  }

  /** It is not sent any more. Where an earlier try of it may have left, nobody can say that it was not. */
  skipRow(row: LimitedRow & Pick<Message, 'error'>, reason: SkipReason): void {
    const read = this.awaited?._id === row._id ? this.awaited : row;
    const hasLeft = this.mayHaveLeft(row);
    const changed: Partial<Message> = { ...read, ...this.rows.get(row._id)?.set };
    // receipts that came before tell more
    const status = hasLeft ? receivedStatus(changed, 'uncertain') : 'skipped';
    const why = hasLeft ? 'uncertain' : reason;
    this.changeRow(row, { status, reason: why }, ['pending']);
    if (status === 'skipped' || status === 'uncertain') this.count(`messages.${status}`);
    this.count(`reasons.${why}`);
    this.count('pending', -1);
    if (hasLeft) return;
    const counted = this.counted?.get(row._id) ?? read;
    this.lower(counted);
    // one that was handed over once was seen by the provider that is being warmed up
    if (counted.ramp && changed.handedAt === undefined) this.limit({ kind: 'return', from: counted.ramp });
  }

  private mayHaveLeft({ _id, error }: Pick<Message, '_id' | 'error'>): boolean {
    const read = this.awaited?._id === _id ? this.awaited.error : error;
    return lostBefore({ error: this.rows.get(_id)?.set.error ?? read }) !== undefined;
  }

  /** Of every variant the conversation was drawn into. */
  countVariants(what: 'sent' | 'replied'): void {
    for (const [stage, variant] of Object.entries(this.state.variant ?? {}))
      this.count(`variants.${stage}.${variant}.${what}`);
  }

  decision(): Decision {
    const change = changeOf(this.before, this.state, this.history);
    const rows = [...this.rows].map(([id, row]) => ({ id, ...row }));
    const conversation = change ? { ...this.state, version: this.before.version + 1 } : this.state;
    if (!change && rows.length === 0) return { conversation, send: absent, until: absent, unit: absent };
    return {
      conversation,
      send: this.send ?? absent,
      until: this.until ?? absent,
      unit: {
        conversationId: this.before._id,
        campaignId: this.context.campaignId,
        change: change ?? absent,
        inserts: this.inserts,
        rows,
        counters: this.counters,
        suppressions: this.suppressions.length > 0 ? this.suppressions : absent,
        deadLetters: this.deadLetters,
        limits: this.limitChanges.length > 0 ? this.limitChanges : absent,
        ...(this.inbound.length > 0 ? { inbound: this.inbound } : {}),
        ...(this.escalations.length > 0 ? { escalations: this.escalations } : {}),
        ...(this.reopened ? { reopens: true } : {}),
        ...(this.context.isOver === true && Object.keys(this.counters).length > 0 ? { late: true } : {}),
      },
    };
  }
}

const nothing: ReadonlySet<string> = new Set();

type LimitedRow = Pick<Message, '_id' | 'channel' | 'pressure' | 'ramp' | 'handedAt'>;

/** What conditions and templates see of a conversation. */
export const conversationScope = (state: Conversation): Record<string, unknown> => ({
  ...{ id: state._id, stage: state.stage, step: state.step, sequence: state.sequence },
  ...(state.variant === undefined ? {} : { variant: state.variant }),
  ...(state.repliedAt === undefined ? {} : { repliedAt: state.repliedAt }),
});
