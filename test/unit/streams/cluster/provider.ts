/** Who takes the messages: at once, late, not now, or without a word. */

import { BoundedChannel } from '../../../../src/channels/bounded.ts';
import type { Handover } from '../../../../src/channels/handover.ts';
import type { ChannelConfig } from '../../../../src/config.ts';
import type { Channel, OutboundMessage, SendResult } from '../../../../src/domain/channelPorts.ts';
import type { ManualClock } from '../../../support/clock.ts';
import type { Host } from './host.ts';

/** One message that left. */
export interface Taken {
  key: string;
  channel: string;
  memberId: string;
  /** Monotonic ms of the cluster. */
  at: number;
  /** What the member was told in the end, by the provider or for want of an answer. */
  told: SendResult['kind'] | undefined;
  /** The provider said itself that it did not take it. */
  refused: boolean;
}

export interface ProviderParams {
  clock: ManualClock;
  chance: () => number;
  /** Called when a message leaves. */
  onTaken: (taken: Taken, message: OutboundMessage) => void;
}

export class Provider {
  /** By key, in order. */
  readonly taken = new Map<string, Taken[]>();
  isHealthy = false;
  private readonly params: ProviderParams;

  constructor(params: ProviderParams) {
    this.params = params;
  }

  /** The real channel of one life of a member around this provider. */
  channel(config: ChannelConfig, memberId: string, host: Host): Channel {
    const driver = { start: (handover: Handover) => this.take(handover, memberId, host), close: async () => {} };
    const channel = new BoundedChannel(config, driver, host.clock);
    const send = channel.send.bind(channel);
    channel.send = async (message, signal) => {
      const before = this.of(message.messageId).length;
      const result = await send(message, signal);
      const [taken] = this.of(message.messageId).slice(before);
      if (taken !== undefined) taken.told = result.kind;
      return result;
    };
    return channel;
  }

  of(key: string): Taken[] {
    return this.taken.get(key) ?? [];
  }

  private take(handover: Handover, memberId: string, host: Host): void {
    const { clock, chance, onTaken } = this.params;
    const { message } = handover;
    const { messageId: key, channel } = message;
    const taken: Taken = { key, channel, memberId, at: clock.monotonic(), told: undefined, refused: false };
    this.taken.set(key, [...this.of(key), taken]);
    onTaken(taken, message);
    handover.begun = true;
    const answer = (ms: number, result: SendResult): void =>
      void clock.after(ms, () => host.enter(() => handover.settle(result)));
    const luck = this.isHealthy ? 1 : chance();
    if (luck < 0.08) return;
    if (luck < 0.18) {
      taken.refused = true;
      answer(chance() * 30, {
        ...{ kind: 'retry', code: 'busy', message: 'not now', counts: chance() < 0.7 },
        retryAfterMs: chance() * 4_000,
      });
    } else if (luck < 0.22) {
      taken.refused = true;
      answer(chance() * 30, { kind: 'rejected', code: 'no', message: 'never' });
    } else if (luck < 0.55) answer(chance() * 6_000, { kind: 'sent' });
    else answer(chance() * 30, { kind: 'sent' });
  }
}
