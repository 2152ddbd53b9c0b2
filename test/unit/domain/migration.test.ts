/** One conversation and another version of its flow: what it does by which of them, and that no step is lost or taken twice. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { FlowContext } from '../../../src/domain/decision.ts';
import type { Run } from '../../../src/domain/model.ts';
import { contextsNow } from '../../../src/domain/runContexts.ts';
import { anna, contextOf, Story, seconds } from './given.ts';

const say = (id: string, more: object = {}) => ({
  id,
  type: 'message',
  channel: 'sms',
  content: { text: id },
  ...more,
});
const end = (id: string) => ({ id, type: 'end', outcome: id });
const sent = { kind: 'sent' } as const;

/** The contexts of a run that goes over from the first of these flows to the second. */
function versions(before: unknown[], after: unknown[], more: Partial<FlowContext> = {}, number = 1, to = 4) {
  const contexts = new Map<number | undefined, FlowContext>([
    [undefined, contextOf(before, more)],
    [4, { ...contextOf(after, { ...more, variables: { product: 'Four' } }), version: 4 }],
  ]);
  const migration = { number, from: 7 - to, to, startedAt: new Date(0), left: [] };
  const run = { status: 'running', settled: false, template: { id: 't', version: 3 }, flows: [{}], migration };
  return contextsNow(contexts, run as unknown as Run);
}

/** As the round does: each decision by the context of the version that the conversation follows. */
class Migrating extends Story {
  private contexts: ReadonlyMap<number | undefined, FlowContext> | undefined;

  asked(contexts: ReadonlyMap<number | undefined, FlowContext>): this {
    this.contexts = contexts;
    return this;
  }

  override decide(...args: Parameters<Story['decide']>): this {
    const own = this.contexts?.get(this.conversation.flowVersion ?? undefined);
    if (own !== undefined) this.context = own;
    return super.decide(...args);
  }

  hint(second: number): this {
    return this.decide(second, {});
  }
}

const steps = ({ rows }: Story): string[] => [...rows.values()].map(({ stage, step }) => `${stage}/${step}`);
const migrating = (stages: unknown[], more: Partial<FlowContext> = {}) => new Migrating(contextOf(stages, more));

describe('a conversation that is asked', () => {
  const before = [say('a', { followUps: [{ after: 'PT10S' }], waitForReply: 'PT10S' }), say('b')];

  test('goes over at its stage, keeps its due time, and says by the new version what comes next', () => {
    const after = [say('a', { channel: 'push', followUps: [{ after: 'PT99S' }], waitForReply: 'PT5S' }), say('x')];
    const story = migrating(before).due(0).answer(0, sent).asked(versions(before, after)).hint(3);
    expect(story.conversation).toMatchObject({
      flowVersion: 4,
      migration: 1,
      stage: 'a',
      step: 1,
      nextChannel: 'push',
    });
    expect(story.conversation.nextActionAt).toEqual(new Date(seconds(10)));
    expect(story.conversation.history.at(-1)).toMatchObject({
      event: 'migrated',
      stage: 'a',
      detail: { migration: 1, version: 4 },
    });
    story.due(10).answer(10, sent).due(15).due(15).answer(15, sent);
    expect(steps(story)).toEqual(['a/0', 'a/1', 'x/0']);
    expect(story.rows.get('spring:anna/2')).toMatchObject({ channel: 'push' });
    expect(story.counters).toMatchObject({ 'migrations.1.moved.a': 1, completed: 1 });
  });

  test('stays where the new version has no such stage, or another one, and is asked once', () => {
    for (const after of [[say('b')], [{ id: 'a', type: 'wait', for: 'P1D' }, say('b')]]) {
      const story = migrating(before).due(0).answer(0, sent).asked(versions(before, after)).hint(3);
      expect(story.conversation).toMatchObject({ migration: 1, stage: 'a', step: 1 });
      expect(story.conversation.flowVersion).toBeUndefined();
      expect(story.conversation.history.at(-1)).toMatchObject({ event: 'stayed', stage: 'a' });
      expect(story.hint(4).decision.unit).toBeUndefined();
      expect(story.counters).toMatchObject({ 'migrations.1.stayed.a': 1 });
      story.due(10).answer(10, sent).due(20).answer(20, sent);
      expect(steps(story)).toEqual(['a/0', 'a/1', 'b/0']);
    }
  });

  test('with a message on its way it is asked with the answer, which counts by the version that sent it', () => {
    const failing = [say('a', { on: { failed: 'b' } }), end('over'), say('b')];
    const after = [say('a'), say('b', { channel: 'push' })];
    const story = migrating(failing).due(0).asked(versions(failing, after)).hint(1);
    expect(story.conversation.migration).toBeUndefined();
    story.answer(2, { kind: 'rejected', code: 'no', message: 'no' });
    expect(story.conversation).toMatchObject({ stage: 'b', flowVersion: 4, nextChannel: 'push', status: 'active' });
  });

  test('one that waits for another try goes over where its answer finds the same place, else with that answer', () => {
    const retry = { kind: 'retry', code: 'busy', message: 'busy', counts: true } as const;
    const like = [say('a', { followUps: [{ after: 'PT30S' }] }), say('b')];
    const story = migrating(before).due(0).answer(0, retry).asked(versions(before, like)).hint(1);
    expect(story.conversation).toMatchObject({ flowVersion: 4, awaiting: 'spring:anna/1', nextChannel: 'sms' });
    const unlike = [[say('a'), say('b')], [say('b')], [say('a', { followUps: [{ after: 'PT1S' }] }), say('b')]];
    const other = migrating(before)
      .due(0)
      .answer(0, retry)
      .asked(versions(before, unlike[0] ?? []))
      .hint(1);
    expect(other.conversation.migration).toBeUndefined();
    other.due(600).answer(600, sent);
    expect(other.conversation).toMatchObject({ flowVersion: 4, stage: 'a', step: 1 });
    expect(other.decide(601, { awaited: undefined }).conversation.flowVersion).toBe(4);
    // nobody can say what an answer would find
    const gone = migrating(before).due(0).answer(0, retry).asked(versions(before, like));
    expect(gone.decide(1, { awaited: undefined }).conversation.migration).toBeUndefined();
  });

  test('one whose row is of a stage that the new version lacks waits for its answer', () => {
    const chain = [say('a'), say('b', { delay: 'PT50S' }), say('c')];
    const retry = { kind: 'retry', code: 'busy', message: 'busy', counts: true } as const;
    const story = migrating(chain)
      .due(0)
      .answer(0, retry)
      .asked(versions(chain, [say('b'), say('c')]))
      .hint(1);
    expect(story.conversation).toMatchObject({ stage: 'b' });
    expect(story.conversation.migration).toBeUndefined();
  });

  test('nothing leaves in the decision in which it goes over: it is due again at once', () => {
    const story = migrating([say('a')])
      .asked(versions([say('a')], [say('a', { channel: 'push' })]))
      .due(0);
    expect(story.decision.send).toBeUndefined();
    expect(story.due(0).decision.send).toMatchObject({ channel: 'push', stage: 'a', step: 0 });
  });

  test('its addresses are those of the new channels, too', () => {
    const hash = (text: string): string => `h${text}`;
    const addressBook = { isKeyed: false, hash, hashes: (text: string) => [hash(text)] };
    const contexts = versions([say('a')], [say('a', { channel: 'push' })], { addressBook });
    const story = migrating([say('a')], { addressBook }).asked(contexts);
    story.conversation = { ...story.conversation, addresses: ['sms:h+491'] };
    expect(story.hint(0).conversation.addresses).toEqual(['sms:h+491', 'push:hhttps://a.test/']);
    const broken = migrating([say('a')], { addressBook }).asked(versions([say('a')], [say('a')], { addressBook }));
    broken.conversation = { ...broken.conversation, addresses: 'x' as never };
    expect(broken.hint(0).conversation.addresses).toEqual(['sms:h+491']);
    const same = migrating([say('a')], { addressBook }).asked(versions([say('a')], [say('a')], { addressBook }));
    same.conversation = { ...same.conversation, addresses: ['sms:h+491'] };
    expect(same.hint(0).decision.unit?.change?.set).not.toHaveProperty('addresses');
  });

  test('what waited for an event without an end is due if the new version says when, and waits on if not', () => {
    const forEver = [{ id: 'w', type: 'wait', event: 'custom' }, say('b')];
    const timed = [{ id: 'w', type: 'wait', event: 'custom', timeout: 'PT5S' }, say('b')];
    const story = migrating(forEver).asked(versions(forEver, timed)).hint(3);
    expect(story.conversation).toMatchObject({ flowVersion: 4, nextChannel: '-', nextActionAt: new Date(seconds(8)) });
    const other = migrating(forEver).asked(versions(forEver, forEver)).hint(3);
    expect(other.conversation.nextActionAt).toBeUndefined();
    const back = migrating(timed).asked(versions(timed, forEver)).hint(3);
    expect(back.conversation).toMatchObject({ nextChannel: '-', nextActionAt: new Date(seconds(5)) });
  });

  test('who follows the version already is asked all the same, and nothing else of it changes', () => {
    const contexts = versions(before, before);
    const story = migrating(before).asked(contexts);
    story.conversation = { ...story.conversation, flowVersion: 4 };
    story.hint(0);
    expect(story.conversation).toMatchObject({ flowVersion: 4, migration: 1 });
    expect(story.decision.unit).toMatchObject({ counters: {}, change: { history: [] } });
  });

  test('one in a stage that its own version does not know stays', () => {
    const story = migrating(before).asked(versions(before, before));
    story.conversation = { ...story.conversation, stage: 'gone' };
    expect(story.hint(0).counters).toMatchObject({ 'migrations.1.stayed.gone': 1 });
  });

  test('an ended one, and one of a campaign that is over, is not asked; one with a person is when something comes', () => {
    const contexts = versions([say('a')], [say('a')]);
    const ended = migrating([say('a')])
      .due(0)
      .answer(0, sent)
      .asked(contexts)
      .hint(1);
    expect(ended.conversation.migration).toBeUndefined();
    for (const over of [{ isOver: true }, { stopped: 'campaign_cancelled' as const }]) {
      const story = migrating([say('a')]).asked(new Map([...contexts].map(([v, one]) => [v, { ...one, ...over }])));
      expect(story.hint(1).conversation.migration).toBeUndefined();
    }
    const desk = [{ id: 'desk', type: 'escalate', to: 'sales' }, say('b')];
    const held = migrating(desk)
      .due(0)
      .asked(versions(desk, [desk[0], say('b', { channel: 'push' })]));
    expect(held.conversation.status).toBe('escalated');
    held.events(5, { id: 'r', type: 'resume' });
    expect(held.conversation).toMatchObject({ status: 'active', stage: 'b', flowVersion: 4, nextChannel: 'push' });
  });
});

// ---------------------------------------------------------------- properties

const stage = fc.record({
  id: fc.constantFrom('a', 'b', 'c', 'd'),
  channel: fc.constantFrom('sms', 'push'),
  followUps: fc.nat(2),
  delay: fc.boolean(),
});
const stages = fc.uniqueArray(stage, { minLength: 1, maxLength: 4, selector: ({ id }) => id }).map((all) =>
  all.map(({ id, channel, followUps, delay }) =>
    say(id, {
      channel,
      ...(delay ? { delay: 'PT3S' } : {}),
      followUps: Array.from({ length: followUps }, () => ({ after: 'PT5S' })),
    }),
  ),
);

describe('property: whenever it is asked, and however often', () => {
  test('no step is taken twice, and each stage that the last version leads to from there is', () => {
    fc.assert(
      fc.property(stages, stages, fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }), (before, after, moments) => {
        const story = migrating(before);
        let number = 0;
        for (let second = 0; second < 200; second++) {
          // there, back, and there again
          if (moments.includes(second)) story.asked(versions(before, after, {}, ++number, number % 2 === 1 ? 4 : 3));
          story.hint(second);
          const { nextActionAt, status } = story.conversation;
          if (status !== 'active') break;
          if (nextActionAt && nextActionAt.getTime() <= seconds(second) && story.row === undefined) story.due(second);
          if (story.row !== undefined) story.answer(second, sent);
        }
        const taken = steps(story);
        expect(new Set(taken).size).toBe(taken.length);
        expect(story.conversation).toMatchObject({
          status: 'completed',
          outcome: 'finished',
          contact: { id: anna.id },
        });
        // the last stage of the version that it followed in the end was reached
        const last = (story.conversation.flowVersion === 4 ? after : before).at(-1)?.id;
        expect(story.conversation.stage).toBe(last);
      }),
      { numRuns: 300 },
    );
  });
});
