#!/usr/bin/env node
// The health check of the image: asks the worker in the same container whether it lives, with `ready` whether it works.
// Exit code 0 yes, 1 no. It runs every few seconds, so it loads nothing else.
import { readFileSync } from 'node:fs';

const timeoutMs = 4000;

/** As the worker reads it: `HEALTH_PORT`, or the file that `HEALTH_PORT_FILE` names. */
function port() {
  const { HEALTH_PORT: value, HEALTH_PORT_FILE: file } = process.env;
  const found = (value || (file ? readFileSync(file, 'utf8') : '')).trim() || '8080';
  if (found === '0') throw new Error('HEALTH_PORT is 0, any free port: a health check needs a fixed one');
  return found;
}

try {
  const path = process.argv[2] === 'ready' ? 'readyz' : 'livez';
  const answer = await fetch(`http://127.0.0.1:${port()}/${path}`, { signal: AbortSignal.timeout(timeoutMs) });
  process.stdout.write(`${answer.status} ${(await answer.text()).trim()}\n`);
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  process.stdout.write(`${error.cause?.message ?? error.message}\n`);
  process.exitCode = 1;
}
