import type { Channel } from '../src/domain/channelPorts.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Id, Message } from '../src/domain/model.ts';
import { type RateStore, rateOfCampaign, rateOfChannel } from '../src/domain/ratePorts.ts';
import { limitInForce, type RateLimit, type RateWords, rateLimit } from '../src/domain/rates.ts';
import type { Clock, Logger } from '../src/domain/systemPorts.ts';
import { Allowance, type AllowanceParams } from './allowance.ts';
import { DomainLimits } from './domainLimits.ts';
import { RateTidy } from './rateTidy.ts';
import type { KnownRun } from './runs.ts';

export interface RatesParams {
  store: RateStore;
  channels: ReadonlyMap<string, Pick<Channel, 'name' | 'rate' | 'address' | 'concurrency' | 'domainRates'>>;
  clock: Clock;
  random: () => number;
  logger: Logger;
  /** What of all conversations comes to this member, above 0 to 1. Absent: all. */
  share?: () => number;
}

/** What is there for the limits of many campaigns is told together, ms: slots can be used for longer. */
const newsMs = 25;
/** Rows are decided so long before their slots come, ms: less than they may wait aside. */
const soonMs = 750;
const nothing: readonly Allowance[] = [];

/**
 * All limits: of channels, and those that are narrower, of campaigns (`limits.perSecond`) and mail domains. What operators wrote (`rate_limits`) goes
 * before the environment and the campaign, as soon as it is heard of.
 */
export class Rates {
  private readonly params: RatesParams;
  private readonly allowances = new Map<string, Allowance>();
  private words: ReadonlyMap<string, RateWords> = new Map();
  /** What was found to be unusable, by id of the limit. */
  private readonly faults = new Map<string, string>();
  /** Campaigns that go on, by key. */
  private readonly campaigns = new Map<string, { id: Id; perSecond: number | undefined }>();
  /** Of those that have a limit, by key. */
  private readonly ofCampaigns = new Map<string, Allowance>();
  private readonly domains: DomainLimits;
  private readonly tidy: RateTidy;
  private tellNews: () => void = () => {};
  private cancelNews: (() => void) | undefined;
  private stopped = false;

  constructor(params: RatesParams) {
    this.params = params;
    this.domains = new DomainLimits({
      ...params,
      inForce: (id, own) => this.inForce(id, own, 'the environment'),
      onNews: () => this.soon(),
    });
    this.tidy = new RateTidy({ ...params, reload: () => this.load() });
  }

  /** What may be handed over on a channel, from here on; without a limit everything. */
  open(channel: string, listener: Pick<AllowanceParams, 'onSlot' | 'onNews'>): Allowance {
    const params = { ...this.params, ...listener, id: rateOfChannel(channel) };
    const allowance = new Allowance(params, this.limitOf(channel));
    this.allowances.set(channel, allowance);
    return allowance;
  }

  /** `tell` is called when there are slots of narrower limits than those of channels, or when to ask for them again. */
  onNews(tell: () => void): void {
    this.tellNews = tell;
  }

  /** The limits of a row beside that of its channel. */
  narrow(row: Pick<Message, 'campaignId' | 'channel' | 'to'>): readonly Allowance[] {
    const domain = this.domains.limitOf(row);
    const own = this.ofCampaigns.size === 0 ? undefined : this.ofCampaigns.get(campaignKey(row.campaignId));
    if (own === undefined) return domain === undefined ? nothing : [domain];
    return domain === undefined ? [own] : [own, domain];
  }

  /**
   * Messages of a campaign that may be decided now for a channel ("-": for none): slots that no row waits for, whose time is there or
   * comes while they are on their way. Those must not fill the channel. @param key See `campaignKey`.
   */
  room(key: string, channel: string): number {
    const own = channel === '-' ? undefined : this.ofCampaigns.get(key);
    if (own === undefined) return Number.POSITIVE_INFINITY;
    const concurrency = this.params.channels.get(channel)?.concurrency ?? 0;
    const ahead = Math.floor(concurrency / 2 / this.ofCampaigns.size);
    // a round may take as long: what it decides waits aside for slots that are asked for meanwhile
    const soon = own.everyMs > 0 ? Math.floor((soonMs * (this.params.share?.() ?? 1)) / own.everyMs) : 0;
    return Math.min(own.ready + ahead, Math.max(own.room, own.ready + soon)) - own.reserved;
  }

  /** Its rate is why a campaign has no room. */
  isHeld(key: string, channel: string): boolean {
    return channel !== '-' && this.ofCampaigns.get(key)?.isBinding === true && this.room(key, channel) <= 0;
  }

  /** Something of a campaign is due. */
  wanted(key: string): void {
    this.ofCampaigns.get(key)?.wanted();
  }

  /** A run became known, changed, or is over. */
  runChanged({ key, run }: Pick<KnownRun, 'key' | 'run'>): void {
    if (run.settled) this.close(key);
    else {
      this.campaigns.set(key, { id: run._id, perSecond: run.limits?.perSecond });
      this.limit(key);
    }
  }

  /** Reads what operators wrote. Rejects when it cannot; what was known before holds on. */
  async load(): Promise<void> {
    this.words = await this.params.store.words();
    for (const [channel, allowance] of this.allowances) allowance.set(this.limitOf(channel));
    if (this.stopped) return;
    for (const key of this.campaigns.keys()) this.limit(key);
    this.domains.load(this.words);
  }

  /** Nothing is asked for any more. */
  stop(): void {
    this.stopped = true;
    this.cancelNews?.();
    this.tidy.stop();
    this.domains.stop();
    for (const allowance of [...this.allowances.values(), ...this.ofCampaigns.values()]) void allowance.stop();
  }

  private limitOf(channel: string): RateLimit | undefined {
    return this.inForce(rateOfChannel(channel), this.params.channels.get(channel)?.rate, 'the environment');
  }

  private limit(key: string): void {
    const own = this.campaigns.get(key);
    if (own === undefined) return;
    const id = rateOfCampaign(own.id);
    const asked = own.perSecond === undefined ? undefined : rateLimit(own.perSecond);
    const limit = this.inForce(id, asked, 'the campaign');
    const known = this.ofCampaigns.get(key);
    if (known !== undefined) known.set(limit);
    else if (limit !== undefined) {
      const news = (): void => this.soon();
      const params = { ...this.params, ...{ id, isOfLane: true, onSlot: news, onNews: news } };
      this.ofCampaigns.set(key, new Allowance(params, limit));
    }
  }

  /** A campaign is over: its limit goes with it. */
  private close(key: string): void {
    const known = this.campaigns.get(key);
    const allowance = this.ofCampaigns.get(key);
    this.campaigns.delete(key);
    if (known === undefined || allowance === undefined) return;
    this.ofCampaigns.delete(key);
    const { store, logger } = this.params;
    const id = rateOfCampaign(known.id);
    this.faults.delete(id);
    // what is asked for just now would bring it back
    allowance
      .stop()
      .then(() => store.forget(id))
      .catch((error: unknown) => logger.warn('the slots of a campaign that is over stay behind', { limit: id, error }));
  }

  private soon(): void {
    if (this.stopped) return;
    this.cancelNews ??= this.params.clock.after(newsMs, () => {
      this.cancelNews = undefined;
      this.tellNews();
    });
  }

  private inForce(id: string, own: RateLimit | undefined, whose: string): RateLimit | undefined {
    const { limit, faults } = limitInForce(this.words.get(id), own);
    const found = faults.join('; ');
    if (found !== '' && this.faults.get(id) !== found)
      this.params.logger.error(`rate_limits ${id} cannot be used: ${found}; what ${whose} says holds`, {
        ...{ code: 'rate_invalid', limit: id },
      });
    if (found === '') this.faults.delete(id);
    else this.faults.set(id, found);
    return limit;
  }
}
