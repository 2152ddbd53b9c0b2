/** A message provider for tests: real HTTP on loopback, answers as scripted, and counts what it took by its key. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { waitFor } from './waitFor.ts';

/** How the sink answers one request; by default at once with 200 and `{"id":"<n>"}`. */
export interface Answer {
  /** Default 200. */
  status?: number;
  headers?: Record<string, string>;
  /** Seconds or an HTTP date. */
  retryAfter?: number | string;
  /** `id` of the JSON answer; instead of `body`. */
  id?: string | number;
  body?: string | Buffer;
  /** Answers that much later. */
  delayMs?: number;
  /** Resets the connection: before the body of the request is read and counted, or after. */
  reset?: 'before' | 'after';
  /** Counts, then does not answer until `release()`. */
  hang?: boolean;
  /** Sends status and headers, the rest after `release()`; `'reset'` cuts the connection in the middle of the body. */
  slowBody?: boolean | 'reset';
  /** Instead of an answer made of all that: these bytes, and the end of the connection. */
  bytes?: string;
}

export interface Delivery {
  /** `Idempotency-Key`. */
  key: string;
  headers: IncomingHttpHeaders;
  /** The bytes as they came. */
  raw: Buffer;
  /** The body as JSON; undefined when it is none. */
  json: unknown;
  method: string;
  path: string;
  /** Number of the connection, from 1. */
  connection: number;
  /** ms since the epoch. */
  at: number;
}

export interface SinkOptions {
  /** Default: any free one. */
  port?: number;
  /** Answer to what no script covers; `n` counts the requests from 1. */
  answer?: (delivery: Delivery, n: number) => Answer | undefined;
  /** How many deliveries are kept, the newest; keys are all counted. Default 10,000. */
  keep?: number;
  /** What tells tries of one message from another one. Default: `Idempotency-Key`. */
  key?: (delivery: Omit<Delivery, 'key'>) => string;
  /** HTTPS by this certificate. */
  tls?: { key: string; cert: string };
}

export interface Sink {
  readonly url: string;
  readonly port: number;
  /** How often each key was taken. */
  readonly keys: ReadonlyMap<string, number>;
  /** How often each key was answered with 2xx, or was to be: whether or not the answer got through. */
  readonly accepted: ReadonlyMap<string, number>;
  /** What was taken, oldest first. */
  readonly deliveries: readonly Delivery[];
  /** Requests taken so far; those reset before they were read are not counted. */
  readonly taken: number;
  /** Keys that were taken more than once. */
  readonly repeated: string[];
  /** Requests that came so far, whatever became of them. */
  readonly requests: number;
  /** Connections made so far. */
  readonly connections: number;
  /** Requests not answered yet, and the most there were at once. */
  readonly open: number;
  readonly peak: number;
  /** Answers of the next requests, in order of arrival. */
  script(...answers: Answer[]): void;
  /** Answers of all requests without a script. */
  answer(answer: (delivery: Delivery, n: number) => Answer | undefined): void;
  /** Ends what hangs now; later hangs are not touched. */
  release(): void;
  /** Waits until `count` requests were taken. */
  took(count: number): Promise<void>;
  close(): Promise<void>;
}

interface State {
  keys: Map<string, number>;
  accepted: Map<string, number>;
  keyOf: (delivery: Omit<Delivery, 'key'>) => string;
  deliveries: Delivery[];
  scripts: Answer[];
  answer: (delivery: Delivery, n: number) => Answer | undefined;
  held: Set<() => void>;
  connections: Map<Socket, number>;
  made: number;
  requests: number;
  taken: number;
  open: number;
  peak: number;
  keep: number;
}

function parsed(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString('utf8'));
  } catch {
    return undefined;
  }
}

const held = (state: State): Promise<void> =>
  new Promise((resolve) => {
    const letGo = (): void => {
      state.held.delete(letGo);
      resolve();
    };
    state.held.add(letGo);
  });

const count = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);

function take(state: State, request: IncomingMessage, raw: Buffer): Delivery {
  const came = {
    headers: request.headers,
    raw,
    json: parsed(raw),
    method: request.method ?? '',
    path: request.url ?? '',
    connection: state.connections.get(request.socket) ?? 0,
    at: Date.now(),
  };
  const delivery: Delivery = { key: state.keyOf(came), ...came };
  state.taken += 1;
  count(state.keys, delivery.key);
  state.deliveries.push(delivery);
  if (state.deliveries.length > state.keep) state.deliveries.shift();
  return delivery;
}

async function reply(state: State, response: ServerResponse, answer: Answer): Promise<void> {
  const body = answer.body ?? JSON.stringify({ id: answer.id ?? String(state.taken) });
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
  const status = answer.status ?? 200;
  const bare = status === 204 || status === 304;
  response.writeHead(status, {
    ...(bare ? {} : { 'content-type': 'application/json', 'content-length': bytes.length }),
    ...(answer.retryAfter === undefined ? {} : { 'retry-after': String(answer.retryAfter) }),
    ...answer.headers,
  });
  if (answer.slowBody !== undefined && answer.slowBody !== false) {
    response.write(bytes.subarray(0, bytes.length >> 1));
    await held(state);
    if (answer.slowBody === 'reset') response.socket?.resetAndDestroy();
    else response.end(bytes.subarray(bytes.length >> 1));
  } else response.end(bare ? undefined : bytes);
}

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const scripted = state.scripts.shift();
  state.requests += 1;
  if (scripted?.reset === 'before') return void request.socket.resetAndDestroy();
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const delivery = take(state, request, Buffer.concat(chunks));
  const answer = scripted ?? state.answer(delivery, state.taken) ?? {};
  if (Math.floor((answer.status ?? 200) / 100) === 2) count(state.accepted, delivery.key);
  if (answer.reset !== undefined) return void request.socket.resetAndDestroy();
  if (answer.delayMs !== undefined) await pause(answer.delayMs);
  if (answer.hang === true) await held(state);
  if (answer.bytes !== undefined) return void request.socket.end(answer.bytes);
  await reply(state, response, answer);
}

function receive(state: State, request: IncomingMessage, response: ServerResponse): void {
  state.open += 1;
  state.peak = Math.max(state.peak, state.open);
  response.once('close', () => {
    state.open -= 1;
  });
  // A client that goes away in the middle is part of the tests.
  serve(state, request, response).catch(() => request.socket.destroy());
}

/** Listens on 127.0.0.1; `close` ends all connections at once. */
export async function startSink(options: SinkOptions = {}): Promise<Sink> {
  const state: State = {
    keys: new Map(),
    accepted: new Map(),
    keyOf: options.key ?? (({ headers }) => String(headers['idempotency-key'] ?? '')),
    deliveries: [],
    scripts: [],
    answer: options.answer ?? (() => undefined),
    held: new Set(),
    connections: new Map(),
    made: 0,
    requests: 0,
    taken: 0,
    open: 0,
    peak: 0,
    keep: options.keep ?? 10_000,
  };
  const { tls } = options;
  const handle = (request: IncomingMessage, response: ServerResponse): void => receive(state, request, response);
  const server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  server.keepAliveTimeout = 60_000;
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    state.made += 1;
    state.connections.set(socket, state.made);
    socket.once('close', () => state.connections.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', 4096, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`,
    port,
    keys: state.keys,
    accepted: state.accepted,
    deliveries: state.deliveries,
    get taken() {
      return state.taken;
    },
    get repeated() {
      return [...state.keys].filter(([, times]) => times > 1).map(([key]) => key);
    },
    get requests() {
      return state.requests;
    },
    get connections() {
      return state.made;
    },
    get open() {
      return state.open;
    },
    get peak() {
      return state.peak;
    },
    script: (...answers) => void state.scripts.push(...answers),
    answer: (answer) => {
      state.answer = answer;
    },
    release: () => {
      for (const letGo of [...state.held]) letGo();
    },
    took: async (count) => {
      await waitFor(() => state.taken >= count, { what: `the sink to take ${count} messages`, intervalMs: 2 });
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
