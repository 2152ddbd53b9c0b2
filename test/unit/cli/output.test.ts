import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  count,
  createOutput,
  distance,
  type Environment,
  fitTo,
  pad,
  plural,
  safe,
  span,
  visibleLength,
} from '../../../src/cli/output.ts';
import { Recorder } from './host.ts';

const outputOf = (options: { tty?: boolean; json?: boolean; env?: Environment }) => {
  const stdout = new Recorder(options.tty);
  const stderr = new Recorder();
  return { out: createOutput({ stdout, stderr, env: options.env ?? {}, json: options.json ?? false }), stdout, stderr };
};
const esc = '\u001b';

describe('output', () => {
  test('a pipe gets padded columns and no control sequences', () => {
    const { out, stdout } = outputOf({});
    out.table(
      ['name', 'count'],
      [
        ['welcome', '2,000'],
        ['tips', '7'],
      ],
      ['left', 'right'],
    );
    out.panel(['nothing of this']);
    out.endPanel();
    expect(stdout.text).toBe('name     count\nwelcome  2,000\ntips         7\n');
  });

  test('a terminal gets frames and colours', () => {
    const { out, stdout } = outputOf({ tty: true });
    out.table(['name'], [['welcome']]);
    out.line(out.color.green('done'));
    expect(stdout.text).toContain('│ welcome │');
    expect(stdout.text).toContain(`${esc}[32mdone`);
  });

  test.each([
    ['NO_COLOR wins', { NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
    ['an empty NO_COLOR is none', { NO_COLOR: '' }, true, true],
    ['a dumb terminal has none', { TERM: 'dumb' }, true, false],
    ['FORCE_COLOR colours a pipe', { FORCE_COLOR: '1' }, false, true],
    ['FORCE_COLOR=0 is none', { FORCE_COLOR: '0' }, true, false],
    ['a pipe has none', {}, false, false],
  ])('%s', (_, env, tty, coloured) => {
    const { out } = outputOf({ env, tty });
    expect(out.color.red('x') !== 'x').toBe(coloured);
  });

  test('with --json only documents leave, failures too', () => {
    const { out, stdout, stderr } = outputOf({ json: true, tty: true });
    out.line('hidden');
    out.table(['hidden'], []);
    out.panel(['hidden']);
    out.record({ a: 1 });
    out.failure({ code: 'not_found', message: 'gone' });
    expect(stdout.text).toBe(
      `{"a":1}\n${JSON.stringify({ error: { code: 'not_found', message: 'gone' } }, undefined, 2)}\n`,
    );
    expect(stderr.text).toBe('');
  });

  test('without --json documents go nowhere and failures to stderr', () => {
    const { out, stdout, stderr } = outputOf({});
    out.value({ a: 1 });
    out.record({ a: 1 });
    out.failure({ code: 'not_found', message: 'gone' });
    expect(stdout.text).toBe('');
    expect(stderr.text).toBe('error: gone\n');
  });

  test('a panel is redrawn over itself, fits the terminal, and gives the cursor back once', () => {
    const { out, stdout } = outputOf({ tty: true });
    stdout.columns = 10;
    out.panel(['a'.repeat(30), 'b']);
    out.panel(['c']);
    out.endPanel();
    out.endPanel();
    expect(stdout.text).toBe(`${esc}[?25l${esc}[J${'a'.repeat(8)}…\nb\n${esc}[2A${esc}[Jc\n${esc}[?25h`);
  });
});

describe('text', () => {
  test('what others wrote cannot steer the terminal or break the line', () => {
    expect(safe(`a${esc}[2Jb\r\nc\u202Ed\u0085`)).toBe('a [2Jb  c d ');
    expect(safe(7)).toBe('7');
  });

  test('cutting counts what is seen and keeps colours', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'bc', `${esc}[31m`, `${esc}[0m`), { maxLength: 40 }),
        fc.integer({ min: 1, max: 20 }),
        (pieces, width) => {
          const text = pieces.join('');
          const cut = fitTo(text, width);
          expect(visibleLength(cut)).toBe(Math.min(visibleLength(text), width));
        },
      ),
    );
  });

  test('numbers and spans read well', () => {
    expect(pad('7', 3, 'right')).toBe('  7');
    expect(count(1_234_567)).toBe('1,234,567');
    expect([plural(1, 'reply', 'replies'), plural(2000, 'message')]).toEqual(['1 reply', '2,000 messages']);
    expect([distance(59_000), distance(3_900_000), distance(97_300_000)]).toEqual(['59.0 s', '1 h 5 min', '1 d 3 h']);
    expect([span(12.4), span(2400), span(60_000), span(185_000)]).toEqual(['12 ms', '2.4 s', '1 min', '3 min 5 s']);
  });
});
