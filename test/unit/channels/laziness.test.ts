/** What a worker holds in memory that has no channel of a kind: nothing of the libraries for it. */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';

/** Everything that is there as soon as a module is: it, and what it imports other than types, unless by `import()`. */
function loadedWith(start: URL): Set<string> {
  const seen = new Set<string>();
  const walk = (module: URL): void => {
    if (seen.has(module.href)) return;
    seen.add(module.href);
    const text = readFileSync(module, 'utf8');
    for (const [, clause = '', name = ''] of text.matchAll(/^(?:import|export)\s([^;'"]*?from\s)?'([^']+)'/gms)) {
      if (clause.startsWith('type ')) continue;
      if (name.startsWith('.')) walk(new URL(name, module));
      else seen.add(name);
    }
  };
  walk(start);
  return seen;
}
const channels = new URL('../../../src/channels/', import.meta.url);

test('the clients of HTTP and of mail come with the first channel that needs them', () => {
  const loaded = [...loadedWith(new URL('index.ts', channels))];
  expect(loaded).toContain(new URL('file.ts', channels).href);
  expect(loaded.filter((name) => /undici|nodemailer|standardwebhooks|libphonenumber/.test(name))).toEqual([]);
  expect(loadedWith(new URL('http.ts', channels))).toContain('undici');
});
