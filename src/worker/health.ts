/** `/livez`, `/readyz` and `/metrics`: what an orchestrator asks the process. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ServiceError } from '../domain/errors.ts';
import type { Logger } from '../domain/systemPorts.ts';
import type { MetricsFormat } from '../telemetry/exemplars.ts';
import type { MemberStatus } from './protocol.ts';

export interface ThreadHealth {
  thread: number;
  state: 'running' | 'restarting' | 'ended';
  /** What the thread said last; absent until it spoke. */
  status?: MemberStatus;
  /** Age of `status`, or of the thread while it has not spoken. */
  statusAgeMs: number;
}

export interface HealthReport {
  live: boolean;
  ready: boolean;
  /** Why it is not live, then why it is not ready. Empty when it is both. */
  reasons: string[];
  threads: ThreadHealth[];
}

/** A thread that said nothing for so long is stuck: no back-off or outage keeps its event loop from speaking every second. */
const stuckAfterMs = 30_000;

function notLive({ thread, state, status, statusAgeMs }: ThreadHealth, leaseTtlMs: number): string[] {
  if (state !== 'running') return [];
  const silentMs = Math.max(stuckAfterMs, 3 * leaseTtlMs);
  if (statusAgeMs > silentMs) return [`thread ${thread}: stuck, silent for ${Math.round(statusAgeMs / 1000)} s`];
  return status?.joined === true && !status.pipelinesRunning ? [`thread ${thread}: its pipelines stopped`] : [];
}

function notReady({ thread, state, status, statusAgeMs }: ThreadHealth, leaseTtlMs: number): string[] {
  const why = (text: string): string[] => [
    `thread ${thread}: ${text}${status?.detail === undefined ? '' : ` (${status.detail})`}`,
  ];
  if (state !== 'running') return why(state);
  if (status === undefined) return why('starting');
  // Statuses come every second, so a lease of a second alone would call a sound thread late.
  if (statusAgeMs > Math.max(leaseTtlMs, 3000)) return why(`silent for ${Math.round(statusAgeMs)} ms`);
  if (!status.joined) return why('has not joined');
  if (!status.streamOpen) return why('its change stream is not open');
  return status.leaseValid ? [] : why('its last commit is older than its lease');
}

/**
 * Live: not all threads are dead, none is stuck, none goes on without its pipelines. Ready: every thread has joined, its
 * stream is open, its lease holds, and the process is not draining.
 */
export function assess(threads: ThreadHealth[], leaseTtlMs: number, draining: boolean): HealthReport {
  const dead = threads.every(({ state }) => state !== 'running') && !draining ? ['every thread is dead'] : [];
  const live = [...dead, ...threads.flatMap((thread) => notLive(thread, leaseTtlMs))];
  const ready = [
    ...(draining ? ['the process is shutting down'] : []),
    ...threads.flatMap((thread) => notReady(thread, leaseTtlMs)),
  ];
  return { live: live.length === 0, ready: live.length + ready.length === 0, reasons: [...live, ...ready], threads };
}

export interface HealthDeps {
  /** 0 = any free one. */
  port: number;
  /** Default: every address of the machine, for the orchestrator asks from outside. */
  host?: string;
  report: () => HealthReport;
  /** In the text format of Prometheus, or in OpenMetrics where the asker takes that. */
  metrics: (as: MetricsFormat) => Promise<string>;
  /** Traces are exported: metrics may name some of them, which takes OpenMetrics. */
  exemplars?: boolean;
  logger: Logger;
}

export interface HealthServer {
  port: number;
  close(): Promise<void>;
}

const contentTypes = {
  json: 'application/json; charset=utf-8',
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openMetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

interface Answer {
  code: number;
  type: string;
  body: string;
}
const json = (code: number, body: unknown): Answer => ({
  code,
  type: contentTypes.json,
  body: `${JSON.stringify(body)}\n`,
});

async function answer(path: string, accept: string, deps: HealthDeps): Promise<Answer> {
  const { live, ready, reasons, threads } = deps.report();
  if (path === '/livez') return json(live ? 200 : 503, { live, ...(live ? {} : { reasons }) });
  if (path === '/readyz') return json(ready ? 200 : 503, { ready, reasons, threads });
  if (path === '/metrics') {
    const as = deps.exemplars === true && accept.includes('application/openmetrics-text') ? 'openMetrics' : 'text';
    return { code: 200, type: contentTypes[as], body: await deps.metrics(as) };
  }
  return json(404, { error: 'not found: there are /livez, /readyz and /metrics' });
}

async function handle(request: IncomingMessage, response: ServerResponse, deps: HealthDeps): Promise<void> {
  const found = ['GET', 'HEAD'].includes(request.method ?? '')
    ? await answer((request.url ?? '/').replace(/\?.*$/s, ''), request.headers.accept ?? '', deps).catch(
        (error: unknown) => {
          deps.logger.error('a health request failed', { error });
          return json(500, { error: 'internal' });
        },
      )
    : json(405, { error: 'only GET and HEAD' });
  response.writeHead(found.code, {
    'content-type': found.type,
    'content-length': Buffer.byteLength(found.body),
    'cache-control': 'no-store',
    ...(found.code === 405 ? { allow: 'GET, HEAD' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : found.body);
}

const listen = (server: Server, { port, host }: HealthDeps): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new ServiceError(
          'config_invalid',
          `HEALTH_PORT is ${port}: cannot listen there (${error.code ?? error.message}); allowed: a free port, or 0 for any`,
          { cause: error },
        ),
      ),
    );
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () =>
      resolve((server.address() as AddressInfo).port),
    );
  });

/** Throws ServiceError `config_invalid` when the port cannot be had. */
export async function startHealth(deps: HealthDeps): Promise<HealthServer> {
  const server = createServer((request, response) => void handle(request, response, deps));
  const port = await listen(server, deps);
  server.on('error', (error) => deps.logger.warn('the health server reports an error', { error }));
  deps.logger.info('health server listens', { port });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
