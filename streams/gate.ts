import type { CampaignHead, CampaignStore } from '../src/domain/campaignPorts.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Ledger } from '../src/domain/memberPorts.ts';
import type { Id, Message } from '../src/domain/model.ts';
import type { Clock, Logger } from '../src/domain/systemPorts.ts';

export interface GateParams {
  ledger: Pick<Ledger, 'leaseRemaining'>;
  campaigns: Pick<CampaignStore, 'heads' | 'sending'>;
  /** Rows that wait to leave, or were handed over and have not begun to: of their campaigns is asked. */
  waiting: () => readonly Message[];
  /** Is any of them handed over? */
  isConnecting: () => boolean;
  /**
   * Asks whether what waits may still be written to, where that has to be asked; what it resolves with takes the answer in, and is
   * told when it was asked for.
   */
  clearance?: (signal: AbortSignal) => Promise<(asked: Asked) => void>;
  /** Told what was read of a campaign (undefined: it is gone), and when it was asked for, monotonic ms. */
  seen: (campaignId: Id, head: CampaignHead | undefined, askedAt: number) => void;
  /** Rows that waited at the gate may be tried again. */
  onOpen: () => void;
  /** After each answer: what was held back may go on. */
  onFresh: () => void;
  clock: Clock;
  logger: Logger;
}

/** What is known of campaigns and of the stop switch may be this old when a row leaves, ms. */
const freshMs = 1000;
/**
 * While anything waits for an answer or is being handed over, it is asked anew so often, whether or not the answer before has come: as
 * long as answers take no more than three quarters of a second, what is known never grows too old.
 */
const renewMs = 250;
const mostUnderway = freshMs / renewMs;
/** Later than this an answer is not waited for: it is of no use, and its connection may be dead. */
const patienceMs = 2 * freshMs;
const leasePollMs = 50;
/** What lasts is said so often, ms. */
const warnEveryMs = 5000;

/** When a question was asked, by both clocks: the monotonic one may stand still while the machine sleeps, the other may be set back. */
export interface Asked {
  monotonic: number;
  wall: number;
}

/** A row may leave while the lease holds and what is known of its campaign and of the stop switch is fresh. */
export class Gate {
  private readonly params: GateParams;
  /** By campaign: when what is known of it, and of the stop switch, was asked for. */
  private readonly known = new Map<string, Asked>();
  /** By campaign: when it was last asked for, answered or not. */
  private readonly asked = new Map<string, Asked>();
  /** Of the newest answer. */
  private answeredAsk = Number.NEGATIVE_INFINITY;
  private underway = 0;
  /** When the next question is asked, monotonic ms. */
  private nextAt = Number.POSITIVE_INFINITY;
  private cancelNext: (() => void) | undefined;
  /** Raised by `expire`: an answer to what was asked before does not count. */
  private epoch = 0;
  /** The stop switch was touched, and has not been read since. */
  private expired = false;
  /** A row that could leave waits for an answer. */
  private blocked = false;
  private waitingForLease = false;
  private closed = false;
  private stopSwitch = false;
  private warnedAt = Number.NEGATIVE_INFINITY;

  constructor(params: GateParams) {
    this.params = params;
  }

  /** The stop switch, as it was last read. */
  get sendingStopped(): boolean {
    return this.stopSwitch;
  }

  /** If not, whatever is missing is waited for or read, and `onOpen` tells when it is there. */
  isOpen(campaignId: Id): boolean {
    if (this.params.ledger.leaseRemaining() <= 0) this.waitForLease();
    else if (!this.isStale(campaignId)) return true;
    else {
      this.blocked = true;
      this.renew(campaignId);
    }
    return false;
  }

  /** May the first byte of a row that was handed over leave? */
  mayBegin(campaignId: Id): boolean {
    return this.params.ledger.leaseRemaining() > 0 && !this.isStale(campaignId) && !this.stopSwitch;
  }

  /** What is known of a campaign is too old for anything of it to leave. */
  isStale(campaignId: Id): boolean {
    return this.ageOf(this.known.get(campaignKey(campaignId))) > freshMs;
  }

  /** A row of it was handed over: until it has begun, what is known stays fresh. */
  renew(campaignId: Id): void {
    this.askIn(renewMs - this.ageOf(this.asked.get(campaignKey(campaignId))));
  }

  /** A row that could leave has to be asked for by itself. */
  demand(campaignId: Id): void {
    this.blocked = true;
    this.renew(campaignId);
  }

  /** Nothing that was read, or asked, counts any more. */
  expire(): void {
    this.epoch += 1;
    this.expired = true;
    this.known.clear();
    this.asked.clear();
    this.askIn(0);
  }

  /** No more is read. */
  close(): void {
    this.closed = true;
    this.cancelNext?.();
  }

  private ageOf(asked: Asked | undefined): number {
    if (asked === undefined) return Number.POSITIVE_INFINITY;
    const { clock } = this.params;
    return Math.max(clock.monotonic() - asked.monotonic, clock.now() - asked.wall);
  }

  private waitForLease(): void {
    if (this.waitingForLease) return;
    this.waitingForLease = true;
    this.params.clock.after(leasePollMs, () => {
      this.waitingForLease = false;
      this.params.onOpen();
    });
  }

  /** Asks at that time at the latest; at once when it has come. */
  private askIn(ms: number): void {
    const at = this.params.clock.monotonic() + ms;
    if (this.closed || at >= this.nextAt) return;
    this.cancelNext?.();
    this.cancelNext = undefined;
    this.nextAt = Number.POSITIVE_INFINITY;
    if (ms <= 0) {
      this.ask();
      return;
    }
    this.nextAt = at;
    this.cancelNext = this.params.clock.after(ms, () => {
      this.nextAt = Number.POSITIVE_INFINITY;
      this.ask();
    });
  }

  /** One question for all that waits, and the next one after a while. */
  private ask(): void {
    const { clock, isConnecting, waiting } = this.params;
    const isUrgent = this.blocked || this.expired || isConnecting();
    if (!isUrgent && !this.stopSwitch) return;
    this.askIn(isUrgent ? renewMs : freshMs);
    if (this.underway === mostUnderway) return;
    const ids = new Map(waiting().map(({ campaignId }) => [campaignKey(campaignId), campaignId]));
    const asked = { monotonic: clock.monotonic(), wall: clock.now() };
    for (const key of ids.keys()) this.asked.set(key, asked);
    void this.read(ids, asked);
  }

  private async read(ids: ReadonlyMap<string, Id>, asked: Asked): Promise<void> {
    const { campaigns, clock, clearance } = this.params;
    const { epoch } = this;
    const abort = new AbortController();
    let cancel = (): void => {};
    const tooLate = new Promise<never>((_, reject) => {
      cancel = clock.after(patienceMs, () => {
        reject(new Error(`no answer within ${patienceMs} ms`));
        abort.abort();
      });
    });
    this.underway += 1;
    try {
      const all = [
        campaigns.heads([...ids.values()], abort.signal),
        campaigns.sending(abort.signal),
        clearance?.(abort.signal),
      ] as const;
      const [heads, sending, cleared] = await Promise.race([Promise.all(all), tooLate]);
      cleared?.(asked);
      if (epoch === this.epoch) this.take(ids, asked, { heads, sending });
    } catch (error) {
      this.warn('the gate cannot read what it has to know; rows wait', { error });
    } finally {
      cancel();
      this.underway -= 1;
    }
  }

  private take(
    ids: ReadonlyMap<string, Id>,
    asked: Asked,
    { heads, sending }: { heads: ReadonlyMap<string, CampaignHead>; sending: 'on' | 'stopped' },
  ): void {
    const { clock, onFresh, onOpen, seen } = this.params;
    if (asked.monotonic < this.answeredAsk) return;
    this.answeredAsk = asked.monotonic;
    for (const stamps of [this.known, this.asked])
      for (const [key, at] of stamps) if (this.ageOf(at) > freshMs) stamps.delete(key);
    for (const [key, id] of ids) {
      seen(id, heads.get(key), asked.monotonic);
      this.known.set(key, asked);
    }
    this.expired = false;
    this.blocked = false;
    this.turn(sending === 'stopped');
    const ms = clock.monotonic() - asked.monotonic;
    if (ms > freshMs) this.warn('what is asked before a message leaves takes too long to read; rows wait', { ms });
    onOpen();
    onFresh();
  }

  private turn(stopped: boolean): void {
    const { logger } = this.params;
    if (stopped && !this.stopSwitch) logger.warn('sending is stopped for all campaigns');
    if (!stopped && this.stopSwitch) logger.info('sending goes on');
    this.stopSwitch = stopped;
  }

  private warn(message: string, fields: Record<string, unknown>): void {
    const now = this.params.clock.monotonic();
    if (this.closed || now - this.warnedAt < warnEveryMs) return;
    this.warnedAt = now;
    this.params.logger.warn(message, fields);
  }
}
