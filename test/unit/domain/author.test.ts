/** What helps an author: what templates read, what nobody supplies, how long an SMS is. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ObjectId } from 'mongodb';
import { flowWarnings } from '../../../src/domain/authorChecks.ts';
import { ContactChecks } from '../../../src/domain/contactChecks.ts';
import { compileContent, renderContent, type Scope, templatesOf } from '../../../src/domain/content.ts';
import { flowContextOf } from '../../../src/domain/flowContext.ts';
import { everyTemplate, flowMessages } from '../../../src/domain/flowMessages.ts';
import { hasValue } from '../../../src/domain/knownNames.ts';
import { parseTemplate } from '../../../src/domain/liquid.ts';
import { type Uses, usesOf, writtenAs } from '../../../src/domain/liquidUses.ts';
import type { Contact } from '../../../src/domain/model.ts';
import { smsLength } from '../../../src/domain/smsSegments.ts';
import { withValue } from '../../../src/domain/withValue.ts';
import { contextOf, facts } from './given.ts';
import { flowOf } from './simulated.ts';

const uses = (source: string): Uses => usesOf(parseTemplate(source, false));
const names = (list: Uses['all']): string[] => list.map(({ path }) => writtenAs(path));

describe('what a template reads', () => {
  test.each([
    ['no template', [], []],
    ['{{ contact.name }} {{ contact.name }}', ['contact.name'], ['contact.name']],
    ['{{ contact.name | upcase }}', ['contact.name'], ['contact.name']],
    ['{{ contact.name | default: "you" }}', [], ['contact.name']],
    ['{{ contact.name | upcase | default: "you" }}', ['contact.name'], ['contact.name']],
    ['{{ contact.name | append: variables.x }}', ['contact.name', 'variables.x'], ['contact.name', 'variables.x']],
    ['{{ contact["a b"].c[0] }}', ['contact["a b"].c[0]'], ['contact["a b"].c[0]']],
    ['{{ contact.attributes[variables.key] }}', ['variables.key'], ['variables.key']],
    ['{{ contact.attributes.tags.size }}', [], []],
    ['{% if contact.vip %}{{ contact.name }}{% endif %}', [], ['contact.vip', 'contact.name']],
    ['{% assign x = contact.name %}{{ x }}', [], ['contact.name']],
    ['{% for tag in contact.tags %}{{ tag }}{{ forloop.index }}{% endfor %}', [], ['contact.tags']],
    ['{{ "text" }}{{ 1 }}', [], []],
  ])('%s', (source, required, all) => {
    expect(names(uses(source).required)).toEqual(required);
    expect(names(uses(source).all).toSorted()).toEqual(all.toSorted());
  });

  test('says where', () => {
    expect(uses('a\n  {{ contact.name }}').required).toEqual([{ path: ['contact', 'name'], row: 2, column: 6 }]);
  });

  test('what is printed without a default and is not there fails the template, and nothing else does', () => {
    const place = fc.constantFrom('contact.name', 'contact.attributes.a', 'contact.attributes.b.c', 'variables.x');
    const part = fc
      .tuple(place, fc.constantFrom('', ' | upcase', ' | default: "-"'))
      .map(([at, filter]) => `{{ ${at}${filter} }}`);
    const value = fc.constantFrom(undefined, null, 'text', 0, '');
    const scopes = fc.tuple(value, value, value, value).map(
      ([name, a, c, x]): Scope => ({
        ...{ contact: { id: 1, name, attributes: { a, b: { c } } } as Contact, variables: { x }, campaign: {} },
      }),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), scopes, (parts, scope) => {
        const text = `text ${parts.join(' ')}`;
        const isMissing = uses(text).required.some(({ path }) => !hasValue(scope, path));
        const { content } = compileContent({ text }, 'content');
        if (content === undefined) throw new Error('it does not compile');
        expect(renderContent(content, scope).kind).toBe(isMissing ? 'failed' : 'rendered');
      }),
    );
  });

  test.each([
    [['contact', 'list', 1], true],
    [['contact', 'list', -1], true],
    [['contact', 'list', 2], false],
    [['contact', 'list', 'x'], false],
    [['contact', 'name', 'x'], false],
    [['contact', 'constructor'], false],
    [['unsubscribe', 'url'], true],
  ])('%j: %s', (path, known) => {
    expect(hasValue({ contact: { list: [1, 2], name: 'Ada' } }, path)).toBe(known);
  });
});

test('the templates of a content, each variant with what it takes over', () => {
  const content = {
    ...{ subject: 's', text: 't', html: 'h', body: { a: ['x', 1], 'b c': 'y' } },
    locales: { 'de-AT': { text: 'T' }, fr: { subject: 'S' }, it: 'none' as never },
  };
  const { base, locales } = templatesOf(content, 'c');
  const paths = (list: typeof base | undefined) => list?.map(({ path, html }) => `${path}${html ? '!' : ''}`);
  expect(paths(base)).toEqual(['c.subject', 'c.text', 'c.html!', 'c.body.a[0]', 'c.body["b c"]']);
  expect(paths(locales.get('de-at'))).toEqual(['c.subject', 'c.locales.de-AT.text', 'c.body.a[0]', 'c.body["b c"]']);
  expect(paths(locales.get('fr'))).toEqual([
    ...['c.locales.fr.subject', 'c.text', 'c.html!', 'c.body.a[0]', 'c.body["b c"]'],
  ]);
  expect([...locales.keys()]).toEqual(['de-at', 'fr']);
  let deep: unknown = 'x';
  for (let level = 0; level < 200; level += 1) deep = [deep];
  expect(templatesOf({ body: deep }, 'c').base).toEqual([]);
});

// ---------------------------------------------------------------- warnings

const message = (id: string, more: object = {}) => ({
  ...{ id, type: 'message', channel: 'sms', content: { text: 'Hello {{ contact.name }}' } },
  ...more,
});
const channels = new Map([facts('sms', 'phone'), facts('push', 'url')].map((channel) => [channel.name, channel]));

function warned(stages: unknown[], more: { variables?: object; mapped?: string[] } = {}): string[] {
  const { flow } = contextOf(stages, { channels });
  return flowWarnings({
    ...{ flow, messages: flowMessages(flowOf(stages), 'flow'), variables: { ...more.variables } },
    ...{ campaign: { id: 'spring', topic: 'default' }, mapped: more.mapped ?? [], path: 'flow' },
  }).map(({ code, path, message: text }) => `${code} ${path}: ${text}`);
}
const text = (source: string) => message('a', { content: { text: source } });

describe('stages that nothing leads to', () => {
  const end = (id: string) => ({ id, type: 'end', outcome: 'done' });
  test.each<[string, unknown[], string[]]>([
    ['one after the other', [message('a'), { id: 'b', type: 'wait', for: 'P1D' }, end('c')], []],
    ['behind an end', [message('a'), end('b'), message('c'), message('d')], ['c', 'd']],
    ['by an event', [message('a', { on: { reply: 'c' } }), end('b'), message('c')], []],
    ['jumped over by silence', [message('a', { on: { noReply: 'c' } }), message('b'), message('c')], ['b']],
    ['only by one that nothing leads to', [end('a'), message('b', { on: { reply: 'c' } }), end('c')], ['b', 'c']],
    [
      'by what chooses',
      [
        {
          id: 'a',
          type: 'split',
          variants: [
            { variant: 'x', weight: 1, goto: 'c' },
            { variant: 'y', weight: 1 },
          ],
        },
        end('b'),
        { id: 'c', type: 'branch', branches: [{ when: { 'contact.country': 'DE' }, goto: 'e' }] },
        end('d'),
        { id: 'e', type: 'branch', branches: [{ goto: 'g' }] },
        end('f'),
        end('g'),
      ],
      ['b', 'f'],
    ],
    [
      'behind a webhook and a person',
      [
        { id: 'a', type: 'webhook', channel: 'push', body: 1 },
        { id: 'b', type: 'escalate', to: 'sales', after: 'P1D', onTimeout: 'd' },
        end('c'),
        end('d'),
      ],
      [],
    ],
    ['back to the first', [message('a', { waitForReply: 'P1D', on: { noReply: 'a' } })], []],
  ])('%s', (_, stages, unreached) => {
    const found = warned(stages).filter((line) => line.startsWith('stage_unreachable'));
    expect(found.map((line) => /"(\w+)"/.exec(line)?.[1])).toEqual(unreached);
  });

  test('by a rule', () => {
    const { flow } = contextOf([end('a'), end('b')], { channels });
    const rules = [
      { on: 'reply', action: { goto: 'b' } },
      { on: 'bounce', action: { suppress: true as const } },
    ];
    const given = { messages: [], variables: {}, campaign: {}, mapped: [], path: 'flow' };
    expect(flowWarnings({ flow: { ...flow, rules }, ...given })).toEqual([]);
  });

  test('but for one that a person may resume to', () => {
    const desk = { id: 'desk', type: 'escalate', to: 'support', after: 'P1D' };
    expect(warned([message('a'), desk, end('b'), message('c')])).toEqual([]);
  });

  test('are named by their place', () => {
    expect(warned([end('a'), end('b')])).toEqual([
      'stage_unreachable flow.stages[1]: no stage leads to "b": nobody ever comes to it',
    ]);
  });
});

describe('names that no message can say', () => {
  test.each<[string, RegExp | undefined, object?]>([
    ['{{ name }}', /there is no "name"\. Did you mean contact\.name\?/],
    ['{{ product }}', /Did you mean variables\.product\?/, { variables: { product: 'x' } }],
    ['{{ contacts.name }}', /Did you mean "contact"\?/],
    ['{{ xyz }}', /there is no "xyz"\. A message can say contact/],
    ['{% if nobody %}x{% endif %}', /there is no "nobody"/],
    ['{{ contact.city }}', /a contact has no "city"\. Did you mean contact\.attributes\.city\?/],
    ['{{ contact.emails | default: "-" }}', /Did you mean "email"\?/],
    ['{{ contact.city }}', undefined, { mapped: ['city'] }],
    ['{{ contact }}', undefined],
    ['{{ variables.prodct }}', /Did you mean "product"\? It has "product"/, { variables: { product: 'x' } }],
    ['{{ variables.x }}', /no "x" among its variables, and there is no default: the message fails\. It has none/],
    ['{{ variables.x }}', /no "x"/, { variables: { x: null } }],
    ['{{ variables.x | default: "-" }}', undefined],
    ['{{ variables }}', undefined],
    ['{{ variables.a }}', undefined],
    ['{{ campaign.name }}', /no "name" to say of itself/],
    ['{{ campaign.topic }}', undefined],
    ['{{ unsubscribe.url }} {{ conversation.id }} {{ conversation.variant.x }}', undefined],
    ['{{ event.text | default: "-" }}', undefined],
    ['{{ event.text }}', /no event leads to stage "a", and there is no default: the message fails/],
    ['{{ conversation.foo }}', /conversation has no "foo"\. It has "id", "stage"/],
    ['{{ conversation.stag | default: "-" }}', /Did you mean "stage"\?/],
    ['{{ unsubscribe.link }}', /unsubscribe has no "link"/],
    ['{{ event }}', /no event leads/],
    [
      '{{ variables.brand.nmae }}',
      /variables\.brand has no "nmae", and there is no default: the message fails\. Did you mean "name"\? It has "name"/,
      { variables: { brand: { name: 'x' } } },
    ],
    ['{{ variables.brand.name }}', undefined, { variables: { brand: { name: 'x' } } }],
    [
      '{{ variables.brand.name.x }}',
      /variables\.brand\.name has no "x", and there is no default: the message fails$/,
      { variables: { brand: { name: 'x' } } },
    ],
    ['{{ variables.list[0] }}{{ variables.list[3] }}', /variables\.list has no 3/, { variables: { list: [1] } }],
    ['x\n{{ name }}', /^variable_unknown flow\.stages\[0\]\.content\.text: name in its line 2: /],
  ])('%s', (source, expected, more = {}) => {
    const found = warned([text(source)], more);
    if (expected === undefined) expect(found).toEqual([]);
    else expect(found).toEqual([expect.stringMatching(expected)]);
  });

  test('are said once for each place, follow-ups and languages too', () => {
    const content = { text: '{{ x }}', locales: { de: { text: '{{ y }}' } } };
    const stages = [
      message('a', { content, followUps: [{ after: 'P1D' }, { after: 'P1D', content: { text: '{{ z }}' } }] }),
    ];
    expect(warned(stages).map((line) => line.split(':')[0])).toEqual([
      'variable_unknown flow.stages[0].content.text',
      'variable_unknown flow.stages[0].content.locales.de.text',
      'variable_unknown flow.stages[0].followUps[1].content.text',
    ]);
  });
});

describe('what contacts lack', () => {
  const ada: Contact = { id: 'ada', name: 'Ada', phone: '+1' };
  function lacking(stages: unknown[], contacts: Contact[], mapped: string[] = []): string[] {
    const checks = new ContactChecks(contextOf(stages, { channels }), flowMessages(flowOf(stages), 'flow'), mapped);
    for (const [index, contact] of contacts.entries()) checks.look(contact, `line ${index + 2}`);
    return checks.warnings().map(({ code, path, message: words }) => `${code} ${path}: ${words}`);
  }

  test('nothing, where all is there', () => {
    expect(lacking([message('a')], [ada])).toEqual([]);
  });

  test('is counted by contact, with the first of them, and the most frequent comes first', () => {
    const stages = [
      message('a', { content: { text: '{{ contact.name }} in {{ contact.attributes.city }}' } }),
      message('b', { channel: 'push', content: { text: '{{ contact.attributes.city }}' } }),
      message('c', { content: { text: '{{ contact.name }} {{ contact.attributes.city }}' } }),
    ];
    const url = 'https://a.test/';
    const contacts = [
      { ...ada, url, attributes: { city: 'Köln' } },
      { ...ada, url, id: 17 },
      { ...ada, url, id: new ObjectId('0123456789abcdef01234567') },
      { id: 'bob', phone: '+2', attributes: { city: 'Bonn' } },
    ] as Contact[];
    expect(lacking(stages, contacts)).toEqual([
      'template_variable_missing flow.stages[0].content.text: 2 of 4 contacts lack contact.attributes.city, and there is no default: their message fails, first: id 17 at line 3; 2 more places of the flow',
      'template_variable_missing flow.stages[0].content.text: 1 of 4 contacts lack contact.name, and there is no default: their message fails, first: id bob at line 5; 1 more place of the flow',
      'address_missing flow.stages[1].channel: 1 of 4 contacts lack url, the address of channel "push": its messages are skipped, first: id bob at line 5',
    ]);
  });

  test('is asked in the language that they get', () => {
    const content = { text: 'Hi', locales: { de: { text: 'Hallo {{ contact.attributes.anrede }}' } } };
    const [found = '', ...others] = lacking([message('a', { content })], [ada, { ...ada, id: 'b', locale: 'de-AT' }]);
    expect(found).toMatch(/content\.locales\.de\.text: 1 of 2 contacts lack contact\.attributes\.anrede/);
    expect(others).toEqual([]);
  });

  test('what only rendering shows is said with its reason', () => {
    const stages = [
      message('a', {
        content: { text: '{% if contact.name == "Ada" %}{{ contact.attributes.x }}{% else %}-{% endif %}' },
      }),
      message('b', { content: { text: '{{ contact.attributes.blank }}' } }),
    ];
    const found = lacking(stages, [
      { ...ada, attributes: { blank: ' ' } },
      { ...ada, id: 'b', name: 'Bob', attributes: { blank: 'x' } },
    ]);
    expect(found).toEqual([
      expect.stringMatching(
        /^template_variable_missing flow\.stages\[0\]: the message fails for 1 of 2 contacts: .*attributes\.x/,
      ),
      expect.stringMatching(
        /^content_empty flow\.stages\[1\]: the message fails for 1 of 2 contacts: nothing is left to send/,
      ),
    ]);
  });

  test('what no contact can have, or the campaign lacks, is not counted', () => {
    const stages = [text('{{ contact.city }} {{ variables.x }}')];
    expect(lacking(stages, [ada])).toEqual([]);
    expect(lacking([text('{{ contact.city }}')], [ada], ['city'])).toEqual([expect.stringContaining('contact.city')]);
  });

  test('channels that are not configured here keep nothing from being said of the rest', () => {
    const stages = [message('a'), { id: 'w', type: 'wait', for: 'P1D' }];
    const context = contextOf(stages, { channels: new Map() });
    const checks = new ContactChecks(context, [
      ...flowMessages(flowOf(stages), 'flow'),
      { stage: 'w', step: 0, channel: 'sms', path: 'flow', templates: { base: [], locales: new Map() } },
    ]);
    checks.look({ id: 1 }, 'line 2');
    checks.look(ada, 'line 3');
    expect(checks.warnings()).toMatchObject([
      { message: expect.stringContaining('1 of 2 contacts lack contact.name') },
    ]);
  });

  test('webhooks and notifications are tried too', () => {
    const stages = [
      {
        id: 'a',
        type: 'webhook',
        channel: 'push',
        to: 'https://{{ contact.attributes.host }}',
        body: { x: '{{ contact.attributes.x }}' },
      },
      { id: 'b', type: 'webhook', channel: 'push', body: 'fine' },
      {
        ...{ id: 'c', type: 'escalate', to: 'sales', after: 'P1D' },
        notify: {
          channel: 'sms',
          to: '{% if true %}{{ contact.attributes.owner }}{% endif %}',
          content: { text: 'Hi' },
        },
      },
      { id: 'd', type: 'escalate', to: 'sales' },
    ];
    expect(lacking(stages, [ada])).toEqual([
      expect.stringMatching(/^template_variable_missing flow\.stages\[0\]\.body\.x: .*contact\.attributes\.x/),
      expect.stringMatching(/^template_variable_missing flow\.stages\[0\]\.to: .*contact\.attributes\.host/),
      expect.stringMatching(/^template_variable_missing flow\.stages\[2\]\.notify: .*owner/),
    ]);
    const attributes = { host: 'a.test', x: 1, owner: '+49' };
    expect(lacking(stages, [{ ...ada, attributes }])).toEqual([]);
  });

  test('so many kinds of failure are kept and no more', () => {
    const stages = [
      text(
        '{{ contact.attributes.n | divided_by: contact.attributes.by }}{% if true %}{{ contact.attributes[contact.name] }}{% endif %}',
      ),
    ];
    const contacts = Array.from({ length: 150 }, (_, n) => ({
      ...ada,
      id: n,
      name: `n${n}`,
      attributes: { n: 1, by: 1 },
    }));
    expect(lacking(stages, contacts).length).toBeLessThanOrEqual(100);
  });
});

test('messages of a flow: stages without any have none, follow-ups have what they do not say from their stage', () => {
  const stages = [
    message('a', {
      followUps: [{ after: 'P1D' }, { after: 'P1D', channel: 'push', content: { text: '{{ contact.id }}' } }],
    }),
    { id: 'w', type: 'wait', for: 'P1D' },
  ];
  const found = flowMessages(flowOf(stages), 'template.flow');
  expect(found.map(({ stage, step, channel, path }) => `${path} ${stage}/${step} ${channel}`)).toEqual([
    'template.flow.stages[0] a/0 sms',
    'template.flow.stages[0].followUps[0] a/1 sms',
    'template.flow.stages[0].followUps[1] a/2 push',
  ]);
  expect(found.map((one) => everyTemplate(one).map(({ path }) => path))).toEqual([
    ['template.flow.stages[0].content.text'],
    ['template.flow.stages[0].content.text'],
    ['template.flow.stages[0].followUps[1].content.text'],
  ]);
  expect(flowMessages(flowOf([message('a')]), 'flow')).toHaveLength(1);
});

describe('what decisions over a run need', () => {
  const run = { _id: 'spring', flow: flowOf([message('a')]), variables: { x: 1 }, campaign: { id: 'spring' } };

  test('is put together from what is pinned', () => {
    const { context, faults } = flowContextOf(run, { channels, worker: 'm1' });
    expect(faults).toEqual([]);
    expect(context).toMatchObject({ campaignId: 'spring', variables: { x: 1 }, worker: 'm1', flow: { entry: 'a' } });
    const leaving = flowContextOf({ ...run, unsubscribe: { mailto: 'a@b.test' } }, { channels, worker: 'm1' });
    expect(leaving.context?.unsubscribe).toMatchObject({ mailto: 'a@b.test' });
  });

  test('is not there when this release cannot compile it', () => {
    const broken = { ...run, flow: flowOf([message('a', { content: { text: '{{ oops' } })]) };
    expect(flowContextOf(broken, { channels, worker: 'm1' })).toMatchObject({
      faults: [{ code: 'template_invalid', path: 'flow.stages[0].content.text' }],
    });
  });
});

// ---------------------------------------------------------------- SMS, values

describe('length of an SMS', () => {
  test.each<[string, string, number, number]>([
    ['', 'GSM-7', 0, 1],
    ['a'.repeat(160), 'GSM-7', 160, 1],
    ['a'.repeat(161), 'GSM-7', 161, 2],
    ['a'.repeat(306), 'GSM-7', 306, 2],
    ['a'.repeat(307), 'GSM-7', 307, 3],
    ['€'.repeat(80), 'GSM-7', 160, 1],
    ['Ünïcödé'.replaceAll('ï', 'i'), 'GSM-7', 7, 1],
    // an escape and its character never part: 152 + 2 does not fit into 153
    [`${'a'.repeat(152)}€${'a'.repeat(152)}`, 'GSM-7', 306, 3],
    ['☺'.repeat(70), 'UCS-2', 70, 1],
    ['☺'.repeat(71), 'UCS-2', 71, 2],
    ['😀'.repeat(35), 'UCS-2', 70, 1],
    // nor do the halves of a pair: 33 pairs fit into 67
    ['😀'.repeat(67), 'UCS-2', 134, 3],
    ['ç', 'UCS-2', 1, 1],
  ])('%#', (source, encoding, units, segments) => {
    expect(smsLength(source)).toMatchObject({ encoding, units, segments });
  });

  test('says which characters cost the shorter alphabet', () => {
    expect(smsLength('so “good” 😀').foreign).toEqual(['“', '”', '😀']);
    expect(smsLength('αβγδεζηθικλμν').foreign).toHaveLength(10);
    expect(smsLength('fine').foreign).toEqual([]);
  });
});

test.each<[object, (string | number)[], unknown]>([
  [{ a: 1 }, ['b'], { a: 1, b: 'x' }],
  [{ a: { c: 1 } }, ['a', 'b'], { a: { c: 1, b: 'x' } }],
  [{ a: 'text' }, ['a', 'b'], { a: { b: 'x' } }],
  [{}, ['toString', 'b'], { toString: { b: 'x' } }],
  [{ a: [1] }, ['a', 2], { a: [1, undefined, 'x'] }],
  [{ a: [1, 2] }, ['a', -1], { a: [1, 'x'] }],
  [{ a: 1 }, ['a', -1], { a: ['x'] }],
])('%j with %j', (from, path, expected) => {
  const before = JSON.stringify(from);
  expect(withValue(from, path, 'x')).toEqual(expected);
  expect(JSON.stringify(from)).toBe(before);
});
