/** What every pipeline is given: the time, a log, and where to count. */
import type { SendResult } from './channelPorts.ts';
import type { Conversation, Message } from './model.ts';
import type { RateKind } from './ratePorts.ts';
import type { OplogSpan } from './vitalPorts.ts';

export interface Clock {
  /** Wall clock, ms since the epoch. For due times and stamps, never for ownership. */
  now(): number;
  /** Monotonic clock, ms. */
  monotonic(): number;
  /** Calls back after `ms`; returns a function that cancels. */
  after(ms: number, callback: () => void): () => void;
}

export interface Logger {
  error(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  debug(message: string, fields?: Record<string, unknown>): void;
}

/** What is looked at rarely; what is absent was not looked at. */
export interface VitalSigns {
  /** Age of the oldest conversation that is due here and not taken up, ms. */
  dueLagMs?: number;
  /** Of the lanes that stand behind no rate, no open circuit and no stop-all, ms: what more members would take up. */
  dueLagWithRoomMs?: number;
  sendingStopped?: boolean;
  /** Of the cluster. */
  partitions?: number;
  oplog?: OplogSpan;
}

/** Counted and timed by the pipelines; `src/telemetry/metrics.ts` turns it into Prometheus series. Names say the unit. */
export interface Instruments {
  /** Conversations that were created (`active`) or reached this end. */
  conversations(status: Conversation['status'], count: number): void;
  /** Rows by channel and the status a committed round gave them. */
  messages(channel: string, status: Message['status'], count: number): void;
  /** One committed round: how long, how many conversations. */
  round(durationMs: number, units: number): void;
  /**
   * How late due work was decided, once per conversation taken from its lane whose decision was committed. `traceparent`, here and
   * below: of a trace that is recorded, where it can be looked at.
   */
  lateness(ms: number, traceparent?: string): void;
  /** From handing over to the answer, per send. */
  send(channel: string, durationMs: number, result: SendResult['kind'], traceparent?: string): void;
  /** From due to the answer that it was taken, per message, once committed. */
  dueToSent(channel: string, ms: number): void;
  /** A message that waited for a slot of a rate left: how long it did. Once a message and wait, under the rate that it met first. */
  rateWait(kind: RateKind, ms: number): void;
  /** Rows without an answer, taken up under the same key: `lost` with another member, or `held` back and never left. */
  recovered(channel: string, kind: 'lost' | 'held', count: number): void;
  /** What one comparison with the documents found to stand still, of one kind; 0 when it found nothing. */
  standing(kind: string, count: number): void;
  /** What was stored up to so long ago has been taken in from the change stream. */
  positionAge(ms: number): void;
  vitals(found: VitalSigns): void;
  /** Age of the change stream's last batch (empty ones count). */
  streamLag(ms: number): void;
  partitionsOwned(count: number): void;
  inDoubt(count: number): void;
  /** A channel's circuit changed: what may be handed over to its provider. */
  circuit(channel: string, state: 'closed' | 'half_open' | 'open'): void;
  /** Transactions of the ledger by outcome. */
  transaction(outcome: 'committed' | 'retried' | 'failed'): void;
  /** Events worth an alert: position_lost, fenced, taken_over, poisoned, stream_reopened, reconciled, campaign_failed, inbound_failed, guard_tripped, circuit_opened; and those that tell churn: joined, left, partitions_gained, partitions_lost. */
  event(name: string, count?: number): void;
}
