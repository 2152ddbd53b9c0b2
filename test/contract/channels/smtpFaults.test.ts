/** The server and the way to it break at every byte: what is told is never more than what is known. */
import { afterEach, describe, expect, it } from '@jest/globals';
import type { SendResult } from '../../../src/domain/channelPorts.ts';
import { type Fault, startCutter } from '../../support/cutter.ts';
import { type MailServer, startMailServer } from '../../support/smtp.ts';
import { message, never } from './conformance.ts';
import { channelAt } from './smtpChannel.ts';

const mail = (n: number) => message(n, { content: { subject: 'Hi', text: `.\nNumber ${n}` } });
const dot = '\r\n.\r\n';

/** One mail through a fault of its own, over a fresh connection or one that carried a mail before. */
async function throughFault(
  server: MailServer,
  n: number,
  fault: Fault,
  given: { delivery: 'at-least-once' | 'at-most-once'; warm: boolean; timeoutMs?: number },
): Promise<{ result: SendResult; taken: number; dotLeft: boolean; mayLeave: boolean }> {
  const cutter = await startCutter(server.port);
  const channel = channelAt(cutter.port, { delivery: given.delivery, timeoutMs: given.timeoutMs ?? 60_000 });
  if (given.warm) await channel.send({ ...mail(n), to: 'before@example.com' }, never());
  const before = cutter.sent('client').length;
  const answered = cutter.sent('server').length;
  cutter.arm(fault);
  const result = await channel.send(mail(n), never());
  const dotLeft = cutter.sent('client').slice(before).includes(dot);
  // What the proxy did not read any more may have left the client all the same.
  const mayLeave = cutter.sent('server').slice(answered).includes('354 ');
  await channel.close();
  await cutter.close();
  const taken = server.mails.filter(({ to }) => to[0] === mail(n).to).length;
  return { result, taken, dotLeft, mayLeave };
}

/** Bytes that either side sends for one mail. */
async function traffic(server: MailServer, warm: boolean): Promise<Record<Fault['from'], number>> {
  const cutter = await startCutter(server.port);
  const channel = channelAt(cutter.port);
  if (warm) await channel.send(mail(1), never());
  const [client, answered] = [cutter.sent('client').length, cutter.sent('server').length];
  await channel.send(mail(1), never());
  const bytes = { client: cutter.sent('client').length - client, server: cutter.sent('server').length - answered };
  await channel.close();
  await cutter.close();
  return bytes;
}

async function inChunks<T>(items: readonly T[], size: number, run: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += size) await Promise.all(items.slice(at, at + size).map(run));
}

let server: MailServer;
afterEach(() => server.close());

describe.each([
  ['pipelining', {}],
  ['one command at a time', { hidePIPELINING: true }],
])('a connection that is cut at any byte (%s)', (_, options) => {
  it.each([
    ['at-least-once', false],
    ['at-most-once', false],
    ['at-most-once', true],
  ] as const)(
    '%s, warm connection %s',
    async (delivery, warm) => {
      server = await startMailServer({ options });
      const bytes = await traffic(server, warm);
      const faults = (['client', 'server'] as const).flatMap((from) =>
        // Of the mail's own bytes every fifth; of the protocol around them every one.
        Array.from({ length: bytes[from] }, (_one, at) => ({ from, at, how: 'cut' as const })).filter(
          ({ at }) => from === 'server' || at < 150 || at > bytes[from] - 30 || at % 5 === 0,
        ),
      );
      let n = 100;
      const kinds = new Set<string>();
      await inChunks(faults, 40, async (fault) => {
        n += 1;
        const { result, taken, dotLeft, mayLeave } = await throughFault(server, n, fault, { delivery, warm });
        kinds.add(result.kind);
        const seen = JSON.stringify({ fault, result, taken, dotLeft });
        if (result.kind === 'sent') expect(`${seen} ${taken}`).toBe(`${seen} 1`);
        else if (result.kind === 'unknown') expect(`${seen} ${mayLeave}`).toBe(`${seen} true`);
        else if (result.kind === 'retry') {
          // Nothing left, or it may be sent twice.
          const sound = delivery === 'at-least-once' ? taken <= 1 : taken === 0 && !dotLeft;
          expect(`${seen} ${sound}`).toBe(`${seen} true`);
          // A connection that had been waiting is replaced at once.
          expect(`${seen} ${warm && !dotLeft}`).toBe(`${seen} false`);
        } else throw new Error(seen);
      });
      expect([...kinds].sort()).toEqual(
        delivery === 'at-least-once' ? ['retry'] : warm ? ['sent', 'unknown'] : ['retry', 'unknown'],
      );
    },
    120_000,
  );
});

it('a server that goes silent at any step is given up in time, by what may have left', async () => {
  server = await startMailServer();
  const bytes = await traffic(server, false);
  const faults: Fault[] = [
    ...[0, 10, 60, 120, 160, 190].map((at) => ({ from: 'server' as const, at: Math.min(at, bytes.server - 1) })),
    ...[0, 20, 60, 120, bytes.client - 1].map((at) => ({ from: 'client' as const, at })),
  ].map((fault) => ({ ...fault, how: 'silence' }));
  let n = 100;
  const kinds = new Set<string>();
  await Promise.all(
    faults.map(async (fault) => {
      n += 1;
      const given = { delivery: 'at-most-once', warm: false, timeoutMs: 5000 } as const;
      const { result, taken, dotLeft, mayLeave } = await throughFault(server, n, fault, given);
      expect(result).toMatchObject({ kind: expect.stringMatching(/^(unknown|retry)$/), code: 'timeout' });
      if (result.kind === 'unknown') expect(mayLeave).toBe(true);
      else expect([dotLeft, taken]).toEqual([false, 0]);
      kinds.add(result.kind);
    }),
  );
  expect([...kinds].sort()).toEqual(['retry', 'unknown']);
});
