import { inboundKey as keyOf } from '../src/domain/inbound.ts';
import type { Id } from '../src/domain/model.ts';
import type { Clock } from '../src/domain/systemPorts.ts';

/** A message id that its provider told others before it told us is waited for so long, ms. */
const earlyMs = 60_000;
const everyMs = 1000;
/** Then after twice as long each time, this at most. */
const longestMs = 4_000;

/** An event that names a message nobody knows yet; monotonic ms. */
interface Early {
  id: Id;
  /** Waits so long at most. */
  until: number;
  /** When it is looked at again, and how long after the last look that is. */
  nextAt: number;
  waitMs: number;
}

export interface EarlyEventsParams {
  clock: Pick<Clock, 'monotonic' | 'after'>;
  signal: AbortSignal;
  isOurs: (id: Id) => boolean;
  /** Looks at these again. */
  again: (ids: readonly Id[]) => void;
}

/** Inbound events that came before their message is known. One timer looks after all of them. */
export class EarlyEvents {
  private readonly params: EarlyEventsParams;
  /** By key. */
  private readonly waiting = new Map<string, Early>();
  private isTimed = false;

  constructor(params: EarlyEventsParams) {
    this.params = params;
  }

  has(key: string): boolean {
    return this.waiting.has(key);
  }

  forget(key: string): void {
    this.waiting.delete(key);
  }

  /** It names a message that is not known: whether it waited long enough. Else it waits from now on. */
  isOverdue(id: Id): boolean {
    const now = this.params.clock.monotonic();
    const key = keyOf(id);
    const waiting = this.waiting.get(key);
    if (waiting !== undefined) return now >= waiting.until;
    this.waiting.set(key, { id, until: now + earlyMs, nextAt: now + everyMs, waitMs: everyMs });
    this.time();
    return false;
  }

  private time(): void {
    const { clock, signal, again } = this.params;
    if (this.isTimed || this.waiting.size === 0 || signal.aborted) return;
    this.isTimed = true;
    clock.after(everyMs, () => {
      this.isTimed = false;
      if (!signal.aborted) again(this.due());
      this.time();
    });
  }

  /** Those whose next look has come; what is not ours any more is somebody else's to wait for. */
  private due(): Id[] {
    const now = this.params.clock.monotonic();
    const due: Id[] = [];
    for (const [key, one] of this.waiting) {
      if (!this.params.isOurs(one.id)) this.waiting.delete(key);
      else if (one.nextAt <= now) {
        one.waitMs = Math.min(2 * one.waitMs, longestMs);
        one.nextAt = Math.min(now + one.waitMs, Math.max(one.until, now + everyMs));
        due.push(one.id);
      }
    }
    return due;
  }
}
