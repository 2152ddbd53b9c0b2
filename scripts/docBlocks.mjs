// The blocks of code in documents, and what a fragment of a campaign in one of them belongs to. A comment right before a block says
// what cannot be seen from it: `<!-- not run: why -->`, `<!-- document: inbound_events -->` (objects of that collection),
// `<!-- exit: 1 -->` (of its last command), `<!-- run by: test/… -->` (a test takes the block from the page and runs it). `<!-- blocks not run: why -->` anywhere holds for all blocks of a page that say no more.
import { parse as parseJson } from 'jsonc-parser';
import { parse as parseYaml } from 'yaml';

const fence = /((?:^<!-- [^\n]* -->\n+)*)^```(\w*)\n([\s\S]*?)^```$/gm;

/** Every block of a page, from its top; `note` is `{ kind, text }` of the comment before it. Blocks that show output are left out. */
export function blocksOf(text, path) {
  const blocks = [];
  const pageNote = text.match(/<!-- (blocks not run): (.+?) -->/);
  for (const match of text.matchAll(fence)) {
    const [, comments, language, code] = match;
    if (language === '' || language === 'text') continue;
    const notes = [...comments.matchAll(/<!-- (not run|run by|document|exit|terminal|from): ?(.*?) -->/g)];
    const [, kind, about] = notes.at(-1) ?? [];
    const line = text.slice(0, match.index + comments.length).split('\n').length;
    blocks.push({
      path,
      line,
      at: match.index,
      language,
      code,
      note: kind && { kind, text: about },
      pageNote: pageNote?.[2],
    });
  }
  return blocks;
}

/** Words of a command line, as a shell takes them apart; a comment ends it. */
export function wordsOf(line) {
  const words = [];
  for (const [word] of line.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)) {
    if (word.startsWith('#')) break;
    words.push(word.replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'));
  }
  return words;
}

const tries = [(text) => text, (text) => `{${text}\n}`, (text) => `[${text.trim().replaceAll(/\n(?=\{)/g, ',\n')}]`];

/** The value that a block of JSON or YAML stands for: a document, fields of one, or several, a line each. Throws if it is none. */
export function partOf(language, text) {
  if (language === 'yaml') return parseYaml(text);
  for (const wrap of tries) {
    const errors = [];
    const value = parseJson(wrap(text), errors, { allowTrailingComma: true, disallowComments: language === 'json' });
    if (errors.length === 0 && value !== undefined) return value;
  }
  throw new Error('it is no JSON');
}

const stageTypes = new Set(['message', 'wait', 'branch', 'split', 'escalate', 'webhook', 'end']);
const ofSchedule = new Set(['sendWindow', 'late', 'recurrence', 'startAt', 'endAt']);
const end = { id: 'over', type: 'end', outcome: 'over' };
const isStage = (value) => stageTypes.has(value?.type);

/** A whole campaign with the fragment where it belongs; undefined where nobody can tell. */
export function campaignWith(value) {
  const base = { _id: 'fragment', status: 'pending', audience: { contacts: [] }, flow: { stages: [end] } };
  if (Array.isArray(value)) return value.every(isStage) ? { ...base, flow: { stages: value } } : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  if (isStage(value)) return { ...base, flow: { stages: [value] } };
  const keys = Object.keys(value);
  if (keys.every((key) => ofSchedule.has(key))) return { ...base, schedule: value };
  if (keys.length === 1 && keys[0] === 'rules') return { ...base, flow: { ...base.flow, ...value } };
  return { ...base, ...value };
}
