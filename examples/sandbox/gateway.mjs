// An SMS gateway as a provider would offer it: POST a message, get an id; what people answer comes to a webhook.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';

/** Numbers that end in 00 do not exist. */
const isUnknown = (to) => /00$/.test(to);
/** What somebody answers to a question, by the last digit of the number; the rest is silent. */
const answers = { 1: 'Yes', 2: 'yes please', 3: 'No', 4: 'Who is this?' };
const answerAfterMs = 300;
/** An answer that nobody took is reported again so often. */
const reports = 5;

/**
 * `port`: 0 takes a free one. `replies`: where answers are POSTed, `{ id, from, text }`; nobody has to listen there.
 * A message that was accepted under its Idempotency-Key is not delivered again: the first answer is repeated.
 */
export async function startGateway({ port, replies, say }) {
  const accepted = new Map();
  const timers = new Set();
  let closed = false;

  const report = (reply, left) => {
    const timer = setTimeout(async () => {
      timers.delete(timer);
      const body = JSON.stringify(reply);
      const headers = { 'content-type': 'application/json' };
      const taken = await fetch(replies, { method: 'POST', body, headers }).then(
        ({ ok }) => ok,
        () => false,
      );
      if (!taken && left > 1 && !closed) report(reply, left - 1);
    }, answerAfterMs);
    timers.add(timer);
  };

  const take = async (request) => {
    if (request.method !== 'POST') return [405, { error: 'POST a message' }];
    const { to, content } = await json(request);
    const key = request.headers['idempotency-key'];
    if (isUnknown(to)) return [422, { error: 'unknown number' }];
    if (!accepted.has(key)) {
      accepted.set(key, `sms-${accepted.size + 1}`);
      say('sms', `${to}  ${content.text}`);
      const text = answers[to.at(-1)];
      if (text && /YES or NO/.test(content.text))
        report({ id: `answer-${accepted.get(key)}`, from: to, text }, reports);
    }
    return [200, { id: accepted.get(key) }];
  };

  const server = createServer(async (request, response) => {
    const [status, body] = await take(request).catch((error) => [400, { error: error.message }]);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    async close() {
      closed = true;
      for (const timer of timers) clearTimeout(timer);
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
