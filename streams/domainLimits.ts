import type { Message } from '../src/domain/model.ts';
import { rateOfDomain } from '../src/domain/ratePorts.ts';
import { anyDomain, domainOf, type RateLimit, type RateWords, rateLimit } from '../src/domain/rates.ts';
import { Allowance } from './allowance.ts';
import type { RatesParams } from './rates.ts';

export interface DomainLimitsParams extends RatesParams {
  /** The limit in force: what operators wrote of it, else `own`. */
  inForce: (id: string, own: RateLimit | undefined) => RateLimit | undefined;
  /** There are slots, or it may be asked for them again. */
  onNews: () => void;
}

/** Domains whose limit is kept at hand, at most, as long as no row waits for one. */
const mostKept = 2_000;

/** Limits of the domains that mail goes to, one each: `CHANNEL_<NAME>_DOMAIN_RATES`, or `rate_limits`. */
export class DomainLimits {
  private readonly params: DomainLimitsParams;
  /** By id of the limit; who was asked for last is last. */
  private readonly kept = new Map<string, Allowance>();
  /** Channels of which any domain has a limit. */
  private limited: ReadonlySet<string> = new Set();
  private words: ReadonlyMap<string, RateWords> = new Map();

  constructor(params: DomainLimitsParams) {
    this.params = params;
    this.load(this.words);
  }

  /** What operators wrote, by id of the limit. */
  load(words: ReadonlyMap<string, RateWords>): void {
    this.words = words;
    const written = [...words.keys()];
    const isLimited = (name: string): boolean => written.some((id) => id.startsWith(rateOfDomain(name, '')));
    const mail = [...this.params.channels.values()].filter(({ address }) => address === 'email');
    const limited = mail.filter(({ name, domainRates }) => domainRates !== undefined || isLimited(name));
    this.limited = new Set(limited.map(({ name }) => name));
    for (const [id, allowance] of this.kept) {
      const [channel, domain] = partsOf(id);
      allowance.set(this.inForce(channel, domain));
    }
  }

  /** Of the domain that a row goes to; undefined: it has none. */
  limitOf({ channel, to }: Pick<Message, 'channel' | 'to'>): Allowance | undefined {
    if (!this.limited.has(channel)) return undefined;
    const domain = domainOf(to);
    if (domain === undefined) return undefined;
    const id = rateOfDomain(channel, domain);
    const known = this.kept.get(id);
    if (known !== undefined) {
      this.kept.delete(id);
      this.kept.set(id, known);
      return known;
    }
    const limit = this.inForce(channel, domain);
    if (limit === undefined) return undefined;
    const { onNews } = this.params;
    const allowance = new Allowance({ ...this.params, id, onSlot: onNews, onNews }, limit);
    this.kept.set(id, allowance);
    if (this.kept.size > mostKept) this.forgetOne();
    return allowance;
  }

  stop(): void {
    for (const allowance of this.kept.values()) void allowance.stop();
  }

  /** What is said of the domain itself goes before what is said of any, and operators before the environment. */
  private inForce(channel: string, domain: string): RateLimit | undefined {
    const own = this.params.channels.get(channel)?.domainRates ?? {};
    const [id, any] = [rateOfDomain(channel, domain), rateOfDomain(channel, anyDomain)];
    const exact = Object.hasOwn(own, domain) ? own[domain] : undefined;
    if (this.words.has(id) || exact !== undefined)
      return this.params.inForce(id, exact === undefined ? this.ofAny(channel, any) : rateLimit(exact));
    return this.ofAny(channel, any);
  }

  private ofAny(channel: string, any: string): RateLimit | undefined {
    const rate = this.params.channels.get(channel)?.domainRates?.[anyDomain];
    return this.params.inForce(any, rate === undefined ? undefined : rateLimit(rate));
  }

  /** The one that was asked for longest ago, and that nobody waits for. */
  private forgetOne(): void {
    for (const [id, allowance] of this.kept) {
      if (allowance.reserved > 0) continue;
      void allowance.stop();
      this.kept.delete(id);
      return;
    }
  }
}

/** Of `domain:<channel>:<domain>`; the name of a channel has no colon. */
function partsOf(id: string): [channel: string, domain: string] {
  const rest = id.slice(id.indexOf(':') + 1);
  const at = rest.indexOf(':');
  return [rest.slice(0, at), rest.slice(at + 1)];
}
