/** The main thread of `worker`: keeps the members' threads alive, answers health and metrics, ends them in order. */
import type { Config } from '../config.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { joinOpenMetrics, type MetricsFormat } from '../telemetry/exemplars.ts';
import { type FieldLogger, type LineSink, stdoutSink } from '../telemetry/logger.ts';
import {
  aggregate,
  createProcessMetrics,
  type MetricsSnapshot,
  type ProcessMetrics,
  retained,
} from '../telemetry/metrics.ts';
import { tracingWanted } from '../telemetry/tracing.ts';
import { assess, type HealthReport, startHealth } from './health.ts';
import { systemClock } from './systemClock.ts';
import { type RestartPolicy, ThreadHandle } from './threadHandle.ts';
import { version } from './version.ts';

/** Where signals come from: `process`, or a stand-in. */
export interface SignalSource {
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  off(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
}

export interface SupervisorDeps {
  logger: FieldLogger;
  /** Aborted to ask for the end, by a caller that handles signals itself; then no signal is listened to. */
  signal?: AbortSignal;
  /** Default: `process`. */
  signals?: SignalSource;
  /** Lines of the threads' loggers. Default: standard output. */
  writeLine?: LineSink;
  /** The threads' script. Default: `thread.js` beside this module. */
  threadUrl?: URL;
  restart?: Partial<RestartPolicy>;
  clock?: Clock;
  random?: () => number;
  /** Called once the health server listens. */
  listening?: (port: number) => void;
}

const defaultRestart: RestartPolicy = { baseMs: 500, capMs: 10_000, deaths: 5, withinMs: 60_000 };
/** npm passes a Ctrl-C on that the terminal has sent already: two within a moment are one. */
const sameSignalMs = 500;

type Reason = { kind: 'asked' } | { kind: 'gave up'; why: string };

interface Signals {
  first: Promise<void>;
  second: Promise<void>;
  off(): void;
}

function watchSignals({ signal, signals = process, clock = systemClock }: SupervisorDeps): Signals {
  let ask = (): void => undefined;
  let insist = (): void => undefined;
  const first = new Promise<void>((resolve) => {
    ask = resolve;
  });
  const second = new Promise<void>((resolve) => {
    insist = resolve;
  });
  if (signal !== undefined) {
    if (signal.aborted) ask();
    signal.addEventListener('abort', ask, { once: true });
    return { first, second, off: () => signal.removeEventListener('abort', ask) };
  }
  let askedAt: number | undefined;
  const listener = (): void => {
    ask();
    askedAt ??= clock.monotonic();
    if (clock.monotonic() - askedAt >= sameSignalMs) insist();
  };
  const names = ['SIGTERM', 'SIGINT'] as const;
  for (const name of names) signals.on(name, listener);
  return {
    first,
    second,
    off: () => {
      for (const name of names) signals.off(name, listener);
    },
  };
}

/** The threads, with what concerns them all. */
interface Crew {
  handles: ThreadHandle[];
  /** Resolves when one thread cannot be kept alive. */
  gaveUp: Promise<string>;
  metrics(as: MetricsFormat): Promise<string>;
}

function createCrew(
  config: Config,
  deps: SupervisorDeps,
  processMetrics: ProcessMetrics,
  report: () => HealthReport,
): Crew {
  let giveUp: (why: string) => void = () => undefined;
  const gaveUp = new Promise<string>((resolve) => {
    giveUp = resolve;
  });
  let departed: Promise<MetricsSnapshot> = Promise.resolve([]);
  const died = (last: MetricsSnapshot | undefined): void => {
    if (last !== undefined) departed = departed.then((before) => retained([before, last]));
  };
  const handles = Array.from(
    { length: config.workerThreads },
    (_, thread) =>
      new ThreadHandle({
        thread,
        url: deps.threadUrl ?? new URL('./thread.js', import.meta.url),
        config,
        logger: deps.logger.child({ thread }),
        clock: deps.clock ?? systemClock,
        random: deps.random ?? Math.random,
        restart: { ...defaultRestart, ...deps.restart },
        writeLine: deps.writeLine ?? stdoutSink(),
        died: (last) => {
          processMetrics.threadEnded();
          died(last);
        },
        gaveUp: (why) => giveUp(why),
      }),
  );
  async function metrics(as: MetricsFormat): Promise<string> {
    await Promise.all(handles.map((handle) => handle.askMetrics()));
    // at one moment: the numbers of a thread are its own or those of the dead, never both
    const [living, dead] = [handles.map(({ snapshot }) => snapshot).filter((one) => one !== undefined), departed];
    const { live, ready } = report();
    processMetrics.health(live, ready, handles.filter((handle) => handle.health().state === 'running').length);
    const ofThreads = await aggregate([...living, await dead], as);
    const ofProcess = await processMetrics.text();
    return as === 'text' ? `${ofThreads}\n${ofProcess}` : joinOpenMetrics(ofThreads, ofProcess);
  }
  return { handles, gaveUp, metrics };
}

/** Lets the threads drain; true when all did within the grace and nobody insisted. */
async function drain(
  handles: ThreadHandle[],
  graceMs: number,
  insisted: Promise<void>,
  clock: Clock,
): Promise<boolean> {
  for (const handle of handles) handle.stop();
  let cancel = (): void => undefined;
  const late = new Promise<boolean>((resolve) => {
    cancel = clock.after(graceMs, () => resolve(false));
  });
  const drained = await Promise.race([
    Promise.all(handles.map((handle) => handle.ended)).then(() => true),
    insisted.then(() => false),
    late,
  ]);
  cancel();
  if (!drained) await Promise.all(handles.map((handle) => handle.terminate()));
  return drained;
}

/**
 * Runs `WORKER_THREADS` members until SIGTERM or SIGINT and returns the exit code: 0 when everything was handed over
 * within `SHUTDOWN_GRACE_MS`; 1 when something had to be cut off (the cluster takes it over as from a crash), when a
 * second signal did not want to wait, or when a thread cannot be kept alive.
 * Throws ServiceError `config_invalid` when `HEALTH_PORT` cannot be had; then nothing was started.
 */
export async function runSupervisor(config: Config, deps: SupervisorDeps): Promise<number> {
  const { logger, clock = systemClock } = deps;
  let draining = false;
  const report = (): HealthReport =>
    assess(
      crew.handles.map((handle) => handle.health()),
      config.leaseTtlMs,
      draining,
    );
  const crew = createCrew(config, deps, createProcessMetrics(version), report);
  const health = await startHealth({
    port: config.healthPort,
    report,
    metrics: crew.metrics,
    logger,
    exemplars: tracingWanted(process.env),
  });
  const signals = watchSignals(deps);
  try {
    deps.listening?.(health.port);
    for (const warning of config.warnings ?? []) logger.warn(warning, { code: 'config_warning' });
    for (const handle of crew.handles) handle.start();
    logger.info('worker started', { threads: config.workerThreads, pid: process.pid, node: process.version });

    const reason = await Promise.race<Reason>([
      signals.first.then(() => ({ kind: 'asked' })),
      crew.gaveUp.then((why) => ({ kind: 'gave up', why })),
    ]);
    draining = true;
    if (reason.kind === 'asked') logger.info('worker stops', { graceMs: config.shutdownGraceMs });
    else logger.error('worker gives up', { why: reason.why });
    const drained = await drain(crew.handles, config.shutdownGraceMs, signals.second, clock);
    if (drained) logger.info('worker stopped');
    else logger.warn('worker stopped before everything was handed over; other members take it over');
    return drained && reason.kind === 'asked' ? 0 : 1;
  } finally {
    signals.off();
    await health.close();
  }
}
