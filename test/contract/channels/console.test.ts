import { describe, expect, it } from '@jest/globals';
import { createChannel } from '../../../src/channels/index.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import type { Channel } from '../../../src/domain/channelPorts.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingLogger } from '../../support/fakes.ts';
import { config, describeChannel, message, never, type Rig } from './conformance.ts';

async function make(given: Partial<ChannelConfig> = {}): Promise<Rig & { lines: string[] }> {
  const lines: string[] = [];
  let broken = false;
  const write = (line: string): void => {
    if (broken) throw new Error('EPIPE');
    lines.push(line);
  };
  const channel: Channel = await createChannel(config({ driver: 'console', ...given }), {
    clock: manualClock(),
    logger: recordingLogger(),
    write,
  });
  return {
    lines,
    channel,
    arrived: () => lines,
    breakMedium: () => {
      broken = true;
    },
    dispose: () => channel.close(),
  };
}

describeChannel('console', make);

describe('console', () => {
  it('writes a line that people can read', async () => {
    const { channel, lines } = await make();
    await channel.send(message(1), never());
    expect(lines).toEqual([
      '2026-01-05T09:00:00.000Z email to contact1@example.com: Hello | Number 1 [intro/0 spring:1/1]\n',
    ]);
  });

  it('keeps to one line, whatever the message holds', async () => {
    const { channel, lines } = await make();
    const forged = 'first\r\nsecond\u2028third\u001b[31m red\u202e';
    await channel.send(
      message(1, { to: `a\n${'b'.repeat(500)}`, content: { subject: forged, html: forged } }),
      never(),
    );
    expect(lines[0]?.match(/[\p{Cc}\u2028\u202e]/gu)).toEqual(['\n']);
    expect(lines[0]?.length).toBeLessThan(700);
  });

  it('cuts a long text without cutting a character in two', async () => {
    const { channel, lines } = await make();
    await channel.send(message(1, { content: { body: { text: `x${'😀'.repeat(5000)}` } } }), never());
    expect(lines[0]?.isWellFormed()).toBe(true);
    expect(lines[0]?.length).toBeLessThan(400);
  });

  it('shows no credentials', async () => {
    const { channel, lines } = await make({ token: 'hush-hush', headers: { 'x-key': 'hush-hush' } });
    await channel.send(message(1), never());
    expect(lines.join()).not.toContain('hush');
  });
});
