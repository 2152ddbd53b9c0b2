// The provider: counts Idempotency-Keys, with the moment each came first, and answers at once. A process of its own.
import { createServer } from 'node:http';

/** Key to the time of its first arrival, ms since the epoch. */
const arrivals = new Map();
let repeated = 0;
let lastNewAt = 0;

function count(key) {
  if (arrivals.has(key)) {
    repeated++;
    return;
  }
  lastNewAt = Date.now();
  arrivals.set(key, lastNewAt);
}

const answer = '{}';
const answerHeaders = { 'content-type': 'application/json', 'content-length': answer.length };
const json = (response, value) => response.end(JSON.stringify(value));

const server = createServer((request, response) => {
  if (request.url === '/stats') return json(response, { unique: arrivals.size, repeated, lastNewAt });
  if (request.url === '/arrivals') return json(response, [...arrivals]);
  request.resume();
  request.on('end', () => {
    count(request.headers['idempotency-key']);
    response.writeHead(200, answerHeaders);
    response.end(answer);
  });
});
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1', 4096, () => process.send({ url: `http://127.0.0.1:${server.address().port}` }));
process.on('disconnect', () => process.exit(0));
