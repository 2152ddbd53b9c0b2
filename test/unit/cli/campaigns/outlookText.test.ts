import { describe, expect, test } from '@jest/globals';
import { outlookLines, ratePerSecond } from '../../../../src/cli/campaigns/outlookText.ts';
import { newOutlook, tally } from '../../../../src/domain/outlook.ts';
import { context } from '../host.ts';

const { out } = context();
const at = Date.parse('2026-03-02T08:00:00Z');
const outlook = () => {
  const found = newOutlook();
  for (let n = 0; n < 1200; n++) tally(found, { fate: 'sent', detail: n % 3 === 0 ? 'sms' : 'email' });
  tally(found, { fate: 'expired', detail: 'late_skipped' });
  tally(found, { fate: 'held', detail: 'window', at });
  tally(found, { fate: 'held', detail: 'moon', at: at + 3_600_000 });
  tally(found, { fate: 'skipped', detail: 'suppressed\u001b[2J' });
  return found;
};

describe('what resume says', () => {
  test('of everybody who is due, with how long it takes; nothing in it can do anything to a terminal', () => {
    const all = { ...outlook(), due: 1204, looked: 1204, unknownChannels: [], rate: 40, takesMs: 30_000 };
    expect(outlookLines(all, out)).toEqual([
      '1,204 conversations are due, and would be',
      '  1,200  sent to at once (email 800 · sms 400)',
      '      1  expired: too late, they leave the campaign (schedule.late)',
      '      1  skipped: this message is left out (suppressed [2J 1)',
      '      2  held (moon 1 · waiting for their send window 1), the first until 2026-03-02T08:00:00.000Z, the last until 2026-03-02T09:00:00.000Z',
      'sending takes about 30.0 s at 40 messages a second, as it was so far',
      'decided for each of them, as a worker would now',
    ]);
  });

  test('of a sample, and of channels that are not known here', () => {
    const one = newOutlook();
    tally(one, { fate: 'held', detail: 'window', at });
    const lines = outlookLines({ ...one, due: 1, looked: 0, unknownChannels: ['push'], rate: 0.5, takesMs: 0 }, out);
    expect(lines).toEqual([
      '1 conversation is due, and would be',
      '  1  held (waiting for their send window 1), until 2026-03-02T08:00:00.000Z',
      'estimated from a sample of 0; --exact looks at all of them',
      'not configured here, so that a worker may decide otherwise: push',
    ]);
    expect(outlookLines({ ...newOutlook(), due: 0, looked: 0, unknownChannels: [] }, out)).toEqual([
      'nothing came due while it was paused',
    ]);
    const slow = { ...outlook(), due: 1204, looked: 1204, unknownChannels: [], rate: 0.5, takesMs: 2_400_000 };
    expect(outlookLines(slow, out)).toContain('sending takes about 40 min at 30 messages a minute, as it was so far');
  });

  test('the rate so far leaves pauses out, and is none where there is too little to tell', () => {
    const date = (seconds: number) => new Date(seconds * 1000);
    const metrics = (sent: number) => ({ messages: { sent } }) as never;
    const pauses = [{ from: date(10), until: date(60) }, { from: date(70) }];
    expect(ratePerSecond({ startedAt: date(0), pauses, metrics: metrics(400) })).toBe(20);
    for (const too of [
      { startedAt: date(0), pauses, metrics: metrics(99) },
      { startedAt: date(0), pauses: [], metrics: metrics(400) },
      { startedAt: date(0), metrics: metrics(400) },
      { pauses, metrics: metrics(400) },
      { startedAt: date(69.5), pauses: [{ from: date(70) }], metrics: metrics(400) },
      { startedAt: date(0), pauses },
    ])
      expect(ratePerSecond(too)).toBeUndefined();
  });
});
