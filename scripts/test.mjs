#!/usr/bin/env node
// `npm test [-- jest arguments]`: builds once (the process tests start the real worker), then runs jest in real ESM.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const root = new URL('..', import.meta.url).pathname;
const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const run = (args, env = {}) =>
  spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } }).status ?? 1;

const built = run(['scripts/build.mjs']);
process.exitCode =
  built !== 0
    ? built
    : run([jest, ...process.argv.slice(2)], {
        NODE_OPTIONS:
          `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --disable-warning=ExperimentalWarning`.trim(),
      });
