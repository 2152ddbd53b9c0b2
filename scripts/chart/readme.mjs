// The table of values in the chart's README, made from the comments in values.yaml.
import { readFileSync } from 'node:fs';
import { isMap, parseDocument } from 'yaml';

const marks = /(<!-- values -->\n)[\s\S]*?(<!-- \/values -->)/;
const shown = (node) => `\`${JSON.stringify(node.toJSON()).replaceAll('|', '\\|')}\``;

/** `-- ` begins a description; further lines go on with it. */
function description(comment) {
  const [, text] = /(?:^|\n) ?-- ([\s\S]*)$/.exec(comment ?? '') ?? [];
  return text?.replaceAll(/\n ?/g, ' ').replaceAll('|', '\\|').trim();
}

/** Rows `[path, default, description]` of every value: a map without a description of its own is told by its parts. */
function rows(map, path = []) {
  return map.items.flatMap(({ key, value }, n) => {
    const name = [...path, key.value];
    const text = description(key.commentBefore ?? (n === 0 ? map.commentBefore : undefined));
    if (text === undefined && isMap(value) && value.items.length > 0) return rows(value, name);
    return [[name.join('.'), shown(value), text]];
  });
}

/** The README as it has to be. */
export function withValues(readme, valuesFile) {
  const document = parseDocument(readFileSync(valuesFile, 'utf8'));
  const all = rows(document.contents);
  const missing = all.filter(([, , text]) => text === undefined).map(([path]) => path);
  if (missing.length > 0) throw new Error(`values.yaml: no comment that begins with "-- ": ${missing.join(', ')}`);
  const table = all.map(([path, value, text]) => `| \`${path}\` | ${value} | ${text} |\n`).join('');
  return readme.replace(marks, (_, before, after) => `${before}| value | default | |\n|---|---|---|\n${table}${after}`);
}
