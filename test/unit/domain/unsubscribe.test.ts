import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  compileUnsubscribe,
  lackingLinks,
  linkUses,
  unsubscribeHeaders,
  unsubscribeLinks,
} from '../../../src/domain/unsubscribe.ts';

const scope = { contact: { id: 'ada', name: 'Ada' }, variables: { list: 'news' }, campaign: { id: 'spring' } };
const headersOf = (given: Record<string, unknown>, token: string | undefined = 'T0ken-_') => {
  const { compiled, faults } = compileUnsubscribe(given);
  expect(faults).toEqual([]);
  const result = unsubscribeLinks(compiled, scope, token);
  return result.kind === 'rendered' ? unsubscribeHeaders(result.links) : result;
};

describe('given both, when a message is rendered', () => {
  test('then it has the headers of RFC 2369 and RFC 8058', () => {
    const given = {
      url: 'https://a.test/u/{{ token }}?l={{ variables.list }}',
      mailto: 'stop@a.test?subject={{ token }}',
    };
    expect(headersOf(given)).toEqual({
      'List-Unsubscribe': '<mailto:stop@a.test?subject=T0ken-_>, <https://a.test/u/T0ken-_?l=news>',
      'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
    });
  });

  test('then one by mail alone has no one-click', () => {
    expect(headersOf({ mailto: 'mailto:stop@müller.test' })).toEqual({
      'List-Unsubscribe': '<mailto:stop@xn--mller-kva.test>',
    });
    expect(headersOf({})).toEqual({});
  });

  test('then nothing of a contact ends the brackets, the list or the line', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'a<>,; \r\n\0"ü\ud83d\\') }), (name) => {
        const { compiled } = compileUnsubscribe({
          url: 'https://a.test/?n={{ contact.name }}',
          mailto: 'stop@a.test?subject={{ contact.name }}',
        });
        const result = unsubscribeLinks(compiled, { ...scope, contact: { id: 1, name } }, undefined);
        expect(result.kind === 'rendered' && unsubscribeHeaders(result.links)['List-Unsubscribe']).toMatch(
          /^<mailto:stop@a\.test\?subject=[!-+\--;=?-~]*>, <https:\/\/a\.test\/\?n=[!-+\--;=?-~]*>$/,
        );
      }),
    );
  });

  test.each([
    [{ url: 'https://a.test/{{ contact.code }}' }, 'template_variable_missing', /^unsubscribe: undefined variable/],
    [{ url: 'https://a.test/{{ token }}' }, 'template_variable_missing', /token/],
    [{ url: '{{ contact.name }}' }, 'template_error', /unsubscribe.url has to be an https/],
    [{ url: 'https://{{ contact.name }}:x/' }, 'template_error', /https/],
    [{ url: `https://a.test/${'a'.repeat(900)}{{ contact.name }}` }, 'template_error', /https/],
    [{ mailto: '{{ contact.name }}' }, 'template_error', /unsubscribe.mailto has to be a mail address/],
    [{ url: 'https://a.test/{% for n in (1..30000) %}n{% endfor %}' }, 'template_error', /^unsubscribe: /],
  ])('then %j fails it with %s', (given, reason, message) => {
    const { compiled } = compileUnsubscribe(given);
    expect(unsubscribeLinks(compiled, scope, undefined)).toEqual({
      ...{ kind: 'failed', reason, message: expect.stringMatching(message) },
    });
  });
});

test.each([
  [{ url: 'http://a.test' }, ['not_allowed unsubscribe.url']],
  [{ url: 'https://' }, ['not_allowed unsubscribe.url']],
  [{ url: 'javascript:alert(1)', mailto: 'nobody' }, ['not_allowed unsubscribe.url', 'not_allowed unsubscribe.mailto']],
  [{ url: '{{ nope', mailto: 7 }, ['template_invalid unsubscribe.url']],
  [{ url: 'https://a.test/{{ token }}' }, ['hash_key_missing unsubscribe.url']],
  [{ url: 'https://a.test/{{ "x" | append: token }}' }, ['hash_key_missing unsubscribe.url']],
  [{ url: 'https://a.test/{{ contact.token | url_encode }}' }, []],
  [{ url: 'https://a.test/{{ contact.my_token }}' }, []],
  [{ url: 'https://a.test/{{ contact.id }}' }, []],
])('at the start, without HASH_KEY: %j has the faults %j', (given, faults) => {
  const found = compileUnsubscribe(given, false).faults;
  expect(found.map(({ code, path }) => `${code} ${path}`)).toEqual(faults);
});

test.each([
  [undefined, ['url', 'mailto']],
  [{ url: 'https://a.test' }, ['mailto']],
  [{ url: null, mailto: 'stop@a.test' }, ['url']],
])('given %j, what it lacks is %j', (given, lacking) => {
  expect(lackingLinks(given)).toEqual(lacking);
});

test('what prints a link whatever happens is found, wherever it stands', () => {
  const content = {
    subject: 'Hi',
    text: '{{ unsubscribe.url }} or {{- unsubscribe.mailto | escape -}}',
    html: '{{ unsubscribe.url | default: "https://a.test" }} {{ unsubscribe.urls }} unsubscribe.url',
    body: { list: [7, null, '{{unsubscribe.url}}'] },
    locales: { de: { text: '{% if unsubscribe.url %}{{ unsubscribe.url }}{% endif %}' } },
  };
  expect(linkUses(content, 'content')).toEqual([
    { path: 'content.text', field: 'url' },
    { path: 'content.text', field: 'mailto' },
    { path: 'content.body.list[2]', field: 'url' },
  ]);
  let deep: unknown = '{{ unsubscribe.url }}';
  for (let n = 0; n < 200; n += 1) deep = [deep];
  expect(linkUses(deep, 'content')).toEqual([]);
});
