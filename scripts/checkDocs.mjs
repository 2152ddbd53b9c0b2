#!/usr/bin/env node
// What the documents promise is there: npm scripts, commands of the program, variables, linked files.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const root = new URL('..', import.meta.url);
const read = (path) => readFileSync(new URL(path, root), 'utf8');
const documents = [
  'README.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'bench/README.md',
  'chaos/README.md',
  'examples/README.md',
]
  .concat(
    readdirSync(new URL('docs', root))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  )
  .filter((path) => existsSync(new URL(path, root)));
const problems = [];
const found = (text, pattern) => [...new Set([...text.matchAll(pattern)].map((match) => match[1]))];
/** Of the headings, as GitHub makes them. */
const anchorsOf = (text) =>
  new Set(
    found(text.replaceAll(/^```[\s\S]*?^```$/gm, ''), /^#+ (.+)$/gm).map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
/** Only what is set as code is a promise; prose may say "npm run" in passing. */
const codeOf = (text) =>
  [...text.matchAll(/```[^\n]*\n([\s\S]*?)```|`([^`\n]+)`/g)].map((m) => m[1] ?? m[2]).join('\n');

const { scripts } = JSON.parse(read('package.json'));
const builtIn = new Set(['ci', 'install', 'pack']);
const help = spawnSync(process.execPath, ['bin/communication-base.js', '--help'], { cwd: root, encoding: 'utf8' });
const commands = new Set(found(help.stdout.replace(/^[\s\S]*?Commands:/, ''), /^ {2}([a-z][a-z-]*)/gm));
if (help.status !== 0) problems.push(`bin/communication-base.js --help ended with ${help.status}: ${help.stderr}`);
const variables = readdirSync(new URL('src', root))
  .filter((file) => file.startsWith('config'))
  .map((file) => read(`src/${file}`))
  .join('\n');

for (const path of documents) {
  const text = read(path);
  const code = codeOf(text);
  const say = (what) => problems.push(`${path}: ${what}`);
  for (const name of found(code, /\bnpm run ([\w:-]+)/g)) {
    if (!scripts[name]) say(`\`npm run ${name}\` is no script`);
  }
  for (const name of found(code, /\bnpm (?!run\b)([a-z]+)/g)) {
    if (!scripts[name] && !builtIn.has(name)) say(`\`npm ${name}\` is unknown`);
  }
  for (const name of found(code, /\bcommunication-base(?:\.js)? ([a-z][a-z-]*)/g)) {
    if (!commands.has(name)) say(`\`communication-base ${name}\` is no command`);
  }
  for (const [line] of text.matchAll(/^\| *`[^\n]*/gm)) {
    for (const name of found(line.split('|')[1] ?? '', /`([A-Z][A-Z0-9_]{3,})`/g)) {
      if (!variables.includes(name)) say(`${name} is no variable of the configuration`);
    }
  }
  for (const target of found(text, /\]\((?!https?:|#|mailto:)([^)#\s]+)/g)) {
    if (!existsSync(new URL(target, new URL(path, root)))) say(`link to ${target}, which is not there`);
  }
  for (const link of found(text, /\]\((?!https?:|mailto:)([^)\s]*#[^)\s]+)/g)) {
    const [target, anchor] = link.split('#');
    const page = target === '' ? new URL(path, root) : new URL(target, new URL(path, root));
    if (existsSync(page) && !anchorsOf(readFileSync(page, 'utf8')).has(anchor))
      say(`link to ${link}: no heading is called so`);
  }
}

/** What is between `const NAME = ` and the end of that list or object. */
const constant = (file, name) => read(file).match(new RegExp(`const ${name} = [[{][\\s\\S]*?^[\\]}]`, 'm'))?.[0] ?? '';
const quoted = /'([A-Z][A-Z0-9_]+)'/g;
const isIn = (page, name) => read(page).includes(`\`${name}`);
for (const name of commands)
  if (name !== 'help' && !isIn('docs/commands.md', `communication-base ${name}`) && !isIn('docs/commands.md', name))
    problems.push(`docs/commands.md: says nothing of ${name}`);
for (const name of found(constant('src/config.ts', 'variables'), quoted))
  if (!isIn('docs/configuration.md', name)) problems.push(`docs/configuration.md: says nothing of ${name}`);
for (const name of found(constant('src/configChannels.ts', 'settings'), quoted))
  if (!isIn('docs/configuration.md', `_${name}`)) problems.push(`docs/configuration.md: says nothing of _${name}`);

for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length === 0) process.stdout.write(`${documents.join(', ')}: commands, variables and links are real\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
