import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  retry,
  wrap,
} from 'cockatiel';
import { MongoServerError } from 'mongodb';
import { ServiceError } from '../domain/errors.ts';
import { isDatabaseAway } from './away.ts';

export type BreakerState = 'closed' | 'half-open' | 'open';

export interface Guard {
  /**
   * Runs a read, or a write that may be repeated, until it succeeds, fails for a reason of its own, or the tries are used
   * up. `fn` gets a signal that ends with `signal`.
   * @throws ServiceError `database_unreachable` at once while the breaker is open; else the last error as it came.
   */
  guarded<T>(fn: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Open: the last tries all found the database away; one probe is let through after a second. */
  readonly state: BreakerState;
}

export interface GuardOptions {
  /** Tries after the first; default 4. */
  retries?: number;
  /** First pause, ms; default 50. Pauses double, with decorrelated jitter, up to `maxPauseMs`. */
  firstPauseMs?: number;
  /** Longest pause, ms; default 1000. */
  maxPauseMs?: number;
  /** Failures in a row that open the breaker; default 5. */
  failures?: number;
  /** Ms until the open breaker lets a probe through; default 1000, so that work goes on within 2 s of a new primary. */
  probeAfterMs?: number;
  onState?: (state: BreakerState) => void;
}

/** What a second try may mend: the network, an election, a server that shuts down, a cursor lost with its server. Never what the server says of the document or the rights. */
export function isRetryable(error: unknown): boolean {
  if (isDatabaseAway(error)) return true;
  return error instanceof MongoServerError && error.hasErrorLabel('RetryableReadError');
}

const stateNames: Record<CircuitState, BreakerState> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Open]: 'open',
  // Nothing isolates a breaker by hand here; were it done, it would be open for good.
  [CircuitState.Isolated]: 'open',
};

/** Retry with jittered back-off around a circuit breaker; one for each client, so that all who use it share what is known of the database. */
export function createGuard(options: GuardOptions = {}): Guard {
  const { retries = 4, firstPauseMs = 50, maxPauseMs = 1_000, failures = 5, probeAfterMs = 1_000, onState } = options;
  const breaker = circuitBreaker(handleWhen(isRetryable), {
    halfOpenAfter: probeAfterMs,
    breaker: new ConsecutiveBreaker(failures),
  });
  if (onState) breaker.onStateChange((state) => onState(stateNames[state]));
  const tries = retry(handleWhen(isRetryable), {
    maxAttempts: retries,
    backoff: new ExponentialBackoff({ initialDelay: firstPauseMs, maxDelay: maxPauseMs }),
  });
  const policy = wrap(tries, breaker);
  return {
    async guarded(fn, signal) {
      try {
        return await policy.execute((context) => fn(context.signal), signal);
      } catch (error) {
        if (!(error instanceof BrokenCircuitError)) throw error;
        throw new ServiceError('database_unreachable', 'MongoDB does not answer; the circuit breaker is open', {
          cause: error,
        });
      }
    },
    get state() {
      return stateNames[breaker.state];
    },
  };
}
