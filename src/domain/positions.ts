/** Up to which position of the change stream everything is done. */
import type { StreamPosition } from './model.ts';

interface OpenBatch {
  position: StreamPosition;
  open: number;
}

/**
 * Batches are opened in the order of the stream and finish in any; `done` is the position of the last batch that is
 * finished together with all before it. A position never goes backwards, but for `rewind`.
 */
export class PositionTracker {
  private readonly batches: OpenBatch[] = [];
  private current: StreamPosition | undefined;

  get done(): StreamPosition | undefined {
    return this.current;
  }

  /** Batches that are not finished. */
  get open(): number {
    return this.batches.length;
  }

  /** A batch with `hints` things to do; each is told finished by the function returned. */
  begin(position: StreamPosition, hints: number): () => void {
    const batch = { position, open: hints };
    this.batches.push(batch);
    this.settle();
    return () => {
      batch.open -= 1;
      this.settle();
    };
  }

  /** The stream was opened anew, behind `position`: what is still open belongs to the old one and no longer counts. */
  rewind(position: StreamPosition | undefined): void {
    this.batches.length = 0;
    this.current = position;
  }

  private settle(): void {
    for (let first = this.batches[0]; first !== undefined && first.open <= 0; first = this.batches[0]) {
      this.current = first.position;
      this.batches.shift();
    }
  }
}

/** The earlier of two positions of one history; undefined counts as "from the very start", which is earlier than any. */
export function earlier(a: StreamPosition | undefined, b: StreamPosition | undefined): StreamPosition | undefined {
  if (a === undefined || b === undefined) return undefined;
  return a.token <= b.token ? a : b;
}
