#!/usr/bin/env node
// Writes a CSV file of contacts, some rows bad in one of twelve ways: `node scripts/contactsFile.mjs FILE ROWS BAD`.
// Prints `{ rows, bad: [{ line, kind }] }`. The same arguments give the same file.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

const header = 'id,email,phone,name,timezone,attributes.plan,attributes.visits:number\n';
const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Tokyo', ''];
const names = ['Ada', '"Zoë ""Zo"" Król"', '"Smith, Jo"', '"two\nlines"', '李雷'];

const good = (n) =>
  `c${n},user${n}@example.com,+4915${String(n).padStart(8, '0')},${names[n % names.length]},${zones[n % zones.length]},gold,${n % 50}\n`;

/** Each makes the row a bad one, and starts on the row's first line. */
export const badKinds = {
  'id empty': (n) => good(n).replace(/^c\d+/, ''),
  'id too long': (n) => good(n).replace(/^c/, 'c'.repeat(130)),
  'id twice': (n) => good(n).replace(/^c\d+/, 'c0'),
  'too few cells': (n) => `c${n},user${n}@example.com\n`,
  'too many cells': (n) => `c${n},a@example.com,,Ada,,gold,1,extra,\n`,
  'quote in a cell': (n) => `c${n},a@example.com,,5" pipe,,gold,1\n`,
  'text after a quote': (n) => `c${n},a@example.com,,"Ada" L,,gold,1\n`,
  'quote never closed': (n) => `c${n},a@example.com,,"Ada,,gold,1\n`,
  'not UTF-8': (n) => Buffer.from(`c${n},a@example.com,,Jos\xe9,,gold,1\n`, 'latin1'),
  'unknown zone': (n) => `c${n},a@example.com,,Ada,Europe/Berln,gold,1\n`,
  'address too long': (n) => `c${n},${'a'.repeat(330)}@example.com,,Ada,,gold,1\n`,
  'no number': (n) => `c${n},a@example.com,,Ada,,gold,many\n`,
};

/** Bad rows lie evenly among the good ones, never the first. */
export async function writeContactsFile(path, rows, bad) {
  const file = createWriteStream(path);
  const kinds = Object.entries(badKinds);
  const every = bad === 0 ? Number.POSITIVE_INFINITY : Math.floor(rows / bad);
  const named = [];
  let line = 2;
  file.write(header);
  for (let n = 0; n < rows; n += 1) {
    const isBad = n % every === every - 1 && n > 0 && named.length < bad;
    const [kind, make] = isBad ? kinds[named.length % kinds.length] : [undefined, good];
    const row = make(n);
    if (kind !== undefined) named.push({ line, kind });
    line += row.toString().split('\n').length - 1;
    if (!file.write(row)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'finish');
  return { rows, bad: named };
}

if (process.argv[1] === import.meta.filename) {
  const [path, rows = '1000000', bad = '1000'] = process.argv.slice(2);
  if (path === undefined) {
    console.error('node scripts/contactsFile.mjs FILE [ROWS [BAD]]');
    process.exitCode = 2;
  } else console.log(JSON.stringify(await writeContactsFile(path, Number(rows), Number(bad))));
}
