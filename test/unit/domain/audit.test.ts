import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type AuditedConversation,
  type AuditedRow,
  conversationOf,
  type FindingKind,
  instant,
  orphanClaim,
  proveConversation,
} from '../../../src/domain/audit.ts';
import { type Due, LaneWatch, type Standing } from '../../../src/domain/auditLanes.ts';
import { campaignPart } from '../../../src/domain/auditPlace.ts';
import { notBegun, runMark, runSuspicions, watchedMs } from '../../../src/domain/auditRun.ts';
import {
  type CampaignState,
  markOf,
  motionOf,
  patience,
  suspicions,
  unsettled,
} from '../../../src/domain/auditStuck.ts';
import { partitionOfConversation } from '../../../src/domain/ids.ts';
import { emptyMetrics } from '../../../src/domain/metrics.ts';
import type { Conversation } from '../../../src/domain/model.ts';
import type { RowOutcome } from '../../../src/domain/outbox.ts';
import { compare, figuresOf, Recount, storedFigures } from '../../../src/domain/recount.ts';
import { given, type Story, seconds, t0 } from './given.ts';

const id = 'spring:anna';
const partition = partitionOfConversation(id, 64);
const at = (second: number) => new Date(seconds(second));
const context = { partitions: 64, settled: false, now: seconds(100) };

const conversation = (more: Partial<AuditedConversation> = {}): AuditedConversation => ({
  _id: id,
  campaignId: 'spring',
  partition,
  version: 3,
  status: 'active',
  stage: 'a',
  sequence: 2,
  nextActionAt: at(90),
  nextChannel: 'sms',
  updatedAt: at(10),
  waiting: 0,
  told: 1,
  repeated: 0,
  ...more,
});
const row = (sequence: number, more: Partial<AuditedRow> = {}): AuditedRow => ({
  _id: `${id}/${sequence}`,
  campaignId: 'spring',
  conversationId: id,
  partition,
  status: 'sent',
  stage: 'a',
  step: 0,
  queuedAt: at(sequence),
  handedAt: at(sequence),
  sentAt: at(sequence),
  worker: 'm1',
  ...more,
});
const none = undefined as never;
const queued = { status: 'queued', pending: true, sentAt: none } as const;

/** What is found of a conversation with these rows: kind, message and what was found. */
function found(subject: AuditedConversation, rows: readonly AuditedRow[] = [row(1), row(2)], more = {}): string[] {
  const { claims } = proveConversation(subject, new Map(rows.map((one) => [one._id, one])), { ...context, ...more });
  return claims.map(({ kind, message, found }) => [kind, message?.slice(id.length), found].filter(Boolean).join(' '));
}

describe('a message that is tried again', () => {
  const replay = { at: at(20), count: 1, alone: true } as const;
  const over = conversation({ status: 'failed', endedAt: at(5), awaiting: `${id}/1`, sequence: 2 });
  const waits = [row(1, { ...queued, handedAt: at(1), replay }), row(2)];
  const left = [row(1, { handedAt: at(21), sentAt: at(21), replay }), row(2)];
  const { awaiting: _, nextActionAt: __, nextChannel: ___, ...rested } = over;

  test('in a conversation that has ended: nothing is found, also when its run is settled', () => {
    expect(found(over, waits)).toEqual([]);
    expect(found(over, waits, { settled: true })).toEqual([]);
    expect(found(rested as AuditedConversation, left, { settled: true })).toEqual([]);
    const leaving = [row(1, { status: 'sending', pending: true, sentAt: none, replay }), row(2)];
    expect(found(rested as AuditedConversation, leaving, { settled: true })).toEqual([]);
  });

  test('that nobody asked for, or that its conversation does not wait for, is a finding', () => {
    const unasked = [row(1, { ...queued, handedAt: at(1) }), row(2)];
    expect(found(over, unasked).map((one) => one.split(' ')[0])).toEqual([
      'pending_old',
      'queued_wrong',
      'ended_wrong',
    ]);
    expect(found({ ...over, awaiting: `${id}/2` }, waits).map((one) => one.split(' ')[0])).toEqual([
      ...['queued_wrong', 'awaiting_wrong', 'ended_wrong'],
    ]);
  });

  test('after the end of its campaign is too late all the same', () => {
    expect(found(rested as AuditedConversation, left, { endAt: seconds(10) })).toHaveLength(1);
  });

  test('is taken up, whatever became of its campaign', () => {
    const state = (more: Partial<CampaignState> = {}): CampaignState => ({
      run: {
        status: 'completed',
        settled: true,
        expansion: { expanded: 1, skipped: {}, done: true },
        updatedAt: at(0),
      },
      ...{ campaign: { status: 'completed' }, sending: 'on', now: seconds(200) },
      ...more,
    });
    const kinds = (subject: AuditedConversation, more?: Partial<CampaignState>) =>
      suspicions(subject, row(2), state(more), { overdueMs: 60_000, answerMs: 60_000 }).map(({ kind }) => kind);
    expect(kinds(over)).toEqual(['overdue']);
    expect(kinds({ ...over, nextActionAt: at(190) })).toEqual([]);
    expect(kinds({ ...over, nextActionAt: none })).toEqual([]);
    expect(kinds(over, { sending: 'stopped' })).toEqual([]);
    const { run } = state();
    expect(
      kinds(over, { run: { ...run, status: 'running', settled: false }, campaign: { status: 'running' } }),
    ).toEqual(['overdue']);
    expect(kinds(over, { run: { ...run, status: 'paused', settled: false }, campaign: { status: 'paused' } })).toEqual(
      [],
    );
  });
});

describe('what must hold of a conversation', () => {
  test('one as it should be: nothing is found', () => {
    expect(found(conversation())).toEqual([]);
    const waits = conversation({ awaiting: `${id}/2` });
    expect(found(waits, [row(1), row(2, queued)])).toEqual([]);
  });

  test.each<[string, Partial<AuditedConversation>, AuditedRow[], string[]]>([
    ['a row is missing', {}, [row(2)], ['row_missing /1 no row']],
    ['no sequence', { sequence: 2.5 }, [], ['sequence_invalid sequence 2.5']],
    ['no sequence anybody believes', { sequence: 1e9 }, [], ['sequence_invalid sequence 1000000000']],
    [
      'queued too early',
      {},
      [row(1), row(2, { queuedAt: at(-4.1) })],
      [`order_wrong /2 queued at ${instant(at(-4.1))}`],
    ],
    ['the clock of one member was set back between two messages', {}, [row(1), row(2, { queuedAt: at(0.8) })], []],
    ['two clocks apart', {}, [row(1), row(2, { queuedAt: at(-4), worker: 'm2' })], []],
    ['tried again, by whom is not known', {}, [row(1, { attempts: 2 }), row(2, { queuedAt: at(-4) })], []],
    [
      'two clocks far apart',
      {},
      [row(1), row(2, { queuedAt: at(-4.5), worker: 'm2' })],
      [`order_wrong /2 queued at ${instant(at(-4.5))}`],
    ],
    [
      'sent, and never handed over',
      {},
      [row(1, { handedAt: none }), row(2)],
      [`order_wrong /1 sent at ${instant(at(1))}, never handed over`],
    ],
    ['skipped', {}, [row(1, { status: 'skipped', handedAt: none, sentAt: none }), row(2)], []],
    [
      'handed over before it was queued',
      {},
      [row(1), row(2, { handedAt: at(-4) })],
      [`order_wrong /2 handed over at ${instant(at(-4))}`],
    ],
    [
      'sent before it was handed over',
      {},
      [row(1), row(2, { handedAt: at(8) })],
      [`order_wrong /2 sent at ${instant(at(2))}`],
    ],
    ['times of two clocks', {}, [row(1), row(2, { handedAt: at(6), queuedAt: at(10) })], []],
    ['a date that is none', {}, [row(1, { queuedAt: 'now' as never }), row(2)], []],
    ['a sent row is pending', {}, [row(1), row(2, { pending: true })], ['pending_wrong /2 sent, pending']],
    ['a row on its way is not', {}, [row(1), row(2, { status: 'sending' })], ['pending_wrong /2 sending, not pending']],
    ['an older row is pending', {}, [row(1, { status: 'sending', pending: true }), row(2)], ['pending_old /1 sending']],
    [
      'a queued row nobody awaits',
      { nextActionAt: none, nextChannel: none },
      [row(1), row(2, queued)],
      ['queued_wrong /2 awaiting nothing, no nextActionAt, no nextChannel'],
    ],
    [
      'a queued row of an ended conversation',
      { status: 'completed', endedAt: at(5), awaiting: `${id}/1`, nextActionAt: none },
      [row(1), row(2, queued)],
      [`queued_wrong /2 conversation completed, awaiting ${id}/1, no nextActionAt`, 'awaiting_wrong /1 sent'],
    ],
    [
      'it awaits a row that is not there',
      { awaiting: `${id}/9` },
      [row(1), row(2)],
      ['awaiting_wrong /9 no row of its own'],
    ],
    [
      'ended, and due',
      { status: 'failed', endedAt: at(5) },
      [row(1), row(2)],
      [`ended_wrong failed, due at ${instant(at(90))}`],
    ],
    [
      'ended, and its history does not say so',
      { status: 'failed', nextActionAt: none, told: 99 },
      [row(1), row(2)],
      ['ended_untold failed, no entry that says so'],
    ],
    ['ended, and its history is full', { status: 'failed', nextActionAt: none, told: 100 }, [row(1), row(2)], []],
    [
      'quarantined, with the smallest write',
      { status: 'failed', nextActionAt: none, error: { code: 'poisoned' } },
      [row(1), row(2)],
      [],
    ],
    ['an event twice', { repeated: 1 }, [row(1), row(2)], ['consumed_twice 1 ids in consumed again']],
    [
      'of another campaign',
      { campaignId: 'summer' },
      [row(1, { campaignId: 5 }), row(2, { campaignId: null as never, conversationId: 'spring:bob' })],
      [
        'belongs_wrong campaignId summer',
        'belongs_wrong /1 campaignId #5',
        'belongs_wrong /2 conversationId spring:bob',
        'belongs_wrong /2 campaignId ?null',
      ],
    ],
    [
      'a date that is none is due',
      { status: 'failed', endedAt: at(5), nextActionAt: 5 as never },
      [row(1), row(2)],
      ['ended_wrong failed, due at no date'],
    ],
    [
      'handed over after its end',
      { endedAt: at(1) },
      [row(1), row(2, { handedAt: at(6.1), sentAt: at(6.1) })],
      [`handed_late /2 handed over at ${instant(at(6.1))}`],
    ],
    [
      'handed over after its end, as two clocks tell that',
      { endedAt: at(1) },
      [row(1), row(2, { handedAt: at(6), sentAt: at(6) })],
      [],
    ],
    [
      'another partition',
      { partition: 65 },
      [row(1), row(2, { partition: 66 })],
      ['partition_wrong 65', 'partition_wrong /2 66'],
    ],
  ])('%s', (_, more, rows, expected) => {
    expect(found(conversation(more), rows)).toEqual(expected);
  });

  test('a row on its way when its conversation has ended is unknown', () => {
    const rows = new Map([[`${id}/1`, row(1, { status: 'sending', pending: true })]]);
    const ended = conversation({ status: 'completed', sequence: 1, nextActionAt: none, endedAt: at(1) });
    expect(proveConversation(ended, rows, context)).toMatchObject({ claims: [], unknown: 1, expired: 0 });
    expect(proveConversation(conversation({ sequence: 1 }), rows, context)).toMatchObject({ unknown: 0 });
  });

  test.each([
    ['of the conversation is over', { expireAt: at(50) }, {}, false, 2],
    ['of the conversation runs in an ended campaign', { expireAt: at(500) }, {}, true, 2],
    ['of a row is over', { sequence: 1 }, { expireAt: at(50), partition: 99 }, false, 1],
  ])('the time to live %s: nothing is proved', (_, more, rowMore, settled, expired) => {
    const rows = new Map([[`${id}/1`, row(1, rowMore)]]);
    expect(proveConversation(conversation(more), rows, { ...context, settled })).toMatchObject({
      claims: [],
      unknown: 0,
      expired,
    });
  });

  test('nothing is left of a run that is settled', () => {
    expect(found(conversation(), [row(1), row(2, { status: 'sending', pending: true })], { settled: true })).toEqual([
      'settled_wrong an active conversation',
      'settled_wrong /2 a pending row, sending',
    ]);
    expect(found(conversation(), [row(1), row(2, { pending: true })], { settled: true })).toContain(
      'settled_wrong /2 a pending row, sent',
    );
    const ended = conversation({ status: 'completed', nextActionAt: none, endedAt: at(5) });
    expect(found(ended, [row(1), row(2)], { settled: true })).toEqual([]);
  });

  test('clocks that are a little apart are told by how much', () => {
    const gap = (rows: AuditedRow[]) =>
      proveConversation(conversation(), new Map(rows.map((one) => [one._id, one])), context).clockGapMs;
    expect(gap([row(1), row(2)])).toBe(0);
    expect(gap([row(1), row(2, { queuedAt: at(-4), worker: 'm2' })])).toBe(5000);
    expect(gap([row(1), row(2, { queuedAt: at(-5), worker: 'm2' })])).toBe(0);
  });

  test('what was handed over after the end of the campaign: a known one counts from its time, another one from its taking in', () => {
    const late = (handed: number, endAt: number | undefined, takenIn?: number, endedAt?: Date): boolean => {
      const subject = conversation(endedAt ? { endedAt } : {});
      const times = { endAt, endTakenInAt: takenIn };
      const claims = found(subject, [row(1), row(2, { handedAt: at(handed), sentAt: at(handed) })], times);
      expect(claims.length).toBeLessThan(2);
      return claims.some((claim) => claim.startsWith('handed_late /2'));
    };
    expect([8, 7].map((handed) => late(handed, seconds(6)))).toEqual([true, false]);
    expect(late(8, undefined, seconds(3))).toBe(false);
    // taken in before it came, for longer than clocks may differ
    expect(late(8, seconds(6), seconds(1))).toBe(true);
    // set and taken in just before it came: who hands over may learn of it later, and its clock be ahead
    expect([11, 11.1].map((handed) => late(handed, seconds(6), seconds(5.5)))).toEqual([false, true]);
    // set at 20 to a time that had passed
    expect([8, 20, 25, 25.1].map((handed) => late(handed, seconds(6), seconds(20)))).toEqual([
      false,
      false,
      false,
      true,
    ]);
    // one finding, although its conversation had ended too
    expect(late(12, seconds(6), undefined, at(6))).toBe(true);
  });

  test('what was handed over after the end of the campaign and is no finding is not proved either', () => {
    const unproved = (handed: number, more: object, of: Partial<AuditedConversation> = {}): number => {
      const rows = [row(1), row(2, { handedAt: at(handed), sentAt: at(handed) })];
      const byId = new Map(rows.map((one) => [one._id, one]));
      return proveConversation(conversation(of), byId, { ...context, ...more }).lateUnproved;
    };
    const retroactive = { endAt: seconds(6), endTakenInAt: seconds(20) };
    expect([7, 7.1, 25, 25.1].map((handed) => unproved(handed, retroactive))).toEqual([0, 1, 1, 0]);
    expect(unproved(8, { endAt: seconds(6), endTakenInAt: seconds(5.5) })).toBe(1);
    // known from the start: a finding; so is what left after its conversation had ended
    expect(unproved(8, { endAt: seconds(6) })).toBe(0);
    expect(unproved(12, retroactive, { endedAt: at(6) })).toBe(0);
    expect(unproved(12, { endTakenInAt: seconds(20) })).toBe(0);
  });

  test('the part of an id that names a campaign', () => {
    expect([campaignPart(`${id}/1`), campaignPart('odd')]).toEqual(['spring', undefined]);
  });

  test('its time to live still runs: a missing row is missing', () => {
    expect(found(conversation({ expireAt: at(500) }), [row(1)])).toEqual(['row_missing /2 no row']);
  });

  test('a row of nobody, and one beyond the sequence', () => {
    expect(orphanClaim(row(3), undefined)).toMatchObject({ kind: 'row_orphaned', found: 'no conversation' });
    expect(orphanClaim(row(3), 2)).toMatchObject({ message: `${id}/3`, found: 'sequence 2' });
    expect([conversationOf(`${id}/3`), conversationOf('odd')]).toEqual([id, '']);
  });
});

describe('what should move', () => {
  const state = (more: { run?: object; campaign?: object | null; sending?: 'stopped' } = {}): CampaignState => ({
    run: {
      status: 'running',
      settled: false,
      expansion: { expanded: 1, skipped: {}, done: true },
      updatedAt: at(0),
      flow: { stages: [{ id: 'a', type: 'end', outcome: 'x' }] },
      ...more.run,
    },
    campaign: more.campaign === null ? undefined : { status: 'running', ...more.campaign },
    sending: more.sending ?? 'on',
    now: seconds(100),
  });

  test.each<[string, CampaignState, string]>([
    ['it runs', state(), 'running'],
    ['its author paused it', state({ campaign: { status: 'paused' } }), 'resting'],
    ['the run is paused', state({ run: { status: 'paused' } }), 'resting'],
    ['the stop switch', state({ sending: 'stopped' }), 'resting'],
    ['settled', state({ run: { settled: true, status: 'cancelled' } }), 'resting'],
    ['cancelled', state({ run: { status: 'cancelled' } }), 'ending'],
    ['its author cancelled it', state({ campaign: { status: 'cancelled' } }), 'ending'],
    ['deleted', state({ campaign: null }), 'ending'],
    [
      'the collection is gone',
      state({ campaign: null, run: { status: 'paused', pausedReason: 'collection_missing' } }),
      'resting',
    ],
    [
      'the collection is gone, and its end has come meanwhile',
      state({
        campaign: null,
        run: { status: 'paused', pausedReason: 'collection_missing', schedule: { endAt: at(99) } },
      }),
      'resting',
    ],
    [
      'the collection is gone, and the run does not know yet',
      { ...state({ campaign: null }), dropped: true },
      'resting',
    ],
    [
      'cancelled, and then the collection was dropped',
      state({ campaign: null, run: { status: 'cancelled', pausedReason: 'collection_missing' } }),
      'ending',
    ],
    ['its end has come', state({ run: { schedule: { endAt: at(99) } } }), 'ending'],
    ['its end is ahead', state({ run: { schedule: { endAt: at(101) } } }), 'running'],
  ])('%s', (_, campaign, motion) => {
    expect(motionOf(campaign)).toBe(motion);
  });

  const kinds = (
    subject: AuditedConversation,
    newest?: AuditedRow,
    campaign = state(),
    allowed = patience(60_000, [], 512),
  ): string[] => suspicions(subject, newest, campaign, allowed).map(({ kind, found }) => `${kind} ${found}`);
  const waiting = (more: object = {}) =>
    state({ run: { flow: { stages: [{ id: 'w', type: 'wait', event: 'paid', ...more }] } as never } });
  const channel = (concurrency: number, timeoutMs: number) => ({ concurrency, timeoutMs });
  const sending = (queuedAt: number) => row(2, { status: 'sending', pending: true, queuedAt: at(queuedAt) });

  test.each<[string, string[], string[]]>([
    ['due in time', kinds(conversation()), []],
    ['overdue', kinds(conversation({ nextActionAt: at(30) })), [`overdue due at ${instant(at(30))}`]],
    ['overdue, and its message is on its way', kinds(conversation({ nextActionAt: at(30) }), sending(50)), []],
    ['overdue, but over', kinds(conversation({ nextActionAt: at(30), status: 'failed' })), []],
    ['nothing due', kinds(conversation({ nextActionAt: none }), row(2)), ['stranded no nextActionAt']],
    ['due on no channel', kinds(conversation({ nextChannel: none, stage: 'z' })), ['stranded no nextChannel']],
    [
      'it waits for an event, for ever',
      kinds(conversation({ nextActionAt: none, stage: 'w' }), undefined, waiting()),
      [],
    ],
    [
      'it waits for an event no longer than for a time',
      kinds(conversation({ nextActionAt: none, stage: 'w' }), undefined, waiting({ timeout: 'P1D' })),
      ['stranded no nextActionAt'],
    ],
    ['a row is pending', kinds(conversation({ nextActionAt: none }), row(2, queued)), []],
    ['sent long ago', kinds(conversation(), sending(2)), [`sending_stuck sending since ${instant(at(10))}`]],
    [
      'on a channel that waits 42 s for an answer',
      kinds(conversation(), sending(2), state(), patience(60_000, [channel(64, 10_000), channel(64, 42_000)], 64)),
      [`sending_stuck sending since ${instant(at(10))}`],
    ],
    [
      'on a channel that waits 42.5 s for an answer',
      kinds(conversation(), sending(2), state(), patience(60_000, [channel(64, 10_000), channel(64, 42_500)], 64)),
      [],
    ],
    [
      'on a channel that waits 5.3 s for an answer, behind all that a member may have in doubt',
      kinds(conversation(), sending(2), state(), patience(60_000, [channel(64, 5_300)], 512)),
      [`sending_stuck sending since ${instant(at(10))}`],
    ],
    [
      'on a channel that waits 5.4 s for an answer, behind all that a member may have in doubt',
      kinds(conversation(), sending(2), state(), patience(60_000, [channel(64, 5_400)], 449)),
      [],
    ],
    ['written since', kinds(conversation({ updatedAt: at(70) }), sending(2)), []],
    [
      'never written',
      kinds(conversation({ updatedAt: none }), row(2, { status: 'sending', queuedAt: none })),
      ['sending_stuck sending since 1970-01-01T00:00:00.000Z'],
    ],
    ['events wait', kinds(conversation({ waiting: 2 })), ['inbox_stuck 2 in the inbox, the same as before']],
    [
      'it rests: events are consumed and answers recorded all the same',
      kinds(conversation({ nextActionAt: at(0), waiting: 1 }), sending(2), state({ run: { status: 'paused' } })),
      [`sending_stuck sending since ${instant(at(10))}`, 'inbox_stuck 1 in the inbox, the same as before'],
    ],
    ['it rests', kinds(conversation({ nextActionAt: at(0) }), row(2), state({ sending: 'stopped' })), []],
    [
      'it is settled: events are consumed all the same',
      kinds(conversation({ waiting: 1, status: 'completed' }), sending(2), state({ run: { settled: true } })),
      ['settled_wrong 1 in the inbox, the same as before'],
    ],
    [
      'an event for who is over, in a campaign that ends',
      kinds(conversation({ waiting: 1, status: 'cancelled' }), undefined, state({ run: { status: 'cancelled' } })),
      ['inbox_stuck 1 in the inbox, the same as before'],
    ],
    [
      'the campaign is over',
      kinds(conversation(), undefined, state({ run: { status: 'cancelled' } })),
      [`not_ended active, nothing moved since ${instant(at(10))}`],
    ],
    [
      'it has just come to its end',
      kinds(conversation(), undefined, state({ run: { schedule: { endAt: at(99) } } })),
      [],
    ],
    [
      'over, and so is the conversation',
      kinds(conversation({ status: 'cancelled' }), undefined, state({ campaign: null })),
      [],
    ],
  ])('%s', (_, is, expected) => {
    expect(is).toEqual(expected);
  });

  test.each<[string, CampaignState, { active: number; pending: number }, boolean]>([
    ['nothing is left', state(), { active: 0, pending: 0 }, true],
    ['nobody knows since when', state({ run: { updatedAt: none } }), { active: 0, pending: 0 }, true],
    ['somebody is active', state(), { active: 1, pending: 0 }, false],
    ['something is pending', state(), { active: 0, pending: 1 }, false],
    ['it was written just now', state({ run: { updatedAt: at(80) } }), { active: 0, pending: 0 }, false],
    [
      'it expands',
      state({ run: { expansion: { expanded: 0, skipped: {}, done: false } } }),
      { active: 0, pending: 0 },
      false,
    ],
    ['it is paused', state({ campaign: { status: 'paused' } }), { active: 0, pending: 0 }, false],
    ['it was cancelled', state({ run: { status: 'cancelled' } }), { active: 0, pending: 0 }, true],
  ])('a run ends when nothing is left: %s', (_, campaign, left, is) => {
    expect(unsettled(campaign, left, 60_000)?.kind).toBe(is ? 'not_settled' : undefined);
  });

  const ofRun = (campaign: CampaignState, left?: { active: number; pending: number }): string[] =>
    runSuspicions(campaign, left, 60_000).map(({ kind, found }) => `${kind} ${found}`);
  const over = (more: object, status: string, is: object = {}) =>
    ofRun(
      state({ run: { settled: true, status: 'completed', startedAt: at(0), ...more }, campaign: { status, ...is } }),
    );
  const scheduled = (more: object, campaign: object = {}) =>
    ofRun(state({ run: { status: 'scheduled', ...more }, campaign: { status: 'scheduled', ...campaign } }));
  const expanding = (more: object = {}, status = 'running') =>
    ofRun(state({ run: { expansion: { expanded: 7, skipped: {}, done: false }, ...more }, campaign: { status } }));
  test.each<[string, string[], string[]]>([
    ['it runs', ofRun(state()), []],
    [
      'nothing is left',
      ofRun(state(), { active: 0, pending: 0 }),
      [`not_settled running, nothing moved since ${instant(at(0))}`],
    ],
    ['completed', over({}, 'completed'), []],
    ['cancelled', over({ status: 'cancelled', endReason: 'campaign_cancelled' }, 'cancelled'), []],
    ['it came to its end', over({ endReason: 'campaign_ended' }, 'completed'), []],
    ['failed before it started', over({ startedAt: none, endReason: 'campaign_cancelled' }, 'failed'), []],
    ['deleted when it had ended', ofRun(state({ run: { settled: true }, campaign: null })), []],
    ['settled, and it runs', over({}, 'running'), ['settled_wrong the campaign says running']],
    [
      'cancelled, and it completed',
      over({ endReason: 'campaign_cancelled' }, 'completed'),
      ['settled_wrong the campaign says completed'],
    ],
    ['failed after it started', over({}, 'failed'), ['settled_wrong the campaign says failed']],
    [
      'a resume was lost',
      ofRun(state({ run: { status: 'paused' } })),
      ['undecided the campaign says running, its run paused'],
    ],
    ['paused', ofRun(state({ run: { status: 'paused' }, campaign: { status: 'paused' } })), []],
    ['scheduled, and ahead', scheduled({ schedule: { startAt: at(200) } }), []],
    ['scheduled, and just now', scheduled({ schedule: { startAt: at(50) } }), []],
    ['scheduled for nobody knows when', scheduled({}), []],
    [
      'scheduled, and over',
      scheduled({ schedule: { startAt: at(30) } }),
      [`not_started scheduled for ${instant(at(30))}`],
    ],
    ['put off', scheduled({ schedule: { startAt: at(30) } }, { startAt: at(200) }), []],
    [
      'brought forward',
      scheduled({ schedule: { startAt: at(200) } }, { startAt: at(20) }),
      [`not_started scheduled for ${instant(at(20))}`],
    ],
    ['it expands, or is only folded', expanding({ updatedAt: at(50) }), ['expansion_stuck 7 expanded, and no further']],
    ['it does not expand', expanding(), ['expansion_stuck 7 expanded, and no further']],
    ['it does not expand in a pause', expanding({}, 'paused'), []],
    ['its contacts come by enrollments', expanding({ audience: { kind: 'enrollments' } }), []],
    ['its audience is a live one', expanding({ audience: { kind: 'collection', live: true } }), []],
    ['its next occurrence lies ahead', expanding({ occurrences: { begun: 0, missed: 0, next: at(200) } }), []],
    ['its next occurrence has just come', expanding({ occurrences: { begun: 0, missed: 0, next: at(50) } }), []],
    [
      'its next occurrence did not begin',
      expanding({ occurrences: { begun: 0, missed: 0, next: at(30) } }),
      [`expansion_stuck the occurrence of ${instant(at(30))} has not begun`],
    ],
  ])('a run is where its campaign wants it: %s', (_, is, expected) => {
    expect(is).toEqual(expected);
  });

  test('the mark of a run changes with its status, with each write, or with what its expansion has reached: as that counts', () => {
    const expansion = { expanded: 1, skipped: {}, done: true };
    const marks = (kind: FindingKind) =>
      [
        state(),
        state({ run: { updatedAt: at(1) } }),
        state({ run: { updatedAt: none } }),
        state({ run: { status: 'paused' } }),
        state({ campaign: null }),
        state({ run: { settled: true } }),
        state({ run: { expansion: { ...expansion, expanded: 2 } } }),
        state({ run: { expansion: { ...expansion, skipped: { duplicate_contact: 1 } } } }),
        state({ run: { expansion: { ...expansion, after: 7 } } }),
      ].map((one) => runMark({ kind }, one));
    const others = (kind: FindingKind) => marks(kind).flatMap((mark, n) => (mark === marks(kind)[0] ? [] : [n]));
    expect(others('expansion_stuck')).toEqual([3, 4, 5, 6, 7, 8]);
    expect(others('not_settled')).toEqual([1, 2, 3, 4, 5]);
    expect(others('undecided')).toEqual([3, 4, 5]);
    expect(notBegun('pending')).toMatchObject({ kind: 'not_started', found: 'pending, without a run' });
  });

  test('an expansion of a run that was written just now is watched for as long as it may stand still', () => {
    const folded = state({ run: { updatedAt: at(99) } });
    expect(watchedMs('expansion_stuck', folded, 60_000)).toBe(60_000);
    expect(watchedMs('expansion_stuck', state(), 60_000)).toBe(0);
    expect(watchedMs('expansion_stuck', state({ run: { updatedAt: none } }), 60_000)).toBe(0);
    expect(watchedMs('undecided', folded, 60_000)).toBe(0);
  });

  describe('a lane', () => {
    const due = (id: string, second: number): Due => ({ id, at: seconds(second), sequence: 1, lastEvent: undefined });
    /** It had its turn, and is due no more. */
    const gone = (more: Partial<Standing> = {}): Standing => ({
      ...{ at: undefined, sequence: 2, lastEvent: undefined },
      ...more,
    });
    const owners = new Map([
      [0, 'm1'],
      [1, 'm1'],
      [2, 'm2'],
      [3, undefined],
    ]);
    const stuck = due('stuck', 10);
    type Look = readonly [other: Due | undefined, foreign: Due, first?: Due];
    /**
     * Each look shows what is next due in partitions 1, 2 and 0; in 0 the same conversation stands still if nothing is said.
     * What is next due no more is gone, if `since` says nothing else of it (by id).
     */
    const watched = (looks: readonly Look[], ownersAt = (_: number) => owners, since: object = {}) => {
      const watch = new LaneWatch();
      for (const [n, [other, foreign, first = stuck]] of looks.entries()) {
        const heads = new Map([[0, first], ...(other ? [[1, other] as const] : []), [2, foreign], [3, stuck]]);
        const now = new Map([...heads.values()].map((one) => [one.id, one]));
        const stands = new Map<string, Standing>(watch.ids.map((id) => [id, now.get(id) ?? gone()]));
        watch.see(heads, new Map([...stands, ...Object.entries(since)]), ownersAt(n), seconds(100 + n));
      }
      return watch;
    };
    const rests = due('z', 20);
    const moving = (many: number): [Due, Due][] =>
      Array.from({ length: many + 1 }, (_, n) => [due(`a${n}`, 30 + n), rests]);

    test('nothing of it moves: it stands still, with an owner or without', () => {
      const watch = watched(Array.from({ length: 20 }, () => [due('a', 30), rests]));
      expect([0, 1, 2, 3].map((partition) => watch.of(partition))).toEqual(['still', 'still', 'still', 'still']);
      expect(watch.ownerOf(1)).toEqual({ owner: 'm1', partitions: [0, 1] });
      expect(watch.ownerOf(3)).toBeUndefined();
    });

    test('its owner comes back to another partition again and again: this one is passed over', () => {
      const watch = watched(moving(5));
      expect([0, 1, 2, 3].map((partition) => watch.of(partition))).toEqual(['passed_over', 'served', 'still', 'still']);
    });

    test('one that was overdue beside those that are taken in time is passed over too', () => {
      const watch = watched(Array.from({ length: 6 }, (_, n) => [due(`a${n}`, 100.5 + n), rests]));
      expect(watch.of(0)).toBe('passed_over');
    });

    test('it may not have had its turn yet; what another member takes says nothing', () => {
      expect(watched(moving(4)).of(0)).toBe('still');
      const foreign = Array.from({ length: 20 }, (_, n): [Due, Due] => [due('a', 30), due(`z${n}`, 30 + n)]);
      expect(watched(foreign).of(0)).toBe('still');
    });

    test('partitions changed hands meanwhile: what was seen before says nothing', () => {
      const before = new Map([...owners, [0, 'm0']]);
      const watch = watched(moving(6), (n) => (n < 4 ? before : owners));
      expect(watch.of(0)).toBe('still');
      expect(watch.of(1)).toBe('served');
    });

    test('served, and then passed over: it is not served any more', () => {
      const then = (many: number) => watched([[due('a', 30), rests, due('first', 5)], ...moving(many)]).of(0);
      expect(then(4)).toBe('served');
      expect(then(5)).toBe('passed_over');
    });

    const other = (list: (Due | undefined)[], since: object = {}) =>
      watched(
        list.map((one) => [one, rests]),
        undefined,
        since,
      ).of(1);

    test('what was inserted before, or goes before it is due, was not taken; the last one was', () => {
      const [a, b] = [due('a', 30), due('b', 20)];
      expect(other([a, b], { a })).toBe('still');
      expect(other([due('a', 200), due('b', 210), undefined])).toBe('still');
      expect(other([a, undefined])).toBe('served');
      expect(other([a, due('a', 40)])).toBe('served');
      expect(other([a, due('b', 30)])).toBe('served');
    });

    test('an event is no turn; a message is one, and so is what leads on without a message or an event', () => {
      const moved = (more: Partial<Standing>) => other([due('a', 30), due('b', 30)], { a: gone(more) });
      expect(moved({ sequence: 1, lastEvent: 'reply' })).toBe('still');
      expect(moved({ sequence: 2, lastEvent: 'reply' })).toBe('served');
      expect(moved({ sequence: 1 })).toBe('served');
      // deleted
      expect(other([due('a', 30), due('b', 30)], { a: undefined })).toBe('still');
    });
  });

  test('the mark changes with each write, and with the first event', () => {
    const marks = [conversation(), conversation({ version: 4 }), conversation({ firstEvent: 'e1' })].map(markOf);
    expect(new Set(marks).size).toBe(3);
    expect(markOf(conversation({ waiting: 3 }))).toBe(marks[0]);
  });
});

describe('counters', () => {
  test('each figure that differs is one claim; pending only where it is told', () => {
    const recount = new Recount();
    recount.conversation(conversation({ status: 'completed', outcome: 'done', repliedAt: at(5) }));
    recount.row(row(1, { step: 1 }));
    recount.row(row(2, { status: 'sending', pending: true, sentAt: undefined as never }));
    recount.row(row(3, { status: 'skipped', reason: 'replied', sentAt: undefined as never }));
    expect(recount).toMatchObject({ conversations: 1, rows: 3, active: 0, pending: 1 });
    const metrics = {
      ...emptyMetrics(at(0)),
      ...{ total: 1, completed: 1, replied: 1, outcomes: { other: 1 }, reasons: { replied: 1, odd: 2 } },
      messages: { ...emptyMetrics(at(0)).messages, sent: 1, skipped: 1, followUps: 1, delivered: 7 },
      stages: { a: { entered: 9, sent: 2, replied: 9 } },
    };
    const claims = compare('metrics_wrong', 'run', figuresOf(metrics), recount.figures);
    expect(claims.map(({ found, expected }) => [found, expected])).toEqual([
      ['run: stages.a.sent 2', '1, counted from the documents'],
      ['run: outcomes.other 1', '0, counted from the documents'],
      ['run: reasons.odd 2', '0, counted from the documents'],
      ['run: outcomes.done 0', '1, counted from the documents'],
    ]);
    const told = new Map([...figuresOf(metrics), ['pending', 0]]);
    expect(compare('count_wrong', 'counters', told, recount.figures)).toHaveLength(5);
    expect(storedFigures(metrics)).toEqual(figuresOf(metrics));
    expect(storedFigures('none').get('total')).toBe(0);
    expect(new Recount()).toMatchObject({ active: 0, pending: 0 });
  });
});

describe('whatever decide writes', () => {
  const stages = [
    {
      id: 'a',
      type: 'message',
      channel: 'sms',
      content: { text: 'Hello {{ contact.name }}' },
      followUps: [{ after: 'PT10S', channel: 'push', content: { text: 'Still there?' } }],
      waitForReply: 'PT20S',
      on: { reply: 'b', failed: 'c' },
    },
    { id: 'b', type: 'message', channel: 'push', content: { text: 'Thanks {{ contact.country }}' }, delay: 'PT5S' },
    { id: 'c', type: 'wait', for: 'PT5S' },
    { id: 'd', type: 'message', channel: 'sms', content: { text: 'Last' } },
  ];
  const outcomes: RowOutcome[] = [
    { kind: 'sent' },
    { kind: 'unknown', code: 'reset', message: 'it was cut' },
    { kind: 'rejected', code: 'http_400', message: 'no' },
    { kind: 'retry', code: 'http_503', message: 'later', counts: true },
    { kind: 'held' },
    { kind: 'lost' },
  ] as RowOutcome[];
  const events = ['reply', 'unsubscribe', 'opened', 'bounce'];

  const asAudited = ({ inbox, history, ...rest }: Conversation): AuditedConversation => {
    const ended = history.findLast(({ event }) => event === 'ended');
    const repeated = rest.consumed.length - new Set(rest.consumed).size;
    return {
      ...rest,
      ...{ waiting: inbox.length, told: history.length, repeated },
      ...(ended ? { endedAt: ended.at } : {}),
    };
  };

  /** A row is handed over when it was decided, however late its answer is. */
  function step(story: Story, second: number, choice: number, decided: number): void {
    const outcome = outcomes[(choice + second) % outcomes.length] as RowOutcome;
    const handed = outcome.kind === 'held' || outcome.kind === 'lost' ? {} : { handedAt: seconds(decided) };
    if (story.row && choice < 5) story.answer(second, outcome, handed);
    else if (choice === 5) story.events(second, { id: `e${second}`, type: events[second % events.length] });
    else if (choice === 6 && second % 5 === 0) story.stop(second, 'campaign_cancelled');
    else story.due(second);
  }

  test('is proved, and its counters equal the count of its documents, after every decision', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 15 }), fc.integer({ min: 0, max: 9 })), {
      maxLength: 25,
    });
    const contact = fc.constantFrom(
      { id: 'anna', phone: '+491', url: 'https://a.test/', name: 'Anna', country: 'DE' },
      { id: 'anna', phone: '+491', name: 'Anna' },
    );
    fc.assert(
      fc.property(steps, contact, (list, who) => {
        const story = given(stages, who);
        let second = 0;
        let decided = 0;
        for (const [by, choice] of list) {
          second += by;
          step(story, second, choice, decided);
          if (story.decision.send) decided = second;
          const audited = asAudited(story.conversation);
          const { claims } = proveConversation(audited, story.rows, { partitions: 64, settled: false, now: t0 });
          const recount = new Recount();
          recount.conversation(audited);
          for (const row of story.rows.values()) recount.row(row);
          const told = new Map(
            Object.entries(story.counters).filter(([path]) => !/^stages\..*\.(entered|replied)$/.test(path)),
          );
          expect({ claims, counts: Object.fromEntries(told) }).toEqual({
            claims: [],
            counts: Object.fromEntries(recount.figures),
          });
        }
      }),
    );
  });
});
