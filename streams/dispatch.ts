import { Observable } from 'rxjs';
import { campaignKey } from '../src/domain/ids.ts';
import type { Conversation, Id, Message } from '../src/domain/model.ts';
import type { RowResult } from '../src/domain/outbox.ts';
import type {
  CampaignStore,
  Channel,
  Clock,
  Instruments,
  Ledger,
  Logger,
  OutboundMessage,
} from '../src/domain/ports.ts';
import { absent } from '../src/domain/shape.ts';

/** A row in doubt: committed `sending`, its result not yet committed. */
export interface InDoubt {
  row: Message;
  /** When the try was committed, ms. */
  decidedAt: number;
  /** The conversation as it was last written by us; absent for a row that was adopted. */
  conversation?: Conversation;
}

export interface DispatchParams {
  channels: ReadonlyMap<string, Channel>;
  /** Rows in doubt on this member, at most. */
  concurrency: number;
  ledger: Pick<Ledger, 'leaseRemaining'>;
  campaigns: Pick<CampaignStore, 'statuses' | 'sending'>;
  /** What the member sees of a campaign meanwhile; told the statuses that were re-read. */
  seen: (campaignId: Id, status: unknown, askedAt: number) => void;
  maySend: (campaignId: Id) => boolean;
  /** Called after each re-read: what was held back may go on. */
  onFresh: () => void;
  clock: Clock;
  logger: Logger;
  instruments: Instruments;
}

interface Lane {
  channel: Channel;
  queue: InDoubt[];
  head: number;
  active: number;
}

/** What is known of campaigns and of the stop switch may be this old when a row is handed over. */
const freshMs = 1000;
const leasePollMs = 50;

/**
 * Hands committed rows to their channels from bounded queues, through the gate. Everything that was taken in ends as one
 * result on `results$`, except when the member stops: then rows stay `sending` for the next owner.
 */
export class Dispatch {
  private readonly params: DispatchParams;
  private readonly lanes = new Map<string, Lane>();
  /** By conversation: at most one row of each is in doubt. */
  private readonly doubt = new Map<string, InDoubt>();
  private readonly doubtByChannel = new Map<string, number>();
  private listener: ((result: RowResult) => void) | undefined;
  private readonly early: RowResult[] = [];
  private abort = new AbortController();
  private stopped = false;
  /** By campaign: until when (monotonic ms) what was read of it, and of the stop switch, is fresh. */
  private readonly fresh = new Map<string, number>();
  private cancelRefresh: (() => void) | undefined;
  private refreshing = false;
  private sendingStopped = false;
  private waitingForLease = false;

  /** One subscriber: the rounds. Results that come before it is there wait. */
  readonly results$: Observable<RowResult> = new Observable((subscriber) => {
    this.listener = (result) => subscriber.next(result);
    for (const result of this.early.splice(0)) subscriber.next(result);
    return () => {
      this.listener = undefined;
    };
  });

  constructor(params: DispatchParams) {
    this.params = params;
    for (const channel of params.channels.values())
      this.lanes.set(channel.name, { channel, queue: [], head: 0, active: 0 });
  }

  get inDoubt(): number {
    return this.doubt.size;
  }

  entries(): IterableIterator<InDoubt> {
    return this.doubt.values();
  }

  entry(conversationId: string): InDoubt | undefined {
    return this.doubt.get(conversationId);
  }

  /** How many more rows may come in doubt on a channel ("-": on any) now. */
  room(channel: string): number {
    if (this.stopped || this.sendingStopped) return 0;
    const total = this.params.concurrency - this.doubt.size;
    if (channel === '-') return Math.max(0, total);
    const lane = this.lanes.get(channel);
    if (lane === undefined) return 0;
    // a channel alone may use everything but what is kept for each other one
    const reserve = Math.min(lane.channel.concurrency, Math.floor(this.params.concurrency / (2 * this.lanes.size)));
    const others = [...this.lanes.keys()].filter((name) => name !== channel && !this.doubtByChannel.get(name)).length;
    const own = 2 * lane.channel.concurrency - (this.doubtByChannel.get(channel) ?? 0);
    return Math.max(0, Math.min(own, total - others * reserve));
  }

  /** Takes in rows whose round was committed. */
  enqueue(entries: readonly InDoubt[]): void {
    const touched = new Set<Lane>();
    for (const entry of entries) {
      const lane = this.lanes.get(entry.row.channel);
      this.admit(entry);
      if (lane === undefined) {
        this.hold(entry);
        continue;
      }
      lane.queue.push(entry);
      touched.add(lane);
    }
    this.params.instruments.inDoubt(this.doubt.size);
    for (const lane of touched) this.pump(lane);
  }

  /**
   * Rows that were committed by somebody who is gone (`lost`), or by us without learning of it (`held`: never handed over):
   * in doubt from now on, and answered at once.
   */
  adopt(rows: readonly Message[], kind: 'lost' | 'held'): void {
    const now = this.params.clock.now();
    for (const row of rows) {
      if (this.doubt.has(row.conversationId)) continue;
      this.admit({ row, decidedAt: now });
      this.repeat({ row, outcome: { kind }, decidedAt: now, answeredAt: now });
    }
  }

  /** The result of a row was committed: it is in doubt no longer. */
  settled(row: Message): void {
    if (this.doubt.get(row.conversationId)?.row._id !== row._id) return;
    this.doubt.delete(row.conversationId);
    this.doubtByChannel.set(row.channel, (this.doubtByChannel.get(row.channel) ?? 1) - 1);
    this.params.instruments.inDoubt(this.doubt.size);
  }

  /** A result that could not be recorded comes again. */
  repeat(result: RowResult): void {
    this.params.clock.after(0, () => this.tell(result));
  }

  /** A conversation of a row in doubt was written meanwhile (an event came). */
  rewritten(conversation: Conversation): void {
    const entry = this.doubt.get(conversation._id);
    if (entry) entry.conversation = conversation;
  }

  /** The stop switch was touched, or a campaign changed: the next row waits for a fresh look. */
  expire(): void {
    this.fresh.clear();
    this.refresh();
  }

  /** Nothing new is handed over; what is on the wire goes on. */
  stop(): void {
    this.stopped = true;
  }

  /** The lease is lost: nothing is handed over any more, and what is on the wire is aborted. */
  abortAll(): void {
    this.stopped = true;
    this.abort.abort();
  }

  /** Aborts what is on the wire when the lease ran out; called from the member's timer. */
  guardLease(): void {
    if (this.params.ledger.leaseRemaining() > 0 || this.abort.signal.aborted) return;
    if (![...this.lanes.values()].some((lane) => lane.active > 0)) return;
    this.params.logger.warn('the lease ran out: sends on the wire are aborted', { code: 'lease_lost' });
    this.abort.abort();
    if (!this.stopped) this.abort = new AbortController();
  }

  private admit(entry: InDoubt): void {
    this.doubt.set(entry.row.conversationId, entry);
    this.doubtByChannel.set(entry.row.channel, (this.doubtByChannel.get(entry.row.channel) ?? 0) + 1);
  }

  private pump(lane: Lane): void {
    while (!this.stopped && lane.active < lane.channel.concurrency && lane.head < lane.queue.length) {
      const entry = lane.queue[lane.head];
      if (entry === undefined || !this.mayHand(entry.row)) return;
      lane.head += 1;
      if (lane.head === lane.queue.length || lane.head > 1024) {
        lane.queue.splice(0, lane.head);
        lane.head = 0;
      }
      if (this.sendingStopped || !this.params.maySend(entry.row.campaignId)) {
        this.hold(entry);
      } else {
        void this.hand(lane, entry);
      }
    }
  }

  /** The gate's first half: the lease holds and what is known is fresh. If not, the lanes are pumped again once it is so. */
  private mayHand({ campaignId }: Message): boolean {
    const { ledger, clock } = this.params;
    if (ledger.leaseRemaining() <= 0) this.waitForLease();
    else if (clock.monotonic() > (this.fresh.get(campaignKey(campaignId)) ?? Number.NEGATIVE_INFINITY)) this.refresh();
    else return true;
    return false;
  }

  private async hand(lane: Lane, { row, decidedAt }: InDoubt): Promise<void> {
    const { clock, instruments } = this.params;
    lane.active += 1;
    const handedAt = clock.now();
    const began = clock.monotonic();
    const outcome = await lane.channel.send(outboundOf(row), this.abort.signal);
    lane.active -= 1;
    instruments.send(row.channel, clock.monotonic() - began, outcome.kind);
    this.tell({ row, outcome, decidedAt, handedAt, answeredAt: clock.now() });
    this.pump(lane);
  }

  private hold({ row, decidedAt }: InDoubt): void {
    this.tell({ row, outcome: { kind: 'held' }, decidedAt, answeredAt: this.params.clock.now() });
  }

  private tell(result: RowResult): void {
    if (this.listener) this.listener(result);
    else this.early.push(result);
  }

  private waitForLease(): void {
    if (this.waitingForLease) return;
    this.waitingForLease = true;
    this.params.clock.after(leasePollMs, () => {
      this.waitingForLease = false;
      for (const lane of this.lanes.values()) this.pump(lane);
    });
  }

  /** One grouped re-read for everything that waits to leave. */
  private refresh(): void {
    if (this.refreshing || this.stopped) return;
    this.refreshing = true;
    this.cancelRefresh?.();
    this.cancelRefresh = undefined;
    void this.reread().then((ok) => {
      this.refreshing = false;
      if (!ok || this.sendingStopped)
        this.cancelRefresh = this.params.clock.after(ok ? freshMs : leasePollMs * 4, () => this.refresh());
      if (!ok) return;
      for (const lane of this.lanes.values()) this.pump(lane);
      this.params.onFresh();
    });
  }

  private async reread(): Promise<boolean> {
    const ids = new Map<string, Id>();
    for (const { queue, head } of this.lanes.values())
      for (const { row } of queue.slice(head)) ids.set(campaignKey(row.campaignId), row.campaignId);
    const asked = this.params.clock.monotonic();
    try {
      const [statuses, sending] = await Promise.all([
        this.params.campaigns.statuses([...ids.values()]),
        this.params.campaigns.sending(),
      ]);
      for (const [key, until] of this.fresh) if (until < asked) this.fresh.delete(key);
      for (const [key, id] of ids) {
        this.params.seen(id, statuses.get(key), asked);
        this.fresh.set(key, asked + freshMs);
      }
      this.sendingStopped = sending === 'stopped';
      return true;
    } catch (error) {
      this.params.logger.warn('the gate cannot read what it has to know; rows wait', { error });
      return false;
    }
  }
}

function outboundOf(row: Message): OutboundMessage {
  return {
    messageId: row._id,
    campaignId: row.campaignId,
    conversationId: row.conversationId,
    channel: row.channel,
    to: row.to ?? '',
    content: row.content ?? {},
    stage: row.stage,
    step: row.step,
    traceparent: row.trace?.traceparent ?? absent,
  };
}
