import { campaignKey } from '../src/domain/ids.ts';
import type { Id, Message } from '../src/domain/model.ts';
import type { CampaignHead, CampaignStore, Clock, Ledger, Logger } from '../src/domain/ports.ts';

export interface GateParams {
  ledger: Pick<Ledger, 'leaseRemaining'>;
  campaigns: Pick<CampaignStore, 'heads' | 'sending'>;
  /** Rows that wait to leave, or were handed over and have not begun to: of their campaigns is asked. */
  waiting: () => readonly Message[];
  /** Is any of them handed over? */
  isConnecting: () => boolean;
  /** Told what was read of a campaign (undefined: it is gone), and when it was asked for, monotonic ms. */
  seen: (campaignId: Id, head: CampaignHead | undefined, askedAt: number) => void;
  /** Rows that waited at the gate may be tried again. */
  onOpen: () => void;
  /** After each re-read: what was held back may go on. */
  onFresh: () => void;
  clock: Clock;
  logger: Logger;
}

/** What is known of campaigns and of the stop switch may be this old when the first byte of a row leaves, ms. */
const freshMs = 1000;
/** And this old when it is handed over, since a connection may have to be waited for. */
const handedMs = 750;
/** While anything is being handed over it is read anew after this long. */
const renewMs = 500;
const leasePollMs = 50;

/** A row may leave while the lease holds and what is known of its campaign and of the stop switch is fresh. */
export class Gate {
  private readonly params: GateParams;
  /** By campaign: when what was last read of it, and of the stop switch, was asked for, monotonic ms. */
  private readonly read = new Map<string, number>();
  private cancelRefresh: (() => void) | undefined;
  private refreshing = false;
  private waitingForLease = false;
  private closed = false;
  private stopSwitch = false;

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
    else if (this.age(campaignId) > handedMs) this.refresh();
    else return true;
    return false;
  }

  /** May the first byte of a row that was handed over leave? */
  mayBegin(campaignId: Id): boolean {
    return this.params.ledger.leaseRemaining() > 0 && this.age(campaignId) <= freshMs && !this.stopSwitch;
  }

  /** Something was handed over: until it has begun, what is known stays fresh. */
  renew(): void {
    if (this.cancelRefresh !== undefined || this.refreshing || this.closed) return;
    this.refreshIn(renewMs, this.params.isConnecting);
  }

  /** Nothing that was read counts any more. */
  expire(): void {
    this.read.clear();
    this.refresh();
  }

  /** No more is read. */
  close(): void {
    this.closed = true;
    this.cancelRefresh?.();
  }

  private age(campaignId: Id): number {
    return this.params.clock.monotonic() - (this.read.get(campaignKey(campaignId)) ?? Number.NEGATIVE_INFINITY);
  }

  private waitForLease(): void {
    if (this.waitingForLease) return;
    this.waitingForLease = true;
    this.params.clock.after(leasePollMs, () => {
      this.waitingForLease = false;
      this.params.onOpen();
    });
  }

  /** One grouped re-read for everything that waits to leave. */
  private refresh(): void {
    if (this.refreshing || this.closed) return;
    this.refreshing = true;
    this.cancelRefresh?.();
    this.cancelRefresh = undefined;
    void this.reread().then((ok) => {
      this.refreshing = false;
      if (!ok || this.stopSwitch) this.refreshIn(ok ? freshMs : leasePollMs * 4);
      if (!ok) return;
      if (this.params.isConnecting()) this.renew();
      this.params.onOpen();
      this.params.onFresh();
    });
  }

  private refreshIn(ms: number, isNeeded = (): boolean => true): void {
    this.cancelRefresh = this.params.clock.after(ms, () => {
      this.cancelRefresh = undefined;
      if (isNeeded()) this.refresh();
    });
  }

  private async reread(): Promise<boolean> {
    const { campaigns, clock, logger, seen, waiting } = this.params;
    const ids = new Map(waiting().map(({ campaignId }) => [campaignKey(campaignId), campaignId]));
    const asked = clock.monotonic();
    try {
      const [heads, sending] = await Promise.all([campaigns.heads([...ids.values()]), campaigns.sending()]);
      for (const [key, at] of this.read) if (at + freshMs < asked) this.read.delete(key);
      for (const [key, id] of ids) {
        seen(id, heads.get(key), asked);
        this.read.set(key, asked);
      }
      this.stopSwitch = sending === 'stopped';
      return true;
    } catch (error) {
      logger.warn('the gate cannot read what it has to know; rows wait', { error });
      return false;
    }
  }
}
