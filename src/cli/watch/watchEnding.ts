/** When there is nothing more to wait for. Pure. */
import type { Snapshot } from './watchModel.ts';

/** An ended campaign of which nothing moves for so long is not waited for. */
const settleWithinMs = 15_000;
/** So many looks in a row find nothing moved, however far apart they are. */
const stillLooks = 2;

export class Ending {
  private movedAt = 0;
  /** At the look before; undefined when there is none to compare with. */
  private active: number | undefined;
  private still = 0;

  /** @param now ms of a monotonic clock. */
  isOver({ status, over, metrics }: Pick<Snapshot, 'status' | 'over' | 'metrics'>, now: number): boolean {
    if (over) return true;
    if (!['cancelled', 'deleted', 'failed', 'completed'].includes(status)) {
      this.forget();
      return false;
    }
    const moved = metrics.active !== this.active;
    if (moved) this.movedAt = now;
    this.still = moved ? 0 : this.still + 1;
    this.active = metrics.active;
    return this.still >= stillLooks && now - this.movedAt > settleWithinMs;
  }

  /** Nothing was seen for a while: whether anything moves is to be seen anew. */
  forget(): void {
    this.active = undefined;
  }
}
