// What the proof of the image is run against, besides MongoDB: a provider of messages on this host, and waiting for things.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves with what `ask` answers once that is true. */
export async function until(what, ask, timeoutMs = 60_000) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
    await sleep(100);
  }
}

/** Takes messages after `delayMs`, and counts how often each key came. */
export async function startProvider() {
  const provider = { delayMs: 0, open: 0, keys: new Map() };
  const server = createServer(async (request, response) => {
    provider.open++;
    for await (const _ of request);
    await sleep(provider.delayMs);
    const key = request.headers['idempotency-key'];
    provider.keys.set(key, (provider.keys.get(key) ?? 0) + 1);
    provider.open--;
    response.end(JSON.stringify({ id: key }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(provider, {
    url: `http://127.0.0.1:${server.address().port}/`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
}

/** `expect` says what was found and remembers what is not as it should be: a value, or a pattern. */
export function createJudge() {
  const faults = [];
  const say = (text) => process.stdout.write(`${text}\n`);
  const expect = (what, found, wanted) => {
    const good = wanted instanceof RegExp ? wanted.test(String(found)) : found === wanted;
    say(`${good ? 'ok    ' : 'FAULT '} ${what}: ${found}${good ? '' : `, wanted ${wanted}`}`);
    if (!good) faults.push(what);
  };
  return { say, expect, faults };
}
