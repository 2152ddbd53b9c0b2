// The provider: takes messages over HTTP, keeps its own record, and misbehaves when told to.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** How it may misbehave. `accepted`: the message was taken all the same. */
export const moods = {
  silent: { accepted: true, what: 'takes the message and answers too late' },
  reset: { accepted: true, what: 'takes the message and tears the connection down' },
  busy: { accepted: false, what: 'answers 503' },
  throttling: { accepted: false, what: 'answers 429 with Retry-After' },
  slow: { accepted: true, what: 'takes half a second' },
};

export async function startProvider({ lateMs, onTaken = () => {}, onEach = () => {} }) {
  /** By idempotency key. */
  const record = new Map();
  const mood = { kind: undefined, share: 0, channel: undefined, met: 0 };
  let random = Math.random;
  const taken = (request, raw) => {
    const key = String(request.headers['idempotency-key']);
    const at = Date.now();
    const worker = String(request.headers['x-worker']);
    const digest = createHash('sha1').update(raw).digest('base64');
    const entry = record.get(key);
    const message = JSON.parse(raw);
    onEach(message, worker, at);
    if (entry) {
      entry.times += 1;
      entry.tries.push({ at, worker, acknowledged: false });
      if (entry.digest !== digest) entry.differs = true;
    } else {
      const { campaignId, conversationId, stage, step, channel } = message;
      const tries = [{ at, worker, acknowledged: false }];
      record.set(key, { key, digest, times: 1, tries, campaignId, conversationId, stage, step, channel });
      onTaken(message);
    }
    return record.get(key).tries.at(-1);
  };
  const answer = async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const raw = Buffer.concat(chunks).toString();
    const hit = mood.kind !== undefined && request.url === `/${mood.channel}` && random() < mood.share;
    if (hit) mood.met += 1;
    const kind = hit ? mood.kind : undefined;
    if (kind === 'busy') return void response.writeHead(503).end();
    if (kind === 'throttling') return void response.writeHead(429, { 'retry-after': '1' }).end();
    const one = taken(request, raw);
    if (kind === 'reset') return void request.socket.resetAndDestroy();
    if (kind === 'silent') await sleep(lateMs);
    if (kind === 'slow') await sleep(500);
    if (response.destroyed || request.socket.destroyed) return;
    one.acknowledged = kind !== 'silent';
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"ok"}');
  };
  const server = createServer((request, response) => answer(request, response).catch(() => request.socket.destroy()));
  server.keepAliveTimeout = 60_000;
  await new Promise((resolve) => server.listen(0, '127.0.0.1', 4096, resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    record,
    /** From now on a share of what comes on this channel; returns a function that ends it and tells how many it met. */
    misbehave(kind, channel, share, draw) {
      Object.assign(mood, { kind, channel, share, met: 0 });
      random = draw;
      return () => {
        mood.kind = undefined;
        return mood.met;
      };
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
