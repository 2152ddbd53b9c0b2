import { type SchedulerAction, type SchedulerLike, Subscription } from 'rxjs';
import type { Clock } from '../../src/domain/systemPorts.ts';

/** The time of Rx operators as the member's own clock has it. */
export const clockScheduler = (clock: Pick<Clock, 'now' | 'after'>): SchedulerLike => ({
  now: () => clock.now(),
  schedule: <T>(work: Work<T>, delayMs = 0, state?: T) => new ClockAction<T>(clock, work).schedule(state, delayMs),
});

type Work<T> = (this: SchedulerAction<T>, state: T) => void;

class ClockAction<T> extends Subscription implements SchedulerAction<T> {
  private readonly clock: Pick<Clock, 'after'>;
  private readonly work: Work<T>;

  constructor(clock: Pick<Clock, 'after'>, work: Work<T>) {
    super();
    this.clock = clock;
    this.work = work;
  }

  /** `work` may ask for another turn of itself. */
  schedule(state?: T, delayMs = 0): Subscription {
    if (!this.closed) this.add(this.clock.after(delayMs, () => this.work(state as T)));
    return this;
  }
}
