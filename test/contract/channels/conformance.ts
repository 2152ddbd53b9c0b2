import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ChannelConfig } from '../../../src/config.ts';
import type { Channel, OutboundMessage } from '../../../src/domain/channelPorts.ts';

/** A channel over a real medium. */
export interface Rig {
  channel: Channel;
  /** What arrived so far, in order, each as its recipient's side holds it (without the time it came). */
  arrived(): string[] | Promise<string[]>;
  /** Where the medium can hold and count: holds the next hand-overs until `count` are under way at once. */
  gather?(count: number): void;
  /** The most that were under way at once. */
  peak?(): number;
  /** From now on every hand-over fails before a byte left. */
  breakMedium(): void | Promise<void>;
  dispose(): Promise<void>;
}

export const config = (given: Partial<ChannelConfig> = {}): ChannelConfig => ({
  name: 'email',
  driver: 'console',
  headers: {},
  address: 'email',
  concurrency: 64,
  timeoutMs: 10_000,
  attempts: 8,
  giveUpMs: 86_400_000,
  delivery: 'at-least-once',
  ...given,
});

/** What differs by nature from medium to medium. */
export interface Traits {
  needs: readonly string[];
  /** What is to be seen of a message where it arrives. */
  marks: (sent: OutboundMessage) => readonly string[];
  /** Messages that cannot be written down. */
  unwritable: readonly Partial<OutboundMessage>[];
  /** A content that is easily written in more than one way, with "👩‍🚀" in it. */
  odd: OutboundMessage['content'];
  /** An entry of an allow list, and a recipient it stands for. */
  alias: { allow: string; to: string };
  /** The n-th recipient, and the first one written in another way. */
  to: (n: number) => string;
  written: string;
  /** Where a redirection leads; its last part is in no other address. */
  redirect: string;
}

const circular: Record<string, unknown> = {};
circular['self'] = circular;

const usual: Traits = {
  needs: ['text', 'html', 'body'],
  marks: ({ messageId, to, content, stage }) => [messageId, to, content.text ?? '', stage],
  unwritable: [{ content: { body: circular } }, { content: { body: { big: 1n } } }],
  odd: { subject: 'Grüße 👩‍🚀', text: 'two\nlines 👩‍🚀 "quoted" \u2028 \ud800', body: { b: 1, a: [2] } },
  alias: { allow: '+49 (170) 123-45', to: '+4917012345' },
  to: (n) => `contact${n}@example.com`,
  written: 'Contact1@Example.com',
  redirect: 'stage@example.com',
};

const messageOf = (n: number, given: Partial<OutboundMessage> = {}): OutboundMessage => ({
  messageId: `spring:${n}/1`,
  campaignId: 'spring',
  conversationId: `spring:${n}`,
  channel: 'email',
  to: `contact${n}@example.com`,
  content: { subject: 'Hello', text: `Number ${n}` },
  stage: 'intro',
  step: 0,
  queuedAt: new Date(Date.UTC(2026, 0, 5, 9)),
  ...given,
});

export const message = messageOf;

export const never = (): AbortSignal => new AbortController().signal;

/** What every channel promises, whatever its driver. */
export function describeChannel(
  driver: string,
  make: (given?: Partial<ChannelConfig>) => Promise<Rig>,
  own: Partial<Traits> = {},
): void {
  const traits = { ...usual, ...own };
  const message = (n: number, given: Partial<OutboundMessage> = {}): OutboundMessage =>
    messageOf(n, { to: traits.to(n), ...given });
  describe(`every channel: ${driver}`, () => {
    let rig: Rig;
    const remake = async (given: Partial<ChannelConfig>): Promise<void> => {
      await rig.dispose();
      rig = await make(given);
    };
    beforeEach(async () => {
      rig = await make();
    });
    afterEach(() => rig.dispose());

    it('tells what it is configured to be', async () => {
      await remake({
        name: 'sms',
        address: 'phone',
        concurrency: 3,
        attempts: 2,
        giveUpMs: 5,
        delivery: 'at-most-once',
      });
      expect(rig.channel).toMatchObject({
        ...{ name: 'sms', address: 'phone', concurrency: 3, attempts: 2, giveUpMs: 5, delivery: 'at-most-once' },
        needs: traits.needs,
      });
    });

    it('hands a message over once and says so', async () => {
      expect(await rig.channel.send(message(1), never())).toMatchObject({ kind: 'sent' });
      const arrived = await rig.arrived();
      expect(arrived).toHaveLength(1);
      for (const part of traits.marks(message(1))) expect(arrived[0]).toContain(part);
    });

    it('hands the same bytes over at every try of a message', async () => {
      const odd = message(1, { content: traits.odd });
      await rig.channel.send(odd, never());
      await rig.channel.send(structuredClone(odd), never());
      const [first, second] = await rig.arrived();
      expect(first).toContain('👩‍🚀');
      expect(second).toBe(first);
    });

    it('takes more messages than it may have under way, each once and never too many at a time', async () => {
      await remake({ concurrency: 4 });
      rig.gather?.(4);
      const results = await Promise.all(Array.from({ length: 40 }, (_, n) => rig.channel.send(message(n), never())));
      expect(results.every(({ kind }) => kind === 'sent')).toBe(true);
      const arrived = await rig.arrived();
      expect(arrived).toHaveLength(40);
      expect(new Set(arrived).size).toBe(40);
      if (rig.peak !== undefined) expect(rig.peak()).toBe(4);
    });

    it('hands nothing over once the signal is aborted, and counts no attempt', async () => {
      expect(await rig.channel.send(message(1), AbortSignal.abort())).toEqual({
        kind: 'retry',
        code: 'aborted',
        message: expect.any(String),
        counts: false,
      });
      expect(await rig.arrived()).toEqual([]);
    });

    it('asks whether it may begin just before anything leaves, whatever passed since it was called', async () => {
      const results = [1, 2].map((n) => rig.channel.send(message(n), never(), () => n === 2));
      expect(await Promise.all(results)).toEqual([
        { kind: 'retry', code: 'not_begun', message: expect.any(String), counts: false },
        expect.objectContaining({ kind: 'sent' }),
      ]);
      const arrived = await rig.arrived();
      expect(arrived).toHaveLength(1);
      for (const part of traits.marks(message(2))) expect(arrived[0]).toContain(part);
    });

    it('stays usable after an abort', async () => {
      const controller = new AbortController();
      await rig.channel.send(message(1), controller.signal);
      controller.abort();
      expect(await rig.channel.send(message(2), never())).toMatchObject({ kind: 'sent' });
      expect(await rig.arrived()).toHaveLength(2);
    });

    it('finally rejects, and never throws for, what cannot be written down', async () => {
      const hopeless = { kind: 'rejected', code: 'message_invalid' };
      for (const given of traits.unwritable) {
        expect(await rig.channel.send(message(1, given), never())).toMatchObject(hopeless);
      }
      expect(await rig.channel.send(message(3), never())).toMatchObject({ kind: 'sent' });
      expect(await rig.arrived()).toHaveLength(1);
    });

    it.each(['at-least-once', 'at-most-once'] as const)(
      'asks for a retry when nothing could leave (%s)',
      async (delivery) => {
        await remake({ delivery });
        await rig.breakMedium();
        const results = await Promise.all([1, 2, 3].map((n) => rig.channel.send(message(n), never())));
        for (const result of results) expect(result).toMatchObject({ kind: 'retry', counts: true });
        expect(await rig.arrived()).toEqual([]);
      },
    );

    it('closes once everything is out, any number of times, and takes nothing afterwards', async () => {
      await remake({ concurrency: 8 });
      const underWay = Array.from({ length: 8 }, (_, n) => rig.channel.send(message(n), never()));
      await Promise.all([rig.channel.close(), rig.channel.close()]);
      expect(await rig.arrived()).toHaveLength(8);
      for (const result of await Promise.all(underWay)) expect(result).toMatchObject({ kind: 'sent' });
      expect(await rig.channel.send(message(9), never())).toMatchObject({
        kind: 'retry',
        code: 'closed',
        counts: false,
      });
      await rig.channel.close();
      expect(await rig.arrived()).toHaveLength(8);
    });

    it('closes without ever having been used', async () => {
      await rig.channel.close();
      expect(await rig.arrived()).toEqual([]);
    });

    it('sends everything to the one recipient of a redirection', async () => {
      await remake({ redirect: traits.redirect });
      await rig.channel.send(message(1), never());
      const [arrived] = await rig.arrived();
      expect(arrived).toContain(traits.redirect);
      expect(arrived).not.toContain(traits.to(1));
    });

    it('rejects recipients that are not in the allow list, which is compared in the normal form', async () => {
      await remake({ allow: [traits.written, traits.alias.allow] });
      expect(await rig.channel.send(message(1), never())).toMatchObject({ kind: 'sent' });
      expect(await rig.channel.send(message(2, { to: traits.alias.to }), never())).toMatchObject({ kind: 'sent' });
      expect(await rig.channel.send(message(3), never())).toMatchObject({ kind: 'rejected', code: 'not_allowed' });
      expect(await rig.arrived()).toHaveLength(2);
    });

    it('never reaches an address outside the allow list by a redirection', async () => {
      await remake({ allow: [traits.to(1)], redirect: traits.redirect });
      expect(await rig.channel.send(message(1), never())).toMatchObject({ kind: 'rejected', code: 'not_allowed' });
    });
  });
}
