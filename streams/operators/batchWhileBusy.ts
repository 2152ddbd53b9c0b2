import { asyncScheduler, from, Observable, type ObservableInput, type SchedulerLike } from 'rxjs';

export interface BatchOptions {
  /** Longest an input waits for company while nothing runs, ms. */
  windowMs: number;
  /** A batch of this many starts at once; larger ones are not formed. */
  maxSize: number;
  /** A batch of this many starts without waiting for more; default `maxSize`. */
  enough?: () => number;
  scheduler?: SchedulerLike;
}

/**
 * Group commit: while `project` runs for one batch, what arrives collects; when it completes, what collected is the next
 * batch, at once if there is `enough`; else it waits for company, `windowMs` at most. Batches never overlap and keep the order of arrival. Inputs must be
 * bounded by their sources: they are held here until their batch starts.
 */
export function batchWhileBusy<T, R>(
  project: (batch: T[]) => ObservableInput<R>,
  options: BatchOptions,
): (source: Observable<T>) => Observable<R> {
  const { windowMs, maxSize, enough = () => maxSize, scheduler = asyncScheduler } = options;
  return (source) =>
    new Observable<R>((subscriber) => {
      let waiting: T[] = [];
      let busy = false;
      let ended = false;
      let timer: { unsubscribe(): void } | undefined;

      const stopTimer = (): void => {
        timer?.unsubscribe();
        timer = undefined;
      };
      const start = (): void => {
        stopTimer();
        const batch = waiting.splice(0, maxSize);
        busy = true;
        subscriber.add(
          // biome-ignore lint/plugin: the operator's own inner subscription, as in any flattening operator
          from(project(batch)).subscribe({
            next: (value) => subscriber.next(value),
            error: (error) => subscriber.error(error),
            complete: () => {
              busy = false;
              next();
            },
          }),
        );
      };
      /** At once when there is enough, or no company to wait for; else within the window. */
      const consider = (): void => {
        if (ended || windowMs <= 0 || waiting.length >= Math.min(maxSize, enough())) start();
        else timer ??= scheduler.schedule(start, windowMs);
      };
      const next = (): void => {
        if (waiting.length > 0) consider();
        else if (ended) subscriber.complete();
      };
      const arrive = (value: T): void => {
        waiting.push(value);
        if (!busy) consider();
      };
      subscriber.add(
        // biome-ignore lint/plugin: the operator's own subscription to what it operates on, torn down with it
        source.subscribe({
          next: arrive,
          error: (error) => subscriber.error(error),
          complete: () => {
            ended = true;
            if (!busy) next();
          },
        }),
      );
      return () => {
        stopTimer();
        waiting = [];
      };
    });
}
