import { describe, expect, test } from '@jest/globals';
import { compileContent, renderContent } from '../../../src/domain/content.ts';

const scope = { contact: { id: 'anna', a: 'a' }, variables: {}, campaign: {} };

/** The text, or what is said against the template. */
function text(template: string): unknown {
  const { content, faults } = compileContent({ text: template }, 'content');
  if (content === undefined) return faults.map(({ message }) => message).join();
  const result = renderContent(content, scope);
  return result.kind === 'rendered' ? result.content.text : result;
}

describe('tags within tags', () => {
  const within = (levels: number, open: string, close: string): string =>
    `${open.repeat(levels)}{{ contact.a }}${close.repeat(levels)}`;
  const blocks = [
    ['{% if true %}', '{% endif %}'],
    ['{% unless false %}', '{% endunless %}'],
    ['{% for i in (1..1) %}', '{% endfor %}'],
    ['{% case 1 %}{% when 1 %}', '{% endcase %}'],
    ['{% if false %}{% else %}', '{% endif %}'],
  ] as const;

  test.each(blocks)('%s may stand in itself 100 times', (open, close) => {
    expect(text(within(100, open, close))).toBe('a');
    expect(text(within(101, open, close))).toMatch(/^tags nest deeper than 100 levels, line:1, col:\d+$/);
    expect(text(within(3_000, open, close))).toMatch(/^tags nest deeper than 100 levels/);
  });

  test.each(['{% if a %}', '{% for i in a %}', '{% tablerow i in a %}', '{% capture a %}'])(
    '%s that is never closed nests as well',
    (open) => expect(text(open.repeat(5_000))).toMatch(/^tags nest deeper than 100 levels/),
  );

  test('so do the lines of a liquid tag, and liquid in liquid', () => {
    const lines = (levels: number): string =>
      `{% liquid\n${'if true\n'.repeat(levels)}echo contact.a\n${'endif\n'.repeat(levels)}%}`;
    expect(text(lines(98))).toBe('a');
    expect(text(lines(100))).toMatch(/^tags nest deeper than 100 levels, line:101/);
    expect(text(`{% ${'liquid '.repeat(20_000)} %}`)).toMatch(/^tags nest deeper than 100 levels/);
  });

  test('what stands side by side has no levels, nor has what was refused before', () => {
    expect(text(`${'{% if true %}{% endif %}'.repeat(4_000)}a`)).toBe('a');
    expect(text(within(101, ...blocks[0]))).toMatch(/^tags nest/);
    expect(text(within(100, ...blocks[0]))).toBe('a');
  });
});

describe('brackets', () => {
  const fields = (levels: number): string => `${'contact['.repeat(levels)}"a"${']'.repeat(levels)}`;
  const ranges = (levels: number): string => `${'('.repeat(levels)}1${'..2)'.repeat(levels)}`;

  test('an output or a tag may have 500', () => {
    expect(text(`{{ ${fields(500)} }}`)).toBe('a');
    expect(text(`{% for i in ${ranges(500)} %}{% endfor %}a`)).toBe('a');
    const refused = (where: string): string =>
      `501 brackets are more than an output or a tag may have (500), line:2, ${where}`;
    expect(text(`\n {{ ${fields(501)} }}`)).toBe(refused('col:2'));
    expect(text(`\n{% if "]" == ${fields(501)} %}{% endif %}`)).toBe(refused('col:1'));
    expect(text(`\n{% for i in ${ranges(501)} %}{% endfor %}`)).toBe(refused('col:1'));
  });

  test('the next one has its own, and the text around them any number', () => {
    expect(text('{{ contact["a"] }}'.repeat(600))).toBe('a'.repeat(600));
    const around = '[('.repeat(600);
    expect(text(`${around}{{ contact.a }}{% raw %}{{ ${around}{% endraw %}`)).toBe(`${around}a{{ ${around}`);
  });
});
