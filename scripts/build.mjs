#!/usr/bin/env node
// Compiles src and streams to dist. The old output goes first, so that a removed module cannot live on.
// `--if-missing` leaves an output alone that is there: after `npm ci --ignore-scripts` there is none.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';

const root = new URL('..', import.meta.url).pathname;
if (process.argv.includes('--if-missing') && existsSync(`${root}dist/src/main.js`)) process.exit(0);
const tsc = createRequire(import.meta.url)
  .resolve('typescript/package.json')
  .replace(/package\.json$/, 'bin/tsc');
rmSync(`${root}dist`, { recursive: true, force: true });
process.exitCode =
  spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' }).status ?? 1;
