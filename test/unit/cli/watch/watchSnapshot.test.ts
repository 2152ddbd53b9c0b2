import { expect, test } from '@jest/globals';
import picocolors from 'picocolors';
import { finalLines, frame } from '../../../../src/cli/watch/watchFrame.ts';
import { endSentence, progressLine } from '../../../../src/cli/watch/watchLine.ts';
import { WatchState } from '../../../../src/cli/watch/watchSnapshot.ts';
import type { ClusterRead, Head } from '../../../../src/mongo/progressReader.ts';

const evil = '\u001b]0;PWN\u0007\u009b2J\u202e';
const plain = picocolors.createColors(false);

const member = { _id: evil, host: evil, thread: 0, beat: 1, channels: [] } as never;
const cluster: ClusterRead = { members: [member], partitions: [], serverNow: 0 };
const stages = [{ id: evil, type: 'message', channel: evil }];
const names = (value: unknown) => ({ [evil]: value });

/** Every word of others in it is evil. */
const hostile = (status: string, pausedReason?: string): Head => ({
  campaign: { _id: evil, name: evil, status, error: { code: evil, message: evil, path: evil } },
  run: {
    ...{ status: 'paused', startedAt: new Date(0), flow: { stages } },
    ...(pausedReason === undefined ? {} : { pausedReason }),
    expansion: { expanded: 3, skipped: names(1), done: false },
  },
  counters: [
    {
      memberId: evil,
      counts: { total: 3, active: 1, outcomes: names(2), reasons: names(1), stages: names({ entered: 3 }) },
    },
  ],
});

test.each([
  ['paused', undefined],
  ['paused', evil],
  ['failed', evil],
  [evil, 'other'],
])('nothing of others reaches the terminal as control characters (%#)', (status, pausedReason) => {
  const state = new WatchState(evil, 1000);
  state.flow = { stages } as never;
  state.delayed = [{ reason: evil, count: 1, more: false }];
  state.seeHead(hostile(status, pausedReason), 0);
  state.seeCluster(cluster, 0, 0);
  const row = { _id: evil, reason: evil, error: { code: evil, message: evil } } as never;
  state.troubles.waiting([row], false);
  state.troubles.failed([row]);
  const snapshot = state.snapshot(0);
  const size = { snapshot, columns: 300, color: plain };
  const shown = [
    progressLine(snapshot),
    endSentence(snapshot),
    ...frame({ ...size, rows: 60, footer: '', stale: false }),
    ...finalLines(snapshot, 300, plain),
    JSON.stringify(snapshot),
  ].join('');
  expect(shown).toContain('PWN');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]|\\u001b/);
});

test('after MongoDB was away nothing of before counts: no rate, and no alarm that nothing moves', () => {
  const state = new WatchState('spring', 1000);
  const counters = (sent: number) => [{ memberId: 'a', counts: { total: 9, active: 9, messages: { sent } } }];
  const running = { status: 'running', startedAt: new Date(0) };
  const see = (at: number, sent: number): void => {
    state.seeHead({ campaign: running, run: running, counters: counters(sent) }, at);
    state.seeCluster({ ...cluster, members: [{ ...(member as object), _id: 'a', beat: at } as never] }, at, 0);
  };
  const codes = () => state.snapshot(0).delays.map(({ code }) => code);
  state.due = { now: { count: 9, more: false }, later: [] };
  for (const at of [0, 1000, 2000]) see(at, at / 100);
  state.forget();
  for (const at of [63_000, 64_000, 65_000]) see(at, 20);
  expect(codes()).not.toContain('standing_still');
  expect(state.snapshot(0)).toMatchObject({ rates: { sent: 0 }, sentRates: [0, 0], members: [{ rate: 0 }] });
  see(94_000, 20);
  expect(codes()).toContain('standing_still');
});
