import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { textMap } from '../../../src/domain/textPositions.ts';

describe('a position in a text', () => {
  test('is the line and the character, whatever ends the lines', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', ' ', '😀', 'é', '\t') }), { minLength: 1 }),
        fc.constantFrom('\n', '\r\n'),
        fc.nat(),
        fc.nat(),
        (lines, end, seedLine, seedColumn) => {
          const line = seedLine % lines.length;
          const characters = [...(lines[line] ?? '')];
          const column = seedColumn % (characters.length + 1);
          const before = lines.slice(0, line).map((text) => text + end);
          const offset = before.join('').length + characters.slice(0, column).join('').length;
          expect(textMap(lines.join(end)).positionOf(offset)).toEqual({ line: line + 1, column: column + 1 });
        },
      ),
    );
  });

  test('outside the text is its nearest end', () => {
    const map = textMap('ab\nc');
    expect(map.positionOf(-5)).toEqual({ line: 1, column: 1 });
    expect(map.positionOf(99)).toEqual({ line: 2, column: 2 });
  });
});

describe('an excerpt', () => {
  test('has the caret under the character, in a line of any length', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), fc.integer({ min: 10, max: 100 }), (before, after, width) => {
        const text = `first\r\n${'x'.repeat(before)}!${'y'.repeat(after)}\r\nlast`;
        const { line, caret } = textMap(text).excerptOf({ line: 2, column: before + 1 }, width);
        expect(line.length).toBeLessThanOrEqual(width + 2);
        expect(line[caret.length - 1]).toBe('!');
      }),
    );
  });

  test('of the end of a line, or of a line that is not there, is no error', () => {
    expect(textMap('abc').excerptOf({ line: 1, column: 4 })).toEqual({ line: 'abc', caret: '   ^' });
    expect(textMap('abc').excerptOf({ line: 9, column: 1 })).toEqual({ line: '', caret: '^' });
    expect(textMap('\ta').excerptOf({ line: 1, column: 2 })).toEqual({ line: ' a', caret: ' ^' });
  });
});
