import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Code, DBRef, ObjectId } from 'mongodb';
import {
  compileContent,
  completeVariants,
  contentFields,
  type RenderResult,
  renderContent,
  type Scope,
} from '../../../src/domain/content.ts';
import type { Content } from '../../../src/domain/model.ts';

const scope: Scope = {
  contact: { id: 'anna', name: 'Anna', attributes: { city: 'Köln' } },
  variables: { product: 'Compass' },
  campaign: { name: 'Spring' },
};
const withAttributes = (attributes: unknown): Scope => ({
  ...scope,
  contact: { id: 'anna', attributes: attributes as Record<string, unknown> },
});

function rendered(content: Content, over: Scope = scope, locale?: string): RenderResult {
  const compiled = compileContent(content, 'content');
  expect(compiled.faults).toEqual([]);
  if (compiled.content === undefined) throw new Error('the content does not compile');
  return renderContent(compiled.content, over, locale);
}
const text = (template: string, over: Scope = scope): unknown => {
  const result = rendered({ text: template }, over);
  return result.kind === 'rendered' ? result.content.text : result;
};
const failed = (reason: string, message: unknown = expect.any(String)) => ({ kind: 'failed', reason, message });

describe('rendering', () => {
  test('fills every field, wherever the strings are', () => {
    const content = {
      subject: 'Hi {{ contact.name }}',
      text: '{{ campaign.name }}: {{ variables.product }}',
      html: '<p>{{ contact.name }}</p>',
      body: {
        to: ['{{ contact.id }}', 7, true, null],
        fixed: { a: 'b' },
        deep: { x: '{{ contact.attributes.city }}' },
      },
      attachments: [{ filename: '{{ contact.id }}.pdf', url: 'https://x.test/a.pdf' }],
    };
    expect(rendered(content)).toEqual({
      kind: 'rendered',
      content: {
        subject: 'Hi Anna',
        text: 'Spring: Compass',
        html: '<p>Anna</p>',
        body: { to: ['anna', 7, true, null], fixed: { a: 'b' }, deep: { x: 'Köln' } },
        attachments: [{ filename: 'anna.pdf', url: 'https://x.test/a.pdf' }],
      },
    });
  });

  test('leaves out what the content does not define', () => {
    expect(rendered({ text: 'x' })).toEqual({ kind: 'rendered', content: { text: 'x' } });
  });

  test('reads conversation and event where there are any', () => {
    const over = { ...scope, conversation: { stage: 'intro' }, event: { text: 'yes' } };
    expect(text('{{ conversation.stage }} {{ event.text }}', over)).toBe('intro yes');
    expect(text('{{ event.text }}')).toEqual(failed('template_variable_missing'));
  });

  test('text without Liquid stays as it is, an odd surrogate apart', () => {
    expect(text('100 % { {x} } \ud83d!')).toBe('100 % { {x} } \ufffd!');
    expect(text('{{ variables.product | slice: 0 }}\ud83d')).toBe('C\ufffd');
  });

  test('constant text comes out as it went in, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.string().filter((s) => !/\{[{%]/.test(s) && s.trim() !== ''),
        (constant) => {
          expect(text(constant)).toBe(constant);
        },
      ),
    );
  });

  test('a variable comes out as it is, in html as text', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, unit: 'binary' }).filter((s) => s.trim() !== ''),
        (name) => {
          const over = { ...scope, contact: { id: 1, name } };
          expect(text('{{ contact.name }}', over)).toBe(name.toWellFormed());
          const result = rendered({ html: '{{ contact.name }}' }, over);
          const html = result.kind === 'rendered' ? String(result.content.html) : '';
          expect(html).not.toMatch(/[<>"']/);
        },
      ),
    );
  });
});

describe('html', () => {
  const over = { ...scope, variables: { bad: `<b a="1">'&` } };
  const html = (template: string): unknown => {
    const result = rendered({ html: template }, over);
    return result.kind === 'rendered' ? result.content.html : result;
  };
  const escaped = '&lt;b a=&quot;1&quot;&gt;&#39;&amp;';

  test('escapes outputs unless the author says raw', () => {
    expect(html('<i>{{ variables.bad }}</i>')).toBe(`<i>${escaped}</i>`);
    expect(html('{% echo variables.bad %}')).toBe(escaped);
    expect(html('{{ variables.bad | raw }}')).toBe(`<b a="1">'&`);
    expect(html('{{ variables.none | raw }}')).toEqual(failed('template_variable_missing'));
  });

  test('does not escape twice what the author escapes', () => {
    expect(html('{{ variables.bad | escape }}')).toBe(escaped);
    expect(html('{{ variables.bad | xml_escape }}')).toBe(escaped);
    expect(html('{{ "&lt;&" | escape_once }}')).toBe('&lt;&amp;');
  });

  test('nothing else is escaped', () => {
    const template = '{{ variables.bad }}';
    expect(rendered({ subject: template, text: template, body: [template] }, over)).toEqual({
      kind: 'rendered',
      content: { subject: `<b a="1">'&`, text: `<b a="1">'&`, body: [`<b a="1">'&`] },
    });
  });
});

describe('what is missing', () => {
  test.each([
    '{{ contact.attributes.foo }}',
    '{{ contact.attributes.foo.bar.baz }}',
    '{{ contact.attributes.foo | upcase }}',
    '{{ nobody }}',
    '{{ nobody.there }}',
    '{{ contact.attributes.nothing }}',
    '{{ contact.attributes.nothing | upcase }}',
    '{{ contact.attributes.empty | first }}',
    '{{ nil }}',
    '{% assign x = contact.attributes.foo | upcase %}{{ x }}',
    '{% for x in contact.attributes.foo %}{{ x }}{% endfor %}',
  ])('%s fails the message', (template) => {
    const over = withAttributes({ nothing: null, empty: [] });
    expect(text(`Hello ${template}`, over)).toEqual(
      failed('template_variable_missing', expect.stringContaining('line:1')),
    );
  });

  test.each([
    '{{ contact.attributes.foo | default: "x" }}',
    '{{ contact.attributes.foo.bar.baz | default: "x" }}',
    '{{ contact.attributes.nothing | default: "x" }}',
    '{{ nobody.there.at.all | default: "x" }}',
    '{% assign y = contact.attributes.foo | default: "x" %}{{ y }}',
    '{% if contact.attributes.foo %}y{% else %}x{% endif %}',
    '{% unless contact.attributes.foo == "a" %}x{% endunless %}',
    '{% case contact.attributes.foo %}{% when "a" %}y{% else %}x{% endcase %}',
  ])('%s rescues it', (template) => {
    expect(text(template, withAttributes({ nothing: null }))).toBe('x');
    expect(text(template, { ...scope, contact: { id: 1 } })).toBe('x');
  });

  test('the message names the variable as the author wrote it', () => {
    const message = 'undefined variable: contact.attributes.first["a b"], line:2, col:4';
    expect(text('Hi\n{{ contact.attributes.first["a b"] }}', { ...scope, contact: { id: 1 } })).toEqual(
      failed('template_variable_missing', message),
    );
  });

  test('an explicit empty default is not missing', () => {
    expect(text('a{{ contact.attributes.foo | default: "" }}b')).toBe('ab');
  });

  test('list items need not all have the field a filter asks for', () => {
    const over = withAttributes({ list: [{ a: 1 }, { b: 2 }, { a: null }] });
    expect(text('{{ contact.attributes.list | where: "a" | size }}', over)).toBe('1');
  });
});

describe('values', () => {
  const objectId = { _bsontype: 'ObjectId', toString: () => '65f0c0ffee' };
  const decimal = { _bsontype: 'Decimal128', toString: () => '19.90' };
  const over = {
    ...scope,
    variables: {
      at: new Date('2026-01-05T09:00:00Z'),
      broken: new Date(Number.NaN),
      objectId,
      decimal,
      big: 2n ** 60n,
    },
  };

  test.each([
    ['{{ variables.at }}', '2026-01-05T09:00:00.000Z'],
    ['{{ variables.at | date: "%d.%m.%Y %H:%M" }}', '05.01.2026 09:00'],
    ['{{ variables.at | date: "%H:%M", "Asia/Tokyo" }}', '18:00'],
    ['{{ variables.at | date: "%A" }}', 'Monday'],
    ['{{ variables.objectId }}', '65f0c0ffee'],
    ['{% if variables.objectId == "65f0c0ffee" %}same{% endif %}', 'same'],
    ['{{ variables.decimal }} {{ variables.decimal | plus: 1 }}', '19.90 20.9'],
    ['{% if variables.decimal > 5 %}more{% endif %}', 'more'],
    ['{{ variables.big }}', '1152921504606846976'],
    ['{{ 1.5 }} {{ true }} {{ false }}{{ empty }}', '1.5 true false'],
  ])('%s gives %s', (template, expected) => {
    expect(text(template, over)).toBe(expected);
  });

  test('lists are joined and objects shown as JSON', () => {
    const list = withAttributes({ list: ['a', null, 1, { b: 2 }, decimal], object: { a: [1] } });
    expect(text('{{ contact.attributes.list }}', list)).toBe('a1{"b":2}19.90');
    expect(text('{{ contact.attributes.object }}', list)).toBe('{"a":[1]}');
  });

  test('what cannot be shown fails the message', () => {
    expect(text('{{ variables.broken }}', over)).toEqual(failed('template_error'));
    expect(text('{{ variables.at | date: "%H", "Nowhere/Land" }}', over)).toEqual(failed('template_error'));
  });

  test('values with a class pass through a body untouched', () => {
    class Binary {}
    const [at, binary] = [new Date(0), new Binary()];
    const result = rendered({ body: { at, binary, n: null, x: '{{ contact.name }}' } });
    expect(result).toEqual({ kind: 'rendered', content: { body: { at, binary, n: null, x: 'Anna' } } });
  });
});

describe('no prototype is reachable', () => {
  test.each([
    '{{ contact.constructor }}',
    '{{ contact.__proto__ }}',
    '{{ contact["constructor"]["name"] }}',
    '{{ constructor }}',
    '{{ __proto__ }}',
    '{{ contact.name.constructor }}',
    '{{ contact.attributes.list.constructor }}',
    '{{ contact.attributes.list | first | map: "constructor" | first }}',
  ])('%s is missing', (template) => {
    expect(text(template, withAttributes({ list: [{}] }))).toEqual(failed('template_variable_missing'));
  });

  test('keys of documents that look like one are plain keys', () => {
    const over = withAttributes(JSON.parse('{ "__proto__": { "x": 1 }, "constructor": "mine" }'));
    expect(text('{{ contact.attributes.__proto__.x }}{{ contact.attributes.constructor }}', over)).toBe('1mine');
    const body: unknown = JSON.parse(
      '{ "__proto__": { "polluted": "{{ contact.id }}" }, "constructor": "{{ contact.id }}" }',
    );
    const result = rendered({ body });
    const made = result.kind === 'rendered' ? (result.content.body as object) : {};
    expect(Object.getOwnPropertyNames(made)).toEqual(['__proto__', 'constructor']);
    expect(JSON.stringify(made)).toBe('{"__proto__":{"polluted":"anna"},"constructor":"anna"}');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('a template cannot change what others read', () => {
    const content = {
      subject: '{% increment contact %}{% assign variables = 1 %}',
      text: '{{ contact.name }} {{ variables.product }}',
    };
    expect(rendered(content)).toEqual({ kind: 'rendered', content: { subject: '0', text: 'Anna Compass' } });
    expect(scope.contact.name).toBe('Anna');
  });
});

describe('limits', () => {
  const long = 'x'.repeat(1_000_000);
  const needle = `${long.slice(0, 1000)}y${long.slice(0, 50_000)}`;
  const big: Scope = {
    ...scope,
    contact: { id: 1, list: Array.from({ length: 5_000 }, () => ({})) } as unknown as Scope['contact'],
    variables: { big: long, half: `${long.slice(0, 1000)}y`, needle, path: 'a.'.repeat(100_000), item: { name: long } },
  };
  /** A list that holds itself twice, many times over. */
  const doubled = (step: string): string =>
    `{% assign a = "a,b" | split: "," %}{% for i in (1..30) %}{% assign a = ${step} %}{% endfor %}`;
  // jest takes long over names and rows of this length
  const tooFar = [
    ['{% for i in (1..3000000) %}{{ i }}{% endfor %}'],
    ['{% for i in (1..1000) %}{% for j in (1..1000) %}x{% endfor %}{% endfor %}'],
    ['{% for i in (1..9999) %}{{ variables.big }}{% endfor %}'],
    ['{% assign s = "ab" %}{% for i in (1..99) %}{% assign s = s | append: s %}{% endfor %}{{ s }}'],
    [`{% for i in (1..100) %}${'y'.repeat(100_000)}{% endfor %}`],
    [`{% for i in (1..9999) %}{{ variables.big | url_encode | size }}{% endfor %}`],
    ['{{ "now" | date: "%999999999d" }}'],
    ['{% assign a = (1..1000000) %}{{ a | has: "x" }}{{ a | find: "x" }}{{ a | find_index: "x" }}{{ a | sum: "x" }}'],
    ['{% assign a = (1..50000) %}{% for i in (1..9999) %}{% if a contains 0 %}{% endif %}{% endfor %}'],
    ['{% assign a = (1..50000) %}{% for i in (1..9999) %}{% if a != a %}{% endif %}{% endfor %}'],
    ['{% assign a = (1..50000) %}{% for i in (1..9999) %}{% if a < a %}{% endif %}{% endfor %}'],
    ['{% assign a = (1..50000) %}{% for i in (1..9999) %}{% case a %}{% when 1, a %}{% endcase %}{% endfor %}'],
    [`${doubled('a | push: a')}{{ a }}`],
    [`${doubled('a | unshift: a')}{{ a | raw }}`],
    [`${doubled('a | push: a')}{{ a | json }}`],
    [`${doubled('a | push: a')}{{ a | upcase }}`],
    [`${doubled('a | push: a')}{{ a | join }}`],
    [`${doubled('a | push: a')}{% if a == a %}{% endif %}`],
    [`${doubled('a | push: a')}{% case a %}{% when a %}{% endcase %}`],
    [`${doubled('a | push: a')}{% for i in (a..1) %}{% endfor %}`],
    [`${doubled('a | push: a')}{{ contact[a] }}`],
    [`${doubled('a | push: a')}{{ [a] }}`],
    [`${doubled('a | concat: a | group_by: "x"')}{{ a }}`],
    [
      `{% assign a = "" | split: "" | push: variables.item %}{% for i in (1..19) %}{% assign a = a | concat: a %}{% endfor %}{{ a | sort_natural: "name" | size }}`,
    ],
    [`{{ contact.list | map: variables.path | size }}`],
    [
      `{% assign needle = variables.big | slice: 0, 50000 | prepend: variables.half %}{{ variables.big | split: needle }}`,
    ],
    [`{% if variables.big contains variables.needle %}{% endif %}`],
    [`{% for i in (1..9999) %}{{ variables.big ${'| size'.repeat(20_000)} }}{% endfor %}`],
    [`{% assign d = "2026-01-01" %}{% for i in (1..9) %}{{ d ${'| date: "%B"'.repeat(9_000)} }}{% endfor %}`],
    [`{% for i in (1..9999) %}{% case 0 %}{% when ${'1,'.repeat(90_000)}2 %}{% endcase %}{% endfor %}`],
  ].flat();
  test.each(tooFar.map((_, n) => n))('a template that goes too far ends soon (%i)', (n) => {
    const template = String(tooFar[n]);
    // its own time, whatever else the machine does, µs
    const before = process.cpuUsage();
    expect(text(template, big)).toEqual(failed('template_error'));
    expect(process.cpuUsage(before).user).toBeLessThan(5_000_000);
  });

  test('outputs and tags have an end, the text around them has not', () => {
    const said = (text: string): unknown => compileContent({ text }, 'content').faults;
    const long = `{{ "${'x'.repeat(200_000)}" }}`;
    expect(said(long)).toMatchObject([{ message: expect.stringContaining('more than a template may have (200000)') }]);
    expect(said(`{{ "}}" ${'| size '.repeat(30_000)} }}`)).toHaveLength(1);
    expect(said(`${'x'.repeat(400_000)}{{ contact.name }}`)).toEqual([]);
  });

  test('a list is no name of a field', () => {
    const named = failed('template_error', expect.stringContaining('a list or an object is no name of a field'));
    for (const template of [
      '{{ contact[variables.list] }}',
      '{{ [variables.list] }}',
      '{{ contact[contact.attributes] }}',
    ])
      expect(text(template, { ...scope, variables: { list: ['name'] } })).toEqual(named);
  });

  test.each(['where', 'reject', 'group_by', 'has', 'find', 'find_index'])('there is no filter %s_exp', (name) => {
    const { faults } = compileContent({ text: `{{ contact.list | ${name}_exp: 'x', 'x == 1' }}` }, 'content');
    expect(faults).toMatchObject([{ path: 'content.text', message: expect.stringContaining(`${name}_exp`) }]);
  });

  test('what an author does with a list of a thousand is far inside', () => {
    const items = Array.from({ length: 1_000 }, (_, n) => ({
      name: `item ${n}`,
      price: n,
      kind: `k${n % 10}`,
      note: 'x'.repeat(40),
    }));
    const template = `{% assign kinds = variables.items | group_by: "kind" %}{% for kind in kinds %}{% assign those = variables.items | where: "kind", kind.name | sort: "price" | reverse %}{% for item in those %}{{ item.name | upcase | replace: "ITEM", "No." | truncate: 20 }}{% if item.note contains "y" or item.price == 7 %}!{% endif %}{% endfor %}{% endfor %}{{ variables.items | map: "price" | sum }} {% case variables.items.size %}{% when 1, 2 %}few{% when 1000 %}many{% endcase %}`;
    expect(text(template, { ...scope, variables: { items } })).toMatch(
      /^No\. 990No\. 980.*No\. 17No\. 7!.*499500 many$/,
    );
  });

  test('they hold for all templates of a message together', () => {
    const body = Array.from({ length: 30 }, () => '{% for i in (1..1000) %}x{% endfor %}');
    expect(rendered({ body })).toEqual(failed('template_error'));
  });

  test('a newsletter of 300 KB is far inside', () => {
    const row = `<tr><td>{{ contact.name }}</td><td>${'x'.repeat(250)}</td></tr>`;
    const html = row.repeat(1_000);
    const result = rendered({ html });
    expect(result.kind === 'rendered' && result.content.html?.length).toBe(
      html.length - 1_000 * '{{ contact.name }}'.length + 4_000,
    );
  });
});

describe('empty content', () => {
  test.each<[string, Content]>([
    ['nothing', {}],
    ['white space', { text: ' \n\t ', html: '', subject: '  ' }],
    ['what renders to nothing', { text: '{% if contact.none %}x{% endif %} ' }],
    ['a hollow body', { body: { a: ' ', b: [null, ''], c: {} } }],
    ['attachments alone', { attachments: [{ url: 'https://x.test' }] }],
  ])('%s is content_empty', (_name, content) => {
    expect(rendered(content)).toEqual(failed('content_empty'));
  });

  test.each<Content>([
    { text: 'x' },
    { subject: 'x', text: '' },
    { body: { a: false } },
    { body: 0 },
    { body: [' ', { x: '.' }] },
  ])('%j is not', (content) => {
    expect(rendered(content).kind).toBe('rendered');
  });
});

describe('locales', () => {
  const content: Content = {
    subject: 'Hello',
    text: 'Hello',
    html: '<p>Hello</p>',
    locales: {
      de: { subject: 'Hallo', text: 'Hallo', html: '<p>Hallo</p>' },
      'de-AT': { subject: 'Servus' },
      pt_BR: { text: 'Oi' },
      nothing: {},
    },
  };
  const inLocale = (locale: string | undefined, over: Scope = scope): unknown => {
    const result = rendered(content, over, locale);
    return result.kind === 'rendered' ? result.content : result;
  };

  test('the longest tag that fits wins', () => {
    expect(inLocale('de')).toEqual({ subject: 'Hallo', text: 'Hallo', html: '<p>Hallo</p>' });
    expect(inLocale('DE-ch-1996')).toEqual({ subject: 'Hallo', text: 'Hallo', html: '<p>Hallo</p>' });
    expect(inLocale('fr-FR')).toEqual({ subject: 'Hello', text: 'Hello', html: '<p>Hello</p>' });
    expect(inLocale('')).toEqual({ subject: 'Hello', text: 'Hello', html: '<p>Hello</p>' });
  });

  test('a variant takes from the content what it does not say, but never the other form of its text', () => {
    expect(inLocale('de-AT')).toEqual({ subject: 'Servus', text: 'Hello', html: '<p>Hello</p>' });
    expect(inLocale('pt-BR')).toEqual({ subject: 'Hello', text: 'Oi' });
    expect(inLocale('nothing')).toEqual({ subject: 'Hello', text: 'Hello', html: '<p>Hello</p>' });
  });

  test('the contact’s own locale is the default', () => {
    const german = { ...scope, contact: { id: 1, locale: 'de-DE' } };
    expect(inLocale(undefined, german)).toMatchObject({ subject: 'Hallo' });
    expect(inLocale('fr', german)).toMatchObject({ subject: 'Hello' });
  });

  test('completeVariants tells what each of them comes to', () => {
    const variants = completeVariants(content);
    expect(variants.map(({ at }) => at)).toEqual([
      '',
      '.locales.de',
      '.locales.de-AT',
      '.locales.pt_BR',
      '.locales.nothing',
    ]);
    expect(variants.map(({ content: each }) => contentFields(each))).toEqual([
      ['subject', 'text', 'html'],
      ['subject', 'text', 'html'],
      ['subject', 'text', 'html'],
      ['subject', 'text'],
      ['subject', 'text', 'html'],
    ]);
  });
});

describe('compileContent', () => {
  test('says every template that does not parse, with its path, line and column', () => {
    const content = {
      subject: '{{ contact.name',
      text: 'fine\n  {% if x %}',
      body: { a: ['', '{{ x | nofilter }}'], 'b c': '{% nosuch %}' },
      attachments: [{ url: '{% endif %}' }],
      locales: { de: { text: '{{' }, 'x y': { html: '{% for %}{% endfor %}' } },
    };
    const { faults, content: compiled } = compileContent(content, 'flow.stages[2].content');
    expect(compiled).toBeUndefined();
    expect(faults.map(({ path }) => path)).toEqual([
      'flow.stages[2].content.subject',
      'flow.stages[2].content.text',
      'flow.stages[2].content.body.a[1]',
      'flow.stages[2].content.body["b c"]',
      'flow.stages[2].content.attachments[0].url',
      'flow.stages[2].content.locales.de.text',
      'flow.stages[2].content.locales["x y"].html',
    ]);
    expect(new Set(faults.map(({ code }) => code))).toEqual(new Set(['template_invalid']));
    expect(faults[1]?.message).toBe('tag {% if x %} not closed, line:2, col:3');
    expect(faults.every(({ message }) => /line:\d+, col:\d+/.test(message))).toBe(true);
  });

  test.each(['include "a"', 'render "../../etc/passwd"', 'layout "a"', 'block a'])('{%% %s %%} is refused', (tag) => {
    const { faults } = compileContent({ text: `{% ${tag} %}` }, 'content');
    expect(faults).toEqual([
      {
        code: 'template_invalid',
        path: 'content.text',
        message: expect.stringContaining('is not available'),
      },
    ]);
  });

  test.each([
    ['{{ contact.name | sample }}', 'undefined filter'],
    ['{{ a }}'.repeat(10_001), 'outputs and tags'],
    [`{{ a }}${'x'.repeat(2_000_001)}`, 'parse length'],
    ['{% if a %}'.repeat(9_999), 'deeper than 100 levels, line:1'],
  ])('a template that is too much is refused (%#)', (template, message) => {
    const { faults } = compileContent({ text: template }, 'content');
    expect(faults).toEqual([
      { code: 'template_invalid', path: 'content.text', message: expect.stringContaining(message) },
    ]);
  });

  test('a body nests 100 deep at most', () => {
    const nest = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
    expect(compileContent({ body: nest(100) }, 'content').faults).toEqual([]);
    expect(compileContent({ body: nest(5_000) }, 'content').faults).toMatchObject([{ code: 'template_invalid' }]);
  });

  test.each([
    [7, 'content'],
    [null, 'content'],
    [undefined, 'content'],
    [[], 'content'],
    [{ text: 7 }, 'content.text'],
    [{ html: {} }, 'content.html'],
    [{ locales: { de: 'Hallo' } }, 'content.locales.de'],
  ])('%j is refused', (content, path) => {
    expect(compileContent(content as unknown as Content, 'content').faults).toMatchObject([
      { code: 'template_invalid', path },
    ]);
  });

  test('never throws', () => {
    fc.assert(
      fc.property(
        fc.object({ key: fc.constantFrom('text', 'html', 'body', 'locales', 'de', '__proto__', 'attachments') }),
        (any) => {
          const { content, faults } = compileContent(any as Content, 'content');
          expect(content === undefined).toBe(faults.length > 0);
          if (content !== undefined) expect(['rendered', 'failed']).toContain(renderContent(content, scope).kind);
        },
      ),
    );
  });
});

test('contentFields names what a content defines; what is blank is not there', () => {
  expect(contentFields({ text: ' ', html: '{{ x }}', body: {}, attachments: [], subject: 's' })).toEqual([
    'subject',
    'html',
  ]);
  expect(contentFields({ text: 'a', body: 0, attachments: [{ url: 'u' }] })).toEqual(['text', 'body', 'attachments']);
  expect(contentFields({ text: null } as unknown as Content)).toEqual([]);
});

describe('the short way for templates that only print fields', () => {
  const names = ['a', 'size', 'first', 'x-y', '0', 'toString', '__proto__'];
  const leaf = fc.oneof(
    fc.string({ unit: fc.constantFrom('<', '&', 'é', '\ud800', ' ', 'z', '{') }),
    fc.constantFrom(0, true, null, undefined, 3.5),
    fc.date({ noInvalidDate: true }),
  );
  const data = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('value'), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 3 }),
    ),
  })).value;
  const path = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 });
  const parts = fc.array(
    fc.oneof(
      path.map(
        (props) => `{{ variables${props.map((name) => (/^\w+$/.test(name) ? `.${name}` : `["${name}"]`)).join('')} }}`,
      ),
      fc.constantFrom(
        'text ',
        ' {{- variables.a -}} ',
        '{{ variables.a | raw }}',
        '{{ variables.a | upcase }}',
        '{{ "b" }}',
      ),
    ),
    { minLength: 1, maxLength: 4 },
  );

  test('says the same as the engine, failures included', () => {
    fc.assert(
      fc.property(parts, data, fc.constantFrom('text', 'html'), (pieces, value, field) => {
        const over: Scope = { ...scope, variables: { a: 'A', ...(value as object) } };
        const template = pieces.join('');
        // an empty loop changes nothing, but is no plain template
        const long = rendered({ [field]: `${template}{% for i in (1..0) %}{% endfor %}` }, over);
        expect(rendered({ [field]: template }, over)).toEqual(long);
      }),
      { numRuns: 2000 },
    );
  });

  test('counts against the same budget', () => {
    const many = '{{ contact.name }}'.repeat(5_000);
    const body = (count: number) => ({ body: Array.from({ length: count }, () => many) });
    expect(rendered(body(4))).toMatchObject({ kind: 'rendered' });
    expect(rendered(body(5))).toEqual(failed('template_error', expect.stringContaining('parts to render')));
  });

  test.each([
    ['a DBRef', '{{ variables.x.collection }}', new DBRef('people', new ObjectId())],
    ['code', '{{ variables.x.code }}', new Code('secret()')],
    ['anything that says it is of BSON', '{{ variables.x.name }}', { _bsontype: 'Thing', name: 'n' }],
  ])('%s has no fields, the short way as the long one', (_, template, x) => {
    expect(text(template, { ...scope, variables: { x } })).toEqual(failed('template_variable_missing'));
  });

  test('takes it for a plain template', () => {
    const content = compileContent({ text: 'Hi {{ contact.name }}, {{ variables.product }}' }, 'content').content;
    expect(content?.base.text).toMatchObject({
      plain: ['Hi ', { path: ['contact', 'name'] }, ', ', { path: ['variables', 'product'] }],
    });
  });
});
