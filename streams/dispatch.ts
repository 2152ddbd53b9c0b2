import { Observable } from 'rxjs';
import type { Conversation, Id, Message } from '../src/domain/model.ts';
import type { RowResult } from '../src/domain/outbox.ts';
import type {
  CampaignHead,
  CampaignStore,
  Channel,
  Clock,
  Instruments,
  Ledger,
  Logger,
  OutboundMessage,
} from '../src/domain/ports.ts';
import { absent } from '../src/domain/shape.ts';
import { Gate } from './gate.ts';

/** A row in doubt: committed `sending`, its result not yet committed. */
export interface InDoubt {
  row: Message;
  /** When the try was committed, ms. */
  decidedAt: number;
  /** The conversation as it was last written by us; absent for a row that was adopted. */
  conversation?: Conversation;
  /** The conversation moved on while the row waited to leave: it is decided again first. */
  overtaken?: boolean;
}

export interface DispatchParams {
  channels: ReadonlyMap<string, Channel>;
  /** Rows in doubt on this member, at most. */
  concurrency: number;
  ledger: Pick<Ledger, 'leaseRemaining'>;
  campaigns: Pick<CampaignStore, 'heads' | 'sending'>;
  /** What the member sees of a campaign meanwhile; told what was re-read. */
  seen: (campaignId: Id, head: CampaignHead | undefined, askedAt: number) => void;
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
  /** Since rows last came. */
  answered: number;
  /** Rows of the channel in doubt, at most: twice its concurrency, and more while it gets through them before the next round is there. */
  bound: number;
}

/** Code of a channel's answer when it asked whether it may begin, and was told no. */
const notBegun = 'not_begun';
const nothing: ReadonlyMap<string, number> = new Map();

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
  /** Handed over, and not begun: a connection is being made. */
  private readonly unbegun = new Set<Message>();
  private abort = new AbortController();
  private stopped = false;
  private readonly gate: Gate;

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
      this.lanes.set(channel.name, {
        channel,
        queue: [],
        head: 0,
        active: 0,
        answered: 0,
        bound: 2 * channel.concurrency,
      });
    this.gate = new Gate({
      ...params,
      waiting: () => [
        ...this.unbegun,
        ...[...this.lanes.values()].flatMap(({ queue, head }) => queue.slice(head).map(({ row }) => row)),
      ],
      isConnecting: () => this.unbegun.size > 0,
      onOpen: () => {
        for (const lane of this.lanes.values()) this.pump(lane);
      },
    });
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

  /** How many more rows may come in doubt on a channel ("-": on any), beside those that are `planned` (by channel). */
  room(channel: string, planned: ReadonlyMap<string, number> = nothing): number {
    if (this.stopped || this.gate.sendingStopped) return 0;
    let total = this.params.concurrency - this.doubt.size;
    for (const count of planned.values()) total -= count;
    if (channel === '-') return Math.max(0, total);
    const lane = this.lanes.get(channel);
    if (lane === undefined) return 0;
    const used = (name: string): number => (this.doubtByChannel.get(name) ?? 0) + (planned.get(name) ?? 0);
    // a channel that hangs must not hold up all: what each other one can send at a time is kept for it, as far as that goes round
    const share = Math.floor(this.params.concurrency / (2 * this.lanes.size));
    for (const other of this.lanes.values())
      if (other !== lane) total -= Math.max(0, Math.min(other.channel.concurrency, share) - used(other.channel.name));
    return Math.max(0, Math.min(lane.bound - used(channel), total));
  }

  /** Takes in rows whose round was committed. */
  enqueue(entries: readonly InDoubt[]): void {
    /** What was left of the rounds before, or less than none: slots of the channel that stand idle. */
    const left = new Map<Lane, number>();
    for (const entry of entries) {
      const lane = this.lanes.get(entry.row.channel);
      this.admit(entry);
      if (lane === undefined) {
        this.hold(entry);
        continue;
      }
      if (!left.has(lane)) left.set(lane, lane.queue.length - lane.head + lane.active - lane.channel.concurrency);
      lane.queue.push(entry);
    }
    this.params.instruments.inDoubt(this.doubt.size);
    for (const [lane, count] of left) {
      this.adjust(lane, count);
      this.pump(lane);
    }
  }

  /**
   * A channel that used all its slots and stands idle waits for rounds: it may have twice as many in doubt.
   * One that has more left than it can send at a time is slower: what waits there only adds to what a kill repeats.
   */
  private adjust(lane: Lane, left: number): void {
    const { channel, bound, answered } = lane;
    lane.answered = 0;
    const atBound = (this.doubtByChannel.get(channel.name) ?? 0) >= bound;
    if (left < 0 && answered >= channel.concurrency && atBound)
      lane.bound = Math.min(2 * bound, Math.max(bound, this.params.concurrency));
    else if (left > channel.concurrency) lane.bound = Math.max(bound >> 1, 2 * channel.concurrency);
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
    if (entry === undefined) return;
    if (entry.conversation && !standsAlike(entry.conversation, conversation)) entry.overtaken = true;
    entry.conversation = conversation;
  }

  /** The stop switch was touched, or may have been: the next row waits for a fresh look. */
  expire(): void {
    this.gate.expire();
  }

  /** Nothing new is handed over; what is on the wire goes on. */
  stop(): void {
    this.stopped = true;
    this.gate.close();
  }

  /** The lease is lost: nothing is handed over any more, and what is on the wire is aborted. */
  abortAll(): void {
    this.stop();
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
    const replaced = this.doubt.get(entry.row.conversationId);
    if (replaced) this.settled(replaced.row);
    this.doubt.set(entry.row.conversationId, entry);
    this.doubtByChannel.set(entry.row.channel, (this.doubtByChannel.get(entry.row.channel) ?? 0) + 1);
  }

  private pump(lane: Lane): void {
    while (!this.stopped && lane.active < lane.channel.concurrency && lane.head < lane.queue.length) {
      const entry = lane.queue[lane.head];
      if (entry === undefined || !this.gate.isOpen(entry.row.campaignId)) return;
      lane.head += 1;
      if (lane.head === lane.queue.length || lane.head > 1024) {
        lane.queue.splice(0, lane.head);
        lane.head = 0;
      }
      if (entry.overtaken || this.gate.sendingStopped || !this.params.maySend(entry.row.campaignId)) {
        this.hold(entry);
      } else {
        void this.hand(lane, entry);
      }
    }
  }

  /** A channel asks once more just before the first byte leaves: a connection may have had to be made first, and the process may have been frozen meanwhile. */
  private async hand(lane: Lane, entry: InDoubt): Promise<void> {
    const { clock, instruments } = this.params;
    const { row, decidedAt } = entry;
    lane.active += 1;
    this.unbegun.add(row);
    this.gate.renew(row.campaignId);
    const handedAt = clock.now();
    const began = clock.monotonic();
    let isStale = false;
    const mayBegin = (last = true): boolean => {
      if (last) this.unbegun.delete(row);
      isStale = !this.stopped && this.gate.isStale(row.campaignId);
      return (
        !this.stopped && !entry.overtaken && this.gate.mayBegin(row.campaignId) && this.params.maySend(row.campaignId)
      );
    };
    const outcome = await lane.channel.send(outboundOf(row), this.abort.signal, mayBegin);
    this.unbegun.delete(row);
    lane.active -= 1;
    lane.answered += 1;
    if (outcome.kind === 'retry' && outcome.code === notBegun) this.hold(entry, isStale);
    else {
      instruments.send(row.channel, clock.monotonic() - began, outcome.kind);
      this.tell({ row, outcome, decidedAt, handedAt, answeredAt: clock.now() });
    }
    this.pump(lane);
  }

  private hold({ row, decidedAt }: InDoubt, isStale = false): void {
    this.tell({ row, outcome: { kind: 'held', isStale }, decidedAt, answeredAt: this.params.clock.now() });
  }

  private tell(result: RowResult): void {
    if (this.listener) this.listener(result);
    else this.early.push(result);
  }
}

/** Whether what was decided in the one place holds in the other. */
const standsAlike = (a: Conversation, b: Conversation): boolean =>
  a.status === b.status && a.stage === b.stage && a.step === b.step && a.sequence === b.sequence;

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
    queuedAt: row.queuedAt,
    traceparent: row.trace?.traceparent ?? absent,
  };
}
