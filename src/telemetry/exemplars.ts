/** Where traces meet metrics: the newest trace of each bucket, in the format of OpenMetrics. */
import { type AggregatorRegistry, type MetricObjectWithValues, type MetricValue, Registry } from 'prom-client';
import { traceFields } from '../domain/trace.ts';

/** Of `/metrics`: the text format of Prometheus 0.0.4, or OpenMetrics 1.0, which knows exemplars. */
export type MetricsFormat = 'text' | 'openMetrics';

export const exemplarOf = (traceparent: string): Record<string, string> => ({ ...traceFields({ traceparent }) });

/** As prom-client has it beside the values of a histogram; `timestamp` in seconds since the epoch. */
interface Exemplar {
  labelSet: Record<string, string>;
  value: number;
  timestamp: number;
}
type Value = MetricValue<string> & { metricName?: string; exemplar?: Exemplar | null };
type Metric = Omit<MetricObjectWithValues<Value>, 'type'> & { type: unknown };

const keyOf = ({ metricName = '', labels }: Value): string =>
  JSON.stringify([metricName, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);

/**
 * What threads are summed to is printed in OpenMetrics. Summing loses their exemplars: each value gets the newest that any of them
 * had. prom-client adds `_total` to counters, also to what is summed under a name that ends so.
 */
export async function toOpenMetrics(
  summed: ReturnType<typeof AggregatorRegistry.aggregate>,
  snapshots: readonly (readonly unknown[])[],
): Promise<void> {
  const newest = new Map<string, Exemplar>();
  for (const { values } of snapshots.flat() as Metric[])
    for (const value of values) {
      if (!value.exemplar) continue;
      const key = keyOf(value);
      const known = newest.get(key);
      if (known === undefined || known.timestamp < value.exemplar.timestamp) newest.set(key, value.exemplar);
    }
  for (const { name } of summed.getMetricsAsArray()) {
    const metric = (await summed.getSingleMetric(name)?.get()) as Metric | undefined;
    if (metric?.type === 'counter') metric.name = name.replace(/_total$/, '');
    for (const value of metric?.values ?? []) {
      const exemplar = newest.get(keyOf(value));
      if (exemplar !== undefined) value.exemplar = exemplar;
    }
  }
  summed.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
}

/**
 * One document in OpenMetrics of one that is and one in the text format of Prometheus: counters are declared without `_total`, no
 * line is empty, and the end is marked once.
 */
export function joinOpenMetrics(openMetrics: string, text: string): string {
  const counters = new Set([...text.matchAll(/^# TYPE (\S+)_total counter$/gm)].map(([, name]) => name));
  const more = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) =>
      line.replace(/^(# (?:HELP|TYPE) )(\S+)_total /, (all, what, name) =>
        counters.has(name) ? `${what}${name} ` : all,
      ),
    );
  return [openMetrics.replace(/# EOF\n?$/, '').trimEnd(), ...more, '# EOF', ''].join('\n');
}
