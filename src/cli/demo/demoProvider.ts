/** A messaging provider as others see one: an HTTP endpoint that accepts, refuses, breaks down once, and whose customers answer. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the provider knows of one Idempotency-Key. */
export interface Delivery {
  accepted: number;
  /** Answers by status that were not an acceptance. */
  unavailable: number;
  refused: number;
  /** SHA-1 of the first body: every try of a key has the same bytes. */
  digest: string;
  changed: boolean;
}

export interface Arrival {
  conversationId: string;
  channel: string;
  to: string;
  stage: string;
  step: number;
}

export interface ProviderOptions {
  /** Answers 422 for good. */
  refuses(to: string): boolean;
  /** Called once for each accepted key. */
  onAccepted(arrival: Arrival): void;
  /** Breaks down once, when so many were accepted, for so long. */
  outage: { after: number; ms: number };
  /** Time an answer takes. */
  latencyMs: number;
}

export interface Provider {
  readonly url: string;
  readonly deliveries: ReadonlyMap<string, Delivery>;
  readonly totals: Readonly<Record<'accepted' | 'unavailable' | 'refused' | 'repeated', number>>;
  /** True while it answers 503. */
  readonly down: boolean;
  close(): Promise<void>;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const answer = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};

export async function startProvider(options: ProviderOptions): Promise<Provider> {
  const deliveries = new Map<string, Delivery>();
  const totals = { accepted: 0, unavailable: 0, refused: 0, repeated: 0 };
  let downUntil: number | undefined;
  const isDown = (): boolean => downUntil !== undefined && performance.now() < downUntil;

  const record = (key: string, body: Buffer): Delivery => {
    const digest = createHash('sha1').update(body).digest('base64');
    const known = deliveries.get(key);
    if (known) {
      known.changed ||= known.digest !== digest;
      return known;
    }
    const fresh = { accepted: 0, unavailable: 0, refused: 0, digest, changed: false };
    deliveries.set(key, fresh);
    return fresh;
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const key = String(request.headers['idempotency-key']);
    const delivery = record(key, body);
    await sleep(options.latencyMs);
    if (isDown()) {
      delivery.unavailable++;
      totals.unavailable++;
      answer(response, 503, { error: 'maintenance, back in a moment' }, { 'retry-after': '1' });
      return;
    }
    const arrival = JSON.parse(body.toString('utf8')) as Arrival;
    if (options.refuses(arrival.to)) {
      delivery.refused++;
      totals.refused++;
      answer(response, 422, { error: 'no such mailbox' });
      return;
    }
    if (delivery.accepted++ === 0) {
      totals.accepted++;
      options.onAccepted(arrival);
    } else totals.repeated++;
    if (downUntil === undefined && totals.accepted >= options.outage.after)
      downUntil = performance.now() + options.outage.ms;
    answer(response, 200, { id: `p-${totals.accepted}` });
  };

  const server = createServer((request, response) => {
    handle(request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else answer(response, 400, { error: 'not understood' });
    });
  });
  server.keepAliveTimeout = 30_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    deliveries,
    totals,
    get down() {
      return isDown();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
