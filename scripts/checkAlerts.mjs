#!/usr/bin/env node
// The alerts by promtool: the file is a rules file, and test/alerts says when each fires. Where no promtool is to be had nothing is
// checked: exit code 1, or with `--if-there` 77, which CI counts neither as passed nor as failed.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './chart/tools.mjs';
import { findPromtool } from './promtool.mjs';

const notRun = 77;
const rules = 'helm/communication-base/files/alerts.yaml';
const tests = readdirSync(join(root, 'test/alerts')).map((name) => `test/alerts/${name}`);

const promtool = findPromtool();
if (promtool === undefined) {
  process.stdout.write(
    'NOT RUN: the alerts are not checked, for no promtool is to be had: apt-get install prometheus\n',
  );
  process.exit(process.argv.includes('--if-there') ? notRun : 1);
}
for (const args of [
  ['check', 'rules', rules],
  ['test', 'rules', ...tests],
]) {
  const { status, stdout, stderr } = run(promtool, args, { check: false, timeout: 60_000 });
  process.stdout.write(`${stdout}${stderr}`);
  if (status !== 0) process.exit(1);
}
