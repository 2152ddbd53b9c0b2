/** Whether spans of a trace are recorded. `parent`: whether those of the trace that somebody else began are. */
export type Sampling = (traceId: string, parent?: boolean) => boolean;

/** Digits of a trace's id that a double holds exactly: 52 bits. */
const digits = 13;

/** The standard says: the same traces at every service, by what is random in their id (OpenTelemetry, "TraceIdRatioBased"). */
const byRatio =
  (ratio: number): Sampling =>
  (traceId) =>
    Number.parseInt(traceId.slice(-digits), 16) < ratio * 16 ** digits;

/** The samplers of the standard's `OTEL_TRACES_SAMPLER`; what is not known is told and taken for its default. */
export function samplingOf(env: NodeJS.ProcessEnv, warn: (message: string) => void): Sampling {
  const given = env['OTEL_TRACES_SAMPLER']?.trim() ?? '';
  const name = given === '' ? 'parentbased_always_on' : given;
  const root = rootOf(name.replace(/^parentbased_/, ''), env['OTEL_TRACES_SAMPLER_ARG'], warn);
  if (root === undefined) {
    warn(`OTEL_TRACES_SAMPLER is ${JSON.stringify(given)}, which is not known: parentbased_always_on is used`);
    return (_, parent) => parent ?? true;
  }
  return name.startsWith('parentbased_') ? (traceId, parent) => parent ?? root(traceId) : (traceId) => root(traceId);
}

function rootOf(name: string, arg: string | undefined, warn: (message: string) => void): Sampling | undefined {
  if (name === 'always_on') return () => true;
  if (name === 'always_off') return () => false;
  if (name !== 'traceidratio') return undefined;
  const text = arg?.trim() ?? '';
  const ratio = text === '' ? 1 : Number(text);
  if (ratio >= 0 && ratio <= 1) return byRatio(ratio);
  warn(`OTEL_TRACES_SAMPLER_ARG is ${JSON.stringify(text)}: a number from 0 to 1 is needed; 1 is used`);
  return byRatio(1);
}
