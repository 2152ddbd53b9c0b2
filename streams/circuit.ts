/** Whether a provider is left alone for a while ("Circuit Breaker", Nygard, "Release It!"): one circuit a channel and member. */
import { CircuitState, CountBreaker } from 'cockatiel';
import type { SendResult } from '../src/domain/channelPorts.ts';
import type { ChannelState } from '../src/domain/model.ts';
import type { Clock } from '../src/domain/systemPorts.ts';

export interface CircuitParams {
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Sends of the channel at a time when all is well. */
  concurrency: number;
  /** It opened, lets a probe through, or closed. */
  onChange: (state: ChannelState | undefined) => void;
}

/** Of so many answers more than half have to fail, or more than half to ask for less; of fewer than ten nothing is judged. */
const window = { size: 20, minimumNumberOfCalls: 10, threshold: 0.5 };
/** While it comes back: most of a few. */
const comingBack = { ...window, minimumNumberOfCalls: 3 };
/** Of the first pause and of every one, ms; what the provider asks for may be longer. */
const [firstPauseMs, longestPauseMs] = [1_000, 30_000];
/** What a provider asks for beyond this is asked again, ms. */
const longestAskedMs = 3_600_000;
/** After a probe came through: sends at a time, doubled with each round of answers. */
const slowStart = 2;
/** Nothing was tried, or it is a limit for one recipient: what says nothing of the provider. */
const silent: ReadonlySet<string> = new Set(['not_begun', 'closed', 'aborted', 'recipient_limited']);
/** Refused on this side as well as there: whoever is asked may not have been. */
const refusedHere: ReadonlySet<string> = new Set([
  ...['not_allowed', 'address_invalid', 'message_invalid', 'too_many_segments', 'content_too_long'],
]);

/** What an answer says of the provider. */
type Sign = 'well' | 'failed' | 'throttled' | 'nothing';

function signOf(result: SendResult): Sign {
  if (result.kind === 'sent') return 'well';
  // a refusal is of one message: whoever can refuse works
  if (result.kind === 'rejected') return refusedHere.has(result.code) ? 'nothing' : 'well';
  if (result.kind === 'retry' && result.ofRecipient) return 'well';
  if (result.kind === 'unknown' || result.counts) return 'failed';
  return silent.has(result.code) ? 'nothing' : 'throttled';
}

/**
 * Opens when most sends fail, or many are told to wait; nothing is handed over then. After a pause (as long as the provider asked
 * for, else with decorrelated jitter, "Exponential Backoff And Jitter", AWS Architecture Blog) one message goes as a probe: it opens
 * anew, or more and more go at a time.
 */
export class Circuit {
  private readonly params: CircuitParams;
  private failures = new CountBreaker(window);
  private throttles = new CountBreaker(window);
  private state: 'closed' | 'open' | 'half_open' = 'closed';
  /** Sends at a time. */
  private most = Number.POSITIVE_INFINITY;
  private pauseMs = firstPauseMs;
  /** Monotonic ms. */
  private until = Number.NEGATIVE_INFINITY;
  private told: ChannelState | undefined;
  /** Raised when it opens: what was handed over before says nothing new. */
  private epoch = 0;
  private cancel: (() => void) | undefined;
  private stopped = false;

  constructor(params: CircuitParams) {
    this.params = params;
  }

  /** Rows that may be handed over and not answered. */
  get limit(): number {
    return this.most;
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  /** What is handed over now only tries whether the channel is back. */
  get isTrying(): boolean {
    return this.state === 'half_open';
  }

  /** As it is told to others; undefined while it is closed. */
  get current(): ChannelState | undefined {
    return this.told;
  }

  /** To be given back with the answer. */
  began(): number {
    return this.epoch;
  }

  answered(epoch: number, result: SendResult): void {
    const sign = signOf(result);
    if (sign === 'nothing') return;
    if (epoch !== this.epoch) {
      if (this.isOpen) this.prolong(result);
    } else if (sign === 'well') this.went();
    else if (this.isTripped(sign)) this.open(result);
  }

  /** Nothing is waited for any more. */
  stop(): void {
    this.stopped = true;
    this.cancel?.();
  }

  private went(): void {
    if (this.state === 'half_open') {
      this.state = 'closed';
      this.most = slowStart;
      this.tell(undefined);
    } else if (this.most < this.params.concurrency) {
      this.most += 1;
    } else if (this.most !== Number.POSITIVE_INFINITY) {
      this.most = Number.POSITIVE_INFINITY;
      this.pauseMs = firstPauseMs;
      this.judgeBy(window);
    }
    this.failures.success(CircuitState.Closed);
    this.throttles.success(CircuitState.Closed);
  }

  /** The probe decides by itself. Others fail now and then, also while it comes back. */
  private isTripped(sign: 'failed' | 'throttled'): boolean {
    const breaker = sign === 'failed' ? this.failures : this.throttles;
    return breaker.failure(this.state === 'closed' ? CircuitState.Closed : CircuitState.HalfOpen);
  }

  private judgeBy(options: typeof window): void {
    this.failures = new CountBreaker(options);
    this.throttles = new CountBreaker(options);
  }

  private open(result: SendResult): void {
    const { clock, random } = this.params;
    const pauseMs = Math.floor(firstPauseMs + random() * (3 * this.pauseMs - firstPauseMs));
    this.pauseMs = Math.min(longestPauseMs, pauseMs);
    this.state = 'open';
    this.most = 0;
    this.epoch += 1;
    this.judgeBy(comingBack);
    const { code, message } = { code: '', message: '', ...result };
    const ms = Math.max(this.pauseMs, askedMs(result));
    this.wait(ms);
    this.tell({
      ...{ state: 'open', since: this.told?.since ?? new Date(clock.now()), until: new Date(clock.now() + ms) },
      ...{ code, message: message.slice(0, 200) },
    });
  }

  /** What was on its way when it opened may be told to wait for longer. */
  private prolong(result: SendResult): void {
    const { clock } = this.params;
    const ms = askedMs(result);
    if (this.told === undefined || clock.monotonic() + ms <= this.until) return;
    this.wait(ms);
    this.tell({ ...this.told, until: new Date(clock.now() + ms) });
  }

  private wait(ms: number): void {
    const { clock } = this.params;
    this.until = clock.monotonic() + ms;
    this.cancel?.();
    if (this.stopped) return;
    this.cancel = clock.after(ms, () => {
      this.state = 'half_open';
      this.most = 1;
      const { until: _, ...rest } = this.told as ChannelState;
      this.tell({ ...rest, state: 'half_open' });
    });
  }

  private tell(state: ChannelState | undefined): void {
    this.told = state;
    this.params.onChange(state);
  }
}

const askedMs = (result: SendResult): number =>
  result.kind === 'retry' ? Math.min(longestAskedMs, result.retryAfterMs ?? 0) : 0;
