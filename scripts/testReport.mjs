#!/usr/bin/env node
// Reads jest's report and prints failing tests, then a last line `passed failed` for .ci/run to add up.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

const [file] = process.argv.slice(2);
let report;
try {
  report = JSON.parse(readFileSync(file, 'utf8'));
} catch {
  process.stdout.write('the tests left no report\n0 1\n');
  process.exit(0);
}
const briefly = (text) => stripVTControlCharacters(text).split('\n').slice(0, 12).join('\n      ');
let brokenSuites = 0;
for (const suite of report.testResults) {
  const path = relative(process.cwd(), suite.name);
  if (suite.status === 'failed' && suite.assertionResults.length === 0) {
    brokenSuites++;
    process.stdout.write(`  FAILED ${path}: could not run\n      ${briefly(suite.message)}\n`);
  }
  for (const test of suite.assertionResults.filter((result) => result.status === 'failed')) {
    process.stdout.write(`  FAILED ${path} > ${test.fullName}\n      ${briefly(test.failureMessages[0] ?? '')}\n`);
  }
}
if (report.numPendingTests > 0) process.stdout.write(`  ${report.numPendingTests} skipped\n`);
process.stdout.write(`${report.numPassedTests} ${report.numFailedTests + brokenSuites}\n`);
