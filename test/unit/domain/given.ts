/** given(flow, conversation) . when(input) . then(expectation): specs of `decide` without mocks. */
import { expect } from '@jest/globals';
import type { ChannelFacts } from '../../../src/domain/channelPorts.ts';
import { type DecideInput, decide, newConversation } from '../../../src/domain/conversation.ts';
import type { Decision, FlowContext } from '../../../src/domain/decision.ts';
import { compileFlow } from '../../../src/domain/flow.ts';
import type { Contact, Conversation, Flow, InboxEvent, Message } from '../../../src/domain/model.ts';
import type { RowOutcome, RowResult } from '../../../src/domain/outbox.ts';
import { SimulatedLimits } from '../../../src/domain/simulatedLimits.ts';

export const t0 = Date.UTC(2026, 0, 5, 9);
export const seconds = (n: number): number => t0 + n * 1000;

export const facts = (name: string, address: string, more: Partial<ChannelFacts> = {}): ChannelFacts => ({
  name,
  address,
  delivery: 'at-least-once',
  attempts: 3,
  giveUpMs: 3_600_000,
  needs: ['text'],
  ...more,
});
export const channels: ReadonlyMap<string, ChannelFacts> = new Map(
  [facts('sms', 'phone'), facts('push', 'url')].map((channel) => [channel.name, channel]),
);
export const anna: Contact = { id: 'anna', name: 'Anna', phone: '+491', url: 'https://a.test/' };

export function contextOf(stages: unknown[], more: Partial<FlowContext> = {}, rules: unknown[] = []): FlowContext {
  const compiled = compileFlow({ stages, rules } as Flow, { channels, bulk: true, unsubscribe: true });
  expect(compiled.faults).toEqual([]);
  if (compiled.flow === undefined) throw new Error('the flow of the spec does not compile');
  return {
    campaignId: 'spring',
    flow: compiled.flow,
    variables: { product: 'Compass' },
    campaign: { id: 'spring' },
    channels,
    worker: 'm1',
    ...more,
  };
}

/** A store writes nothing that is undefined. */
const asStored = (conversation: Conversation): Conversation =>
  Object.fromEntries(
    Object.entries(conversation).filter(([, value]) => value !== undefined),
  ) as unknown as Conversation;

/** One conversation, driven decision by decision; what is committed is what the next one reads. */
export class Story {
  context: FlowContext;
  conversation: Conversation;
  row: Message | undefined;
  decision: Decision;
  readonly rows = new Map<string, Message>();
  readonly counters: Record<string, number> = {};
  /** What the limits of its campaign count; shared with stories of the same contact. */
  limits = new SimulatedLimits();
  private now = t0;

  constructor(context: FlowContext, contact: Contact = anna) {
    this.context = context;
    const created = newConversation({
      run: { _id: context.campaignId, variables: context.variables },
      flow: context.flow,
      contact,
      now: t0,
      partitions: 64,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
    this.conversation = asStored(created.conversation);
    this.decision = { conversation: this.conversation };
    this.count(created.counters);
  }

  /** The lane of the conversation is taken at this second. */
  due(second: number): this {
    return this.decide(second, { slot: true });
  }

  /** Somebody pushed these events. */
  events(second: number, ...events: unknown[]): this {
    this.conversation = { ...this.conversation, inbox: [...this.conversation.inbox, ...(events as InboxEvent[])] };
    return this.decide(second, {});
  }

  answer(second: number, outcome: RowOutcome, more: Partial<RowResult> = {}): this {
    if (this.row === undefined) throw new Error('no row is in flight');
    const result = {
      row: this.row,
      outcome,
      decidedAt: this.now,
      ...(outcome.kind === 'lost' || outcome.kind === 'held' ? {} : { handedAt: seconds(second) }),
      answeredAt: seconds(second),
      ...more,
    };
    this.row = undefined;
    return this.decide(second, { results: [result] });
  }

  stop(second: number, stopped: FlowContext['stopped']): this {
    this.context = { ...this.context, ...(stopped ? { stopped } : {}) };
    return this.decide(second, {});
  }

  decide(second: number, input: Partial<DecideInput>): this {
    this.now = seconds(second);
    const awaited = this.rows.get(this.conversation.awaiting ?? '');
    const inFlight = this.row !== undefined;
    const limits = this.limits.factsOf(this.conversation, this.context, 1, this.now);
    this.decision = decide(
      this.context,
      {
        conversation: this.conversation,
        results: [],
        slot: false,
        hasRoom: () => true,
        inFlight,
        awaited,
        limits,
        ...input,
      },
      this.now,
      () => 0.5,
    );
    const { unit, send } = this.decision;
    this.limits.apply(unit?.limits ?? []);
    const history = [...this.conversation.history, ...(unit?.change?.history ?? [])];
    this.conversation = { ...asStored(this.decision.conversation), history };
    for (const row of unit?.inserts ?? []) this.rows.set(row._id, row);
    for (const { id, set, unset } of unit?.rows ?? []) {
      const changed = { ...this.rows.get(id), ...set } as Message;
      for (const field of unset) delete changed[field];
      this.rows.set(id, changed);
    }
    if (send) this.row = send;
    this.count(unit?.counters ?? {});
    return this;
  }

  private count(delta: Record<string, number>): void {
    for (const [path, by] of Object.entries(delta)) {
      const sum = (this.counters[path] ?? 0) + by;
      if (sum === 0) delete this.counters[path];
      else this.counters[path] = sum;
    }
  }
}

export const given = (stages: unknown[], contact?: Contact): Story => new Story(contextOf(stages), contact);
