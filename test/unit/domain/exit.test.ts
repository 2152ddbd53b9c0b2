import { describe, expect, test } from '@jest/globals';
import { checkCampaign } from '../../../src/domain/campaign.ts';
import { compileExit, contactSource } from '../../../src/domain/exit.ts';
import type { Conversation, PinnedAudience } from '../../../src/domain/model.ts';
import { anna, channels, contextOf, Story } from './given.ts';

const say = (id: string, more: object = {}) => ({
  id,
  type: 'message',
  channel: 'sms',
  content: { text: id },
  ...more,
});
const customer = { 'contact.attributes.customer': true };
const buyer = { ...anna, attributes: { customer: true } };
const given = (stages: unknown[], exitWhen: object = customer, contact = anna) =>
  new Story(contextOf(stages, { exitWhen: compileExit(exitWhen).query }), contact);
const retry = { kind: 'retry', code: 'busy', message: 'busy', counts: true, retryAfterMs: 5_000 } as const;
const left: Partial<Conversation> = { status: 'completed', outcome: 'exit_condition', reason: 'exit_condition' };

describe('a campaign with exitWhen', () => {
  test('given a contact that fits it, then it leaves before its first message', () => {
    const story = given([say('intro')], customer, buyer).due(0);
    expect(story.conversation).toMatchObject(left);
    expect(story.rows.size).toBe(0);
    expect(story.counters).toEqual({
      ...{ total: 1, completed: 1, 'outcomes.exit_condition': 1, 'stages.intro.entered': 1 },
    });
  });

  test('given a contact that comes to fit it, then the message after that is not sent', () => {
    const story = given([say('one', { waitForReply: 'PT1M' }), say('two')])
      .due(0)
      .answer(1, { kind: 'sent' });
    expect(story.conversation.status).toBe('active');
    story.decide(61, { slot: true, fresh: buyer });
    expect(story.conversation).toMatchObject({ ...left, contact: anna, stage: 'two' });
    expect(story.rows.size).toBe(1);
    expect(story.conversation).not.toHaveProperty('nextActionAt');
  });

  test('given a row that waits for another try, then it is skipped', () => {
    const story = given([say('intro')])
      .due(0)
      .answer(1, retry);
    expect(story.conversation.awaiting).toBe('spring:anna/1');
    story.decide(6, { slot: true, fresh: buyer });
    expect(story.conversation).toMatchObject(left);
    expect(story.conversation).not.toHaveProperty('awaiting');
    expect(story.rows.get('spring:anna/1')).toMatchObject({ status: 'skipped', reason: 'exit_condition' });
    expect(story.counters).toMatchObject({ 'messages.skipped': 1, 'reasons.exit_condition': 1 });
    expect(story.counters).not.toHaveProperty('pending');
    expect(story.row).toBeUndefined();
  });

  test('given a row that somebody deleted meanwhile, then it is not counted down twice', () => {
    const story = given([say('intro')])
      .due(0)
      .answer(1, retry);
    story.decide(6, { slot: true, fresh: buyer, awaited: undefined });
    expect(story.counters).not.toHaveProperty('pending');
    expect(story.counters).not.toHaveProperty(['messages.skipped']);
  });

  test('given a contact that does not fit it, then nothing changes', () => {
    const story = given([say('intro')]).decide(0, { slot: true, fresh: { ...anna, attributes: { customer: false } } });
    expect(story.row?.content?.text).toBe('intro');
  });

  test('given no more than an event, a wait or a choice, then it is not looked at', () => {
    const wait = { id: 'w', type: 'wait', for: 'PT1M' };
    const story = given([wait, { id: 'e', type: 'end', outcome: 'done' }], customer, buyer);
    expect(story.due(60).conversation).toMatchObject({ outcome: 'done' });
  });

  test.each<[string, unknown]>([
    ['a webhook', { id: 'a', type: 'webhook', channel: 'push', body: {} }],
    [
      'a notification',
      { id: 'a', type: 'escalate', to: 'team', notify: { channel: 'sms', to: '+491', content: { text: 'x' } } },
    ],
  ])('%s is a message, too', (_, stage) => {
    expect(given([stage], customer, buyer).due(0).conversation).toMatchObject(left);
  });

  test('it knows the conversation', () => {
    const story = given([say('one'), say('two')], {
      'conversation.stage': 'two',
      'conversation.sequence': { $gte: 1 },
    });
    story.due(0).answer(1, { kind: 'sent' }).due(1);
    expect(story.conversation).toMatchObject(left);
  });
});

test.each<[unknown, [string, string][]]>([
  [customer, []],
  [{ $or: [customer, { 'conversation.sequence': { $gt: 2 } }] }, []],
  [{}, []],
  [7, [['exitWhen', 'type']]],
  [{ 'event.type': 'reply' }, [['exitWhen["event.type"]', 'query_invalid']]],
  [{ 'contact.id': { $where: '1' } }, [['exitWhen["contact.id"].$where', 'query_invalid']]],
])('exitWhen %j', (exitWhen, found) => {
  const raw = { _id: 'c', status: 'pending', audience: { contacts: [] }, flow: { stages: [say('a')] }, exitWhen };
  const { faults } = checkCampaign(raw, { channels, reservedCollections: [] });
  expect(faults.map(({ path, code }) => [path, code])).toEqual(found);
});

describe('where contacts are read again', () => {
  const of = (map: Record<string, unknown>) =>
    contactSource({ kind: 'collection', collection: 'people', filter: {}, map } as PinnedAudience);

  test('by _id, with the fields that a contact is made of', () => {
    expect(of({})).toMatchObject({ collection: 'people', idPath: '_id' });
    expect(of({})?.fields).toEqual(
      expect.arrayContaining(['_id', 'email', 'phone', 'name', 'timezone', 'country', 'attributes']),
    );
    const map = {
      email: '$work.mail',
      attributes: { plan: '$plan.name', tags: ['$tags', 'x', '$'] },
      name: 'Sir',
      age: 7,
    };
    expect(of(map)?.fields).toEqual(expect.arrayContaining(['work', 'plan', 'tags']));
    expect(of(map)?.fields).not.toContain('Sir');
  });

  test('by the field that is mapped to the id, or not at all', () => {
    expect(of({ id: '$customer.id' })).toMatchObject({ idPath: 'customer.id' });
    expect(of({ id: '$customer.id' })?.fields).toContain('customer');
    expect(of({ id: 'always' })).toBeUndefined();
    expect(of({ id: { a: '$a' } })).toBeUndefined();
    expect(contactSource({ kind: 'inline' })).toBeUndefined();
    expect(contactSource({ kind: 'enrollments' })).toBeUndefined();
  });
});
