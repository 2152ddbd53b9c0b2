/** From which stages conversations go over to another version of a flow. */
import { describe, expect, test } from '@jest/globals';
import { crossingsTo } from '../../../src/domain/crossing.ts';
import type { CompiledFlow } from '../../../src/domain/flow.ts';
import { contextOf } from './given.ts';

const say = (id: string, more: object = {}) => ({
  id,
  type: 'message',
  channel: 'sms',
  content: { text: id },
  ...more,
});
const wait = (id: string, more: object = { for: 'P1D' }) => ({ id, type: 'wait', ...more });
const end = (id: string) => ({ id, type: 'end', outcome: id });
const rule = (then: object) => ({ on: 'custom', then });
const flow = (stages: unknown[], rules: unknown[] = []): CompiledFlow => contextOf(stages, {}, rules).flow;
const crossing = (from: CompiledFlow, to: CompiledFlow, past = [from]) =>
  Object.fromEntries(crossingsTo(to, past)(from));

const missing = { why: 'stage_missing' };
const type = { why: 'stage_type' };
const repeats = (stage: string) => ({ why: 'would_repeat', repeats: stage });

describe('crossingsTo', () => {
  const abc = flow([say('a'), say('b'), say('c')]);

  test.each<[string, CompiledFlow, CompiledFlow, object]>([
    ['the same flow', abc, abc, { a: undefined, b: undefined, c: undefined }],
    ['a stage more', abc, flow([say('a'), say('b'), say('x'), say('c')]), { a: undefined, b: undefined, c: undefined }],
    ['a stage less', abc, flow([say('a'), say('c')]), { a: undefined, b: missing, c: undefined }],
    ['another type', abc, flow([say('a'), wait('b'), say('c')]), { a: undefined, b: type, c: undefined }],
    ['another order', abc, flow([say('c'), say('b'), say('a')]), { a: undefined, b: repeats('a'), c: repeats('b') }],
    [
      'what was said comes last',
      abc,
      flow([say('b'), say('c'), say('a')]),
      { a: undefined, b: repeats('a'), c: repeats('a') },
    ],
    [
      'a wait that comes again says nothing',
      flow([wait('w'), say('b')]),
      flow([say('b'), wait('w')]),
      { w: undefined, b: undefined },
    ],
    [
      'the new version goes round by itself',
      abc,
      flow([say('a'), say('b', { waitForReply: 'P1D' }), say('c', { delay: 'P1D', on: { noReply: 'a' } })]),
      { a: undefined, b: undefined, c: undefined },
    ],
    [
      'the new version goes round in part, but leads here without what was said',
      abc,
      flow([say('c'), say('b', { delay: 'P1D' }), say('a', { on: { failed: 'b' } })]),
      { a: undefined, b: repeats('a'), c: repeats('b') },
    ],
    [
      'nothing leads here in the new version',
      flow([say('a'), wait('w'), say('b')]),
      flow([end('over'), wait('w'), say('a')]),
      { a: undefined, w: repeats('a'), b: missing },
    ],
    [
      'the old version went round by itself',
      flow([say('a', { delay: 'P1D' }), say('b', { on: { noReply: 'a' } })]),
      flow([say('b'), say('a')]),
      { a: undefined, b: undefined },
    ],
    [
      'a rule leads there',
      flow([say('a'), say('b')]),
      flow([say('b'), end('over'), say('a')], [rule({ goto: 'a' }), rule({ end: 'x' })]),
      { a: undefined, b: repeats('a') },
    ],
    [
      'by a branch without a last way, and with one',
      flow([
        say('a'),
        { id: 'choice', type: 'branch', branches: [{ when: { 'contact.name': 'x' }, goto: 'c' }] },
        say('b'),
        say('c'),
      ]),
      flow([{ id: 'choice', type: 'branch', branches: [{ goto: 'c' }] }, say('a'), say('b'), say('c')]),
      { a: undefined, choice: undefined, b: undefined, c: undefined },
    ],
    [
      'by a split, which never falls through',
      flow([say('a'), { id: 's', type: 'split', variants: [{ variant: 'x', weight: 1, goto: 'b' }] }, say('b')]),
      flow([{ id: 's', type: 'split', variants: [{ variant: 'x', weight: 1, goto: 'b' }] }, say('a'), say('b')]),
      { a: undefined, s: undefined, b: undefined },
    ],
  ])('%s', (_, from, to, expected) => {
    expect(crossing(from, to)).toEqual(expected);
  });

  test('what a version before the last one sent lies behind, too', () => {
    const first = flow([say('a'), say('b'), say('c')]);
    const second = flow([say('b'), say('c')]);
    const third = flow([say('b'), say('a'), say('c')]);
    expect(crossing(second, third)['b']).toBeUndefined();
    expect(crossing(second, third, [first, second])['b']).toEqual(repeats('a'));
  });
});
