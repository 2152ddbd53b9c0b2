import type { SendResult } from '../src/domain/channelPorts.ts';
import type { Message } from '../src/domain/model.ts';
import type { RowResult } from '../src/domain/outbox.ts';
import type { Clock, Instruments } from '../src/domain/systemPorts.ts';
import { isSampled } from '../src/domain/trace.ts';
import type { Tracer } from '../src/domain/tracePorts.ts';
import type { ChannelQueue } from './channelQueue.ts';
import type { Clearance } from './clearance.ts';
import type { Gate } from './gate.ts';
import type { InDoubt } from './inDoubt.ts';
import { outboundOf } from './outbound.ts';
import { traceSend } from './spans.ts';

export interface HandOverParams {
  gate: Pick<Gate, 'renew' | 'isStale' | 'mayBegin'>;
  clearance: Pick<Clearance, 'isClear'>;
  /** Nothing leaves any more. */
  isStopped: () => boolean;
  /** What was decided of a row still holds. */
  mayLeave: (entry: InDoubt) => boolean;
  /** It has not left, and goes back as if it had never been about to; `isStale`: only because something was not known freshly enough. */
  hold: (entry: InDoubt, why: { isStale: boolean }) => void;
  tell: (result: RowResult) => void;
  /** The next of the queue may leave. */
  ended: (queue: ChannelQueue) => void;
  clock: Clock;
  instruments: Instruments;
  tracer?: Tracer | undefined;
}

/** Code of a channel's answer when it asked whether it may begin, and was told no. */
const notBegun = 'not_begun';

/** What is on its way to the channels: asked for once more when it begins, and measured, traced and told when it was answered. */
export class HandOver {
  private readonly params: HandOverParams;
  /** A connection is being made. */
  private readonly unbegun = new Map<Message, InDoubt>();
  private onWire = new AbortController();

  constructor(params: HandOverParams) {
    this.params = params;
  }

  /** Handed over, and not begun. */
  get connecting(): IterableIterator<InDoubt> {
    return this.unbegun.values();
  }

  get isConnecting(): boolean {
    return this.unbegun.size > 0;
  }

  get isAborted(): boolean {
    return this.onWire.signal.aborted;
  }

  /** Aborts what is on the wire, and, `forGood`, what is handed over later, too. */
  abort(forGood: boolean): void {
    this.onWire.abort();
    if (!forGood) this.onWire = new AbortController();
  }

  /** A channel asks once more just before the first byte leaves: a connection may have had to be made first, and the process may have been frozen meanwhile. */
  async hand(queue: ChannelQueue, entry: InDoubt): Promise<void> {
    const { clock, gate, clearance, isStopped, mayLeave } = this.params;
    const { row } = entry;
    queue.began();
    this.unbegun.set(row, entry);
    gate.renew(row.campaignId);
    const handedAt = clock.now();
    const began = clock.monotonic();
    const { circuit } = queue;
    const epoch = circuit.began();
    const isProbe = circuit.isTrying;
    let isStale = false;
    const mayBegin = (last = true): boolean => {
      if (last) this.unbegun.delete(row);
      const isClear = clearance.isClear(entry);
      isStale = !isStopped() && !entry.refused && (!isClear || gate.isStale(row.campaignId));
      return !isStopped() && isClear && gate.mayBegin(row.campaignId) && mayLeave(entry);
    };
    const answer = await queue.channel.send(outboundOf(row), this.onWire.signal, mayBegin);
    // it stood in for all that wait, and the same few may do so again and again: an outage uses up nobody's tries
    const outcome = isProbe && answer.kind === 'retry' ? { ...answer, counts: false } : answer;
    this.unbegun.delete(row);
    queue.ended();
    if (queue.channel.manyHosts === undefined) circuit.answered(epoch, answer);
    if (outcome.kind === 'retry' && outcome.code === notBegun) this.params.hold(entry, { isStale });
    else this.answered(entry, outcome, handedAt, clock.monotonic() - began);
    this.params.ended(queue);
  }

  private answered(entry: InDoubt, outcome: SendResult, handedAt: number, tookMs: number): void {
    const { clock, instruments, tracer, tell } = this.params;
    const { row, decidedAt, rateWait } = entry;
    const isTraced = tracer !== undefined && isSampled(row.trace);
    if (rateWait) instruments.rateWait(rateWait.kind, handedAt - rateWait.since);
    instruments.send(row.channel, tookMs, outcome.kind, isTraced ? row.trace?.traceparent : undefined);
    if (isTraced) traceSend(tracer, row, outcome, [handedAt, handedAt + tookMs]);
    tell({ row, outcome, decidedAt, handedAt, answeredAt: clock.now() });
  }
}
