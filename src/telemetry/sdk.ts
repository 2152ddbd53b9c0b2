/** The OpenTelemetry SDK of a thread, with its exporter as the standard `OTEL_*` variables name it. */
import { type DiagLogFunction, DiagLogLevel, diag, ProxyTracerProvider, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import type { Logger } from '../domain/systemPorts.ts';
import { samplingOf } from './sampling.ts';
import { GivenIds, givenIsSampled, noContext, otelTracer } from './tracer.ts';
import type { Tracing } from './tracing.ts';

const longestStopMs = 2_000;
/** Of the same kind of trouble a line a minute: a collector that is away is no news with every batch. */
const warnEveryMs = 60_000;

/** Throws what the SDK throws. */
export function startSdk(env: NodeJS.ProcessEnv, logger: Logger, random: () => Uint8Array): Tracing {
  const name = (env['OTEL_SERVICE_NAME'] ?? '') === '' ? { serviceName: 'communication-base' } : {};
  const ids = new GivenIds(random);
  const ours = { idGenerator: ids, sampler: givenIsSampled, contextManager: noContext, textMapPropagator: null };
  const sdk = new NodeSDK({ ...name, ...ours, metricReaders: [], logRecordProcessors: [], instrumentations: [] });
  tellTroubles(logger);
  sdk.start();
  logger.info('traces are exported', { exporter: env['OTEL_TRACES_EXPORTER'] ?? 'otlp' });
  const sampling = samplingOf(env, (message) => logger.warn(message));
  const tracer = otelTracer({ sdk: trace.getTracer('communication-base'), ids, sampling, random, flush });
  return { tracer, stop: (withinMs = longestStopMs) => stopWithin(sdk, Math.min(withinMs, longestStopMs), logger) };
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
