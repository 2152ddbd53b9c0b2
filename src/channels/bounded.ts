import type { ChannelConfig } from '../config.ts';
import type { Channel, ChannelCheck, OutboundMessage, SendResult } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { hasManyHosts, needsOf, rowFactsOf } from './facts.ts';
import { type Driver, Handover } from './handover.ts';
import { describeError } from './text.ts';

/** Addresses are compared in a normal form: mail lower-cased, telephone numbers without punctuation. */
function normalForm(address: string): string {
  const text = address.trim().toLowerCase();
  return /^\+[\d\s().-]+$/.test(text) ? text.replace(/[^+\d]/g, '') : text;
}

const always = (): boolean => true;

/** Nothing was tried, nothing left. */
const notTried = (code: string, message: string): SendResult => ({ kind: 'retry', code, message, counts: false });

/** What is said of the address of a redirection says nothing of the contact's: neither that it is dead nor that it left. */
function ofRedirection(result: SendResult): SendResult {
  if (result.kind !== 'rejected') return result;
  const { kind, code, message } = result;
  return { kind, code: code === 'opted_out' ? 'redirect_opted_out' : code, message };
}

/**
 * What all channels promise, around a driver: never more than `concurrency` messages under way (others wait in order of
 * arrival), a result in bounded time (`timeoutMs` from its start until the driver first asks whether bytes may leave, and
 * again from each time it was told yes: driver smtp asks before the envelope and before the last dot), an abort that acts at
 * once, `redirect` and `allow`, and a `close` that waits for what is under way, and `timeoutMs` for the driver.
 */
export class BoundedChannel implements Channel {
  readonly name: string;
  readonly address: string;
  readonly concurrency: number;
  readonly rate?: NonNullable<Channel['rate']>;
  readonly domainRates?: NonNullable<Channel['domainRates']>;
  readonly delivery: ChannelConfig['delivery'];
  readonly attempts: number;
  readonly giveUpMs: number;
  readonly needs: Channel['needs'];
  readonly manyHosts?: true;
  readonly mail?: NonNullable<Channel['mail']>;
  readonly isSms?: true;
  readonly #timeoutMs: number;
  readonly #redirect: string | undefined;
  readonly #allow: ReadonlySet<string> | undefined;
  readonly #driver: Driver;
  readonly #clock: Clock;
  /** What waits for a slot, in order of arrival. */
  readonly #waiting = new Set<Handover>();
  /** A member's sends share one signal: one listener serves them all, as adding one costs a walk over the others. */
  readonly #bySignal = new WeakMap<AbortSignal, Set<Handover>>();
  #underWay = 0;
  #closed: Promise<void> | undefined;
  #onDrained: (() => void) | undefined;

  constructor(config: ChannelConfig, driver: Driver, clock: Clock) {
    this.name = config.name;
    this.address = config.address;
    this.concurrency = config.concurrency;
    if (config.rate !== undefined) this.rate = config.rate;
    if (config.domainRates !== undefined) this.domainRates = config.domainRates;
    this.delivery = config.delivery;
    this.attempts = config.attempts;
    this.giveUpMs = config.giveUpMs;
    this.needs = needsOf(config);
    if (hasManyHosts(config)) this.manyHosts = true;
    const { mail, isSms } = rowFactsOf(config);
    if (mail !== undefined) this.mail = mail;
    if (isSms !== undefined) this.isSms = isSms;
    this.#timeoutMs = config.timeoutMs;
    this.#redirect = config.redirect;
    this.#allow = config.allow && new Set(config.allow.map(normalForm));
    this.#driver = driver;
    this.#clock = clock;
  }

  send(
    message: OutboundMessage,
    signal: AbortSignal,
    mayBegin: (last?: boolean) => boolean = always,
  ): Promise<SendResult> {
    if (this.#closed !== undefined) return Promise.resolve(notTried('closed', 'the channel is closed'));
    if (signal.aborted) return Promise.resolve(notTried('aborted', 'aborted before it was handed over'));
    const to = this.#redirect ?? message.to;
    // After the redirection: with an allow list, nothing ever goes to an address that is not in it.
    if (this.#allow !== undefined && !this.#allow.has(normalForm(to))) {
      return Promise.resolve({
        kind: 'rejected',
        code: 'not_allowed',
        message: 'the recipient is not in the allow list',
      });
    }
    const peers = this.#peers(signal);
    if (to === message.to) return new Promise((resolve) => this.#admit(message, mayBegin, peers, resolve));
    return new Promise((resolve) => {
      this.#admit({ ...message, to }, mayBegin, peers, (result) => resolve(ofRedirection(result)));
    });
  }

  async check(signal: AbortSignal): Promise<ChannelCheck> {
    try {
      return (await this.#driver.check?.(signal)) ?? { kind: 'unknown', found: 'its driver has no way to look' };
    } catch (error) {
      return { kind: 'failed', trouble: 'answer', found: describeError(error) };
    }
  }

  /** Takes nothing more, waits for what is under way, frees the driver. Further calls wait for the same. */
  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  #admit(
    message: OutboundMessage,
    mayBegin: (last?: boolean) => boolean,
    peers: Set<Handover>,
    resolve: (result: SendResult) => void,
  ): void {
    const options = { atMostOnce: this.delivery === 'at-most-once', mayBegin, clock: this.#clock };
    const handover = new Handover(message, options, (result) => {
      peers.delete(handover);
      if (!this.#waiting.delete(handover)) this.#release(handover);
      resolve(result);
    });
    peers.add(handover);
    if (this.#underWay < this.concurrency) this.#begin(handover);
    else this.#waiting.add(handover);
  }

  #begin(handover: Handover): void {
    this.#underWay += 1;
    this.#watch(handover, this.#timeoutMs);
    this.#start(handover);
  }

  /** A connection may have to be made first, or the process stood still: what began late has its whole time from then on. */
  #watch(handover: Handover, waitMs: number): void {
    const ms = this.#timeoutMs;
    const end = (): void => {
      const left = handover.begunAt + ms - this.#clock.monotonic();
      if (left > 0) this.#watch(handover, left);
      else handover.interrupt('timeout', handover.begun ? `no answer within ${ms} ms` : `not begun within ${ms} ms`);
    };
    handover.stopTimer = this.#clock.after(waitMs, () => {
      // a process that stood still finds its timers due before it has read the answers that came meanwhile: those first
      handover.stopTimer = this.#clock.after(0, end);
    });
  }

  #start(handover: Handover): void {
    try {
      this.#driver.start(handover);
    } catch (error) {
      if (handover.begun) handover.lost('internal', describeError(error));
      else handover.settle({ kind: 'rejected', code: 'message_invalid', message: describeError(error) });
    }
  }

  #release(handover: Handover): void {
    handover.stopTimer?.();
    this.#underWay -= 1;
    const [next] = this.#waiting;
    if (next !== undefined) {
      this.#waiting.delete(next);
      this.#begin(next);
    } else if (this.#underWay === 0) this.#onDrained?.();
  }

  #peers(signal: AbortSignal): Set<Handover> {
    const known = this.#bySignal.get(signal);
    if (known !== undefined) return known;
    const peers = new Set<Handover>();
    this.#bySignal.set(signal, peers);
    const abort = (): void => {
      // Those that wait first: the slots that become free must not begin them.
      const all = [...peers].sort((a, b) => Number(this.#waiting.has(b)) - Number(this.#waiting.has(a)));
      for (const handover of all) handover.interrupt('aborted', 'aborted while it was handed over', handover.begun);
    };
    signal.addEventListener('abort', abort, { once: true });
    return peers;
  }

  async #drain(): Promise<void> {
    for (const handover of [...this.#waiting]) handover.settle(notTried('closed', 'the channel was closed'));
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve;
      });
    }
    // Every hand-over has its deadline; what the driver frees has none of its own (a file on a disk that hangs).
    await new Promise<void>((resolve, reject) => {
      const stopTimer = this.#clock.after(this.#timeoutMs, resolve);
      this.#driver.close().then(resolve, reject).finally(stopTimer);
    });
  }
}
