import type { ChannelState } from '../src/domain/model.ts';
import type { Instruments, Logger } from '../src/domain/systemPorts.ts';

/** What is told of the channels whose circuit is not closed: to other members, to the log and to the metrics. */
export class ChannelStates {
  private readonly params: { instruments: Pick<Instruments, 'circuit' | 'event'>; logger: Logger };
  private states: Readonly<Record<string, ChannelState>> = {};

  constructor(params: { instruments: Pick<Instruments, 'circuit' | 'event'>; logger: Logger }) {
    this.params = params;
  }

  /** By name; another object after each change. */
  get current(): Readonly<Record<string, ChannelState>> {
    return this.states;
  }

  /** The circuit of a channel changed; undefined: it is closed. */
  changed(channel: string, state: ChannelState | undefined): void {
    const { instruments, logger } = this.params;
    const { [channel]: before, ...others } = this.states;
    this.states = state === undefined ? others : { ...others, [channel]: state };
    instruments.circuit(channel, state?.state ?? 'closed');
    if (state === undefined) logger.info('a channel is used again', { channel });
    // it may only have to wait for longer
    if (state?.state !== 'open' || before?.state === 'open') return;
    // a provider's words may have a phone number in them, or the message
    const { code, until } = state;
    instruments.event('circuit_opened');
    const level = before === undefined ? 'warn' : 'debug';
    const fields = { channel, code, until };
    logger[level]('a channel is left alone for a while: its provider fails, or asks for it', fields);
  }
}
