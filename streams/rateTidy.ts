import type { RateStore } from '../src/domain/ratePorts.ts';
import type { Clock, Logger } from '../src/domain/systemPorts.ts';

export interface RateTidyParams {
  store: Pick<RateStore, 'forgetIdle'>;
  clock: Clock;
  random: () => number;
  logger: Logger;
  /** Reads what operators wrote. */
  reload: () => Promise<void>;
}

/** From one turn to the next, once or twice so long, ms. */
const everyMs = 300_000;

/**
 * Documents that nobody takes slots from any more go: of domains, and of campaigns whose end nobody lived to tidy up. And what operators
 * took away is heard of, since deleting it is no news to the others.
 */
export class RateTidy {
  private readonly params: RateTidyParams;
  private cancel: (() => void) | undefined;
  private stopped = false;

  constructor(params: RateTidyParams) {
    this.params = params;
    this.later();
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
  }

  private later(): void {
    if (this.stopped) return;
    const { clock, random } = this.params;
    this.cancel = clock.after(everyMs * (1 + random()), () => void this.turn());
  }

  private async turn(): Promise<void> {
    const { store, logger, reload } = this.params;
    try {
      await store.forgetIdle();
      await reload();
    } catch (error) {
      logger.warn('slots that nobody asks for stay behind', { error });
    }
    this.later();
  }
}
