import type { ChannelCheck, OutboundMessage, SendResult } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';
import type { Driver } from './handover.ts';
import { describeError, oneLine } from './text.ts';

/** Writes one line and says when it is out. */
export type WriteLine = (line: string, done: (error?: Error | null) => void) => void;

const sent: SendResult = { kind: 'sent' };

function describe(message: OutboundMessage, at: number): string {
  const { subject, text, body, html } = message.content;
  const said = text ?? (typeof body === 'string' || body === undefined ? body : JSON.stringify(body)) ?? html ?? '';
  const words = [subject, said]
    .filter((part) => part !== undefined && part !== '')
    .map((part) => oneLine(part ?? '', 120));
  const where = `${oneLine(message.stage, 64)}/${message.step} ${oneLine(message.messageId, 200)}`;
  const time = new Date(at).toISOString();
  return `${time} ${message.channel} to ${oneLine(message.to, 200)}: ${words.join(' | ')} [${where}]\n`;
}

/** One line a message, for people: when, channel, recipient, the beginning of what it says, stage/step and key. */
export class ConsoleDriver implements Driver {
  readonly #clock: Clock;
  readonly #write: WriteLine;

  constructor(clock: Clock, write: WriteLine) {
    this.#clock = clock;
    this.#write = write;
  }

  start(handover: Parameters<Driver['start']>[0]): void {
    const line = describe(handover.message, this.#clock.now());
    const done = (error?: Error | null): void => {
      if (error) handover.lost('write_failed', describeError(error));
      else handover.settle(sent);
    };
    if (!handover.begin()) return;
    try {
      this.#write(line, done);
    } catch (error) {
      // Refused on the spot: nothing left.
      handover.begun = false;
      handover.lost('write_failed', describeError(error));
    }
  }

  async check(): Promise<ChannelCheck> {
    return { kind: 'ready', found: 'prints to the standard output of the worker' };
  }

  async close(): Promise<void> {}
}
