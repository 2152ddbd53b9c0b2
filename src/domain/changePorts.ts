/** The change stream, as far as the pipelines see it. It has an in-memory fake and a real adapter, which pass one suite (`test/contract`). */
import type { Id, StreamPosition } from './model.ts';

/** What a change says: where to look, nothing else. */
export type Change =
  | { kind: 'campaign'; id: Id; deleted: boolean }
  | { kind: 'run'; id: Id }
  | { kind: 'conversation'; id: string; partition?: never }
  /** Of any type: others chose it. */
  | { kind: 'enrollment'; id: unknown }
  | { kind: 'partition'; id: number }
  | { kind: 'member'; id: string }
  | { kind: 'inbound'; id: Id }
  | { kind: 'suppression'; id: string }
  | { kind: 'control' }
  | { kind: 'rate'; id: string }
  /** A collection was dropped, renamed, or the stream says something unknown: everything is to be swept. */
  | { kind: 'sweep'; why: string };

export interface ChangeBatch {
  changes: Change[];
  /** Position after this batch; set for empty batches too. */
  position: StreamPosition;
  /** Nothing that was stored when it was asked for is left behind it. */
  complete: boolean;
}

export interface ChangeSource {
  /** Opens behind `position`, or at now. Resolves when the server has the cursor. Throws ServiceError `position_lost` when the history is gone or not ours. */
  open(position: StreamPosition | undefined): Promise<void>;
  /** The next batch; waits up to a second, or `awaitMs` if that is less, and may be empty. Any error leaves the source closed. */
  read(awaitMs?: number): Promise<ChangeBatch>;
  close(): Promise<void>;
}
