import type { Decision } from '../src/domain/decision.ts';
import type { Clock } from '../src/domain/systemPorts.ts';
import { isSampled } from '../src/domain/trace.ts';
import type { FinishedSpan, Tracer } from '../src/domain/tracePorts.ts';
import type { Candidate } from './load.ts';
import { attribute } from './spans.ts';

type Phase = 'load' | 'decide' | 'commit';
type Span = { startMs: number; endMs: number };

/**
 * One round as spans: a trace of its own (`round` with `load`, `decide`, `commit`), and in each conversation that is sampled what
 * was decided there, linked to it. Nothing is told of a round without such conversations. Every span of a conversation is
 * right below its root: what a killed worker took with it leaves no other without a parent.
 */
export class RoundTrace {
  private readonly tracer: Tracer;
  private readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  private readonly startMs: number;
  private readonly began: number;
  private readonly phases: (Span & { name: Phase })[] = [];
  /** Of the round's own trace, from the first conversation on that has to do with it. */
  private own: string | undefined;
  private last: number;

  constructor(tracer: Tracer, clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.tracer = tracer;
    this.clock = clock;
    this.startMs = clock.now();
    this.began = clock.monotonic();
    this.last = this.startMs;
  }

  /** A phase is over: it took from the end of the one before until now. */
  phase(name: Phase): void {
    const endMs = this.now();
    this.phases.push({ name, startMs: this.last, endMs });
    this.last = endMs;
  }

  /** What was decided of a conversation is committed. */
  committed(candidate: Candidate, decision: Decision): void {
    const { conversation } = candidate;
    if (!isSampled(conversation.trace)) return;
    const { unit, conversation: after } = decision;
    // that a message went out as planned is told by its own span
    if (unit === undefined || (unit.change === undefined && unit.inserts.length === 0)) return;
    const tell = this.teller(conversation.trace?.traceparent, {
      [attribute.stage]: after.stage,
      [attribute.step]: after.step,
    });
    for (const event of consumed(conversation.inbox, after.inbox)) tell(eventSpan(event));
    const { inserts, escalations, change } = unit;
    const made = {
      [attribute.status]: after.status,
      'communication_base.answers': candidate.results.map(({ outcome }) => outcome.kind),
      'communication_base.messages': inserts.map(({ _id }) => _id),
      [attribute.reason]: inserts.find(({ reason }) => reason !== undefined)?.reason,
    };
    const isEnd = change?.set.status !== undefined && after.status !== 'active';
    if (!isEnd) tell({ name: 'decide', attributes: made });
    if (escalations?.some(({ kind }) => kind === 'opened')) tell({ name: 'escalation', attributes: {} });
    if (!isEnd) return;
    const { outcome, reason = made[attribute.reason], error } = after;
    const attributes = { ...made, [attribute.outcome]: outcome, [attribute.reason]: reason };
    tell({ name: 'completion', attributes, error: error?.code });
  }

  /** `conversations`: those that were written. */
  end(conversations: number): void {
    if (this.own === undefined) return;
    const attributes = { 'communication_base.round.conversations': conversations };
    this.tracer.span({ name: 'round', own: this.own, startMs: this.startMs, endMs: this.now(), attributes });
    for (const phase of this.phases) this.tracer.span({ ...phase, parent: this.own, attributes: {} });
  }

  private traceparent(): string {
    this.own ??= this.tracer.sampledTraceparent();
    return this.own;
  }

  /** Spans of one conversation: as long as deciding and committing took in the pass that is under way. */
  private teller(parent: string | undefined, place: FinishedSpan['attributes']) {
    const here = { startMs: this.last, endMs: this.last };
    const { startMs } = this.phases.at(-2) ?? here;
    const { endMs } = this.phases.at(-1) ?? here;
    const links = [this.traceparent()];
    return (span: Pick<FinishedSpan, 'name' | 'kind' | 'attributes' | 'error'>): void =>
      this.tracer.span({ ...span, parent, links, startMs, endMs, attributes: Object.assign(span.attributes, place) });
  }

  private now(): number {
    return this.startMs + this.clock.monotonic() - this.began;
  }
}

/** What of the inbox is in it no longer; whatever others pushed may be there. */
function consumed(before: unknown, after: unknown): Record<string, unknown>[] {
  if (!Array.isArray(before)) return [];
  const left = new Set<unknown>(Array.isArray(after) ? after : []);
  return before.filter((event) => !left.has(event) && typeof event === 'object' && event !== null);
}

/** Others wrote it: what is no name, but may be an address or a text, is not told. */
function nameOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' && /^[a-z][\w.-]{0,63}$/i.test(value) ? value : 'other';
}

/** What somebody pushed into an inbox is handled: a consumer's span (OpenTelemetry, messaging conventions). Nothing of what it says is told. */
const eventSpan = (event: Record<string, unknown>) => ({
  name: 'event',
  kind: 'consumer' as const,
  attributes: {
    'messaging.system': 'communication_base',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': 'inbox',
    'communication_base.event.type': nameOf(event['type']),
    'communication_base.event.channel': nameOf(event['channel']),
  },
});
