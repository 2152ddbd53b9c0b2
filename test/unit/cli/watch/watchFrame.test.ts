import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import picocolors from 'picocolors';
import { visibleLength } from '../../../../src/cli/output.ts';
import { finalLines, frame } from '../../../../src/cli/watch/watchFrame.ts';
import { changeKey, endSentence, progressLine } from '../../../../src/cli/watch/watchLine.ts';
import type { Snapshot } from '../../../../src/cli/watch/watchModel.ts';
import { rateWords } from '../../../../src/cli/watch/watchSections.ts';
import { anySnapshot, paused, sample, wide } from './watchSamples.ts';

const plain = picocolors.createColors(false);
const coloured = picocolors.createColors(true);
const draw = (snapshot: Snapshot, columns: number, rows: number): string[] =>
  frame({ snapshot, columns, rows, color: plain, footer: 'q quits', stale: false });

/** Looked at by a person once; `UPDATE_FRAMES=1` writes them anew. */
function expectGolden(name: string, lines: readonly string[]): void {
  const file = new URL(`frames/${name}.txt`, import.meta.url);
  const text = `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
  if (process.env['UPDATE_FRAMES']) writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
}

describe('a frame', () => {
  test.each<[string, Snapshot, number, number]>([
    ['running-80x24', sample(), 80, 24],
    ['running-200x50', sample(), 200, 50],
    ['paused-80x24', paused, 80, 24],
    ['wide-80x24', wide, 80, 24],
    ['running-60x10', sample(), 60, 10],
    ['running-30x5', sample(), 30, 5],
  ])('%s', (name, snapshot, columns, rows) => {
    expectGolden(name, draw(snapshot, columns, rows));
  });

  test('before it has started there is only why it has not', () => {
    const delays = [{ code: 'no_worker' as const, text: 'no worker runs', stops: true }];
    const lines = draw(sample({ status: 'pending', started: false, delays, troubles: [], funnel: [] }), 80, 24);
    expect(lines.join('\n')).toContain('stopped    no worker runs');
    expect(lines.join('\n')).not.toMatch(/messages|outcomes|due/);
  });

  test('no line is wider than the terminal, and there are no more lines than rows, whatever is shown', () => {
    const sizes = [fc.integer({ min: 1, max: 250 }), fc.integer({ min: 0, max: 70 }), fc.boolean()] as const;
    fc.assert(
      fc.property(anySnapshot, ...sizes, (snapshot, columns, rows, stale) => {
        const footer = coloured.red('no answer from MongoDB '.repeat(12));
        const lines = frame({ snapshot, columns, rows, color: coloured, footer, stale });
        expect(lines.length).toBeLessThanOrEqual(rows);
        for (const line of lines) {
          expect(visibleLength(line)).toBeLessThanOrEqual(Math.max(1, columns - 1));
          expect(line).not.toMatch(/[\n\r]/);
        }
        const last = finalLines(snapshot, columns, coloured);
        for (const line of last) expect(visibleLength(line)).toBeLessThanOrEqual(Math.max(20, columns - 1));
      }),
      { numRuns: 40 },
    );
  });

  test('with few rows, what stands in the way comes before figures and tables', () => {
    const lines = draw(paused, 80, 5);
    expect(lines).toHaveLength(5);
    expect(lines.join('\n')).toContain('paused by the service itself');
  });
});

test.each([
  [0, '0/s'],
  [0.0001, '1/h'],
  [0.01, '36/h'],
  [0.03, '2/min'],
  [0.0999, '6/min'],
  [0.1, '0.1/s'],
  [9.94, '9.9/s'],
  [1240.3, '1,240/s'],
])('a rate of %d is %s', (rate, words) => {
  expect(rateWords(rate)).toBe(words);
});

describe('a line in a pipe', () => {
  test('is one line with everything that counts', () => {
    expect(progressLine(sample())).toBe(
      '2026-03-02T09:12:31Z running 62.2 % · 74,650 of 120,000 ended · sent 203,412 (1,240/s) · failed 3,400 · uncertain 2 · pending 1,210 · due 10,000+ · delayed: a silent member, taken over when its lease ends, owns 2 partitions: 4, 9 · delayed: 391 conversations waiting for another try',
    );
    fc.assert(
      fc.property(anySnapshot, (snapshot) => expect(progressLine(snapshot)).not.toMatch(/[\n\r]/)),
      { numRuns: 20 },
    );
  });

  test('is said again only when something changed, and a rate or the time is nothing', () => {
    const before = changeKey(sample());
    expect(changeKey(sample({ at: new Date(), rates: { sent: 3 }, sentRates: [] }))).toBe(before);
    expect(changeKey(sample({ rates: { sent: 0 } }))).not.toBe(before);
    expect(changeKey(sample({ pending: 1 }))).not.toBe(before);
    expect(changeKey(paused)).not.toBe(before);
  });

  test.each<[string, Partial<Snapshot>]>([
    ['spring-2026 is completed', { status: 'completed', over: true }],
    ['spring-2026 is completed: its end (endAt) came', { status: 'completed', over: true, endedByDate: true }],
    ['spring-2026 was deleted, which counts as cancelled', { status: 'deleted', over: true }],
    [
      'spring-2026 is failed: flow_invalid at flow.stages[0]: no',
      { status: 'failed', over: true, error: { code: 'flow_invalid', path: 'flow.stages[0]', message: 'no' } },
    ],
    [
      'spring-2026 is cancelled; 45,350 conversations are still active, and nothing ends them',
      { status: 'cancelled', over: false },
    ],
  ])('%s', (sentence, change) => {
    expect(endSentence(sample(change))).toBe(sentence);
  });
});
