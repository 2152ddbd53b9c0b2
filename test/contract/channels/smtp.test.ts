import { messageIdOf } from '../../../src/channels/smtpMessage.ts';
import type { ChannelConfig } from '../../../src/config.ts';
import { type Arrived, startMailServer } from '../../support/smtp.ts';
import { describeChannel, type Rig } from './conformance.ts';
import { channelAt, parse } from './smtpChannel.ts';

/** The bytes, and what a mail program makes of them. */
async function read(mail: Arrived): Promise<string> {
  const { subject, text } = await parse(mail);
  return JSON.stringify({ to: mail.to, subject, text, raw: mail.raw });
}

async function makeRig(given: Partial<ChannelConfig> = {}): Promise<Rig> {
  let held: (() => void)[] = [];
  let waitingFor = 0;
  let underWay = 0;
  let peak = 0;
  const server = await startMailServer({
    async onMessage() {
      underWay += 1;
      peak = Math.max(peak, underWay);
      await new Promise<void>((resolve) => {
        held.push(resolve);
        if (held.length < waitingFor) return;
        for (const release of held) release();
        [held, waitingFor] = [[], 0];
      });
      underWay -= 1;
      return undefined;
    },
  });
  const channel = channelAt(server.port, given);
  return {
    channel,
    arrived: () => Promise.all(server.mails.map(read)),
    gather(count) {
      waitingFor = count;
    },
    peak: () => peak,
    breakMedium: () => server.close(),
    async dispose() {
      await channel.close();
      await server.close();
    },
  };
}

describeChannel('smtp', makeRig, {
  needs: ['text', 'html'],
  marks: ({ messageId, to, content }) => [messageIdOf(messageId, 'example.org'), to, content.text ?? ''],
  unwritable: [
    { content: { subject: 'alone', body: { a: 1 } } },
    { content: { subject: 'x'.repeat(2001), text: 'x' } },
  ],
  alias: { allow: 'JÖRG@example.com', to: 'Jörg@Example.com' },
});
