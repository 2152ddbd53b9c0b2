import { expect, test } from '@jest/globals';
import { aggregate, createMetrics, createProcessMetrics } from '../../../src/telemetry/metrics.ts';

const value = (text: string, series: string): number | undefined => {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`communication_base_${series} `));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
};

test('of two threads the worst counts, the shortest window, and all that stands still', async () => {
  let now = 0;
  const threads = [createMetrics(() => now), createMetrics(() => now)];
  for (const [at, { instruments }] of threads.entries()) {
    instruments.vitals({
      dueLagMs: 1000 * (at + 1),
      dueLagWithRoomMs: 500 * (at + 1),
      sendingStopped: at === 0,
      partitions: 16,
    });
    instruments.vitals({ oplog: { firstMs: 10_000 + at, lastMs: 70_000 - 1000 * at } });
    instruments.standing('due', 2);
    instruments.positionAge(1000);
    instruments.dueToSent('sms', 45_000);
    instruments.rateWait('campaign', 3_000);
    instruments.recovered('sms', 'lost', 3);
  }
  now = 2000;
  const text = await aggregate(await Promise.all(threads.map((thread) => thread.snapshot())));
  expect(value(text, 'due_lag_seconds')).toBe(2);
  expect(value(text, 'due_lag_with_room_seconds')).toBe(1);
  expect(value(text, 'rate_limit_wait_seconds_bucket{le="1",kind="campaign"}')).toBe(0);
  expect(value(text, 'rate_limit_wait_seconds_bucket{le="5",kind="campaign"}')).toBe(2);
  expect(value(text, 'rate_limit_wait_seconds_count{kind="domain"}')).toBe(0);
  expect(value(text, 'sending_stopped')).toBe(1);
  expect(value(text, 'partitions')).toBe(16);
  expect(value(text, 'oplog_window_seconds')).toBeCloseTo(58.999);
  expect(value(text, 'oplog_first_timestamp_seconds')).toBe(10);
  expect(value(text, 'stuck{kind="due"}')).toBe(4);
  expect(value(text, 'reconcile_repairs_total{kind="due"}')).toBe(4);
  expect(value(text, 'stream_position_age_seconds')).toBe(3);
  expect(value(text, 'due_to_sent_seconds_bucket{le="30",channel="sms"}')).toBe(0);
  expect(value(text, 'due_to_sent_seconds_bucket{le="60",channel="sms"}')).toBe(2);
  expect(value(text, 'messages_recovered_total{channel="sms",kind="lost"}')).toBe(6);
});

test('what stood still and moves again is no longer stuck, but stays counted', async () => {
  const { instruments, snapshot } = createMetrics();
  instruments.standing('message', 2);
  instruments.standing('message', 0);
  const text = await aggregate([await snapshot()]);
  expect(value(text, 'stuck{kind="message"}')).toBe(0);
  expect(value(text, 'reconcile_repairs_total{kind="message"}')).toBe(2);
});

test('no oplog that could be read is no window of 0; a channel has its series from the start', async () => {
  const { instruments, snapshot } = createMetrics();
  instruments.vitals({ dueLagMs: 0 });
  instruments.circuit('sms', 'closed');
  const text = await aggregate([await snapshot()]);
  expect(text).not.toContain('oplog_window_seconds');
  expect(value(text, 'messages_total{channel="sms",status="uncertain"}')).toBe(0);
  expect(value(text, 'messages_recovered_total{channel="sms",kind="lost"}')).toBe(0);
});

test('the release is told', async () => {
  const text = await createProcessMetrics('1.2.3').text();
  expect(value(text, `build_info{version="1.2.3",node="${process.version}"}`)).toBe(1);
});
