#!/usr/bin/env node
// The pure core is covered in full: every line, branch and function of src/domain that is not generated.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const [file] = process.argv.slice(2);
let text;
try {
  text = readFileSync(file, 'utf8');
} catch {
  process.stderr.write('the tests left no coverage report\n');
  process.exit(1);
}
const { total, ...files } = JSON.parse(text);
const kinds = ['lines', 'statements', 'functions', 'branches'];
const missing = Object.entries(files).flatMap(([path, summary]) =>
  kinds
    .filter((kind) => summary[kind].covered < summary[kind].total)
    .map((kind) => `${relative(process.cwd(), path)}: ${summary[kind].covered} of ${summary[kind].total} ${kind}`),
);
for (const line of missing) process.stderr.write(`${line}\n`);
if (Object.keys(files).length === 0) process.stderr.write('no file of src/domain was measured\n');
else process.stdout.write(`src/domain: ${kinds.map((kind) => `${kind} ${total[kind].pct} %`).join(', ')}\n`);
process.exitCode = missing.length === 0 && Object.keys(files).length > 0 ? 0 : 1;
