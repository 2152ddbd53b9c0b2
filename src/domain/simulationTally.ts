/** What came of a simulation, in figures whose size does not grow with the audience. */
import { Distribution, quantise } from './distribution.ts';
import { foldCounters } from './metrics.ts';
import type { Conversation, CounterDelta, Flow, Id, Metrics } from './model.ts';
import { isSame } from './queryValues.ts';
import type { OpenBecause, SimulatedDelay, SimulatedMessage, SimulationListener } from './simulationModel.ts';

const hourMs = 3_600_000;
/** Contacts that a line names. */
const mostNamed = 3;

export interface StepLine {
  stage: string;
  step: number;
  channel: string;
  sent: number;
  /** Others by status. */
  failed: number;
  skipped: number;
  uncertain: number;
  /** Of those that were sent; ms since the start. Percentiles are at most 0.1 % late. */
  firstMs?: number;
  p50Ms?: number;
  p99Ms?: number;
  lastMs?: number;
}

export interface HourLoad {
  /** Begin of the hour, UTC. */
  at: Date;
  count: number;
}

export interface ChannelLoad {
  channel: string;
  sent: number;
  peak: HourLoad;
  /** In the order of time; hours without a message are left out. */
  hours: HourLoad[];
}

/** Messages that did not leave, or conversations that ended otherwise than `completed`. */
export interface NotSent {
  status: string;
  reason: string;
  count: number;
  /** The first contacts, each once. */
  contacts: Id[];
}

/** Messages that a limit put off. */
export interface PutOff {
  because: SimulatedDelay['because'];
  count: number;
  /** The first contacts. */
  contacts: Id[];
}

export interface SimulationFigures {
  metrics: Metrics;
  stages: { stage: string; entered: number; sent: number; replied: number }[];
  steps: StepLine[];
  load: ChannelLoad[];
  messages: NotSent[];
  putOff: PutOff[];
  conversations: NotSent[];
  /** What the conversations that `endAt` cut off had been waiting for. */
  cutOff: { because: OpenBecause; count: number }[];
  /** The last message that was sent; absent when none was. */
  lastSentAt?: Date;
  /** When the last conversation ended; absent when none did. */
  lastEndedAt?: Date;
}

interface StepCounts {
  line: StepLine;
  times: Distribution;
  firstMs: number;
}

const stepKey = ({ stage, step, channel }: SimulatedMessage): string => `${stage} ${step} ${channel}`;

export class SimulationTally implements SimulationListener {
  private readonly startAt: number;
  private readonly counters: Record<string, number> = {};
  private readonly steps = new Map<string, StepCounts>();
  private readonly load = new Map<string, Map<number, number>>();
  private readonly notSent = new Map<string, NotSent>();
  private readonly delays = new Map<string, PutOff>();
  private readonly notCompleted = new Map<string, NotSent>();
  private readonly cut = new Map<OpenBecause, number>();
  private lastSent = Number.NEGATIVE_INFINITY;
  private lastEnded = Number.NEGATIVE_INFINITY;

  constructor(startAt: number) {
    this.startAt = startAt;
  }

  message(message: SimulatedMessage): void {
    const { status, channel, contactId } = message;
    const at = message.at.getTime();
    const counted = this.stepOf(message);
    const { line } = counted;
    if (status === 'failed' || status === 'skipped' || status === 'uncertain') line[status] += 1;
    if (status !== 'sent') {
      note(this.notSent, status, message.reason ?? 'stopped', contactId);
      return;
    }
    line.sent += 1;
    const ms = at - this.startAt;
    counted.times.add({ bucketMs: quantise(ms), count: 1, maxMs: ms });
    counted.firstMs = Math.min(counted.firstMs, ms);
    const hours = this.load.get(channel) ?? new Map<number, number>();
    const hour = Math.floor(at / hourMs);
    hours.set(hour, (hours.get(hour) ?? 0) + 1);
    this.load.set(channel, hours);
    this.lastSent = Math.max(this.lastSent, at);
  }

  delayed({ because, contactId }: SimulatedDelay): void {
    const known = this.delays.get(because) ?? { because, count: 0, contacts: [] };
    known.count += 1;
    nameOnce(known.contacts, contactId);
    this.delays.set(because, known);
  }

  counted(delta: CounterDelta): void {
    for (const [path, by] of Object.entries(delta)) this.counters[path] = (this.counters[path] ?? 0) + by;
  }

  ended({ status, reason, outcome, error, contact }: Conversation, at: number): void {
    this.lastEnded = Math.max(this.lastEnded, at);
    if (status === 'completed') return;
    note(this.notCompleted, status, reason ?? error?.code ?? String(outcome), contact.id);
  }

  cutOff(because: OpenBecause): void {
    this.cut.set(because, (this.cut.get(because) ?? 0) + 1);
  }

  /** `flow`: its stages come in its order. */
  figures({ stages }: Pick<Flow, 'stages'>): SimulationFigures {
    const order = new Map(stages.map(({ id }, index) => [id, index]));
    const place = ({ stage }: { stage: string }): number => order.get(stage) ?? stages.length;
    const { metrics } = foldCounters([{ counts: nested(this.counters) }], new Date(this.lastEnded));
    const { updatedAt: _, ...figures } = metrics;
    return {
      metrics: figures as Metrics,
      stages: stages.map(({ id }) => {
        const { entered = 0, sent = 0, replied = 0 } = (Object.hasOwn(metrics.stages, id) && metrics.stages[id]) || {};
        return { stage: id, entered, sent, replied };
      }),
      steps: [...this.steps.values()]
        .map(finished)
        .toSorted((a, b) => place(a) - place(b) || a.step - b.step || (a.channel < b.channel ? -1 : 1)),
      load: [...this.load].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([channel, hours]) => loadOf(channel, hours)),
      messages: byCount(this.notSent),
      putOff: [...this.delays.values()].toSorted((a, b) => b.count - a.count),
      conversations: byCount(this.notCompleted),
      cutOff: [...this.cut].map(([because, count]) => ({ because, count })).toSorted((a, b) => b.count - a.count),
      ...(Number.isFinite(this.lastSent) ? { lastSentAt: new Date(this.lastSent) } : {}),
      ...(Number.isFinite(this.lastEnded) ? { lastEndedAt: new Date(this.lastEnded) } : {}),
    };
  }

  private stepOf(message: SimulatedMessage): StepCounts {
    const key = stepKey(message);
    const known = this.steps.get(key);
    if (known !== undefined) return known;
    const { stage, step, channel } = message;
    const line = { stage, step, channel, sent: 0, failed: 0, skipped: 0, uncertain: 0 };
    const made = { line, times: new Distribution(), firstMs: Number.POSITIVE_INFINITY };
    this.steps.set(key, made);
    return made;
  }
}

function note(map: Map<string, NotSent>, status: string, reason: string, contact: Id): void {
  const key = `${status} ${reason}`;
  const known = map.get(key) ?? { status, reason, count: 0, contacts: [] };
  known.count += 1;
  nameOnce(known.contacts, contact);
  map.set(key, known);
}

function nameOnce(contacts: Id[], contact: Id): void {
  if (contacts.length < mostNamed && !contacts.some((one) => isSame(one, contact))) contacts.push(contact);
}

const byCount = (map: ReadonlyMap<string, NotSent>): NotSent[] =>
  [...map.values()].toSorted((a, b) => b.count - a.count);

function finished({ line, times, firstMs }: StepCounts): StepLine {
  const figures = times.figures();
  if (figures === undefined) return line;
  return { ...line, firstMs, p50Ms: figures.p50Ms, p99Ms: figures.p99Ms, lastMs: figures.maxMs };
}

function loadOf(channel: string, counts: ReadonlyMap<number, number>): ChannelLoad {
  const hours = [...counts]
    .toSorted(([a], [b]) => a - b)
    .map(([hour, count]) => ({ at: new Date(hour * hourMs), count }));
  const peak = hours.reduce((best, hour) => (hour.count > best.count ? hour : best));
  return { channel, sent: hours.reduce((sum, { count }) => sum + count, 0), peak, hours };
}

/** `stages.intro.sent` as `{stages: {intro: {sent}}}`, as `$inc` of a store makes it; ids of stages have no dots. */
function nested(counters: Readonly<Record<string, number>>): Record<string, unknown> {
  const root: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [path, value] of Object.entries(counters)) {
    const parts = path.split('.');
    let at = root;
    for (const part of parts.slice(0, -1)) {
      at[part] ??= Object.create(null) as Record<string, unknown>;
      at = at[part] as Record<string, unknown>;
    }
    at[String(parts.at(-1))] = value;
  }
  return root;
}
