import { describe, expect, test } from '@jest/globals';
import { channelsOf } from '../../../src/domain/channelsOf.ts';
import { type DelayFacts, delaysOf, isOver } from '../../../src/domain/delays.ts';

const startedAt = new Date('2026-01-05T09:00:00Z');
const alive = { _id: 'm1', channels: ['email'], life: 'alive', lagSeconds: 1 } as const;
const allOwned = { unowned: [], orphaned: [], silent: [] };
const facts: DelayFacts = {
  campaign: { status: 'running' },
  run: { status: 'running', settled: false, startedAt },
  sending: 'on',
  cluster: { members: [alive], ownerless: allOwned },
  channels: ['email'],
  due: { now: { count: 5, more: false }, later: [] },
  delayed: [],
  stillMs: 0,
};
const told = (change: Partial<DelayFacts>): string[] =>
  delaysOf({ ...facts, ...change }).map(({ code, text, stops }) => `${code}${stops ? ' stops' : ''}: ${text}`);

describe('why a campaign is not as far as it might be', () => {
  test('nothing stands in the way', () => {
    expect(told({})).toEqual([]);
    expect(told({ cluster: undefined })).toEqual([]);
  });

  test.each<[string, Partial<DelayFacts>, string]>([
    ['a draft', { campaign: { status: 'draft' }, run: undefined }, 'draft stops: it is a draft'],
    ['pending', { campaign: { status: 'pending' }, run: undefined }, 'not_taken_up stops: it waits for a worker'],
    [
      'held before its start',
      { campaign: { status: 'paused' }, run: undefined },
      'held stops: it is held before its start',
    ],
    [
      'not yet due, not yet seen',
      { campaign: { status: 'pending' }, run: undefined, startAt: startedAt },
      'scheduled stops: it starts 2026-01-05T09:00:00.000Z',
    ],
    [
      'scheduled',
      { campaign: { status: 'scheduled' }, run: { status: 'scheduled', schedule: { startAt: startedAt } } },
      'scheduled stops: it starts 2026-01-05T09:00:00.000Z',
    ],
    ['a run without a start', { run: { status: 'running' } }, 'not_taken_up stops'],
    ['its endAt', { run: { ...facts.run, endReason: 'campaign_ended' } }, 'campaign_ended: its end (endAt) has come'],
    ['cancelled', { campaign: { status: 'cancelled' } }, 'campaign_cancelled: it was cancelled'],
    ['cancelled, by its run', { run: { ...facts.run, status: 'cancelled' } }, 'campaign_cancelled: it was cancelled'],
    ['deleted', { campaign: undefined }, 'campaign_deleted: its document was deleted'],
    [
      'dropped with its collection',
      { campaign: undefined, run: { ...facts.run, status: 'paused', pausedReason: 'collection_missing' } },
      'collection_missing stops',
    ],
    ['paused', { campaign: { status: 'paused' } }, 'paused stops: it is paused by its author or an operator'],
    [
      'paused by itself',
      {
        campaign: { status: 'paused', error: { code: 'channel_unknown', message: 'no channel sms' } },
        run: { ...facts.run, status: 'paused', pausedReason: 'channel_unknown' },
      },
      'paused stops: it is paused by the service itself (channel_unknown: no channel sms)',
    ],
    ['resumed, not yet taken up', { run: { ...facts.run, status: 'paused' } }, 'resumed stops: it was resumed'],
    ['the stop switch', { sending: 'stopped' }, 'sending_stopped stops: sending is stopped for all campaigns'],
    ['the stop switch, and who', { sending: 'stopped', stop: { by: 'ada' } }, 'control) by ada'],
    ['no worker', { cluster: { members: [], ownerless: allOwned } }, 'no_worker stops: no worker runs'],
    [
      'all members silent',
      { cluster: { members: [{ ...alive, life: 'silent' }], ownerless: { ...allOwned, silent: [0] } } },
      'all_silent stops',
    ],
    [
      'partitions without an owner',
      { cluster: { members: [alive], ownerless: { ...allOwned, unowned: [0, 1, 2, 7] } } },
      'unowned: nobody owns 4 partitions: 0-2, 7',
    ],
    [
      'a partition of somebody who is gone',
      { cluster: { members: [alive], ownerless: { ...allOwned, orphaned: [3] } } },
      'orphaned: a member that is gone owns partition 3',
    ],
    [
      'a silent owner',
      { cluster: { members: [alive], ownerless: { ...allOwned, silent: [3] } } },
      'silent: a silent member, taken over when its lease ends, owns partition 3',
    ],
    ['a channel that nobody has', { channels: ['email', 'sms'] }, 'channel_nowhere: no member has channel sms'],
    [
      'a member behind the changes',
      { cluster: { members: [{ ...alive, lagSeconds: 42 }], ownerless: allOwned } },
      'lag: a member reads changes late: 42 s behind',
    ],
    [
      'tries to come',
      { delayed: [{ reason: 'retry', count: 1234, more: true }] },
      'retry: at least 1,234 conversations waiting for another try',
    ],
    ['one of them', { delayed: [{ reason: 'retry', count: 1, more: false }] }, 'retry: 1 conversation waiting for'],
    [
      'a reason of a newer release',
      { delayed: [{ reason: 'moon', count: 2, more: false }] },
      'other: 2 conversations waiting, as they say themselves: moon',
    ],
    ['nothing moves', { stillMs: 31_000 }, 'standing_still: work is due, and nothing moves for 31 s'],
  ])('%s', (_, change, expected) => {
    const [first, ...others] = told(change);
    expect(first).toContain(expected);
    expect(others).toEqual([]);
  });

  test('members that have not told a position are not behind', () => {
    const { lagSeconds: _, ...fresh } = alive;
    expect(told({ cluster: { members: [fresh], ownerless: allOwned } })).toEqual([]);
  });

  test('standing still is no news where something else stops it, or nothing is due', () => {
    expect(told({ stillMs: 60_000, sending: 'stopped' })).toHaveLength(1);
    expect(told({ stillMs: 60_000, due: undefined })).toEqual([]);
    expect(told({ stillMs: 60_000, due: { now: { count: 0, more: false }, later: [] } })).toEqual([]);
  });

  test('of a campaign that is over: nothing, whatever else is wrong', () => {
    expect(told({ run: { ...facts.run, settled: true }, sending: 'stopped' })).toEqual([]);
    expect(told({ run: undefined, campaign: { status: 'failed' }, sending: 'stopped' })).toEqual([]);
  });

  test('over is whose run is settled; without a run, whose status is an ended one, or who is gone', () => {
    expect(isOver({ campaign: { status: 'cancelled' }, run: { settled: false } })).toBe(false);
    expect(isOver({ campaign: { status: 'running' }, run: { settled: true } })).toBe(true);
    expect(isOver({ campaign: { status: 'pending' }, run: undefined })).toBe(false);
    expect(isOver({ campaign: undefined, run: undefined })).toBe(true);
  });
});

test('channels of a flow, each once', () => {
  const message = { type: 'message', content: {} } as const;
  expect(
    channelsOf({
      stages: [
        { ...message, id: 'a', channel: 'email', followUps: [{ after: 'P1D' }, { after: 'P1D', channel: 'sms' }] },
        { id: 'b', type: 'wait', for: 'P1D' },
        { ...message, id: 'c', channel: 'sms' },
      ],
    }),
  ).toEqual(['email', 'sms']);
});
