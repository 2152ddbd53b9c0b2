/** Code that the documents give to services of others, as it stands there: receipts of Twilio, and the check of a signed webhook. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Db, Document } from 'mongodb';
import { Webhook } from 'standardwebhooks';
import { blocksOf } from '../../scripts/docBlocks.mjs';
import { faultsOf } from '../../src/domain/validation.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';

const codeOf = (page: string): string => {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  const [block] = blocksOf(text, page).filter(({ note }) => note?.kind === 'run by');
  if (block === undefined) throw new Error(`docs/${page} has no block that is run here`);
  return block.code;
};

type Request = { url: string; form: Record<string, string>; signature: string };
type OnStatus = (db: Db, authToken: string, request: Request) => Promise<number>;

describe('receipts of Twilio (docs/channels.md)', () => {
  const url = 'https://hooks.compass.example/twilio?messageId=spring%3Aada%2F1';
  let database: TestDatabase;
  let onStatus: OnStatus;

  beforeAll(async () => {
    database = await testDatabase('documents');
    // what the package does, which is none of ours: HMAC-SHA1 over the address and the sorted fields (Twilio, "Webhooks security")
    const twilio = `import { createHmac } from 'node:crypto';
      const signed = (url, form) => Object.keys(form).sort().reduce((text, key) => text + key + form[key], url);
      const validateRequest = (token, signature, url, form) =>
        createHmac('sha1', token).update(signed(url, form)).digest('base64') === signature;
      const twilio = { validateRequest };`;
    const code = codeOf('channels.md').replace("import twilio from 'twilio';", twilio);
    ({ onStatus } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as { onStatus: OnStatus });
  });
  afterAll(() => database.close());

  const sign = (form: Record<string, string>): Request => {
    const text = Object.keys(form)
      .sort()
      .reduce((so, key) => so + key + form[key], url);
    return { url, form, signature: createHmac('sha1', 'token').update(text).digest('base64') };
  };
  const stored = (): Promise<Document[]> => database.db.collection('inbound_events').find().sort({ _id: 1 }).toArray();

  it('become inbound events, once each', async () => {
    const delivered = sign({ MessageSid: 'SM1', MessageStatus: 'delivered' });
    expect(await onStatus(database.db, 'token', delivered)).toBe(204);
    expect(await onStatus(database.db, 'token', delivered)).toBe(204);
    const left = sign({ MessageSid: 'SM2', MessageStatus: 'undelivered', ErrorCode: '21610' });
    expect(await onStatus(database.db, 'token', left)).toBe(204);
    const events = await stored();
    const data = { messageId: 'spring:ada/1' };
    expect(events).toMatchObject([
      { _id: 'SM1-delivered', type: 'delivered', conversationId: 'spring:ada', data },
      { _id: 'SM2-undelivered', type: 'unsubscribe', conversationId: 'spring:ada', data: { ...data, topic: '*' } },
    ]);
    for (const {
      data: { code, ...rest },
      ...event
    } of events)
      expect(faultsOf('InboundEvent', { ...event, data: code === null ? rest : { code, ...rest } })).toEqual([]);
  });

  it('of somebody else are refused', async () => {
    const before = await stored();
    const forged = { ...sign({ MessageSid: 'SM3', MessageStatus: 'delivered' }), signature: 'no' };
    expect(await onStatus(database.db, 'token', forged)).toBe(403);
    expect(await stored()).toEqual(before);
  });
});

describe('the check of a webhook (docs/webhooks.md)', () => {
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
  const check = new Function('Webhook', 'process', 'rawBody', 'request', `${codeOf('webhooks.md')}; return data;`);
  const rawBody = JSON.stringify({ type: 'message', data: { messageId: 'spring:ada/1' } });
  const at = new Date();
  const headers = (text: string): Record<string, string> => ({
    'webhook-id': 'spring:ada/1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign('spring:ada/1', at, text),
  });
  const run = (signed: string): unknown =>
    check(Webhook, { env: { SECRET: secret } }, rawBody, { headers: headers(signed) });

  it('gives what was sent', () => {
    expect(run(rawBody)).toEqual({ messageId: 'spring:ada/1' });
  });

  it('throws where the body is another', () => {
    expect(() => run(`${rawBody} `)).toThrow('No matching signature');
  });
});
