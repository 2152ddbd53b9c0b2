import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Instruments } from '../domain/systemPorts.ts';
import { exemplarOf, type MetricsFormat, toOpenMetrics } from './exemplars.ts';
import { announce, vitalInstruments } from './metricsVitals.ts';

const prefix = 'communication_base_';

/** The metrics of one thread as plain data, to be sent to the main thread. */
export type MetricsSnapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

export interface Metrics {
  instruments: Instruments;
  snapshot(): Promise<MetricsSnapshot>;
}

const conversationStatuses = ['active', 'completed', 'escalated', 'failed', 'suppressed', 'cancelled'];
const transactionOutcomes = ['committed', 'retried', 'failed'];
/** Those that deserve an alert are there from the start, at 0: a series that appears with 1 has no rate. */
const events = [
  'position_lost',
  'fenced',
  'taken_over',
  'poisoned',
  'stream_reopened',
  'reconciled',
  'inbound_failed',
  'campaign_failed',
  'circuit_opened',
  'guard_tripped',
  'flow_unusable',
  'joined',
  'left',
  'partitions_gained',
  'partitions_lost',
];
/** As a number: an alert asks for more than none. */
const circuits = { closed: 0, half_open: 1, open: 2 } as const;

/** 5 ms to an hour: from "on time" to "after an outage". */
const latenessBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];
const sendBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const roundBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const roundSizeBuckets = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** A child per combination of labels, looked up once: labels are few (channels, statuses), calls are many. */
function cached<Child>(labelled: (...labels: string[]) => Child): (...labels: string[]) => Child {
  const children = new Map<string, Child>();
  return (...labels) => {
    const key = labels.join('\0');
    const known = children.get(key);
    if (known !== undefined) return known;
    const child = labelled(...labels);
    children.set(key, child);
    return child;
  };
}

/** prom-client throws on what is no number; a measurement must never stop the work. A clock set back counts as 0. */
const seconds = (ms: number): number => (ms > 0 && Number.isFinite(ms) ? ms / 1000 : 0);
const amount = (count: number): number => (count > 0 && Number.isFinite(count) ? count : 0);

/** Conversations, messages, transactions and events. */
function counters(registry: Registry) {
  const make = (name: string, help: string, labelNames: string[], startAtZero: readonly string[] = []) => {
    const counter = new Counter({ name: prefix + name, help, labelNames, registers: [registry] });
    for (const label of startAtZero) counter.labels(label).inc(0);
    return cached((...labels) => counter.labels(...labels));
  };
  return {
    conversations: make(
      'conversations_total',
      'Conversations that began (active) or reached this end',
      ['status'],
      conversationStatuses,
    ),
    messages: make('messages_total', 'Messages by channel and the status that was committed', ['channel', 'status']),
    transactions: make('transactions_total', 'Transactions of the ledger by outcome', ['outcome'], transactionOutcomes),
    events: make('events_total', 'Events worth an alert, and those of members that come and go', ['event'], events),
  };
}

/** Rounds, lateness and sends. */
function histograms(registry: Registry) {
  const make = (name: string, help: string, buckets: number[], enableExemplars = false) =>
    new Histogram({ name: prefix + name, help, buckets, enableExemplars, registers: [registry] });
  const send = new Histogram({
    name: `${prefix}send_duration_seconds`,
    help: 'From handing a message over to the answer',
    labelNames: ['channel', 'result'],
    buckets: sendBuckets,
    enableExemplars: true,
    registers: [registry],
  });
  const late = make('lateness_seconds', 'How late due work was decided, once it is committed', latenessBuckets, true);
  const sent = cached((...labels) => send.labels(...labels));
  return {
    round: make('round_duration_seconds', 'Duration of a committed round', roundBuckets),
    size: make('round_conversations', 'Conversations in a committed round', roundSizeBuckets),
    lateness(value: number, traceparent: string | undefined) {
      late.observe({ labels: {}, value, exemplarLabels: traceparent === undefined ? {} : exemplarOf(traceparent) });
    },
    send(channel: string, result: string, value: number, traceparent: string | undefined) {
      if (traceparent === undefined) sent(channel, result).observe(value);
      else send.observe({ labels: { channel, result }, value, exemplarLabels: exemplarOf(traceparent) });
    },
  };
}

/** Lag, partitions and messages in doubt. */
function gauges(registry: Registry, monotonic: () => number) {
  let lag: { ms: number; at: number } | undefined;
  new Gauge({
    name: `${prefix}stream_lag_seconds`,
    help: "Age of the change stream's last batch, the oldest of all threads",
    aggregator: 'max',
    registers: [registry],
    collect() {
      // Grows while nothing is reported: a stream that fell silent must not look fresh.
      this.set(lag === undefined ? 0 : seconds(lag.ms + monotonic() - lag.at));
    },
  });
  const make = (name: string, help: string) => new Gauge({ name: prefix + name, help, registers: [registry] });
  return {
    setLag: (ms: number): void => {
      lag = { ms, at: monotonic() };
    },
    partitions: make('partitions_owned', 'Partitions this process owns'),
    inDoubt: make('messages_in_doubt', 'Messages handed over whose result is not committed'),
    circuit: new Gauge({
      name: `${prefix}channel_circuit`,
      help: 'Whether a channel is left alone: 0 closed (it is used), 1 half-open (one message is tried), 2 open; the worst of all threads',
      labelNames: ['channel'],
      aggregator: 'max',
      registers: [registry],
    }),
  };
}

/** The instruments of one thread, in a registry of their own. `monotonic` in ms. */
export function createMetrics(monotonic: () => number = () => performance.now()): Metrics {
  const registry = new Registry();
  // exemplars are kept only then; what it prints is printed elsewhere
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  const count = counters(registry);
  const observe = histograms(registry);
  const gauge = gauges(registry, monotonic);
  const vital = vitalInstruments(registry, monotonic);
  return {
    instruments: {
      conversations: (status, number) => count.conversations(status).inc(amount(number)),
      messages: (channel, status, number) => count.messages(channel, status).inc(amount(number)),
      round(durationMs, units) {
        observe.round.observe(seconds(durationMs));
        observe.size.observe(amount(units));
      },
      lateness: (ms, traceparent) => observe.lateness(seconds(ms), traceparent),
      send: (channel, durationMs, result, traceparent) =>
        observe.send(channel, result, seconds(durationMs), traceparent),
      streamLag: gauge.setLag,
      partitionsOwned: (number) => gauge.partitions.set(amount(number)),
      inDoubt: (number) => gauge.inDoubt.set(amount(number)),
      circuit(channel, state) {
        announce(count.messages, vital, channel);
        gauge.circuit.labels(channel).set(circuits[state]);
      },
      ...vital,
      transaction: (outcome) => count.transactions(outcome).inc(),
      event: (name, number = 1) => count.events(name).inc(amount(number)),
    },
    snapshot: () => registry.getMetricsAsJSON(),
  };
}

/** The threads' metrics as one, in the text format of Prometheus: sums, but the oldest lag. `as`: in OpenMetrics, with exemplars. */
export async function aggregate(snapshots: readonly MetricsSnapshot[], as: MetricsFormat = 'text'): Promise<string> {
  const summed = AggregatorRegistry.aggregate([...snapshots]);
  if (as === 'openMetrics') await toOpenMetrics(summed, snapshots);
  return summed.metrics();
}

/**
 * What stays of threads that ended: counters and histograms, summed. Without it a total would fall when a thread is
 * replaced, which Prometheus takes for a restart of the process and counts the others again.
 */
export function retained(snapshots: readonly MetricsSnapshot[]): Promise<MetricsSnapshot> {
  // The declared type of `type` is the enum, what is there is its name.
  const lasting = snapshots.map((snapshot) => snapshot.filter(({ type }) => String(type) !== 'gauge'));
  return AggregatorRegistry.aggregate(lasting).getMetricsAsJSON();
}

export interface ProcessMetrics {
  health(live: boolean, ready: boolean, threads: number): void;
  /** A thread is gone, asked or not. */
  threadEnded(): void;
  /** Text format; to be put behind that of `aggregate`. */
  text(): Promise<string>;
}

/** What concerns the process: the standard `process_*` and `nodejs_*` metrics under their usual names, its health and threads. For the main thread. */
export function createProcessMetrics(version = 'unknown'): ProcessMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // gauges by the names of counters (promtool check metrics); those without `_total` have all of it
  for (const what of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${what}_total`);
  new Gauge({
    name: `${prefix}build_info`,
    help: '1; its labels say which release runs on which Node.js',
    labelNames: ['version', 'node'],
    registers: [registry],
  })
    .labels(version, process.version)
    .set(1);
  const gauge = (name: string, help: string) => new Gauge({ name: prefix + name, help, registers: [registry] });
  const liveness = gauge('live', '1 while /livez says yes');
  const readiness = gauge('ready', '1 while /readyz says yes');
  const running = gauge('threads', 'Threads that run');
  const ended = new Counter({
    name: `${prefix}threads_ended_total`,
    help: 'Threads that ended, in a crash or because the process stops',
    registers: [registry],
  });
  return {
    health(live, ready, threads) {
      liveness.set(live ? 1 : 0);
      readiness.set(ready ? 1 : 0);
      running.set(threads);
    },
    threadEnded: () => ended.inc(),
    text: () => registry.metrics(),
  };
}
