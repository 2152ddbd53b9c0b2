#!/usr/bin/env node
// `npm run proof:traces`: a real Jaeger (v2, as `jaeger` on the PATH or named by JAEGER) shows one conversation with its sends, a
// follow-up in doubt, a kill -9, a take-over, a reply and the end as one tree. Asked by Jaeger's HTTP API, printed, and checked.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MongoClient } from 'mongodb';
import { freePort } from './freePort.mjs';
import { startReplicaSet } from './replicaSet.mjs';

const say = (text) => process.stdout.write(`${text}\n`);
const folder = mkdtempSync(join(tmpdir(), 'communication-base-traces-'));
const children = new Set();
const run = (command, args, env) => {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH, ...env } });
  child.once('error', ({ message }) => {
    process.stderr.write(`${message}: Jaeger v2 is needed as \`jaeger\` on the PATH, or named by JAEGER\n`);
    process.exit(1);
  });
  children.add(child);
  child.stderr.resume();
  return child;
};

async function until(what, condition) {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(50)) {
    const value = await condition();
    if (value) return value;
  }
  throw new Error(`waited a minute for ${what}`);
}

/** Jaeger with its spans in memory, on loopback alone. */
async function startJaeger() {
  const [otlp, http, grpc, health] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const at = (port) => `127.0.0.1:${port}`;
  const config = {
    service: {
      extensions: ['jaeger_storage', 'jaeger_query', 'healthcheckv2'],
      pipelines: { traces: { receivers: ['otlp'], exporters: ['jaeger_storage_exporter'] } },
      telemetry: { metrics: { level: 'none' } },
    },
    extensions: {
      healthcheckv2: { use_v2: true, http: { endpoint: at(health) } },
      jaeger_query: { storage: { traces: 'memory' }, http: { endpoint: at(http) }, grpc: { endpoint: at(grpc) } },
      jaeger_storage: { backends: { memory: { memory: { max_traces: 1000 } } } },
    },
    receivers: { otlp: { protocols: { http: { endpoint: at(otlp) } } } },
    exporters: { jaeger_storage_exporter: { trace_storage: 'memory' } },
  };
  const file = join(folder, 'jaeger.json');
  writeFileSync(file, JSON.stringify(config));
  const jaeger = run(process.env.JAEGER ?? 'jaeger', ['--config', file], {});
  const gone = new Promise((_, reject) => {
    jaeger.once('error', reject);
    jaeger.once('exit', (code) => reject(new Error(`jaeger ended with ${code}`)));
  });
  gone.catch(() => {});
  const query = `http://${at(http)}`;
  const isUp = () =>
    fetch(`${query}/api/services`).then(
      ({ ok }) => ok,
      () => false,
    );
  await Promise.race([until('Jaeger', isUp), gone]);
  return { otlp: `http://${at(otlp)}`, query };
}

/** A provider that leaves the first follow-up without an answer. */
async function startProvider() {
  const taken = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const message = JSON.parse(Buffer.concat(chunks).toString());
    const again = taken.some(({ messageId }) => messageId === message.messageId);
    taken.push({ ...message, traceparent: request.headers.traceparent });
    if (message.step === 1 && !again) return;
    response.end('{"id":"1"}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}`, taken, close: () => server.closeAllConnections() };
}

const flow = {
  stages: [
    {
      ...{ id: 'hello', type: 'message', channel: 'phone', content: { text: 'Hello {{ contact.name }}' } },
      ...{ followUps: [{ after: 'PT1S' }], waitForReply: 'PT1M', on: { reply: 'thanks' } },
    },
    { id: 'thanks', type: 'message', channel: 'phone', content: { text: 'Thank you' }, on: { noReply: 'done' } },
    { id: 'done', type: 'end', outcome: 'done' },
  ],
};

/** One conversation from its beginning to its end; the worker that began it is killed on the way. */
async function converse({ db, startWorker, provider }) {
  const first = startWorker();
  await db.collection('campaigns').insertOne({
    ...{ _id: 'spring', status: 'pending', flow },
    audience: { contacts: [{ id: 'ada', name: 'Ada', phone: '+15550001' }] },
  });
  await until('the follow-up to hang', () => provider.taken.some(({ step }) => step === 1));
  say(`kill -9 ${first.pid}: follow-up spring:ada/2 is with the provider, unanswered`);
  first.kill('SIGKILL');
  const second = startWorker();
  say(`worker ${second.pid} is started, and takes over`);
  await until('the same follow-up again', () => provider.taken.filter(({ step }) => step === 1).length === 2);
  const conversations = db.collection('conversation_states');
  const reply = { id: 'r1', type: 'reply', channel: 'phone', text: 'Yes, please' };
  await conversations.updateOne({ _id: 'spring:ada' }, { $push: { inbox: reply } });
  await until('the end', () => conversations.findOne({ _id: 'spring:ada', status: { $ne: 'active' } }));
  second.kill('SIGTERM');
  await once(second, 'exit');
  return (await conversations.findOne({ _id: 'spring:ada' })).trace.traceparent.split('-')[1];
}

const tagsOf = (tags) => Object.fromEntries(tags.map(({ key, value }) => [key, value]));

/** Spans as lines, each below its parent; what is above none of them is told. */
function treeOf({ spans, processes }) {
  const began = Math.min(...spans.map(({ startTime }) => startTime));
  const childrenOf = new Map();
  const ids = new Set(spans.map(({ spanID }) => spanID));
  const parentOf = ({ references }) => references.find(({ refType }) => refType === 'CHILD_OF')?.spanID;
  for (const span of spans.sort((a, b) => a.startTime - b.startTime))
    childrenOf.set(parentOf(span), [...(childrenOf.get(parentOf(span)) ?? []), span]);
  const line = (span, depth) => {
    const tags = tagsOf(span.tags);
    const { 'process.pid': pid } = tagsOf(processes[span.processID].tags);
    const told = ['messaging.message.id', 'communication_base.outcome', 'communication_base.attempt'];
    const more = ['communication_base.event.type', 'communication_base.answers', 'communication_base.status'];
    const shown = [...told, ...more].flatMap((key) => (key in tags ? `${key.split('.').at(-1)}=${tags[key]}` : []));
    const links = span.references.filter(({ traceID }) => traceID !== span.traceID).length;
    const at = `${((span.startTime - began) / 1000).toFixed(1)} ms`.padStart(11);
    const name = `${'  '.repeat(depth)}${depth > 0 ? '└ ' : ''}${span.operationName}`.padEnd(18);
    return `${at}  ${name} ${(span.duration / 1000).toFixed(1)} ms, worker ${pid}${links ? `, ${links} link` : ''}  ${shown.join(' ')}`;
  };
  const below = (parent, depth) =>
    (childrenOf.get(parent) ?? []).flatMap((span) => [line(span, depth), ...below(span.spanID, depth + 1)]);
  const orphans = [...childrenOf].flatMap(([parent, of]) => (parent === undefined || ids.has(parent) ? [] : of));
  const pids = new Set(spans.map(({ processID }) => tagsOf(processes[processID].tags)['process.pid']));
  return { lines: below(undefined, 0), roots: childrenOf.get(undefined)?.length ?? 0, orphans, pids };
}

async function prove() {
  const jaeger = await startJaeger();
  const provider = await startProvider();
  const set = await startReplicaSet();
  const client = await new MongoClient(set.uri).connect();
  const program = fileURLToPath(new URL('../bin/communication-base.js', import.meta.url));
  const startWorker = () =>
    run(process.execPath, [program, 'worker'], {
      ...{ MONGODB_URI: set.uri, MONGODB_DATABASE: 'traces', HEALTH_PORT: '0', LEASE_TTL_MS: '2000' },
      ...{ CHANNEL_PHONE_DRIVER: 'http', CHANNEL_PHONE_URL: provider.url },
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.otlp, OTEL_BSP_SCHEDULE_DELAY: '200' },
    });
  try {
    const traceId = await converse({ db: client.db('traces'), startWorker, provider });
    const ask = `${jaeger.query}/api/traces/${traceId}`;
    const isWhole = ({ spans }) => spans.some(({ operationName }) => operationName === 'completion');
    const trace = await until('the trace', async () => {
      const { data } = await (await fetch(ask)).json();
      return data?.[0] !== undefined && isWhole(data[0]) ? data[0] : undefined;
    });
    const { lines, roots, orphans, pids } = treeOf(trace);
    say(`\nGET /api/traces/${traceId}\n\n${lines.join('\n')}\n`);
    say(`${trace.spans.length} spans of ${pids.size} workers, ${roots} root, ${orphans.length} without their parent`);
    const warnings = trace.spans.flatMap(({ warnings }) => warnings ?? []);
    if (warnings.length > 0) say(`Jaeger warns: ${warnings.join('; ')}`);
    return roots === 1 && orphans.length === 0 && pids.size === 2 && warnings.length === 0;
  } finally {
    await client.close();
    await set.stop();
    provider.close();
  }
}

try {
  process.exitCode = (await prove()) ? 0 : 1;
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
