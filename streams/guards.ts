import type { Fault } from '../src/domain/errors.ts';
import { judge, type Mark, resumedAt, startMark, withMark } from '../src/domain/guard.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Id, Run } from '../src/domain/model.ts';

/** What a guard looks back on. */
interface Watched {
  /** Of the period its marks are of. */
  resumedAt: number | undefined;
  isPaused: boolean;
  marks: Mark[];
}

/**
 * Watches the folded counters of the runs that have a guard. Each resume begins anew, from what was counted last while it was
 * paused. What was seen is kept in memory alone: whoever takes a campaign on that was resumed begins anew too.
 */
export class Guards {
  private readonly watched = new Map<string, Watched>();

  /** Takes in what is counted by now. A fault: the run is to be paused. */
  see(run: Run, now: Mark): Fault | undefined {
    const { guard, startedAt, endReason } = run;
    const key = campaignKey(run._id);
    if (startedAt === undefined || endReason !== undefined) {
      this.watched.delete(key);
      return undefined;
    }
    if (guard === undefined) {
      // one that is given while it runs judges what comes from then on
      this.watched.set(key, { resumedAt: resumedAt(run), isPaused: true, marks: [now] });
      return undefined;
    }
    const isPaused = run.status !== 'running';
    const marks = isPaused ? [] : this.marksOf(run);
    const fault = marks.length > 0 ? judge(guard, marks, now) : undefined;
    this.watched.set(key, { resumedAt: resumedAt(run), isPaused, marks: withMark(marks, now) });
    return fault;
  }

  /** Of the period that the run is in; empty where its beginning was not seen. */
  private marksOf(run: Run): readonly Mark[] {
    const known = this.watched.get(campaignKey(run._id));
    const since = resumedAt(run);
    if (known === undefined) return since === undefined ? [startMark] : [];
    return known.isPaused || known.resumedAt === since ? known.marks : [];
  }

  forget(id: Id): void {
    this.watched.delete(campaignKey(id));
  }
}
