import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import YAML from 'yaml';
import { formatOf } from '../../../../src/cli/document/campaignText.ts';
import { parseCampaign, readCampaignFile } from '../../../../src/cli/document/document.ts';
import { isObjectId } from '../../../../src/domain/ids.ts';
import { childPath } from '../../../../src/domain/validationView.ts';

describe('a campaign file', () => {
  test('ISO instants in the known date fields become dates, others stay text', () => {
    const { document, faults } = parseCampaign(
      JSON.stringify({
        schedule: { startAt: '2026-01-05T09:00:00+01:00', endAt: '2026-02-05T09:00Z' },
        variables: { day: '2026-01-05T09:00:00Z' },
      }),
    );
    expect(faults).toEqual([]);
    expect(document).toEqual({
      schedule: { startAt: new Date('2026-01-05T08:00:00Z'), endAt: new Date('2026-02-05T09:00:00Z') },
      variables: { day: '2026-01-05T09:00:00Z' },
    });
  });

  test.each(['2026-01-05T09:00:00', '2026-01-05', 'tomorrow', '2026-13-45T09:00:00Z', '2026-02-30T09:00:00Z'])(
    'a date of %s is refused with its path: the zone of this machine decides nothing',
    (startAt) => {
      const { faults } = parseCampaign(JSON.stringify({ schedule: { startAt } }));
      expect(faults).toMatchObject([{ code: 'date_invalid', path: 'schedule.startAt' }]);
      expect(faults[0]?.message).toContain(startAt);
    },
  );

  test('extended JSON becomes BSON', () => {
    const { document } = parseCampaign(
      '{"_id": {"$oid": "507f1f77bcf86cd799439011"}, "audience": {"filter": {"since": {"$gte": {"$date": "2026-01-01T00:00:00Z"}}}}}',
    );
    expect(isObjectId(document?.['_id'])).toBe(true);
    expect(document?.['audience']).toEqual({ filter: { since: { $gte: new Date('2026-01-01T00:00:00Z') } } });
  });

  test.each([
    ['{"a": ', 'not_json'],
    ['[1]', 'document_invalid'],
    ['"text"', 'document_invalid'],
    ['{"$oid": "507f1f77bcf86cd799439011"}', 'document_invalid'],
    ['{"$oid": "nonsense"}', 'not_extended_json'],
    ['', 'not_json'],
  ])('%s is a fault, not a crash', (text, code) => {
    expect(parseCampaign(text)).toMatchObject({ document: undefined, faults: [{ code, path: '' }] });
  });

  test('a byte order mark is no fault', () => {
    expect(parseCampaign('\uFEFF{"_id": "a"}').document).toEqual({ _id: 'a' });
  });

  test('a file that is not there is wrong use', async () => {
    await expect(readCampaignFile('/nowhere/campaign.json')).rejects.toMatchObject({ code: 'usage' });
    await expect(readCampaignFile('/')).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('YAML', () => {
  test('says the same as JSON', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        fc.constantFrom('yes', 'null', '2026-01-01', '0x1f', '- a', '<b', '"', "'", '#', 'a: b', '\u2028', '😀'),
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('any'), { maxLength: 4 }),
        fc.dictionary(
          fc.string().filter((key) => key !== '<<' && key !== '__proto__' && !key.startsWith('$')),
          tie('any'),
          { maxKeys: 4 },
        ),
      ),
    })).any;
    fc.assert(
      fc.property(fc.record({ variables: value, name: value }), (campaign) => {
        const read = parseCampaign(YAML.stringify(campaign), 'yaml');
        expect(read.faults).toEqual([]);
        expect(read.document).toEqual(parseCampaign(JSON.stringify(campaign)).document);
      }),
    );
  });

  test('dates, Extended JSON, anchors and comments are read', () => {
    const { document, faults } = parseCampaign(
      [
        '# spring',
        '_id: {$oid: 507f1f77bcf86cd799439011}',
        'schedule: { startAt: 2026-01-05T09:00:00+01:00 }',
        'variables: { a: &text Hello, b: *text, yes: yes, n: 010 }',
      ].join('\r\n'),
      'yaml',
    );
    expect(faults).toEqual([]);
    expect(isObjectId(document?.['_id'])).toBe(true);
    expect(document).toMatchObject({
      schedule: { startAt: new Date('2026-01-05T08:00:00Z') },
      variables: { a: 'Hello', b: 'Hello', yes: 'yes', n: 10 },
    });
  });

  const longKeys = Array.from({ length: 100 }, (_, n) => `${'x'.repeat(900)}${n}: 1`).join(', ');
  const laughs = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    .concat(Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(10).fill(`*a${n}`).join(', ')}]`))
    .join('\n');
  test.each([
    ['a: 1\nb: 2\na: 3', 'duplicate_key', 3, 1],
    ['1: a\n"1": b', 'duplicate_key', 2, 1],
    ['a: [1\nb: 2', 'not_yaml', 2, 1],
    ['a: !secret 1', 'not_yaml', 1, 4],
    ['a: !!binary aGk=', 'not_yaml', 1, 4],
    ['a: !!set { b }', 'not_yaml', 1, 4],
    ['a: !!omap [b: 1]', 'not_yaml', 1, 4],
    ['a: !!timestamp 2026-01-01', 'not_yaml', 1, 4],
    ['a: 1\n---\nb: 2', 'not_yaml', 2, 1],
    ['a:\n\t- 1', 'not_yaml', 2, 1],
    ['a: *none', 'not_yaml', 1, 4],
    ['a: &x [*x]', 'not_yaml', 1, 8],
    ['b: &b {c: 1}\na:\n  <<: *b', 'not_yaml', 3, 3],
    ['a: .inf', 'number_inexact', 1, 4],
    ['a: 12345678901234567890', 'number_inexact', 1, 4],
    ['? [1]\n: 2', 'not_yaml', 1, 3],
    [laughs, 'not_yaml', 1, 1],
    [`a: &a ${'x'.repeat(400_000)}\nb: [${Array(200).fill('*a').join(', ')}]`, 'not_yaml', 1, 1],
    [`a: &a { ${longKeys} }\nb: [${Array(700).fill('*a').join(', ')}]`, 'not_yaml', 1, 1],
    ['x'.repeat(4_000_001), 'not_yaml', 1, 1],
    ['- a', 'document_invalid', 1, 1],
    ['', 'document_invalid', 1, 1],
    ['a: { $oid: nonsense }', 'not_extended_json', 1, 1],
  ])('%# is refused where it stands', (text, code, line, column) => {
    expect(parseCampaign(text, 'yaml').faults).toMatchObject([{ code, line, column }]);
  });
});

test('many aliases cost little, and too many are refused', () => {
  const text = (count: number): string => `a: &a [1]\nb: [${Array(count).fill('*a').join(', ')}]\nc: { d: *a }`;
  const before = process.cpuUsage();
  const { document, faults, place } = parseCampaign(text(10_000 - 1), 'yaml');
  expect(faults).toEqual([]);
  expect(document).toMatchObject({ b: { length: 9_999 }, c: { d: [1] } });
  expect(place({ code: 'x', path: 'b[9000][0]', message: '' })).toMatchObject({ line: 1, column: 8 });
  expect(process.cpuUsage(before).user).toBeLessThan(5_000_000);
  expect(parseCampaign(text(10_000), 'yaml').faults).toMatchObject([{ message: 'has more than 10,000 aliases' }]);
});

test('an alias means the last anchor of its name above it', () => {
  const { document } = parseCampaign('a: &x 1\nb: *x\nc: &x { d: 2 }\ne: [*x, &x 3, *x]\n&x k: *x', 'yaml');
  expect(document).toEqual({ a: 1, b: 1, c: { d: 2 }, e: [{ d: 2 }, 3, 3], k: 'k' });
});

test('what is nested without end is a fault, not a crash', () => {
  expect(parseCampaign('['.repeat(100_000)).faults).toMatchObject([{ code: 'not_json' }]);
  for (const depth of [101, 500, 1000, 2000, 4000, 8000])
    expect(parseCampaign(`{"a": ${'['.repeat(depth)}${']'.repeat(depth)}}`)).toMatchObject({
      document: undefined,
      faults: [{ message: 'is nested far deeper than any campaign' }],
    });
  expect(parseCampaign(`{"a": ${'['.repeat(99)}${']'.repeat(99)}}`).faults).toEqual([]);
  expect(parseCampaign(`a: ${'['.repeat(50_000)}`, 'yaml').faults).toMatchObject([{ code: 'not_yaml' }]);
});

describe('places', () => {
  test.each([
    ['{"a": 1,\n "a": 2}', 'duplicate_key', 2, 2],
    ['{"a": 1\n "b": 2}', 'not_json', 2, 2],
    ['{"a": 1,\n}', 'not_json', 2, 1],
    ['{"a": 1, // no\n}', 'not_json', 1, 10],
    ['{"n": 12345678901234567890}', 'number_inexact', 1, 7],
    ['{"x": {"y": [1,\n {"$oid": "nonsense"}]}}', 'not_extended_json', 2, 2],
  ])('%s', (text, code, line, column) => {
    expect(parseCampaign(text).faults).toMatchObject([{ code, line, column }]);
  });

  test('the line of a syntax error is shown', () => {
    const { faults } = parseCampaign('{\n  "a": 1\n  "b": 2\n}');
    expect(faults[0]?.excerpt).toEqual({ line: '  "b": 2', caret: '  ^' });
  });

  // Every field and element of random documents, in both notations.
  const document = fc.object({
    key: fc.string({ minLength: 1 }).filter((key) => !/^(\$|<<$|__proto__$)/.test(key)),
    maxDepth: 3,
  });
  const nodes = (value: unknown, path: string): [path: string, key: string | undefined][] => {
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([key, inner]): [string, string | undefined][] => {
      const at = Array.isArray(value) ? `${path}[${key}]` : childPath(path, key);
      return [[at, Array.isArray(value) ? undefined : key], ...nodes(inner, at)];
    });
  };
  test.each(['json', 'yaml'] as const)('a fault points at the key that its path names (%s)', (format) => {
    fc.assert(
      fc.property(document, (raw) => {
        const value = JSON.parse(JSON.stringify(raw)) as Record<string, unknown>;
        const text = format === 'json' ? JSON.stringify(value, undefined, 1) : YAML.stringify(value);
        const { place } = parseCampaign(text, format);
        for (const [path, key] of nodes(value, '')) {
          if (key === undefined) continue;
          const { line, column } = place({ code: 'x', path, message: '' });
          const rest = [...(text.split('\n')[line - 1] ?? '')].slice(column - 1).join('');
          // a key that YAML spreads over lines begins with a quote, or with a question mark before it
          const written =
            format === 'json' ? JSON.stringify(key) : (YAML.stringify(key).split('\n')[0]?.slice(0, 20) ?? '');
          expect(rest.startsWith(written) || (format === 'yaml' && /^["'|>?]/.test(rest))).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a fault of a template points at what names it, one of the whole at the start', () => {
    const { place } = parseCampaign('{\n "templateId": "t"}');
    expect(place({ code: 'x', path: 'template.flow.stages[0]', message: '' })).toMatchObject({ line: 2, column: 2 });
    expect(place({ code: 'x', path: 'flow', message: '' })).toMatchObject({ line: 1, column: 1 });
  });
});

describe('a file', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'document-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each([
    ['a.json', 'x', 'json'],
    ['a.YML', '{}', 'yaml'],
    ['a.yaml', '{}', 'yaml'],
    ['-', ' {"a": 1}', 'json'],
    ['-', 'a: 1', 'yaml'],
    ['campaign', '[1]', 'json'],
  ])('%s with %s is %s', (file, text, format) => {
    expect(formatOf(file, text)).toBe(format);
  });

  test('that is not UTF-8 is a fault with its place', async () => {
    const path = join(folder, 'latin.yaml');
    await writeFile(path, Buffer.from('_id: a\nname: Jos\xe9\n', 'latin1'));
    expect((await readCampaignFile(path)).faults).toMatchObject([{ code: 'not_utf8', line: 2, column: 10 }]);
  });
});
