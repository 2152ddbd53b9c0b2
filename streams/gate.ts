import { campaignKey } from '../src/domain/ids.ts';
import type { Id, Message } from '../src/domain/model.ts';
import type { CampaignStore, Clock, Ledger, Logger } from '../src/domain/ports.ts';

export interface GateParams {
  ledger: Pick<Ledger, 'leaseRemaining'>;
  campaigns: Pick<CampaignStore, 'statuses' | 'sending'>;
  /** Rows that wait to leave: of their campaigns is asked. */
  waiting: () => readonly Message[];
  /** Told the status of a campaign that was read (undefined: it is gone), and when it was asked for, monotonic ms. */
  seen: (campaignId: Id, status: unknown, askedAt: number) => void;
  /** Rows that waited at the gate may be tried again. */
  onOpen: () => void;
  /** After each re-read: what was held back may go on. */
  onFresh: () => void;
  clock: Clock;
  logger: Logger;
}

/** What is known of campaigns and of the stop switch may be this old when a row is handed over, ms. */
const freshMs = 1000;
const leasePollMs = 50;

/** A row may leave while the lease holds and what is known of its campaign and of the stop switch is fresh. */
export class Gate {
  private readonly params: GateParams;
  /** By campaign: until when (monotonic ms) what was read of it, and of the stop switch, is fresh. */
  private readonly fresh = new Map<string, number>();
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
    const { ledger, clock } = this.params;
    if (ledger.leaseRemaining() <= 0) this.waitForLease();
    else if (clock.monotonic() > (this.fresh.get(campaignKey(campaignId)) ?? Number.NEGATIVE_INFINITY)) this.refresh();
    else return true;
    return false;
  }

  /** Nothing that was read counts any more. */
  expire(): void {
    this.fresh.clear();
    this.refresh();
  }

  /** No more is read. */
  close(): void {
    this.closed = true;
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
      if (!ok || this.stopSwitch)
        this.cancelRefresh = this.params.clock.after(ok ? freshMs : leasePollMs * 4, () => this.refresh());
      if (!ok) return;
      this.params.onOpen();
      this.params.onFresh();
    });
  }

  private async reread(): Promise<boolean> {
    const { campaigns, clock, logger, seen, waiting } = this.params;
    const ids = new Map(waiting().map(({ campaignId }) => [campaignKey(campaignId), campaignId]));
    const asked = clock.monotonic();
    try {
      const [statuses, sending] = await Promise.all([campaigns.statuses([...ids.values()]), campaigns.sending()]);
      for (const [key, until] of this.fresh) if (until < asked) this.fresh.delete(key);
      for (const [key, id] of ids) {
        seen(id, statuses.get(key), asked);
        this.fresh.set(key, asked + freshMs);
      }
      this.stopSwitch = sending === 'stopped';
      return true;
    } catch (error) {
      logger.warn('the gate cannot read what it has to know; rows wait', { error });
      return false;
    }
  }
}
