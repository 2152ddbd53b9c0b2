/** What service levels and alerts are asked of: how late, what stands still, what is left of the oplog. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Instruments } from '../domain/systemPorts.ts';

const prefix = 'communication_base_';
/** 50 ms to a day: from "at once" to "after a weekend's outage". */
const delayBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400];
const rateKinds = ['channel', 'campaign', 'domain'] as const;
/** What `Reconcile` compares. */
const kinds = ['inbox', 'message', 'due', 'run', 'campaign', 'enrollment', 'inbound'];
const statusesFromTheStart = ['sent', 'failed', 'uncertain'];

type Vital = 'dueToSent' | 'rateWait' | 'recovered' | 'standing' | 'positionAge' | 'vitals';

/** A number that prom-client takes: it throws on what is none. A clock set back counts as 0. */
const seconds = (ms: number): number => (ms > 0 && Number.isFinite(ms) ? ms / 1000 : 0);
const amount = (count: number): number => (count > 0 && Number.isFinite(count) ? count : 0);

/** Series of a channel that alerts and dashboard ask for are there with the channel, at 0: one that appears with 1 has no rate. */
export function announce(
  messages: (channel: string, status: string) => Counter.Internal,
  { recovered }: Pick<Instruments, 'recovered'>,
  channel: string,
): void {
  for (const status of statusesFromTheStart) messages(channel, status).inc(0);
  for (const kind of ['lost', 'held'] as const) recovered(channel, kind, 0);
}

/** `monotonic` in ms. */
export function vitalInstruments(registry: Registry, monotonic: () => number): Pick<Instruments, Vital> {
  const registers = [registry];
  const dueToSent = new Histogram({
    name: `${prefix}due_to_sent_seconds`,
    help: 'From the time a message was due to the answer that it was taken, once that is committed; tries in between and outages included',
    labelNames: ['channel'],
    buckets: delayBuckets,
    registers,
  });
  const recovered = new Counter({
    name: `${prefix}messages_recovered_total`,
    help: 'Messages without an answer that were taken up again under the same key: lost with another member (may repeat, or be uncertain), or held (never left)',
    labelNames: ['channel', 'kind'],
    registers,
  });
  const rateWait = new Histogram({
    name: `${prefix}rate_limit_wait_seconds`,
    help: 'How long messages that left waited for a slot, by whose rate it was that they met first: of the channel, the campaign (limits.perSecond) or the mail domain',
    labelNames: ['kind'],
    buckets: delayBuckets,
    registers,
  });
  for (const kind of rateKinds) rateWait.zero({ kind });
  return {
    rateWait: (kind, ms) => rateWait.labels(kind).observe(seconds(ms)),
    dueToSent: (channel, ms) => dueToSent.labels(channel).observe(seconds(ms)),
    recovered: (channel, kind, count) => recovered.labels(channel, kind).inc(amount(count)),
    ...standing(registry),
    ...positionAge(registry, monotonic),
    vitals: vitalGauges(registry),
  };
}

function standing(registry: Registry): Pick<Instruments, 'standing'> {
  const registers = [registry];
  const stuck = new Gauge({
    name: `${prefix}stuck`,
    help: 'Documents that stood still although they were due, as the last comparison found them (taken up then)',
    labelNames: ['kind'],
    registers,
  });
  const repairs = new Counter({
    name: `${prefix}reconcile_repairs_total`,
    help: 'Documents that stood still and were taken up by the comparison with the database; should stay 0',
    labelNames: ['kind'],
    registers,
  });
  for (const kind of kinds) {
    stuck.labels(kind).set(0);
    repairs.labels(kind).inc(0);
  }
  return {
    standing(kind, count) {
      stuck.labels(kind).set(amount(count));
      repairs.labels(kind).inc(amount(count));
    },
  };
}

function positionAge(registry: Registry, monotonic: () => number): Pick<Instruments, 'positionAge'> {
  let age: { ms: number; at: number } | undefined;
  new Gauge({
    name: `${prefix}stream_position_age_seconds`,
    help: 'How far the change stream is behind: age of what was taken in last, the oldest of all threads',
    aggregator: 'max',
    registers: [registry],
    collect() {
      this.set(age === undefined ? 0 : seconds(age.ms + monotonic() - age.at));
    },
  });
  return {
    positionAge: (ms) => {
      age = { ms, at: monotonic() };
    },
  };
}

function vitalGauges(registry: Registry): Instruments['vitals'] {
  const gauge = (name: string, help: string, aggregator: 'max' | 'min' = 'max'): Gauge =>
    new Gauge({ name: prefix + name, help, aggregator, registers: [registry] });
  const dueLag = gauge('due_lag_seconds', 'Age of the oldest conversation that is due and not taken up');
  const withRoom = gauge(
    'due_lag_with_room_seconds',
    'Age of the oldest conversation that is due, not taken up, and behind no rate, open circuit or stop-all: what more workers would take up',
  );
  const stopped = gauge('sending_stopped', '1 while all sending is stopped by stop-all');
  const partitions = gauge('partitions', 'Partitions of the cluster, owned by somebody or not');
  // only where the oplog may be read: a window of 0 would be an alert
  let oplog: { window: Gauge; first: Gauge } | undefined;
  return (found) => {
    if (found.dueLagMs !== undefined) dueLag.set(seconds(found.dueLagMs));
    if (found.dueLagWithRoomMs !== undefined) withRoom.set(seconds(found.dueLagWithRoomMs));
    if (found.sendingStopped !== undefined) stopped.set(found.sendingStopped ? 1 : 0);
    if (found.partitions !== undefined) partitions.set(amount(found.partitions));
    if (found.oplog === undefined) return;
    oplog ??= {
      window: gauge('oplog_window_seconds', 'Time between the oldest and the newest entry of the oplog', 'min'),
      first: gauge('oplog_first_timestamp_seconds', 'When the oldest entry of the oplog was written, Unix time', 'min'),
    };
    oplog.window.set(seconds(found.oplog.lastMs - found.oplog.firstMs));
    oplog.first.set(seconds(found.oplog.firstMs));
  };
}
