import { randomFillSync } from 'node:crypto';
import type { Logger } from '../domain/systemPorts.ts';
import type { Tracer } from '../domain/tracePorts.ts';

export interface Tracing {
  /** Absent: nobody asked for traces. */
  tracer?: Tracer;
  /** Sends what is pending; waits two seconds at most, or `withinMs` where that is less. */
  stop(withinMs?: number): Promise<void>;
}

const off: Tracing = { stop: async () => undefined };

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
    const { startSdk } = await import('./sdk.ts');
    return startSdk(env, logger, traceRandom());
  } catch (error) {
    logger.error('tracing could not be started; the service runs without', { error });
    return off;
  }
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
