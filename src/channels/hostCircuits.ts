import type { Clock } from '../domain/systemPorts.ts';

/** Failures one after another, with nothing that went well between them, until a host is left alone. */
const tolerated = 10;
/** Of the first pause; each one is twice as long as the one before. */
const firstPauseMs = 1000;
const longestPauseMs = 300_000;
/** Hosts in trouble that are remembered, those that failed last. */
const remembered = 10_000;

interface Trouble {
  failures: number;
  pauseMs: number;
  /** Monotonic ms; until then nothing goes there. */
  until: number;
  /** One message is on its way to see whether it is back. */
  isProbed: boolean;
}

/**
 * Which of many hosts are left alone for a while, so that messages to one that hangs do not hold the places of all others
 * ("Circuit Breaker", Nygard, "Release It!"). When its pause is over, one message goes as a probe.
 */
export class HostCircuits {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** How long a probe may take, ms. */
  readonly #probeMs: number;
  readonly #troubles = new Map<string, Trouble>();

  constructor(clock: Pick<Clock, 'monotonic'>, probeMs: number) {
    this.#clock = clock;
    this.#probeMs = probeMs;
  }

  /** Ms to wait before anything goes to the host; 0: now. Who is told 0 tells what came of it. */
  waitMs(host: string): number {
    const trouble = this.#troubles.get(host);
    if (trouble === undefined || trouble.until === Number.NEGATIVE_INFINITY) return 0;
    const now = this.#clock.monotonic();
    if (now < trouble.until) return trouble.until - now;
    trouble.isProbed = true;
    trouble.until = now + this.#probeMs;
    return 0;
  }

  went(host: string): void {
    this.#troubles.delete(host);
  }

  /**
   * `askedMs`: for so long it wants to be left alone. It is heeded up to the longest pause: who asks may be one recipient of many
   * behind that host.
   */
  failed(host: string, askedMs = 0): void {
    const trouble = this.#troubles.get(host) ?? this.#first(host);
    const now = this.#clock.monotonic();
    // what was on its way when it was left alone says nothing new
    if (trouble.isProbed || now >= trouble.until) {
      trouble.failures += 1;
      trouble.isProbed = false;
      if (trouble.failures >= tolerated) {
        trouble.until = now + trouble.pauseMs;
        trouble.pauseMs = Math.min(longestPauseMs, trouble.pauseMs * 2);
      }
    }
    if (askedMs > 0) trouble.until = Math.max(trouble.until, now + Math.min(longestPauseMs, askedMs));
  }

  #first(host: string): Trouble {
    const [oldest] = this.#troubles.keys();
    if (oldest !== undefined && this.#troubles.size >= remembered) this.#troubles.delete(oldest);
    const trouble = { failures: 0, pauseMs: firstPauseMs, until: Number.NEGATIVE_INFINITY, isProbed: false };
    this.#troubles.set(host, trouble);
    return trouble;
  }
}
