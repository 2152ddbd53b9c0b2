import { from, map, merge, type Observable, type SchedulerLike, Subject } from 'rxjs';
import type { RowResult } from '../src/domain/outbox.ts';
import { batchWhileBusy } from './operators/batchWhileBusy.ts';
import type { RoundInput, RoundReport } from './round.ts';

export interface ConversationsParams {
  results$: Observable<RowResult>;
  /** Asks for a round when a lane is due. */
  due$: Observable<void>;
  hints: HintQueue;
  round: (inputs: readonly RoundInput[]) => Promise<RoundReport>;
  batchSize: number;
  windowMs: number;
  /** Rows whose answers are still to come or to be recorded: with a quarter of them a round is worth starting. */
  inDoubt: () => number;
  /** Times the window. */
  scheduler: SchedulerLike;
}

/** Fewer inputs than this wait for company even when nothing else is on its way. */
const smallRound = 64;

/** Answers of channels, hints of the change stream and of sweeps, and what is due: collected while a round runs, then the next round. */
export function conversations$(params: ConversationsParams): Observable<RoundReport> {
  return merge(
    params.results$.pipe(map((result): RoundInput => ({ kind: 'result', result }))),
    params.hints.inputs$,
    params.due$.pipe(map((): RoundInput => ({ kind: 'due' }))),
  ).pipe(
    batchWhileBusy((inputs) => from(params.round(inputs)), {
      windowMs: params.windowMs,
      maxSize: params.batchSize,
      enough: () => Math.max(smallRound, params.inDoubt() >> 2),
      scheduler: params.scheduler,
    }),
  );
}

/**
 * Hints on their way to a round. `offer` resolves once a committed round has handled them, which is what holds back the
 * reader of the change stream and the pages of a sweep; so a few batches at most wait here.
 */
export class HintQueue {
  private readonly subject = new Subject<RoundInput>();
  private readonly waiting = new Set<ReadonlySet<string>>();
  readonly inputs$: Observable<RoundInput> = this.subject.asObservable();

  offer(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const own = new Set(ids);
      this.waiting.add(own);
      const done = (): void => {
        this.waiting.delete(own);
        resolve();
      };
      this.subject.next({ kind: 'hints', ids, done });
    });
  }

  /** On its way to a round, or in one. */
  has(id: string): boolean {
    for (const ids of this.waiting) if (ids.has(id)) return true;
    return false;
  }
}

/** Pages of ids, each handled before the next is read: sweeps of inboxes, of the conversations of a campaign that ended. Returns how many. */
export async function sweep(
  page: (after: string | undefined) => Promise<string[]>,
  hints: HintQueue,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  for (let after: string | undefined; !signal.aborted; ) {
    const ids = await page(after);
    if (ids.length === 0) break;
    await hints.offer(ids);
    count += ids.length;
    after = ids.at(-1);
  }
  return count;
}
