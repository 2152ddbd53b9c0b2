import { describe, expect, it } from '@jest/globals';
import { judgeAsked, type Known } from '../../../chaos/asked.mjs';

const t = 1_700_000_000_000;
type Given = Parameters<typeof judgeAsked>[0];
type Conversation = { status: string; outcome?: string; updatedAt?: Date };

/** One campaign with one conversation. */
function judge(
  known: Partial<Known>,
  given: { document?: object; run?: object; conversation?: Conversation; got?: string[] } & Partial<
    Omit<Given, 'got' | 'conversations'>
  >,
) {
  const { document, run, conversation, got, ...rest } = given;
  const one = <T>(id: string, value: T | undefined) => new Map(value === undefined ? [] : [[id, value]]);
  return judgeAsked({
    campaigns: new Map([['c0', { flow: 'once', fate: 'none', conversations: ['c0:a'], insertedAt: t, ...known }]]),
    replied: new Set(),
    documents: one('c0', document) as Given['documents'],
    runs: one('c0', run) as Given['runs'],
    conversations: one('c0:a', conversation),
    got: one('c0:a', got && new Set(got)),
    disturbed: [],
    ...rest,
  });
}

const completed = { document: { status: 'completed' }, run: { status: 'completed', settled: true } };
const cancelledRun = { status: 'cancelled', settled: true, endReason: 'campaign_cancelled' };
const endedRun = { status: 'completed', settled: true, endReason: 'campaign_ended' };
const finished = { status: 'completed', outcome: 'finished' };
const cancelled = { status: 'cancelled', updatedAt: new Date(t + 30_000) };
const ended = { endedFrom: t + 30_000, endedAt: t + 30_000 };
const bothMessages = ['first/0', 'second/0'];

describe('the end of a campaign', () => {
  it.each<[string, Partial<Known>, object, object | undefined, object | undefined]>([
    ['none', {}, completed.document, completed.run, undefined],
    ['cancel', { ...ended, fate: 'cancel' }, { status: 'cancelled' }, cancelledRun, undefined],
    ['cancel before anybody looked', { ...ended, fate: 'cancel' }, { status: 'cancelled' }, undefined, undefined],
    ['endAt', { ...ended, fate: 'endAt' }, { status: 'completed' }, endedRun, undefined],
    ['endAt that came after the end', { ...ended, fate: 'endAt' }, completed.document, completed.run, undefined],
  ])('is right: %s', (_, known, document, run) => {
    expect(judge(known, { document, ...(run && { run }) }).ends).toEqual([]);
  });

  it('is right: delete', () => {
    expect(judge({ ...ended, fate: 'delete' }, { run: cancelledRun }).ends).toEqual([]);
  });

  it('is right: an endAt that had passed when it was looked at first', () => {
    const document = { status: 'failed', error: { code: 'not_allowed', path: 'schedule.endAt' } };
    expect(judge({ ...ended, fate: 'endAt' }, { document }).ends).toEqual([]);
  });

  it.each<[string, Partial<Known>, { document?: object; run?: object }]>([
    ['left running', { ...ended, fate: 'endAt' }, { document: { status: 'running' }, run: endedRun }],
    ['left running', { ...ended, fate: 'cancel' }, { document: { status: 'running' }, run: cancelledRun }],
    ['left running', {}, { document: { status: 'running' }, run: { status: 'running', settled: false } }],
    ['not settled', { ...ended, fate: 'delete' }, { run: { ...cancelledRun, settled: false } }],
    [
      'not settled',
      { ...ended, fate: 'endAt' },
      { document: { status: 'completed' }, run: { ...endedRun, settled: false } },
    ],
    ['with another reason', { ...ended, fate: 'endAt' }, { document: { status: 'completed' }, run: cancelledRun }],
    ['with another reason', { ...ended, fate: 'cancel' }, { document: { status: 'cancelled' }, run: endedRun }],
    ['completed although cancelled', { ...ended, fate: 'cancel' }, completed],
    ['there although deleted', { ...ended, fate: 'delete' }, completed],
    [
      'cancelled although a cancel came too late',
      { fate: 'cancel' },
      { document: { status: 'cancelled' }, run: cancelledRun },
    ],
    ['ended although nobody ended it', {}, { document: { status: 'completed' }, run: endedRun }],
    [
      'failed for another reason',
      { ...ended, fate: 'endAt' },
      { document: { status: 'failed', error: { path: 'flow' } } },
    ],
  ])('is wrong: %s', (_, known, given) => {
    expect(judge(known, given).ends).toHaveLength(1);
  });
});

describe('conversations', () => {
  it('may be cancelled or missing only where the campaign was ended, and not before', () => {
    const cut = { ...ended, fate: 'endAt' };
    const shown = { document: { status: 'completed' }, run: endedRun };
    expect(judge(cut, { ...shown, conversation: cancelled }).missing).toEqual([]);
    expect(judge(cut, shown).missing).toEqual([]);
    expect(judge(cut, { ...shown, conversation: { status: 'failed' } }).missing).toHaveLength(1);
    expect(judge(cut, { ...completed, conversation: cancelled }).missing).toHaveLength(1);
    expect(judge({}, completed).missing).toHaveLength(1);
    expect(judge({ fate: 'cancel' }, { ...completed, conversation: cancelled }).missing).toHaveLength(1);
    const early = { ...cancelled, updatedAt: new Date(t + 20_000) };
    expect(judge(cut, { ...shown, conversation: early }).early).toEqual(['c0:a 10000 ms too early']);
    expect(judge(cut, { ...shown, conversation: cancelled }).early).toEqual([]);
    const settledEarly = { ...endedRun, completedAt: new Date(t + 20_000) };
    expect(judge(cut, { ...shown, run: settledEarly }).early).toEqual(['c0 10000 ms too early']);
  });

  it('that came to the end got every message, also where the campaign was ended', () => {
    const both = [{}, { ...ended, fate: 'endAt' }];
    for (const known of both) {
      expect(judge(known, { ...completed, conversation: finished, got: bothMessages }).unsent).toEqual([]);
      expect(judge(known, { ...completed, conversation: finished, got: ['first/0'] }).unsent).toEqual([
        'c0:a got no second/0',
      ]);
    }
  });
});

describe('follow-ups', () => {
  const silent = { status: 'completed', outcome: 'quiet' };
  const all = ['intro/0', 'intro/1', 'intro/2', 'tips/0'];
  const unsent = (got: string[], conversation: Conversation, replied: string[] = []) =>
    judge({ flow: 'ask' }, { ...completed, conversation, got, replied: new Set(replied) }).unsent;

  it('reach who stays silent', () => {
    expect(unsent(all, silent)).toEqual([]);
    expect(unsent(['intro/0', 'tips/0'], silent)).toEqual(['c0:a got no intro/1, intro/2']);
    expect(unsent(['intro/0', 'intro/1', 'tips/0'], silent)).toEqual(['c0:a got no intro/2']);
    expect(unsent(['intro/0', 'intro/1', 'intro/2'], silent)).toEqual(['c0:a got no tips/0']);
  });

  it('end with an answer, and leave no gap before it', () => {
    const answered = { status: 'completed', outcome: 'answered' };
    expect(unsent(['intro/0', 'thanks/0'], answered, ['c0:a'])).toEqual([]);
    expect(unsent(['intro/0', 'intro/1', 'thanks/0'], answered, ['c0:a'])).toEqual([]);
    expect(unsent(['intro/0', 'intro/2', 'thanks/0'], answered, ['c0:a'])).toEqual(['c0:a got no intro/1']);
    expect(unsent(['intro/0', 'intro/1'], answered, ['c0:a'])).toEqual(['c0:a got no thanks/0']);
    const late = { status: 'completed', outcome: 'replied' };
    expect(unsent(['intro/0', 'tips/0'], late, ['c0:a'])).toEqual(['c0:a got no intro/1, intro/2']);
    expect(unsent(['intro/0', 'intro/1', 'intro/2'], late, ['c0:a'])).toEqual([]);
  });
});

describe('a campaign that was ended', () => {
  const shown = { document: { status: 'completed' }, run: endedRun, conversation: cancelled };
  const cut = { ...ended, fate: 'endAt', flow: 'slow' };

  it('has reached somebody when it had the time to', () => {
    expect(judge(cut, shown).unreached).toEqual(['c0, endAt: nobody in 30000 ms']);
    expect(judge(cut, { ...shown, got: ['early/0'] })).toMatchObject({ unreached: [], judgedAlive: 1 });
  });

  it('need not when it was short, paused, or everything stood still', () => {
    expect(judge({ ...cut, endedFrom: t + 5_000 }, shown).unreached).toEqual([]);
    expect(judge({ ...cut, pauses: [{ from: t + 1_000, to: t + 19_000 }] }, shown).unreached).toEqual([]);
    expect(judge(cut, { ...shown, disturbed: [{ from: t + 1_000, to: t + 19_000 }] }).unreached).toEqual([]);
  });
});
