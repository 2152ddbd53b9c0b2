import { randomFillSync } from 'node:crypto';
import { type DiagLogFunction, DiagLogLevel, diag, ProxyTracerProvider, trace } from '@opentelemetry/api';
import type { Logger } from '../domain/systemPorts.ts';
import type { Tracer } from '../domain/tracePorts.ts';
import { samplingOf } from './sampling.ts';
import { GivenIds, givenIsSampled, noContext, otelTracer } from './tracer.ts';

export interface Tracing {
  /** Absent: nobody asked for traces. */
  tracer?: Tracer;
  /** Sends what is pending; waits two seconds at most, or `withinMs` where that is less. */
  stop(withinMs?: number): Promise<void>;
}

const off: Tracing = { stop: async () => undefined };
const longestStopMs = 2_000;
/** Of the same kind of trouble a line a minute: a collector that is away is no news with every batch. */
const warnEveryMs = 60_000;

/** True when the standard variables ask for traces (OpenTelemetry, "Environment Variable Specification"). */
export function tracingWanted(env: NodeJS.ProcessEnv): boolean {
  if (env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true') return false;
  const exporter = env['OTEL_TRACES_EXPORTER']?.trim() ?? '';
  if (exporter !== '') return exporter !== 'none';
  return ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'].some((name) => (env[name] ?? '') !== '');
}

/**
 * Starts the OpenTelemetry SDK for this thread when the standard `OTEL_*` variables ask for it; otherwise nothing of it is even
 * loaded. Metrics and logs are not exported by it: they are at `/metrics` and on standard output. A fault of the SDK or of the
 * collector is logged, never thrown; spans wait in a bounded queue, and what does not fit is dropped.
 */
export async function startTracing(env: NodeJS.ProcessEnv, logger: Logger): Promise<Tracing> {
  if (!tracingWanted(env)) return off;
  try {
    const { NodeSDK } = await import('@opentelemetry/sdk-node');
    const name = (env['OTEL_SERVICE_NAME'] ?? '') === '' ? { serviceName: 'communication-base' } : {};
    const random = traceRandom();
    const ids = new GivenIds(random);
    const ours = { idGenerator: ids, sampler: givenIsSampled, contextManager: noContext, textMapPropagator: null };
    const sdk = new NodeSDK({ ...name, ...ours, metricReaders: [], logRecordProcessors: [], instrumentations: [] });
    tellTroubles(logger);
    sdk.start();
    logger.info('traces are exported', { exporter: env['OTEL_TRACES_EXPORTER'] ?? 'otlp' });
    const sampling = samplingOf(env, (message) => logger.warn(message));
    const tracer = otelTracer({ sdk: trace.getTracer('communication-base'), ids, sampling, random, flush });
    return { tracer, stop: (withinMs = longestStopMs) => stopWithin(sdk, Math.min(withinMs, longestStopMs), logger) };
  } catch (error) {
    logger.error('tracing could not be started; the service runs without', { error });
    return off;
  }
}

async function flush(): Promise<void> {
  const provider = trace.getTracerProvider();
  const own = provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider;
  if ('forceFlush' in own && typeof own.forceFlush === 'function') await own.forceFlush();
}

async function stopWithin(sdk: { shutdown(): Promise<void> }, ms: number, logger: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${ms} ms`), ms);
  });
  const stopped = sdk.shutdown().catch((error: unknown) => error);
  const error = await Promise.race([stopped, late]);
  clearTimeout(timer);
  if (error !== undefined) logger.warn('the last traces could not be exported', { error });
}

/** The SDK tells its troubles to one place, with every batch: they become lines of our log, few of them. */
function tellTroubles(logger: Logger): void {
  let told = Number.NEGATIVE_INFINITY;
  let untold = 0;
  const warn: DiagLogFunction = (message, ...more) => {
    untold += 1;
    if (performance.now() - told < warnEveryMs) return;
    told = performance.now();
    const detail = [message, ...more.map(String)].join(' ').slice(0, 500);
    logger.warn('traces cannot all be exported', { code: 'traces_dropped', detail, times: untold });
    untold = 0;
  };
  const quiet: DiagLogFunction = () => undefined;
  const troubles = { error: warn, warn, info: quiet, debug: quiet, verbose: quiet };
  diag.setLogger(troubles, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

const idBytes = 24;
const poolBytes = idBytes * 512;

/** Random bytes for `newTraceparent`, drawn from the system 512 ids at a time: a call a message would cost more than the id. */
export function traceRandom(): () => Uint8Array {
  const pool = new Uint8Array(poolBytes);
  let used = poolBytes;
  return () => {
    if (used === poolBytes) {
      randomFillSync(pool);
      used = 0;
    }
    used += idBytes;
    return pool.subarray(used - idBytes, used);
  };
}
