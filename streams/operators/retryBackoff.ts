import { asyncScheduler, type MonoTypeOperatorFunction, retry, type SchedulerLike, timer } from 'rxjs';

export interface RetryBackoffOptions {
  /** Ms before the n-th retry in a row (from 1), see `backoffMs`. */
  delayMs: (attempt: number) => number;
  /** False: the error goes on downstream. */
  when?: (error: unknown) => boolean;
  /** Told before each wait. */
  onRetry?: (error: unknown, attempt: number) => void;
  scheduler?: SchedulerLike;
}

/** Subscribes again after an error, for ever, with a growing delay that starts over once a value came through. */
export function retryBackoff<T>(options: RetryBackoffOptions): MonoTypeOperatorFunction<T> {
  const { delayMs, when = () => true, onRetry, scheduler = asyncScheduler } = options;
  return retry({
    resetOnSuccess: true,
    delay: (error, attempt) => {
      if (!when(error)) throw error;
      onRetry?.(error, attempt);
      return timer(delayMs(attempt), scheduler);
    },
  });
}
