/** Names that nothing has, events that never come, contacts that cannot be used: what an author is told of them. */
import { describe, expect, test } from '@jest/globals';
import { ObjectId } from 'mongodb';
import { conditionWarnings } from '../../../src/domain/conditionChecks.ts';
import { readContact } from '../../../src/domain/contact.ts';
import { ContactChecks } from '../../../src/domain/contactChecks.ts';
import { fieldWarnings } from '../../../src/domain/fieldChecks.ts';
import { flowMessages, scopeFor } from '../../../src/domain/flowMessages.ts';
import { LeftOut } from '../../../src/domain/leftOut.ts';
import { StandIns, withoutMarks } from '../../../src/domain/standIns.ts';
import { anna, contextOf } from './given.ts';
import { flowOf } from './simulated.ts';

/** A rule of the flow. */
const rule = (on: string, action: object, more: object = {}) =>
  Object.fromEntries([...Object.entries({ on, ...more }), ['then', action]]);

const end = (id: string) => ({ id, type: 'end', outcome: 'done' });
const says = (id: string, text: string, more: object = {}) => ({
  ...{ id, type: 'message', channel: 'sms', content: { text } },
  ...more,
});

describe('conditions', () => {
  const wait = (more: object) => ({ id: 'a', type: 'wait', ...more });
  const branch = (when: object) => ({ id: 'a', type: 'branch', branches: [{ when, goto: 'z' }] });
  const variables = { plan: 'pro', brand: { name: 'Compass' }, list: [1] };

  function warned(stages: unknown[], more: { rules?: unknown[]; exitWhen?: unknown } = {}): string[] {
    const all = [...stages, end('z')];
    const { flow } = contextOf(all, {}, more.rules ?? []);
    const source = { ...flowOf(all), ...(more.rules ? { rules: more.rules as never } : {}) };
    return conditionWarnings({
      ...{ flow, variables, campaign: { id: 'spring' }, mapped: ['score'], path: 'flow', source },
      ...('exitWhen' in more ? { exitWhen: more.exitWhen } : {}),
    }).map(({ code, path, message }) => `${code} ${path}: ${message}`);
  }

  test.each<[string, unknown[], string | undefined]>([
    ['a field of a contact', [branch({ 'contact.atributes.plan': 'pro' })], 'Did you mean "attributes"'],
    ['in a list', [branch({ $or: [{ 'contact.nmae': 'x' }] })], 'when.$or[0]["contact.nmae"]: contact.nmae'],
    ['one that the map adds', [branch({ 'contact.score': 3 })], undefined],
    ['any attribute', [branch({ 'contact.attributes.plan': 'pro', 'contact.attributes.list.0.x': 1 })], undefined],
    ['an event', [branch({ 'event.txt': 'x' })], 'event has no "txt". Did you mean "text"?'],
    ['a conversation', [branch({ 'conversation.foo': 1 })], 'It has "id", "stage"'],
    ['a variable', [branch({ 'variables.zzz': 1 })], 'no "zzz" among its variables. It has "plan"'],
    [
      'inside a variable',
      [branch({ 'variables.brand.nmae': 1 })],
      'variables.brand has no "nmae". Did you mean "name"?',
    ],
    ['inside a list', [branch({ 'variables.list.0': 1, 'variables.list.7': 1 })], 'variables.list has no 7'],
    ['what a stage may keep', [branch({ 'variables.a.x': 1 })], undefined],
    ['what is there', [branch({ 'variables.brand.name': 'x', 'campaign.id': 1 })], undefined],
    ['a date', [wait({ until: 'contact.atributes.renewal - P7D', onMissing: 'z' })], 'a contact has no "atributes"'],
    ['a date that is fixed', [wait({ until: '2026-01-05' })], undefined],
    ['a branch without a condition', [{ id: 'a', type: 'branch', branches: [{ goto: 'z' }] }], undefined],
  ])('%s', (_, stages, expected) => {
    expect(warned(stages)).toEqual(expected === undefined ? [] : [expect.stringContaining(expected)]);
  });

  test('exitWhen, whatever it is', () => {
    expect(warned([], { exitWhen: { 'contact.atributes.customer': true } })).toEqual([
      'variable_unknown exitWhen["contact.atributes.customer"]: contact.atributes.customer: a contact has no "atributes". Did you mean "attributes"?',
    ]);
    for (const exitWhen of [undefined, 7, { $and: 7 }, { $and: [7] }]) expect(warned([], { exitWhen })).toEqual([]);
  });

  test('a rule sees all that an event has', () => {
    const asked = (field: string) => rule('reply', { goto: 'z' }, { when: { [field]: 1 } });
    expect(warned([], { rules: [asked('event.score')] })).toEqual([]);
    expect(warned([], { rules: [asked('event.txt')] })).toEqual([
      expect.stringContaining('flow.rules[0].when["event.txt"]'),
    ]);
    expect(warned([], { rules: [asked('contact.score2')] })).toHaveLength(1);
  });

  test.each<[string, object, string | undefined]>([
    ['Reply', { on: { Reply: 'z' } }, 'Did you mean "reply"?'],
    ['failure', { on: { failure: 'z' } }, 'Did you mean "failed"?'],
    ['no-reply', { on: { 'no-reply': 'z' } }, 'Did you mean "noReply"?'],
    ['an author’s word', { on: { upgraded: 'z', 'order placed': 'z' } }, undefined],
    ['ours', { on: { reply: 'z', noReply: 'z', bounce: 'z', failed: 'z', complaint: 'z', clicked: 'z' } }, undefined],
  ])('%s as an event', (_, more, expected) => {
    expect(warned([says('a', 'x', more)])).toEqual(
      expected === undefined ? [] : [expect.stringMatching(/^event_unlikely flow\.stages\[0\]\.on/)],
    );
    if (expected !== undefined) expect(warned([says('a', 'x', more)])[0]).toContain(expected);
  });

  test('silence comes to messages alone, and what is waited for or ruled has a type too', () => {
    expect(warned([wait({ for: 'P1D', on: { noReply: 'z' } })])).toEqual([
      'event_unlikely flow.stages[0].on.noReply: never comes here: only a stage of type "message" waits for a reply',
    ]);
    expect(warned([wait({ event: 'click' })])).toEqual([expect.stringContaining('flow.stages[0].event: "click"')]);
    expect(warned([], { rules: [rule('Reply', { end: 'x' })] })).toEqual([expect.stringContaining('flow.rules[0].on')]);
  });
});

describe('what is only known as a campaign runs', () => {
  const stages = [
    says('ask', '{{ contact.name }}', { on: { reply: 'thanks', noReply: 'hook' } }),
    { id: 'hook', type: 'webhook', channel: 'push', body: { a: 1 }, keep: true },
    says(
      'score',
      '{{ variables.hook.score }} {{ variables.hook.deep.x }} {{ variables.product }} {{ conversation.variant.s }} {{ conversation.id }}',
    ),
    end('over'),
    says('thanks', '{{ event.text }} {{ event.data.mood }} {% if event.text %}{{ event.text }}{% endif %}'),
  ];
  const context = contextOf(stages);
  const messages = flowMessages(flowOf(stages), 'flow');
  const standIns = new StandIns(context.flow, messages);
  const named = (id: string) => messages.find(({ stage }) => stage === id) as (typeof messages)[number];

  test('has stand-ins for all that templates read', () => {
    expect(standIns.answers).toEqual({
      hook: { score: '⟦variables.hook.score⟧', deep: { x: '⟦variables.hook.deep.x⟧' } },
    });
    const thanks = standIns.over(scopeFor(context, anna, named('thanks')), named('thanks'));
    expect(thanks.event).toMatchObject({
      type: 'reply',
      channel: 'sms',
      text: '(reply)',
      data: { mood: '⟦event.data.mood⟧' },
    });
    const score = standIns.over(scopeFor(context, anna, named('score')), named('score'));
    expect(score.event).toBeUndefined();
    expect(score.variables).toMatchObject({ product: 'Compass', hook: { score: '⟦variables.hook.score⟧' } });
    expect(score.conversation).toMatchObject({ stage: 'score', variant: { s: '⟦conversation.variant.s⟧' } });
  });

  test('is named', () => {
    expect(standIns.namedIn(named('ask'))).toEqual([]);
    expect(standIns.namedIn(named('thanks'))).toEqual(['event.text', 'event.data.mood']);
    expect(standIns.namedIn(named('score'))).toEqual([
      ...['variables.hook.score', 'variables.hook.deep.x', 'conversation.variant.s'],
    ]);
    expect(withoutMarks('a ⟦b⟧c')).toBe('a c');
  });

  test('is not missing', () => {
    const checks = new ContactChecks(context, messages);
    checks.look(anna, 'line 2');
    expect(checks.warnings()).toEqual([]);
  });

  test('nor is a list in an answer; what a contact lacks still is', () => {
    const listed = [
      { id: 'hook', type: 'webhook', channel: 'push', body: { a: 1 }, keep: true },
      says('a', '{% for x in variables.hook.items %}{{ x.name }}{% endfor %}'),
      says('b', '{{ variables.hook.score }} {{ contact.attributes.x }}'),
    ];
    const checks = new ContactChecks(contextOf(listed), flowMessages(flowOf(listed), 'flow'));
    checks.look(anna, 'line 2');
    expect(checks.warnings().map(({ message }) => message)).toEqual([expect.stringContaining('contact.attributes.x')]);
  });

  test('an event that never comes has no stand-in, but after a person any may have come', () => {
    const silent = [says('a', '{{ event.text }}')];
    const unheard = new StandIns(contextOf(silent).flow, flowMessages(flowOf(silent), 'flow'));
    const [message] = flowMessages(flowOf(silent), 'flow');
    expect(unheard.namedIn(message as never)).toEqual([]);
    const awaited = [{ id: 'w', type: 'wait', event: 'upgraded' }, says('a', '{{ event.text }}')];
    const flow = flowMessages(flowOf(awaited), 'flow');
    expect(new StandIns(contextOf(awaited).flow, flow).namedIn(flow[0] as never)).toEqual(['event.text']);
    const desk = [says('a', '{{ event.text }}'), { id: 'd', type: 'escalate', to: 'x' }];
    const handed = flowMessages(flowOf(desk), 'flow');
    expect(new StandIns(contextOf(desk).flow, handed).namedIn(handed[0] as never)).toEqual(['event.text']);
    const rules = [rule('reply', { escalate: { to: 'x' } })];
    expect(new StandIns(contextOf(silent, {}, rules).flow, handed).namedIn(handed[0] as never)).toEqual(['event.text']);
    const last = [says('a', '{{ event.text }}'), { id: 'w', type: 'wait', event: 'upgraded' }];
    const end = flowMessages(flowOf(last), 'flow');
    expect(new StandIns(contextOf(last).flow, end).namedIn(end[0] as never)).toEqual([]);
  });
});

describe('fields of a campaign', () => {
  test.each([
    ['schedul', '"schedule"'],
    ['exitwhen', '"exitWhen"'],
    ['Audience', '"audience"'],
    ['nmae', '"name"'],
    ['limit', '"limits"'],
  ])('%s is hardly meant', (name, meant) => {
    expect(fieldWarnings({ _id: 'a', [name]: 1 })).toEqual([
      { code: 'field_unknown', path: name, message: expect.stringContaining(`Did you mean ${meant}?`) },
    ]);
  });

  test('any other is its writer’s, and an id is text', () => {
    expect(fieldWarnings({ _id: 'a', flow: {}, metrics: {}, costCentre: 7 })).toEqual([]);
    expect(fieldWarnings({ _id: 7 })).toEqual([
      { code: 'id_number', path: '_id', message: expect.stringContaining('is the number 7') },
    ]);
  });
});

describe('contacts that are left out', () => {
  const warned = (raws: unknown[]): string[] => {
    const leftOut = new LeftOut();
    for (const [index, raw] of raws.entries()) {
      const { invalid } = readContact(raw);
      if (invalid === undefined) leftOut.addDuplicate(raw, `contacts[${index}]`);
      else leftOut.addInvalid(invalid, raw, `contacts[${index}]`);
    }
    return leftOut.warnings(raws.length).map(({ code, path, message }) => `${code} ${path}: ${message}`);
  };

  test('are counted by kind, with the first of each and its place', () => {
    const oid = new ObjectId('0123456789abcdef01234567');
    expect(
      warned([
        { id: 'b', phone: 4930123457 },
        { id: 'c', phone: 30123458 },
        { name: 'x' },
        7,
        { id: oid, attributes: 1 },
      ]),
    ).toEqual([
      'contact_invalid contacts[0].phone: 2 of 5 contacts cannot be used and are left out: phone has to be a string, was 4930123457; write it in quotes, first: id b',
      'contact_invalid contacts[2]: 1 of 5 contacts cannot be used and are left out: id is missing, first: contacts[2]',
      'contact_invalid contacts[3]: 1 of 5 contacts cannot be used and are left out: has to be an object, was 7, first: contacts[3]',
      'contact_invalid contacts[4].attributes: 1 of 5 contacts cannot be used and are left out: attributes has to be an object, was 1, first: id 0123456789abcdef01234567',
    ]);
    expect(warned([{ id: 'a' }, { id: 'a' }])).toEqual([
      'duplicate_contact contacts[0]: 2 of 2 contacts cannot be used and are left out: there is one with the same id before, first: id a',
    ]);
  });

  test('so many kinds are kept and no more, and every one is counted', () => {
    const leftOut = new LeftOut();
    for (let n = 0; n < 80; n += 1) leftOut.addInvalid(`odd${n}`, undefined, 'x');
    leftOut.addInvalid('', undefined, 'x');
    expect(leftOut.reasons).toHaveLength(50);
    expect(leftOut.invalid).toBe(81);
  });
});
