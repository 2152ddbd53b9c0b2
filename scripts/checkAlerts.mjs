#!/usr/bin/env node
// The alerts by promtool: the file is a rules file, and test/alerts says when each fires. `npm run check:alerts`
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './fetched.mjs';
import { findPromtool } from './promtool.mjs';

const rules = 'helm/communication-base/files/alerts.yaml';
const tests = readdirSync(join(root, 'test/alerts')).map((name) => `test/alerts/${name}`);

try {
  const promtool = findPromtool();
  for (const args of [
    ['check', 'rules', rules],
    ['test', 'rules', ...tests],
  ])
    process.stdout.write(run(promtool, args, { timeout: 60_000 }).stdout);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
