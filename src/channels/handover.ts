import type { ChannelCheck, OutboundMessage, SendResult } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';

/** What a driver has under way for one hand-over. */
export interface Wire {
  /** Stops it as soon as it can be stopped; what comes of it is no longer asked for. */
  cut(): void;
}

/**
 * One message on its way out, from the slot it was given to its result. The driver says when bytes may have left
 * (`begun`) and what it knows of the answer (`verdict`); whatever ends the hand-over early is judged by these two.
 */
export class Handover {
  readonly message: OutboundMessage;
  /** True from just before the first byte can leave. */
  begun = false;
  /** When the first byte was to leave, or the part that counts: monotonic ms. */
  begunAt = Number.NEGATIVE_INFINITY;
  /** The result, should the rest of the answer never come. */
  verdict: SendResult | undefined;
  wire: Wire | undefined;
  /** Stops the deadline; there from the start of the hand-over on. */
  stopTimer: (() => void) | undefined;
  settled = false;
  readonly #atMostOnce: boolean;
  readonly #mayBegin: (last?: boolean) => boolean;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #onSettled: (result: SendResult) => void;

  constructor(
    message: OutboundMessage,
    options: { atMostOnce: boolean; mayBegin: (last?: boolean) => boolean; clock: Pick<Clock, 'monotonic'> },
    onSettled: (result: SendResult) => void,
  ) {
    this.message = message;
    this.#atMostOnce = options.atMostOnce;
    this.#mayBegin = options.mayBegin;
    this.#clock = options.clock;
    this.#onSettled = onSettled;
  }

  /**
   * Called by the driver when the next thing it does is to let bytes leave. False: it must not, and has nothing more to tell.
   * A process that was frozen in between finds its lease over here. `last` false: what leaves next cannot make anybody take
   * the message, and it is asked again before what can; until then nothing is in doubt.
   */
  begin(last = true): boolean {
    if (this.settled) return false;
    if (this.#mayBegin(last)) {
      this.begun = last;
      this.begunAt = this.#clock.monotonic();
    } else
      this.settle({
        kind: 'retry',
        code: 'not_begun',
        message: 'when it could leave it was no longer certain that it may',
        counts: false,
      });
    return !this.settled;
  }

  /** The first result stands; later ones are ignored. */
  settle(result: SendResult): void {
    if (this.settled) return;
    this.settled = true;
    this.#onSettled(result);
  }

  /**
   * No answer will come. Before anything left it is a retry, whatever the delivery; afterwards a retry with the same key
   * (at-least-once) or unknown (at-most-once).
   */
  lost(code: string, message: string, counts = true): void {
    if (this.verdict !== undefined) this.settle(this.verdict);
    else if (this.begun && this.#atMostOnce) this.settle({ kind: 'unknown', code, message });
    else this.settle({ kind: 'retry', code, message, counts, ...(this.begun ? { mayHaveLeft: true } : {}) });
  }

  /** Ends it now, on the wire too. */
  interrupt(code: string, message: string, counts = true): void {
    this.lost(code, message, counts);
    this.wire?.cut();
  }
}

/** What differs from channel to channel. */
export interface Driver {
  /**
   * Begins the hand-over and returns; the result comes through `handover.settle` or `lost`. Never called for more than
   * `concurrency` unsettled hand-overs. What it throws is final for this message: nothing may have left.
   */
  start(handover: Handover): void;
  /** Looks at the way to the provider without sending anything, until `signal` is aborted. Independent of hand-overs. */
  check?(signal: AbortSignal): Promise<ChannelCheck>;
  /** Called once, when no hand-over is under way. */
  close(): Promise<void>;
}
