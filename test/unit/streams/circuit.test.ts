import { expect, test } from '@jest/globals';
import type { SendResult } from '../../../src/domain/channelPorts.ts';
import type { ChannelState } from '../../../src/domain/model.ts';
import { Circuit } from '../../../streams/circuit.ts';
import { type ManualClock, manualClock } from '../../support/clock.ts';

const sent: SendResult = { kind: 'sent' };
const down: SendResult = { kind: 'retry', code: 'http_503', message: 'HTTP 503', counts: true };
const unknown: SendResult = { kind: 'unknown', code: 'timeout', message: 'no answer' };
const refused: SendResult = { kind: 'rejected', code: 'http_400', message: 'HTTP 400' };
const throttled: SendResult = { kind: 'retry', code: 'http_429', message: 'HTTP 429', counts: false };
const silent = ['not_begun', 'closed', 'aborted', 'recipient_limited'] as const;
const after = (result: SendResult, retryAfterMs: number): SendResult => ({ ...result, retryAfterMs }) as SendResult;

function circuit(random = 0): { circuit: Circuit; clock: ManualClock; told: (ChannelState | undefined)[] } {
  const clock = manualClock();
  const told: (ChannelState | undefined)[] = [];
  const params = { clock, random: () => random, concurrency: 8, onChange: (state?: ChannelState) => told.push(state) };
  return { circuit: new Circuit({ ...params, onChange: (state) => void params.onChange(state) }), clock, told };
}

const answer = (one: Circuit, ...results: SendResult[]): void => {
  for (const result of results) one.answered(one.began(), result);
};
const times = (count: number, result: SendResult): SendResult[] => Array.from({ length: count }, () => result);

test.each([
  ['failures', down],
  ['answers that nobody knows', unknown],
])('more than half of the last answers %s: nothing is handed over, then one, then more and more', (_, failure) => {
  const { circuit: one, clock, told } = circuit();
  answer(one, ...times(9, failure));
  expect([one.limit, told]).toEqual([Number.POSITIVE_INFINITY, []]);
  answer(one, failure);
  expect([one.limit, one.isOpen]).toEqual([0, true]);
  expect(one.current).toMatchObject({ state: 'open', code: (failure as { code: string }).code });
  clock.advance(999);
  expect(one.limit).toBe(0);
  clock.advance(1);
  expect([one.limit, one.current?.state, one.current?.until]).toEqual([1, 'half_open', undefined]);
  answer(one, sent);
  expect([one.limit, one.current]).toEqual([2, undefined]);
  const limits = times(8, sent).map((result) => {
    answer(one, result);
    return one.limit;
  });
  expect(limits).toEqual([3, 4, 5, 6, 7, 8, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  expect(told.map((state) => state?.state)).toEqual(['open', 'half_open', undefined]);
});

test('a provider that refuses messages one by one works, and so does one that fails now and then', () => {
  const { circuit: one } = circuit();
  answer(one, ...times(100, refused));
  for (let n = 0; n < 100; n++) answer(one, sent, down);
  expect(one.isOpen).toBe(false);
});

test.each(silent)('what was never tried, or is a limit for one recipient, says nothing: %s', (code) => {
  const { circuit: one } = circuit();
  answer(one, ...times(100, { kind: 'retry', code, message: 'not now', counts: false }));
  expect(one.isOpen).toBe(false);
});

test('many told to wait: it waits for as long as it was asked to', () => {
  const { circuit: one, clock } = circuit();
  answer(one, ...times(5, sent), ...times(5, throttled));
  expect(one.isOpen).toBe(false);
  answer(one, after(throttled, 5_000));
  expect(one.isOpen).toBe(true);
  clock.advance(4_999);
  expect(one.limit).toBe(0);
  clock.advance(1);
  expect(one.limit).toBe(1);
});

test('what was on its way when it opened judges nobody, and may ask for a longer pause', () => {
  const { circuit: one, clock, told } = circuit();
  const before = one.began();
  answer(one, ...times(10, down));
  one.answered(before, down);
  one.answered(before, after(throttled, 500));
  const until = one.current?.until?.getTime();
  one.answered(before, after(throttled, 7_000));
  expect(one.current?.until?.getTime()).toBe(clock.now() + 7_000);
  expect(told.at(-1)?.until?.getTime()).toBe(clock.now() + 7_000);
  expect(until).toBe(clock.now() + 1_000);
  clock.advance(7_000);
  one.answered(before, sent);
  expect(one.limit).toBe(1);
  one.answered(before, down);
  expect(one.limit).toBe(1);
});

test('a probe that fails opens it anew, for a longer time and from the same moment on', () => {
  const { circuit: one, clock } = circuit(0.5);
  answer(one, ...times(10, down));
  const since = one.current?.since;
  const pauses: number[] = [];
  for (let n = 0; n < 8; n++) {
    const ms = (one.current?.until?.getTime() ?? 0) - clock.now();
    pauses.push(ms);
    clock.advance(ms);
    expect(one.limit).toBe(1);
    answer(one, down);
    expect([one.limit, one.current?.since]).toEqual([0, since]);
  }
  // half way between the first pause and three times the last one
  expect(pauses.slice(0, 3)).toEqual([2_000, 3_500, 5_750]);
  expect(Math.max(...pauses)).toBe(30_000);
});

test('while it comes back most of three answers are enough; once it is back it takes as many as ever', () => {
  const { circuit: one, clock } = circuit();
  answer(one, ...times(10, down));
  clock.advance(1_000);
  answer(one, sent, down);
  expect(one.isOpen).toBe(false);
  answer(one, down);
  expect(one.isOpen).toBe(true);
  clock.advance(1_000);
  answer(one, ...times(8, sent), ...times(8, down));
  expect(one.isOpen).toBe(false);
});

test('a busy provider may say so now and then, also while it comes back', () => {
  const { circuit: one, clock } = circuit();
  for (let n = 0; n < 50; n++) answer(one, sent, sent, sent, throttled);
  expect(one.isOpen).toBe(false);
  answer(one, ...times(20, down));
  clock.advance(1_000);
  answer(one, throttled);
  expect(one.isOpen).toBe(true);
  clock.advance(1_000);
  for (let n = 0; n < 20; n++) answer(one, sent, sent, sent, throttled);
  expect([one.isOpen, one.limit]).toEqual([false, Number.POSITIVE_INFINITY]);
});

test('a provider that fails now and then all the time comes back, too', () => {
  const { circuit: one, clock, told } = circuit(0.5);
  answer(one, ...times(10, down));
  for (let n = 0; n < 40; n++) {
    if (one.isOpen) clock.advance(30_000);
    answer(one, ...(one.limit === 1 ? [sent] : [sent, sent, sent, sent, down]));
  }
  expect(one.limit).toBe(Number.POSITIVE_INFINITY);
  expect(told.filter((state) => state?.state === 'open')).toHaveLength(1);
});

test('what is refused on this side tells nothing of the provider; a recipient who has to wait tells that it works', () => {
  const { circuit: one, clock } = circuit();
  const here: SendResult = { kind: 'rejected', code: 'not_allowed', message: 'not in the allow list' };
  const grey: SendResult = { ...down, code: 'smtp_451', ofRecipient: true } as SendResult;
  answer(one, ...times(20, grey));
  expect(one.isOpen).toBe(false);
  answer(one, ...times(20, down));
  clock.advance(1_000);
  answer(one, here);
  expect([one.limit, one.current?.state]).toEqual([1, 'half_open']);
  answer(one, grey);
  expect(one.current).toBeUndefined();
});

test('a stopped one wakes nobody, whatever is answered yet', () => {
  const { circuit: one, clock, told } = circuit();
  answer(one, ...times(10, down));
  one.stop();
  clock.advance(60_000);
  expect(told.map((state) => state?.state)).toEqual(['open']);
  const { circuit: other, clock: later } = circuit();
  other.stop();
  answer(other, ...times(10, down));
  later.advance(60_000);
  expect(other.limit).toBe(0);
});
