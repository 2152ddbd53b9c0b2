import { Observable } from 'rxjs';
import type { CampaignHead, CampaignStore } from '../src/domain/campaignPorts.ts';
import type { Channel } from '../src/domain/channelPorts.ts';
import type { Ledger } from '../src/domain/memberPorts.ts';
import type { ChannelState, Conversation, Id, Message, Unit } from '../src/domain/model.ts';
import type { RowResult } from '../src/domain/outbox.ts';
import type { Clock, Instruments, Logger } from '../src/domain/systemPorts.ts';
import type { Tracer } from '../src/domain/tracePorts.ts';
import { ChannelQueue } from './channelQueue.ts';
import { ChannelStates } from './channelStates.ts';
import { Clearance } from './clearance.ts';
import { Gate } from './gate.ts';
import { HandOver } from './handOver.ts';
import { type InDoubt, RowsInDoubt } from './inDoubt.ts';
import type { Rates } from './rates.ts';
import { Room } from './room.ts';
import { longestWaitMs, SlotWaits } from './slotWaits.ts';
import type { Suppressions } from './suppressions.ts';

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
  /** Who must not be written to. Absent: nobody is asked for. */
  suppressions?: Pick<Suppressions, 'isClear' | 'isFresh' | 'refused'>;
  /** What may be handed over a second. Absent: no limits. */
  rates?: Pick<Rates, 'open' | 'narrow' | 'onNews'>;
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  logger: Logger;
  instruments: Instruments;
  /** Absent: nobody asked for traces. */
  tracer?: Tracer | undefined;
}

/**
 * Hands committed rows to their channels from bounded queues, through the gate. Everything that was taken in ends as one
 * result on `results$`, except when the member stops: then rows stay `sending` for the next owner.
 */
export class Dispatch {
  private readonly params: DispatchParams;
  private readonly queues = new Map<string, ChannelQueue>();
  private readonly doubt = new RowsInDoubt();
  private listener: ((result: RowResult) => void) | undefined;
  private readonly early: RowResult[] = [];
  private stopped = false;
  private readonly states: ChannelStates;
  private readonly gate: Gate;
  private readonly clearance: Clearance;
  private readonly slots: SlotWaits;
  private readonly hands: HandOver;
  /** How many rows may come in doubt. */
  readonly room: Room;

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
    this.states = new ChannelStates(params);
    for (const channel of params.channels.values()) {
      const onChange = (state: ChannelState | undefined): void => this.circuitChanged(channel.name, state);
      const allowance = params.rates?.open(channel.name, {
        onSlot: () => this.pumpChannel(channel.name),
        onNews: () => params.onFresh(),
      });
      this.queues.set(channel.name, new ChannelQueue(channel, { ...params, onChange }, allowance));
      params.instruments.circuit(channel.name, 'closed');
    }
    this.slots = new SlotWaits({
      ...params,
      queues: () => this.queues.values(),
      mayLeave: (entry) => this.mayLeave(entry),
      hold: (entry, why) => this.hold(entry, why),
      pump: (queue) => this.pump(queue),
    });
    params.rates?.onNews(() => {
      this.slots.recall();
      params.onFresh();
    });
    this.clearance = new Clearance(params);
    this.gate = new Gate({
      ...params,
      waiting: () => this.waiting().map(({ row }) => row),
      isConnecting: () => this.hands.isConnecting,
      clearance: (signal) => this.clearance.ask(this.waiting(), signal),
      onOpen: () => {
        for (const queue of this.queues.values()) this.pump(queue);
      },
    });
    this.hands = new HandOver({
      ...params,
      gate: this.gate,
      clearance: this.clearance,
      isStopped: () => this.stopped,
      mayLeave: (entry) => this.mayLeave(entry),
      hold: (entry, why) => this.hold(entry, why),
      tell: (result) => this.tell(result),
      ended: (queue) => this.pump(queue),
    });
    this.room = new Room({
      concurrency: params.concurrency,
      doubt: this.doubt,
      queues: this.queues,
      isShut: () => this.stopped || this.gate.sendingStopped,
    });
  }

  get inDoubt(): number {
    return this.doubt.size;
  }

  /** Of channels that are left alone for a while; another object after each change. */
  get channelStates(): Readonly<Record<string, ChannelState>> {
    return this.states.current;
  }

  entries(): IterableIterator<InDoubt> {
    return this.doubt.all();
  }

  entry(conversationId: string): InDoubt | undefined {
    return this.doubt.get(conversationId);
  }

  /** Takes in rows whose round was committed. */
  enqueue(entries: readonly InDoubt[]): void {
    /** What was left of the rounds before, or less than none: slots of the channel that stand idle. */
    const left = new Map<ChannelQueue, number>();
    for (const entry of entries) {
      const queue = this.queues.get(entry.row.channel);
      this.doubt.add(entry);
      if (queue === undefined) {
        this.hold(entry);
        continue;
      }
      if (!left.has(queue)) left.set(queue, queue.excess);
      this.slots.reserve(entry);
      queue.put(entry);
    }
    this.params.instruments.inDoubt(this.doubt.size);
    for (const [queue, excess] of left) {
      queue.adjust(excess, this.doubt.countOf(queue.channel.name), this.params.concurrency);
      // it may have opened while they were committed
      if (queue.circuit.isOpen) this.drain(queue);
      else this.pump(queue);
    }
  }

  /**
   * Rows that were committed by somebody who is gone (`lost`), or by us without learning of it (`held`: never handed over):
   * in doubt from now on, and answered at once.
   */
  adopt(rows: readonly Message[], kind: 'lost' | 'held'): void {
    const { clock, instruments } = this.params;
    const now = clock.now();
    for (const row of rows) {
      if (this.doubt.get(row.conversationId)) continue;
      this.doubt.add({ row, decidedAt: now });
      instruments.recovered(row.channel, kind, 1);
      this.repeat({ row, outcome: { kind }, decidedAt: now, answeredAt: now });
    }
  }

  /** The result of a row was committed: it is in doubt no longer. */
  settled(row: Message): void {
    if (this.doubt.remove(row)) this.params.instruments.inDoubt(this.doubt.size);
  }

  /** A result that could not be recorded comes again. */
  repeat(result: RowResult): void {
    this.params.clock.after(0, () => this.tell(result));
  }

  /** A conversation of a row in doubt was written meanwhile (an event came). */
  rewritten(conversation: Conversation): void {
    this.doubt.rewritten(conversation);
  }

  /** Receipts came for a row in doubt: its answer is recorded beside them. */
  received(unit: Pick<Unit, 'conversationId' | 'rows'>): void {
    this.doubt.received(unit);
  }

  /** The stop switch was touched, or may have been: the next row waits for a fresh look. */
  expire(): void {
    this.gate.expire();
  }

  /** Nothing new is handed over; what is on the wire goes on. */
  stop(): void {
    this.stopped = true;
    this.gate.close();
    for (const { circuit, allowance } of this.queues.values()) {
      circuit.stop();
      void allowance?.stop();
    }
    this.slots.stop();
  }

  /** The lease is lost: nothing is handed over any more, and what is on the wire is aborted. */
  abortAll(): void {
    this.stop();
    this.hands.abort(true);
  }

  /** Aborts what is on the wire when the lease ran out; called from the member's timer. */
  guardLease(): void {
    if (this.params.ledger.leaseRemaining() > 0 || this.hands.isAborted) return;
    if (![...this.queues.values()].some(({ active }) => active > 0)) return;
    this.params.logger.warn('the lease ran out: sends on the wire are aborted', { code: 'lease_lost' });
    this.hands.abort(this.stopped);
  }

  /** What waits to leave, or was handed over and has not begun. */
  private waiting(): InDoubt[] {
    return [...this.hands.connecting, ...[...this.queues.values()].flatMap((queue) => queue.waiting())];
  }

  private pumpChannel(name: string): void {
    const queue = this.queues.get(name);
    if (queue) this.pump(queue);
  }

  private pump(queue: ChannelQueue): void {
    for (let entry = queue.next; entry !== undefined && !this.stopped; entry = queue.next) {
      if (!this.gate.isOpen(entry.row.campaignId)) return;
      if (!entry.refused && !this.clearance.isClear(entry)) {
        this.gate.demand(entry.row.campaignId);
        return;
      }
      const leaves = !this.gate.sendingStopped && this.mayLeave(entry);
      const slow = leaves ? this.slots.lacking(entry) : undefined;
      if (slow !== undefined) {
        queue.shift();
        this.slots.setAside(queue, entry, slow);
        continue;
      }
      if (leaves && queue.allowance?.take() === false) {
        queue.waits(this.params.clock.now());
        if (queue.allowance.waitMs > longestWaitMs) this.drain(queue);
        return;
      }
      queue.shift();
      if (!leaves) this.hold(entry);
      else {
        this.slots.use(entry);
        queue.hasSlot(entry);
        void this.hands.hand(queue, entry);
      }
    }
    queue.waitsNoMore();
  }

  /** What was decided still holds, of the conversation, the campaign and the window. */
  private mayLeave({ row, overtaken, refused, until }: InDoubt): boolean {
    const { clock, maySend } = this.params;
    return !overtaken && !refused && maySend(row.campaignId) && (until === undefined || clock.now() < until);
  }

  /** What waits behind an open circuit goes back: it was no attempt, and is decided again when its turn comes. */
  private circuitChanged(name: string, state: ChannelState | undefined): void {
    this.states.changed(name, state);
    const queue = this.queues.get(name);
    if (queue === undefined) return;
    if (state?.state === 'open') this.drain(queue);
    else {
      this.pump(queue);
      this.params.onFresh();
    }
  }

  /** What waits goes back, as if it had never been about to leave. */
  private drain(queue: ChannelQueue): void {
    for (const entry of queue.drain()) this.hold(entry);
  }

  private hold(entry: InDoubt, why: { isStale?: boolean; inMs?: number } = {}): void {
    const { row, decidedAt } = entry;
    this.slots.free(entry);
    this.tell({ row, outcome: { kind: 'held', ...why }, decidedAt, answeredAt: this.params.clock.now() });
  }

  private tell(result: RowResult): void {
    if (this.listener) this.listener(result);
    else this.early.push(result);
  }
}
