/** Random flows, and what may happen to a conversation in one: applied decision by decision as a store does it. */
import fc from 'fast-check';
import { noTiming, type Timing } from '../../../src/domain/compileSchedule.ts';
import { type DecideInput, decide, newConversation } from '../../../src/domain/conversation.ts';
import type { Decision, FlowContext } from '../../../src/domain/decision.ts';
import { compileFlow } from '../../../src/domain/flow.ts';
import type { Contact, Conversation, Flow, InboxEvent, Message, Unit } from '../../../src/domain/model.ts';
import type { RowOutcome } from '../../../src/domain/outbox.ts';
import { facts, channels as givenChannels, t0 } from './given.ts';

const channels = new Map([...givenChannels, ['push', facts('push', 'url', { delivery: 'at-most-once' })]]);

// ---------------------------------------------------------------- flows

const mostStages = 5;
const duration = fc.constantFrom('PT1S', 'PT1M', 'PT2H');
const channel = fc.constantFrom('sms', 'push');
const target = fc.nat(mostStages - 1);
const content = fc.constantFrom(
  'Hello {{ contact.name }}',
  '{{ variables.product }} is here',
  '{{ variables.missing }}',
);
const stage = fc.record(
  {
    type: fc.constantFrom(
      ...['message', 'message', 'message', 'message', 'wait', 'until', 'event', 'end'],
      ...['branch', 'split', 'escalate', 'webhook'],
    ),
    channel,
    text: content,
    for: duration,
    delay: duration,
    waitForReply: duration,
    to: target,
    timed: fc.boolean(),
    notifies: fc.boolean(),
    fallback: fc.record({ after: duration }, { requiredKeys: [] }),
    followUps: fc.array(fc.record({ after: duration, channel }, { requiredKeys: ['after'] }), { maxLength: 2 }),
    on: fc.record(
      { reply: target, noReply: target, failed: target, bounce: target, custom: target },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['type', 'channel', 'text', 'for', 'to', 'timed', 'notifies'] },
);

type Drawn = typeof stage extends fc.Arbitrary<infer One> ? One : never;

function stagesOf(drawn: readonly Drawn[]): unknown[] {
  const idOf = (index: number): string => `s${index % drawn.length}`;
  return drawn.map(
    ({ type, text, for: time, to, timed, notifies, on: ways = {}, channel, fallback, ...more }, index) => {
      const id = idOf(index);
      const on = Object.fromEntries(Object.entries(ways).map(([event, way]) => [event, idOf(way)]));
      const goto = idOf(to);
      switch (type) {
        case 'wait':
          return { id, type, for: time, on };
        case 'until':
          return { id, type: 'wait', until: `contact.attributes.at + ${time}`, ...(timed ? { onMissing: goto } : {}) };
        case 'event':
          return { id, type: 'wait', event: 'custom', ...(timed ? { timeout: time, onTimeout: goto } : {}) };
        case 'end':
          return { id, type, outcome: `end${index}` };
        case 'branch':
          return { id, type, branches: [{ when: { 'event.type': timed ? 'custom' : 'reply' }, goto }] };
        case 'split':
          return {
            id,
            type,
            variants: [
              { variant: 'a', weight: 1, goto },
              { variant: 'b', weight: timed ? 1 : 0 },
            ],
          };
        case 'escalate': {
          const notify = notifies ? { notify: { channel, to: '{{ contact.id }}', content: { text } } } : {};
          return { id, type, to: 'desk', ...notify, ...(timed ? { after: time, onTimeout: goto } : {}), on };
        }
        case 'webhook':
          return { id, type, channel, body: { text }, keep: timed, on };
        default: {
          const other = channel === 'sms' ? 'push' : 'sms';
          const instead = fallback === undefined ? {} : { fallback: { channel: other, ...fallback } };
          return { id, type, channel, content: { text }, on, ...instead, ...more };
        }
      }
    },
  );
}

const compiled = (stages: unknown[], timing = noTiming): FlowContext['flow'] | undefined =>
  compileFlow({ stages } as Flow, { channels, bulk: true, unsubscribe: true, timing }).flow;

/** The stages of any flow that compiles. */
export const flows: fc.Arbitrary<unknown[]> = fc
  .array(stage, { minLength: 1, maxLength: mostStages })
  .map(stagesOf)
  .filter((stages) => compiled(stages) !== undefined);

// ---------------------------------------------------------------- what happens

const code = { code: 'no', message: 'not taken' };
const outcomes: fc.Arbitrary<RowOutcome> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: 'sent' as const }) },
  fc.constant({ kind: 'sent' as const, answer: { score: 7 } }),
  fc.constantFrom<RowOutcome>(
    { kind: 'unknown', ...code },
    { kind: 'rejected', ...code },
    { kind: 'rejected', ...code, code: 'not_allowed' },
    { kind: 'rejected', ...code, bounce: true },
    { kind: 'rejected', ...code, code: 'opted_out' },
    { kind: 'retry', ...code, counts: true },
    { kind: 'retry', ...code, counts: true, mayHaveLeft: true },
    { kind: 'retry', ...code, counts: false, retryAfterMs: 500 },
    { kind: 'held' },
    { kind: 'lost' },
  ),
);
const event: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      {
        type: fc.constantFrom('reply', 'custom', 'bounce', 'complaint', 'unsubscribe', 'opened', 'resume'),
        stage: fc.constantFrom('s0', 's1'),
        id: fc.nat(20).map((n) => `e${n}`),
        auto: fc.boolean(),
        machine: fc.boolean(),
      },
      { requiredKeys: ['type', 'id'] },
    ),
  },
  fc.constantFrom(null, 'reply', { type: 7 }, { type: 'custom' }),
);

export interface Happening {
  /** Ms since the one before. A wall clock may be put back. */
  pass: number;
  events: unknown[];
  /** To the row in flight, if there is one. */
  answer: { outcome: RowOutcome; lateMs: number } | undefined;
  slot: boolean;
  room: 'all' | 'none' | 'sms';
  stop: boolean;
}

export const happenings: fc.Arbitrary<Happening[]> = fc.array(
  fc.record({
    pass: fc.oneof(fc.nat(2_000), fc.nat(120_000), fc.nat(8_000_000), fc.integer({ min: -300_000, max: 0 })),
    events: fc.oneof({ weight: 3, arbitrary: fc.constant<unknown[]>([]) }, fc.array(event, { maxLength: 3 })),
    answer: fc.option(fc.record({ outcome: outcomes, lateMs: fc.nat(3_000) }), { nil: undefined, freq: 3 }),
    slot: fc.boolean(),
    room: fc.constantFrom('all' as const, 'all' as const, 'all' as const, 'none' as const, 'sms' as const),
    stop: fc.integer({ min: 0, max: 30 }).map((n) => n === 30),
  }),
  { maxLength: 40, size: 'max' },
);

export const contacts: fc.Arbitrary<Contact> = fc.record(
  {
    id: fc.constant('anna'),
    name: fc.constant('Anna'),
    phone: fc.constant('+491'),
    url: fc.constant('https://a.test/'),
    attributes: fc.constant({ at: new Date(t0) }),
  },
  { requiredKeys: ['id', 'name'] },
);

// ---------------------------------------------------------------- one story

/** A store writes nothing that is undefined. */
const asStored = <T extends object>(document: T): T =>
  Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined)) as T;

/** What is stored of one conversation. */
export class Stored {
  context: FlowContext;
  conversation: Conversation;
  readonly rows = new Map<string, Message>();
  /** Status of each document by which a person was asked in. */
  readonly escalations = new Map<string, string>();
  readonly counters: Record<string, number> = {};
  /** The row in flight, and when it was decided. */
  inFlight: { row: Message; decidedAt: number } | undefined;
  now = t0;

  constructor(stages: unknown[], contact: Contact, timing?: Timing) {
    const flow = compiled(stages, timing);
    if (flow === undefined) throw new Error('the flow of the story does not compile');
    const campaign = { campaignId: 'spring', variables: { product: 'Compass' }, campaign: { id: 'spring' } };
    this.context = { ...campaign, flow, channels, worker: 'm1' };
    const place = {
      run: { _id: 'spring', variables: {} },
      flow,
      contact,
      now: t0,
      partitions: 64,
      traceparent: '00-0-0-01',
    };
    const created = newConversation(place);
    this.conversation = asStored(created.conversation);
    this.count(created.counters);
  }

  /** Takes in what happened up to the decision, and gives the decision's input. */
  happen({ pass, events, answer, slot, room, stop }: Happening): DecideInput {
    this.now += pass;
    if (stop) this.context = { ...this.context, stopped: 'campaign_cancelled' };
    const inbox = [...this.conversation.inbox, ...(events as InboxEvent[])];
    this.conversation = { ...this.conversation, inbox };
    const { inFlight } = this;
    if (inFlight === undefined || answer === undefined) return this.input([], slot, room);
    this.inFlight = undefined;
    const { outcome, lateMs } = answer;
    const handedAt = outcome.kind === 'lost' || outcome.kind === 'held' ? {} : { handedAt: inFlight.decidedAt };
    return this.input([{ ...inFlight, outcome, ...handedAt, answeredAt: this.now - lateMs }], slot, room);
  }

  /** What a decision is made from when nothing happened. */
  input(results: DecideInput['results'], slot: boolean, room: Happening['room']): DecideInput {
    const { conversation, rows } = this;
    const hasRoom = (name: string): boolean => room === 'all' || room === name;
    const awaited = rows.get(conversation.awaiting ?? '');
    return { conversation, results, slot, hasRoom, inFlight: this.inFlight !== undefined, awaited };
  }

  decide(input: DecideInput): Decision {
    return decide(this.context, input, this.now, () => 0.5);
  }

  commit({ unit, send }: Decision): void {
    if (unit?.change) this.conversation = this.changed(unit.change);
    for (const row of unit?.inserts ?? []) this.rows.set(row._id, asStored(row));
    for (const { id, set, unset } of unit?.rows ?? []) {
      const row = { ...this.rows.get(id), ...set } as Message;
      for (const field of unset) delete row[field];
      this.rows.set(id, row);
    }
    for (const change of unit?.escalations ?? []) {
      if (change.kind === 'opened') {
        if (this.escalations.has(change.document._id)) throw new Error(`${change.document._id} is there already`);
        this.escalations.set(change.document._id, change.document.status);
      } else this.escalations.set(change.id, change.set.status);
    }
    if (send) this.inFlight = { row: send, decidedAt: this.now };
    this.count(unit?.counters ?? {});
  }

  private changed({ set, unset, history, version }: NonNullable<Unit['change']>): Conversation {
    const kept = { history: [...this.conversation.history, ...history], version: version + 1 };
    const conversation = { ...this.conversation, ...set, ...kept };
    for (const field of unset) delete conversation[field];
    return conversation;
  }

  private count(delta: Record<string, number>): void {
    for (const [path, by] of Object.entries(delta)) this.counters[path] = (this.counters[path] ?? 0) + by;
  }
}
