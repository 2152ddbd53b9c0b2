/**
 * A campaign on a virtual clock: the worker's own decisions over conversations in memory, with channels and contacts that do
 * as they are told. It knows nothing of flows but what `decide` and the conversation say. Pure; the same input, the same messages.
 */
import { ChannelPace } from './channelPace.ts';
import type { SendResult } from './channelPorts.ts';
import { decide, newConversation } from './conversation.ts';
import type { FlowContext } from './decision.ts';
import { draws } from './draws.ts';
import { sequenceOf } from './ids.ts';
import type { Conversation, Message } from './model.ts';
import type { RowResult } from './outbox.ts';
import { type Chance, counts, happens, type SimulatedEvent } from './simulatedEvents.ts';
import { SimulatedLimits } from './simulatedLimits.ts';
import { SimulatedOutbox } from './simulatedOutbox.ts';
import { becauseOf, type SimulationInput, type SimulationListener } from './simulationModel.ts';
import { simulatedText } from './standIns.ts';
import { TimeQueue } from './timeQueue.ts';
import { addDuration } from './timing.ts';

export type {
  OpenBecause,
  SimulatedMessage,
  SimulationInput,
  SimulationListener,
} from './simulationModel.ts';

type Happening =
  | { kind: 'enter'; who: number }
  | { kind: 'due'; who: number }
  | { kind: 'answer'; who: number; row: Message; decidedAt: number }
  | { kind: 'event'; who: number; type: SimulatedEvent['type']; id: string; row: Message }
  | { kind: 'wake'; channel: string }
  | { kind: 'end' };

/** One contact's conversation, and what a store and a channel would know of it. */
interface Subject {
  readonly who: number;
  conversation: Conversation;
  isInFlight: boolean;
  /** When its turn is; an older entry of the queue counts for nothing. */
  dueAt: number | undefined;
  /** Since when it waits for room on its channel. */
  waitsSince: number | undefined;
  /** ms that it waited for room so far. */
  waitedMs: number;
}

export class Simulation {
  /** Of the clock, ms since the epoch. */
  now: number;
  /** Conversations that are active. */
  open = 0;
  /** Nothing is left to happen, whatever `until` says. */
  isDone = false;
  private readonly input: SimulationInput;
  private readonly listener: SimulationListener;
  private context: FlowContext;
  /** Everybody is in. */
  private isEntered = false;
  private readonly random: () => number;
  private readonly queue = new TimeQueue<Happening>();
  private readonly paces: ReadonlyMap<string, ChannelPace>;
  /** Of the campaign itself (`limits.perSecond`), over all channels. */
  private readonly own: ChannelPace | undefined;
  /** When a channel is looked at next; another time in the queue counts for nothing. */
  private readonly wakes = new Map<string, number>();
  private readonly outbox: SimulatedOutbox;
  /** Those that are over are let go. */
  private readonly subjects = new Map<number, Subject>();
  private readonly limits = new SimulatedLimits();
  /** Ended, with a message still on its way. */
  private readonly ended = new Set<number>();

  constructor(input: SimulationInput, listener: SimulationListener) {
    this.input = input;
    this.listener = listener;
    this.outbox = new SimulatedOutbox(listener);
    const { ramp } = input.context;
    this.context = ramp ? { ...input.context, ramp: { ...ramp, startedAt: input.startAt } } : input.context;
    this.now = input.startAt;
    this.random = draws(input.seed);
    this.paces = new Map([...input.paces].map(([name, facts]) => [name, new ChannelPace(facts)]));
    const { perSecond } = input;
    const anyNumber = { concurrency: Number.POSITIVE_INFINITY, latencyMs: 0 };
    this.own = perSecond === undefined ? undefined : new ChannelPace({ ...anyNumber, perSecond });
    this.queue.put(input.startAt, { kind: 'enter', who: 0 });
    if (input.endAt !== undefined) this.queue.put(input.endAt, { kind: 'end' });
  }

  /** Goes on by so many steps. False when nothing more happens, or nothing before `until`. */
  run(steps: number): boolean {
    for (let step = 0; step < steps; step += 1) {
      const next = this.queue.take();
      // what is left when all is over (an end, late replies) is no part of the campaign
      this.isDone = next === undefined || (this.isEntered && this.subjects.size === 0);
      if (next === undefined || this.isDone || next.at > this.input.until) return false;
      this.now = next.at;
      this.happen(next.item);
    }
    return true;
  }

  private happen(item: Happening): void {
    switch (item.kind) {
      case 'enter':
        this.enter(item.who);
        return;
      case 'due':
        this.due(item.who);
        return;
      case 'answer':
        this.answered(item);
        return;
      case 'event':
        this.event(item);
        return;
      case 'wake':
        if (this.wakes.get(item.channel) === this.now) this.serve(item.channel);
        return;
      case 'end':
        this.end();
        return;
    }
  }

  private enter(who: number): void {
    const { run, contacts } = this.input;
    const contact = contacts[who];
    if (contact === undefined) {
      this.isEntered = true;
      return;
    }
    this.queue.put(this.now, { kind: 'enter', who: who + 1 });
    const { conversation, counters } = newConversation({
      ...{ run, flow: this.context.flow, contact, now: this.now, partitions: 1, traceparent: '' },
    });
    const subject: Subject = {
      ...{ who, conversation, isInFlight: false },
      ...{ dueAt: undefined, waitsSince: undefined, waitedMs: 0 },
    };
    this.subjects.set(who, subject);
    this.open += 1;
    this.listener.counted(counters);
    this.plan(subject);
  }

  private due(who: number): void {
    const subject = this.subjects.get(who);
    if (subject?.dueAt === this.now) this.takeTurn(subject);
  }

  /** Its lane is served: it decides, unless its channel has no room. */
  private takeTurn(subject: Subject): void {
    subject.dueAt = undefined;
    const channel = subject.conversation.nextChannel as string;
    const pace = this.paces.get(channel);
    if (pace !== undefined && !this.hasRoom(channel)) {
      subject.waitsSince = this.now;
      pace.wait(subject.who);
      this.wakeLater(channel, pace);
      return;
    }
    const before = subject.conversation;
    this.decide(subject, [], true);
    // nothing was decided and it is still due: by nobody's doing but an event's will it move
    if (subject.conversation === before && subject.dueAt === this.now) subject.dueAt = undefined;
  }

  private readonly hasRoom = (channel: string): boolean => {
    const pace = this.paces.get(channel);
    return pace === undefined || (pace.hasRoom(this.now) && (this.own?.hasRoom(this.now) ?? true));
  };

  private wakeLater(channel: string, pace: ChannelPace): void {
    if (pace.wakeAt === undefined) return;
    const wakeAt = Math.max(pace.wakeAt, this.own?.freeAt ?? pace.wakeAt);
    if (this.wakes.get(channel) === wakeAt) return;
    this.wakes.set(channel, wakeAt);
    this.queue.put(wakeAt, { kind: 'wake', channel });
  }

  /** There may be room: whoever waits longest comes first. */
  private serve(channel: string): void {
    const pace = this.paces.get(channel);
    if (pace === undefined) return;
    while (pace.isWaitedFor && this.hasRoom(channel)) {
      const subject = this.subjects.get(pace.nextWaiting() as number);
      // an event moved it meanwhile
      if (subject?.waitsSince === undefined) continue;
      subject.waitedMs += this.now - subject.waitsSince;
      subject.waitsSince = undefined;
      this.takeTurn(subject);
    }
    if (pace.isWaitedFor) this.wakeLater(channel, pace);
  }

  private answered({ who, row, decidedAt }: Extract<Happening, { kind: 'answer' }>): void {
    const subject = this.subjects.get(who) as Subject;
    this.paces.get(row.channel)?.end();
    subject.isInFlight = false;
    const outcome = this.outcomeOf(row);
    this.decide(subject, [{ row, outcome, decidedAt, handedAt: decidedAt, answeredAt: this.now }], false);
    if (outcome.kind === 'sent') this.follow(row, who);
    this.serve(row.channel);
  }

  private outcomeOf({ _id, stage, step, attempts }: Message): SendResult {
    const { failures, retries, answers = {}, seed } = this.input;
    const message = { stage, step, sequence: sequenceOf(_id) };
    const isDrawn = (chances: readonly Chance[], kind: string): boolean =>
      chances.some((chance, n) => counts(chance, message) && happens(chance, seed, `${kind} ${n}`, _id));
    if (attempts === 1 && isDrawn(retries, 'retry'))
      return { kind: 'retry', code: 'simulated', message: 'put off by the simulation', counts: true };
    if (isDrawn(failures, 'failure'))
      return { kind: 'rejected', code: 'simulated', message: 'refused by the simulation' };
    const answer = Object.hasOwn(answers, stage) ? answers[stage] : undefined;
    return answer === undefined ? { kind: 'sent' } : { kind: 'sent', answer };
  }

  /** What comes of a message that was sent. */
  private follow(sent: Message, who: number): void {
    const { events, seed } = this.input;
    const { _id, stage, step } = sent;
    const message = { stage, step, sequence: sequenceOf(_id) };
    for (const [n, event] of events.entries()) {
      const id = `${event.type} ${n}`;
      if (!counts(event, message) || !happens(event, seed, id, _id)) continue;
      const at = addDuration(this.now, event.after);
      const row: Message = { ...sent, status: 'sent', handedAt: new Date(this.now) };
      // an event that is there before a follow-up is committed comes first
      this.queue.put(at, { kind: 'event', who, type: event.type, id: `${id} ${_id}`, row }, true);
    }
  }

  private event({ who, type, id, row }: Extract<Happening, { kind: 'event' }>): void {
    const subject = this.subjects.get(who);
    if (subject === undefined) return;
    const { conversation } = subject;
    const said = type === 'reply' ? { text: simulatedText } : {};
    const about = { channel: row.channel, data: { messageId: row._id } };
    const event = { id, type, ...about, ...said, at: new Date(this.now) };
    subject.conversation = { ...conversation, inbox: [...conversation.inbox, event] };
    this.decide(subject, [], false, [row]);
  }

  private end(): void {
    this.context = { ...this.context, stopped: 'campaign_ended' };
    for (const subject of [...this.subjects.values()]) {
      if (subject.conversation.status !== 'active') continue;
      this.listener.cutOff(becauseOf(subject, this.now));
      this.decide(subject, [], false);
    }
  }

  /** `named`: messages that the inbox may name. */
  private decide(subject: Subject, results: readonly RowResult[], slot: boolean, named: readonly Message[] = []): void {
    const { conversation, isInFlight } = subject;
    const { awaiting } = conversation;
    const awaited = awaiting === undefined ? undefined : this.outbox.row(awaiting);
    const limits = this.limits.factsOf(conversation, this.context, this.open, this.now);
    const {
      unit,
      send,
      conversation: after,
    } = decide(
      this.context,
      { conversation, results, slot, hasRoom: this.hasRoom, inFlight: isInFlight, awaited, limits, rows: named },
      this.now,
      this.random,
    );
    if (unit !== undefined) {
      subject.conversation = after;
      if (unit.limits) this.limits.apply(unit.limits);
      this.outbox.commit(after, unit, this.now);
    }
    if (send !== undefined) this.handOver(subject, send);
    this.plan(subject);
  }

  private handOver(subject: Subject, row: Message): void {
    const pace = this.paces.get(row.channel);
    pace?.begin(this.now);
    this.own?.begin(this.now);
    subject.isInFlight = true;
    const at = this.now + (pace?.latencyMs ?? 0);
    this.queue.put(at, { kind: 'answer', who: subject.who, row, decidedAt: this.now });
  }

  /** When its turn comes again; what is over and has no message on its way is let go. */
  private plan(subject: Subject): void {
    const { conversation, isInFlight, who } = subject;
    const { status, nextActionAt } = conversation;
    subject.dueAt = undefined;
    subject.waitsSince = undefined;
    if (status !== 'active') {
      if (!this.ended.has(who)) this.over(subject);
      if (isInFlight) return;
      this.ended.delete(who);
      this.subjects.delete(who);
      return;
    }
    if (isInFlight || nextActionAt === undefined) return;
    subject.dueAt = Math.max(nextActionAt.getTime(), this.now);
    this.queue.put(subject.dueAt, { kind: 'due', who });
  }

  private over({ who, conversation }: Subject): void {
    this.ended.add(who);
    this.open -= 1;
    this.listener.ended(conversation, this.now);
  }
}
