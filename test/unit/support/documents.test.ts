/** What the checks of the documents rest on: which blocks there are, what a fragment belongs to, what is copied and generated. */
import { describe, expect, it } from '@jest/globals';
import { blocksOf, campaignWith, partOf, wordsOf } from '../../../scripts/docBlocks.mjs';
import { withIncludes } from '../../../scripts/includes.mjs';
import { reference, withoutNotes } from '../../../scripts/reference.mjs';
import { faultsOf } from '../../../src/domain/validation.ts';

const fence = '```';

describe('blocks of a page', () => {
  it('have their place, their language and the comment right before them; what shows output is none', () => {
    const page = `# A\n\n<!-- not run: too long -->\n${fence}sh\nnpm run x\n${fence}\n\n${fence}text\nout\n${fence}\n\n${fence}json\n{}\n${fence}\n`;
    expect(blocksOf(page, 'a.md')).toMatchObject([
      { line: 4, language: 'sh', code: 'npm run x\n', note: { kind: 'not run', text: 'too long' } },
      { line: 12, language: 'json', note: undefined, pageNote: undefined },
    ]);
  });

  it('may all be left out by one comment', () => {
    const page = `<!-- blocks not run: needs a cluster -->\n\n${fence}sh\nx\n${fence}\n`;
    expect(blocksOf(page, 'a.md')).toMatchObject([{ pageNote: 'needs a cluster' }]);
  });
});

it('words of a command line are those of a shell, without its comment', () => {
  expect(wordsOf(`stop-all --reason "wrong prices" 'a b' C='d e' # why`)).toEqual([
    ...['stop-all', '--reason', 'wrong prices', 'a b', 'C=d e'],
  ]);
  expect(wordsOf('show spring:anna#1 x')).toEqual(['show', 'spring:anna#1', 'x']);
});

describe('a fragment of a campaign', () => {
  const faults = (language: string, text: string): string[] =>
    faultsOf('CampaignDocument', campaignWith(partOf(language, text))).map(({ path }) => path);

  it.each([
    ['json', '"late": { "policy": "skip", "after": "PT6H" }'],
    ['jsonc', '"limits": { "ramp": ["50/d"] }   // a warm-up'],
    ['json', '{ "id": "a", "type": "wait", "for": "P3D" }\n{ "id": "b", "type": "end", "outcome": "over" }'],
    ['yaml', '- { id: a, type: end, outcome: over }'],
    ['json', '"rules": [{ "on": "reply", "then": { "end": "bought" } }]'],
  ])('in %s is right where it belongs: %s', (language, text) => {
    expect(faults(language, text)).toEqual([]);
  });

  it.each([
    ['json', '"late": { "polict": "skip" }', 'schedule.late.polict'],
    ['json', '{ "id": "a", "type": "wait", "for": "3 days" }', 'flow.stages[0].for'],
    ['json', '"guard": { "errorRate": 2 }', 'guard.errorRate'],
  ])('in %s is wrong where it is: %s', (language, text, path) => {
    expect(faults(language, text)).toEqual([path]);
  });

  it('that is no JSON, or nothing of a campaign, is told', () => {
    expect(() => partOf('json', '"a": { … }')).toThrow('no JSON');
    expect(() => partOf('json', '{ "a": 1 } // why')).toThrow('no JSON');
    expect(campaignWith(partOf('json', '[1, 2]'))).toBeUndefined();
  });
});

describe('code that stands in a file', () => {
  const page = `<!-- from: a.py#two -->\n${fence}python\nold\n${fence}\n`;

  it('is taken from its region', () => {
    const file = '# region one\nx\n# endregion\n# region two\n\ny = 1\n# endregion\n';
    expect(withIncludes(page, () => file)).toBe(page.replace('old', 'y = 1'));
  });

  it('has to have that region', () => {
    expect(() => withIncludes(page, () => '# region twofold\n# endregion\n')).toThrow('a.py has no region two');
  });
});

describe('the reference', () => {
  const schema = (extra: object): Record<string, unknown>[] =>
    [
      ...['contact', 'flow', 'sendWindow', 'templates', 'enrollments', 'inbound_events', 'conversation_states'],
      ...['messages', 'escalations', 'suppressions', 'dead_letters', 'campaign_runs', 'settings', 'rate_limits'],
    ]
      .map(($id): Record<string, unknown> => ({ $id, description: 'D.' }))
      .concat([{ $id: 'campaigns', description: 'What to run.', properties: { status: extra }, required: ['status'] }]);

  it('has type, bounds and meaning of every field', () => {
    const status = { description: 'How far.', enum: ['a', 'b'], 'x-values': { a: 'one', b: 'two' }, 'x-ours': true };
    expect(reference(schema(status))).toContain(
      '| `status` | `a`, `b` | always, ours | How far. `a`: one; `b`: two. |',
    );
  });

  it('is refused where a field, or a value, has no meaning', () => {
    expect(() => reference(schema({ type: 'string' }))).toThrow('campaigns: status');
    expect(() => reference(schema({ description: 'D.', enum: ['a', 'b'], 'x-values': { a: 'one' } }))).toThrow(
      'a value of status',
    );
  });

  it('leaves what only people read out of what runs, but never a field that is called so', () => {
    const node = {
      description: 'D.',
      'x-note': 'N.',
      properties: { description: { description: 'D.', type: 'string' } },
    };
    expect(withoutNotes(node)).toEqual({ properties: { description: { type: 'string' } } });
  });
});
