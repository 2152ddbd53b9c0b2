/** A worker thread: one member of the cluster, its logger, its metrics, and the line to the main thread. */
import { setTimeout as pause } from 'node:timers/promises';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { backoffMs } from '../domain/backoff.ts';
import { type ErrorCode, isServiceError } from '../domain/errors.ts';
import { isDatabaseAway } from '../mongo/away.ts';
import { createLogger, type FieldLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { startTracing } from '../telemetry/tracing.ts';
import {
  type FromThread,
  isThreadData,
  type MemberStatus,
  notJoined,
  type RunningMember,
  type StartMember,
  type ThreadData,
  type ToThread,
} from './protocol.ts';
import { systemClock } from './systemClock.ts';

/** The thread's end of the line; `MessagePort` fits. */
export interface ThreadPort {
  postMessage(message: FromThread): void;
  on(event: 'message', listener: (message: ToThread) => void): unknown;
}

export interface ThreadDeps {
  data: ThreadData;
  port: ThreadPort;
  startMember: StartMember;
  env: NodeJS.ProcessEnv;
  random?: () => number;
  /** Ceilings of the waits between tries to start. Default 500 and 10,000. */
  retry?: { baseMs: number; capMs: number };
}

const statusEveryMs = 1000;
/** How long a member that is still starting may take to notice that it is no longer wanted. */
const abandonAfterMs = 2000;

/** Another try, or another thread, would end the same way: somebody has to change something. */
const finalCodes: readonly ErrorCode[] = [
  'config_invalid',
  'not_initialised',
  'partitions_mismatch',
  'not_a_replica_set',
];

/** MongoDB is away, electing, or refuses for now; or was so slow that the member was given up while it joined. */
const isOutage = (error: unknown): boolean =>
  isDatabaseAway(error) ||
  isServiceError(error, 'fenced') ||
  isServiceError(error, 'commit_unknown') ||
  (error instanceof Error && isServerError(error));

/** What the server says of rights and the like may be mended while we wait. */
const isServerError = ({ name }: Error): boolean => /^Mongo(Server|WriteConcern|BulkWrite)/.test(name);

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const aborted = (signal: AbortSignal): Promise<'stop'> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve('stop');
    else signal.addEventListener('abort', () => resolve('stop'), { once: true });
  });

/** Starts the member, for ever if need be while MongoDB is away; undefined when it is no longer wanted. */
async function connect(
  start: () => Promise<RunningMember>,
  { logger, stop, waiting, waitMs }: Connecting,
): Promise<RunningMember | undefined> {
  for (let attempt = 1; !stop.aborted; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (stop.aborted) return undefined;
      if (!isOutage(error)) throw error;
      logger.warn('the member cannot start yet; trying again', { error, attempt });
      waiting(messageOf(error));
      await pause(waitMs(attempt), undefined, { signal: stop }).catch(() => undefined);
    }
  }
  return undefined;
}
interface Connecting {
  logger: FieldLogger;
  stop: AbortSignal;
  waiting: (why: string) => void;
  waitMs: (attempt: number) => number;
}

/** Runs the member until it is asked to stop or fails. */
async function live(
  starting: Promise<RunningMember | undefined>,
  stop: AbortSignal,
  joined: (m: RunningMember) => void,
) {
  const abandoned = aborted(stop).then(() => pause(abandonAfterMs, undefined, { ref: false }));
  const member = await Promise.race([starting, abandoned]);
  if (member === undefined) return;
  joined(member);
  const ended = await Promise.race([member.finished, aborted(stop)]);
  if (ended !== 'stop') throw new Error('the member ended although nobody asked it to');
  await member.stop();
  await member.finished;
}

/** Returns the thread's exit code: 0 after a stop that handed everything over. Nothing is thrown. */
export async function runThread(deps: ThreadDeps): Promise<number> {
  const { data, port, env, random = Math.random, retry = { baseMs: 500, capMs: 10_000 } } = deps;
  const { config, thread } = data;
  const logger = createLogger({
    level: config.logLevel,
    sink: (line) => port.postMessage({ type: 'log', line }),
    fields: { thread },
  });
  const metrics = createMetrics();
  const stop = new AbortController();
  let status = (): MemberStatus => notJoined('starting');
  const report = (): void => port.postMessage({ type: 'status', status: status() });
  port.on('message', (message) => {
    if (message.type === 'stop') stop.abort();
    else void metrics.snapshot().then((snapshot) => port.postMessage({ type: 'metrics', id: message.id, snapshot }));
  });
  const every = setInterval(report, statusEveryMs);
  report();
  const tracing = await startTracing(env, logger);
  try {
    const start = (): Promise<RunningMember> =>
      deps.startMember({
        config,
        thread,
        logger,
        instruments: metrics.instruments,
        tracer: tracing.tracer,
        clock: systemClock,
        random,
        signal: stop.signal,
      });
    const waiting = (why: string): void => {
      status = () => notJoined(why);
      report();
    };
    const waitMs = (attempt: number): number => backoffMs(attempt, random, retry);
    await live(connect(start, { logger, stop: stop.signal, waiting, waitMs }), stop.signal, (member) => {
      status = () => member.status();
      report();
    });
    return 0;
  } catch (error) {
    logger.error('the member failed', { error });
    if (isServiceError(error) && finalCodes.includes(error.code)) {
      port.postMessage({ type: 'final', code: error.code, message: error.message });
    }
    return 1;
  } finally {
    clearInterval(every);
    await tracing.stop(config.shutdownGraceMs / 10);
  }
}

/** What nobody caught: logged as a line like any other, then the thread dies. */
function dieOnUncaught(data: ThreadData, port: ThreadPort): void {
  const logger = createLogger({
    level: 'error',
    sink: (line) => port.postMessage({ type: 'log', line }),
    fields: { thread: data.thread },
  });
  const die = (message: string) => (error: unknown) => {
    logger.error(message, { error: error instanceof Error ? error : new Error(String(error)) });
    process.exit(1);
  };
  process.on('uncaughtException', die('an exception nobody caught'));
  process.on('unhandledRejection', die('a rejection nobody handled'));
}

if (!isMainThread && parentPort !== null && isThreadData(workerData)) {
  dieOnUncaught(workerData, parentPort);
  const { startMember } = await import('./member.ts');
  process.exit(await runThread({ data: workerData, port: parentPort, startMember, env: process.env }));
}
