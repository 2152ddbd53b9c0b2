import { expect, test } from '@jest/globals';
import { startProgress } from '../../../src/cli/progress.ts';
import { Recorder } from './host.ts';

const million = { bytes: 1_000_000 };

test('a pipe gets a line every five seconds, with what is left', () => {
  let time = 0;
  const sink = new Recorder();
  const progress = startProgress({ sink, what: 'rows', total: million, now: () => time });
  for (let n = 1; n <= 100; n += 1) {
    time = n * 100;
    progress.update({ rows: n * 1000, bytes: n * 5000 });
  }
  progress.stop();
  expect(sink.text.split('\n')).toEqual([
    '25% · 50,000 rows · 0.3/1.0 MB · 10,000/s · 15 s left',
    '50% · 100,000 rows · 0.5/1.0 MB · 10,000/s · 10 s left',
    '',
  ]);
});

test('without a total it says how much there was', () => {
  let time = 0;
  const sink = new Recorder();
  const progress = startProgress({ sink, what: 'rows', now: () => time });
  time = 10_000;
  progress.update({ rows: 5, bytes: 2_000_000 });
  expect(sink.text).toBe('5 rows · 2.0 MB · 1/s\n');
});

test('a short command says nothing in a pipe, and leaves nothing on a terminal', () => {
  const pipe = new Recorder();
  startProgress({ sink: pipe, what: 'rows', total: million }).stop();
  expect(pipe.text).toBe('');
  let time = 0;
  const terminal = new Recorder(true);
  const progress = startProgress({ sink: terminal, what: 'rows', total: million, now: () => time });
  time = 900;
  progress.update({ rows: 4, bytes: 400_000 });
  expect(terminal.text).toBe('');
  time = 1500;
  progress.update({ rows: 5, bytes: 500_000 });
  const drawn = terminal.text;
  // first of all: its timer would keep the test alive
  progress.stop();
  expect(drawn).toContain('50% 5 rows');
  const after = terminal.text;
  progress.stop();
  expect(terminal.text).toBe(after);
  expect(after).not.toContain('\n');
});
