/** What the main thread and a member's thread tell each other, and what a member is to its thread. Plain data only: it is cloned. */
import type { Config } from '../config.ts';
import type { Clock, Instruments } from '../domain/systemPorts.ts';
import type { Tracer } from '../domain/tracePorts.ts';
import type { FieldLogger } from '../telemetry/logger.ts';
import type { MetricsSnapshot } from '../telemetry/metrics.ts';

export interface MemberStatus {
  /** "" until the member joined for the first time. */
  memberId: string;
  joined: boolean;
  streamOpen: boolean;
  /** The last commit or heartbeat is within the lease. */
  leaseValid: boolean;
  partitions: number;
  inDoubt: number;
  /** False once the pipelines stopped although nobody asked them to. Looked at only while `joined`. */
  pipelinesRunning: boolean;
  /** Why it is not ready, for people. */
  detail?: string;
}

/** Before it joined; `detail` says why it has not. */
export const notJoined = (detail: string): MemberStatus => ({
  memberId: '',
  joined: false,
  streamOpen: false,
  leaseValid: false,
  partitions: 0,
  inDoubt: 0,
  pipelinesRunning: false,
  detail,
});

export interface RunningMember {
  status(): MemberStatus;
  /** Takes no more, finishes what is in flight, hands its partitions over. */
  stop(): Promise<void>;
  /** Resolves after `stop`; rejects when the member failed for good. */
  finished: Promise<void>;
}

export interface MemberDeps {
  config: Config;
  thread: number;
  /** Its lines carry `thread`. */
  logger: FieldLogger;
  instruments: Instruments;
  /** Absent: nobody asked for traces. */
  tracer?: Tracer | undefined;
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Aborted when the thread is asked to stop before the member has started. */
  signal: AbortSignal;
}
export type StartMember = (deps: MemberDeps) => Promise<RunningMember>;

/** `workerData` of a thread. */
export interface ThreadData {
  kind: 'communication-base/member';
  thread: number;
  config: Config;
}

export type ToThread = { type: 'stop' } | { type: 'metrics'; id: number };

export type FromThread =
  | { type: 'status'; status: MemberStatus }
  | { type: 'metrics'; id: number; snapshot: MetricsSnapshot }
  | { type: 'log'; line: string }
  /** The thread ends, and another one would end the same way: the process is to end. */
  | { type: 'final'; code: string; message: string };

export const isThreadData = (data: unknown): data is ThreadData =>
  typeof data === 'object' && data !== null && (data as { kind?: unknown }).kind === 'communication-base/member';
