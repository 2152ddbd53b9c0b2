#!/usr/bin/env node
// The health check of the image: asks the worker in the same container whether it lives, with `ready` whether it works.
// Exit code 0 yes, 1 no. It runs every few seconds, so it loads nothing else; `fetch` would refuse some ports.
import { readFileSync } from 'node:fs';
import { get } from 'node:http';

const timeoutMs = 4000;

/** As the worker reads it: `HEALTH_PORT`, or the file that `HEALTH_PORT_FILE` names. */
function port() {
  const { HEALTH_PORT: value, HEALTH_PORT_FILE: file } = process.env;
  const found = (value || (file ? readFileSync(file, 'utf8') : '')).trim() || '8080';
  if (found === '0') throw new Error('HEALTH_PORT is 0, any free port: a health check needs a fixed one');
  return found;
}

const say = (text, code) => process.stdout.write(`${text}\n`, () => process.exit(code));

try {
  const path = process.argv[2] === 'ready' ? '/readyz' : '/livez';
  const request = get({ host: '127.0.0.1', port: port(), path }, async (answer) => {
    let text = '';
    for await (const chunk of answer.setEncoding('utf8')) text += chunk;
    say(`${answer.statusCode} ${text.trim()}`, answer.statusCode === 200 ? 0 : 1);
  });
  request.on('error', ({ message }) => say(message, 1));
  setTimeout(() => say(`no answer within ${timeoutMs} ms`, 1), timeoutMs);
} catch (error) {
  say(error.message, 1);
}
