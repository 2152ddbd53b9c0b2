import { afterEach, describe, expect, test } from '@jest/globals';
import { type Arrival, type Provider, startProvider } from '../../../../src/cli/demo/demoProvider.ts';
import { waitFor } from '../../../support/waitFor.ts';

let provider: Provider | undefined;
afterEach(() => provider?.close());

const arrived: Arrival[] = [];
async function start(outage = { after: 1000, ms: 0 }): Promise<Provider> {
  arrived.length = 0;
  provider = await startProvider({
    refuses: (to) => to.startsWith('gone.'),
    onAccepted: (arrival) => void arrived.push(arrival),
    outage,
    latencyMs: 0,
  });
  return provider;
}

const send = (to: Provider, key: string, recipient: string, text = 'hello'): Promise<Response> =>
  fetch(`${to.url}/email`, {
    method: 'POST',
    headers: { 'idempotency-key': key },
    body: JSON.stringify({ conversationId: 'c:1', channel: 'email', to: recipient, stage: 'welcome', step: 0, text }),
  });

describe('the demo’s provider', () => {
  test('accepts, and tells once for each key', async () => {
    const it = await start();
    expect((await send(it, 'k1', 'ada@example.com')).status).toBe(200);
    expect((await send(it, 'k1', 'ada@example.com')).status).toBe(200);
    expect(arrived).toMatchObject([{ conversationId: 'c:1', stage: 'welcome' }]);
    expect(it.totals).toEqual({ accepted: 1, repeated: 1, refused: 0, unavailable: 0 });
    expect(it.deliveries.get('k1')).toMatchObject({ accepted: 2, changed: false });
  });

  test('refuses an unknown address for good', async () => {
    const it = await start();
    expect((await send(it, 'k1', 'gone.ada@example.com')).status).toBe(422);
    expect(it.deliveries.get('k1')).toMatchObject({ accepted: 0, refused: 1 });
    expect(arrived).toEqual([]);
  });

  test('breaks down once, then takes the same key with the same bytes', async () => {
    const it = await start({ after: 1, ms: 300 });
    await send(it, 'k1', 'ada@example.com');
    const refused = await send(it, 'k2', 'bob@example.com');
    expect([refused.status, refused.headers.get('retry-after'), it.down]).toEqual([503, '1', true]);
    await waitFor(async () => (await send(it, 'k2', 'bob@example.com')).status === 200, {
      what: 'the provider to be back',
    });
    expect(it.deliveries.get('k2')).toMatchObject({ accepted: 1, changed: false });
    expect(it.down).toBe(false);
  });

  test('notices when another try has other bytes', async () => {
    const it = await start();
    await send(it, 'k1', 'ada@example.com');
    await send(it, 'k1', 'ada@example.com', 'hello again');
    expect(it.deliveries.get('k1')?.changed).toBe(true);
  });

  test('a request it does not understand is answered, not fatal', async () => {
    const it = await start();
    expect((await fetch(it.url, { method: 'POST', body: 'nonsense' })).status).toBe(400);
  });
});
