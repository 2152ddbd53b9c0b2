/** The short way of a template says what the engine says: compared with the same template, made too long for the short way. */
import { expect, test } from '@jest/globals';
import { createRenderer, parseTemplate } from '../../../src/domain/liquid.ts';

const outputs = [
  ...[
    'contact.name',
    'contact.name | default: "you"',
    'contact.name | default: \'a "b" <c>\'',
    'contact.a.b | default: ""',
  ],
  ...[
    'contact.a.b.c | default: "x"',
    'nobody.there | default: "x"',
    'contact.name | default: 7',
    'contact.name | upcase',
  ],
  ...[
    'contact.name | default: contact.nick',
    'contact.name | default: "x", allow_false: true',
    'contact["name"] | default: "x"',
  ],
  ...[
    'contact.name | default: "x" | upcase',
    'contact.name.size | default: "x"',
    '"words" | default: "x"',
    'contact.name | default',
  ],
];
const contacts: object[] = [
  ...[
    {},
    { name: 'Ann' },
    { name: '' },
    { name: ' ' },
    { name: null },
    { name: undefined },
    { name: false },
    { name: 0 },
  ],
  ...[
    { name: [] },
    { name: ['a'] },
    { name: { b: 1 } },
    { name: '<b>' },
    { name: 'x', nick: 'Nick' },
    { name: '', nick: 'Nick' },
  ],
  ...[{ a: { b: 'deep' } }, { a: { b: { c: 'deeper' } } }, { a: 'text' }, { a: null }, { a: { b: '' } }],
  { name: { _bsontype: 'Code', toString: () => 'code' } },
];

function rendered(source: string, html: boolean, contact: object): string {
  try {
    const template = parseTemplate(source, html);
    return createRenderer({ contact })(template);
  } catch (error) {
    return `failed: ${(error as Error).message.replace(/line.*/s, '')}`;
  }
}

test.each(outputs)('{{ %s }}', (output) => {
  for (const html of [false, true])
    for (const contact of contacts) {
      const short = rendered(`Hi {{ ${output} }}!`, html, contact);
      const long = rendered(`Hi {{ ${output} }}!{% if true %}{% endif %}`, html, contact);
      expect({ contact, html, short }).toEqual({ contact, html, short: long });
    }
});

test.each([
  ['{{ contact.name | default: "you" }}', true],
  ['{{ contact.name }}', true],
  ['{{ contact.name | default: contact.nick }}', false],
  ['{{ contact.name | upcase }}', false],
])('%s takes the short way: %p', (source, isPlain) => {
  const template = parseTemplate(source, false);
  expect(typeof template === 'object' && template.plain !== undefined).toBe(isPlain);
});
