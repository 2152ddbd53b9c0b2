import type { Channel } from '../src/domain/channelPorts.ts';
import { type RateStore, rateOfChannel } from '../src/domain/ratePorts.ts';
import { limitInForce, type RateLimit, type RateWords } from '../src/domain/rates.ts';
import type { Clock, Logger } from '../src/domain/systemPorts.ts';
import { Allowance, type AllowanceParams } from './allowance.ts';

export interface RatesParams {
  store: RateStore;
  channels: ReadonlyMap<string, Pick<Channel, 'name' | 'rate'>>;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

/** The limits of all channels: what operators wrote (`rate_limits`) goes before the environment, as soon as it is heard of. */
export class Rates {
  private readonly params: RatesParams;
  private readonly allowances = new Map<string, Allowance>();
  private words: ReadonlyMap<string, RateWords> = new Map();
  /** What was found to be unusable, by channel. */
  private readonly faults = new Map<string, string>();

  constructor(params: RatesParams) {
    this.params = params;
  }

  /** What may be handed over on a channel, from here on; without a limit everything. */
  open(channel: string, listener: Pick<AllowanceParams, 'onSlot' | 'onNews'>): Allowance {
    const params = { ...this.params, ...listener, id: rateOfChannel(channel) };
    const allowance = new Allowance(params, this.limitOf(channel));
    this.allowances.set(channel, allowance);
    return allowance;
  }

  /** Reads what operators wrote. Rejects when it cannot; what was known before holds on. */
  async load(): Promise<void> {
    this.words = await this.params.store.words();
    for (const [channel, allowance] of this.allowances) allowance.set(this.limitOf(channel));
  }

  private limitOf(channel: string): RateLimit | undefined {
    const { channels, logger } = this.params;
    const { limit, faults } = limitInForce(this.words.get(rateOfChannel(channel)), channels.get(channel)?.rate);
    const found = faults.join('; ');
    if (found !== '' && this.faults.get(channel) !== found)
      logger.error(`rate_limits ${rateOfChannel(channel)} cannot be used: ${found}; what the environment says holds`, {
        ...{ code: 'rate_invalid', channel },
      });
    this.faults.set(channel, found);
    return limit;
  }
}
