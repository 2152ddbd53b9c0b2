import { describe, expect, it, jest } from '@jest/globals';
import { Histogram } from 'prom-client';
import { joinOpenMetrics } from '../../../src/telemetry/exemplars.ts';
import { aggregate, createMetrics, createProcessMetrics, retained } from '../../../src/telemetry/metrics.ts';

/** Value of a series in the text format; undefined when it is not there. */
const value = (text: string, series: string): number | undefined => {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
};
const p = 'communication_base_';

describe('metrics', () => {
  it('reports every instrument under a standard name', async () => {
    const { instruments, snapshot } = createMetrics();
    instruments.conversations('completed', 3);
    instruments.messages('sms', 'sent', 2);
    instruments.round(20, 500);
    instruments.lateness(120);
    instruments.send('sms', 30, 'sent');
    instruments.partitionsOwned(64);
    instruments.inDoubt(7);
    instruments.transaction('committed');
    instruments.event('fenced');
    const text = await aggregate([await snapshot()]);
    expect(value(text, `${p}conversations_total{status="completed"}`)).toBe(3);
    expect(value(text, `${p}messages_total{channel="sms",status="sent"}`)).toBe(2);
    expect(value(text, `${p}round_duration_seconds_sum`)).toBeCloseTo(0.02);
    expect(value(text, `${p}round_conversations_sum`)).toBe(500);
    expect(value(text, `${p}lateness_seconds_bucket{le="0.1"}`)).toBe(0);
    expect(value(text, `${p}lateness_seconds_bucket{le="0.15"}`)).toBe(1);
    expect(value(text, `${p}lateness_seconds_bucket{le="3600"}`)).toBe(1);
    expect(value(text, `${p}send_duration_seconds_count{channel="sms",result="sent"}`)).toBe(1);
    expect(value(text, `${p}partitions_owned`)).toBe(64);
    expect(value(text, `${p}messages_in_doubt`)).toBe(7);
    expect(value(text, `${p}transactions_total{outcome="committed"}`)).toBe(1);
    expect(value(text, `${p}events_total{event="fenced"}`)).toBe(1);
  });

  it('names traces in OpenMetrics: the newest of each bucket, whichever thread had it', async () => {
    const traceOf = (digit: string): string => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;
    const threads = [createMetrics(), createMetrics()];
    const [one, two] = threads;
    one?.instruments.send('sms', 30, 'sent', traceOf('a'));
    one?.instruments.send('sms', 20_000, 'sent', traceOf('b'));
    one?.instruments.send('sms', 3, 'sent');
    one?.instruments.lateness(120, traceOf('c'));
    two?.instruments.send('sms', 40, 'sent');
    two?.instruments.event('fenced');
    await new Promise((resolve) => setTimeout(resolve, 2));
    two?.instruments.send('sms', 40_000, 'sent', traceOf('d'));
    const snapshots = structuredClone(await Promise.all(threads.map((thread) => thread.snapshot())));
    const text = await aggregate(snapshots, 'openMetrics');
    const exemplars = text.split('\n').flatMap((line) => {
      const [, series, count, labels, of] = /^communication_base_(\S+) (\S+) # (\S+) (\S+) [\d.]+$/.exec(line) ?? [];
      return series === undefined ? [] : [[series, count, labels, of]];
    });
    const labels = (digit: string) => `{trace_id="${digit.repeat(32)}",span_id="${digit.repeat(16)}"}`;
    expect(exemplars.sort()).toEqual([
      ['lateness_seconds_bucket{le="0.15"}', '1', labels('c'), '0.12'],
      ['send_duration_seconds_bucket{le="+Inf",channel="sms",result="sent"}', '5', labels('d'), '40'],
      ['send_duration_seconds_bucket{le="0.05",channel="sms",result="sent"}', '3', labels('a'), '0.03'],
      ['send_duration_seconds_bucket{le="30",channel="sms",result="sent"}', '4', labels('b'), '20'],
    ]);
    expect(text).toMatch(/^# TYPE communication_base_events counter$/m);
    expect(value(text, `${p}events_total{event="fenced"}`)).toBe(1);
    expect(await aggregate(snapshots)).not.toMatch(/trace_id|EOF/);
  });

  it('is one document in OpenMetrics with what the process tells', async () => {
    const threads = await aggregate([await createMetrics().snapshot()], 'openMetrics');
    const text = joinOpenMetrics(threads, await createProcessMetrics().text());
    const lines = text.trimEnd().split('\n');
    expect(lines.indexOf('# EOF')).toBe(lines.length - 1);
    expect(lines).not.toContain('');
    expect(lines.filter((line) => /^# TYPE \S+_total counter$/.test(line))).toEqual([]);
    const counters = lines.flatMap((line) => /^# TYPE (\S+) counter$/.exec(line)?.[1] ?? []);
    expect(counters).toContain(`${p}threads_ended`);
    for (const name of counters)
      expect(
        lines.filter((line) => line.startsWith(`${name}_total`) || line.startsWith(`# HELP ${name} `)).length,
      ).toBeGreaterThan(0);
  });

  it('has what deserves an alert from the start', async () => {
    const text = await aggregate([await createMetrics().snapshot()]);
    expect(value(text, `${p}events_total{event="position_lost"}`)).toBe(0);
    expect(value(text, `${p}transactions_total{outcome="failed"}`)).toBe(0);
    expect(value(text, `${p}conversations_total{status="failed"}`)).toBe(0);
  });

  it('adds threads up and reports the oldest lag, also after a clone', async () => {
    const threads = [createMetrics(() => 0), createMetrics(() => 0)];
    for (const [at, { instruments }] of threads.entries()) {
      instruments.messages('sms', 'sent', at + 1);
      instruments.lateness(10);
      instruments.partitionsOwned(32);
      instruments.streamLag(at === 0 ? 5000 : 100);
    }
    const text = await aggregate(structuredClone(await Promise.all(threads.map((thread) => thread.snapshot()))));
    expect(value(text, `${p}messages_total{channel="sms",status="sent"}`)).toBe(3);
    expect(value(text, `${p}lateness_seconds_count`)).toBe(2);
    expect(value(text, `${p}partitions_owned`)).toBe(64);
    expect(value(text, `${p}stream_lag_seconds`)).toBe(5);
  });

  it('the lag of a stream that fell silent grows by itself', async () => {
    let now = 0;
    const { instruments, snapshot } = createMetrics(() => now);
    instruments.streamLag(1000);
    now = 9000;
    expect(value(await aggregate([await snapshot()]), `${p}stream_lag_seconds`)).toBe(10);
  });

  it('a measurement never throws and never counts down', async () => {
    const { instruments, snapshot } = createMetrics();
    for (const odd of [Number.NaN, -5, Number.POSITIVE_INFINITY]) {
      instruments.lateness(odd);
      instruments.messages('sms', 'sent', odd);
      instruments.partitionsOwned(odd);
    }
    const text = await aggregate([await snapshot()]);
    expect(value(text, `${p}lateness_seconds_sum`)).toBe(0);
    expect(value(text, `${p}messages_total{channel="sms",status="sent"}`)).toBe(0);
  });

  it('totals survive the death of a thread, gauges do not', async () => {
    const gone = createMetrics();
    gone.instruments.messages('sms', 'sent', 10);
    gone.instruments.lateness(10);
    gone.instruments.partitionsOwned(64);
    const before = await retained([await gone.snapshot()]);
    const kept = await retained([before, await gone.snapshot()]);
    const alive = createMetrics();
    alive.instruments.messages('sms', 'sent', 1);
    alive.instruments.partitionsOwned(3);
    const text = await aggregate([await alive.snapshot(), kept]);
    expect(value(text, `${p}messages_total{channel="sms",status="sent"}`)).toBe(21);
    expect(value(text, `${p}lateness_seconds_count`)).toBe(2);
    expect(value(text, `${p}partitions_owned`)).toBe(3);
  });

  it('a measurement looks its labels up once, not for every call', () => {
    const labels = jest.spyOn(Histogram.prototype, 'labels');
    const { instruments } = createMetrics();
    for (let at = 0; at < 1000; at += 1) instruments.send('sms', at, 'sent');
    expect(labels.mock.calls).toEqual([['sms', 'sent']]);
    labels.mockRestore();
  });

  it('the process has its standard metrics under their usual names', async () => {
    const metrics = createProcessMetrics();
    metrics.health(true, false, 2);
    metrics.threadEnded();
    const text = await metrics.text();
    expect(value(text, 'process_resident_memory_bytes')).toBeGreaterThan(0);
    expect(value(text, `${p}live`)).toBe(1);
    expect(value(text, `${p}ready`)).toBe(0);
    expect(value(text, `${p}threads`)).toBe(2);
    expect(value(text, `${p}threads_ended_total`)).toBe(1);
  });
});
