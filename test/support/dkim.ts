/** Checks the signature of a mail as RFC 6376 says, by itself: no code of who signed. Relaxed canonicalisation, RSA and SHA-256. */
import { createHash, createVerify, type KeyObject } from 'node:crypto';

export interface Verified {
  valid: boolean;
  tags: ReadonlyMap<string, string>;
  /** Names of the headers that are signed, as `h=` lists them. */
  signed: readonly string[];
}

/** 3.4.4: of `raw`, each byte a character. */
function relaxedBody(body: string): string {
  const lines = body.split('\r\n').map((line) => line.replace(/[ \t]+/g, ' ').replace(/ $/, ''));
  while (lines.at(-1) === '') lines.pop();
  return lines.map((line) => `${line}\r\n`).join('');
}

/** 3.4.2 */
function relaxedHeader(field: string): string {
  const colon = field.indexOf(':');
  const value = field.slice(colon + 1).replace(/\r\n/g, '');
  return `${field.slice(0, colon).trim().toLowerCase()}:${value.replace(/[ \t]+/g, ' ').trim()}`;
}

/** 3.2: `tag=value; tag=value`. */
const tagsOf = (field: string): Map<string, string> =>
  new Map(
    field
      .slice(field.indexOf(':') + 1)
      .split(';')
      .filter((tag) => tag.trim() !== '')
      .map((tag): [string, string] => {
        const at = tag.indexOf('=');
        return [tag.slice(0, at).trim(), tag.slice(at + 1).replace(/\s+/g, '')];
      }),
  );

/** The fields of a mail's header as they came, folded ones with their line ends. */
export const fieldsOf = (raw: string): string[] => raw.slice(0, raw.indexOf('\r\n\r\n')).split(/\r\n(?![ \t])/);

/** Undefined: it has no signature. */
export function verifyDkim(raw: string, key: KeyObject): Verified | undefined {
  const fields = fieldsOf(raw);
  const own = fields.find((field) => /^dkim-signature:/i.test(field));
  if (own === undefined) return undefined;
  const tags = tagsOf(own);
  const signed = (tags.get('h') ?? '').split(':');
  // 5.4.2: of several fields of one name the last comes first, and each counts once
  const left = [...fields];
  const taken = signed.flatMap((name) => {
    const at = left.findLastIndex((field) => field.slice(0, field.indexOf(':')).toLowerCase() === name.toLowerCase());
    return at === -1 ? [] : left.splice(at, 1);
  });
  // 3.7: the signature itself comes last, without what is in its `b=`, and without a line end
  const bare = relaxedHeader(own.replace(/(;\s*b=)[^;]*/, '$1'));
  const data = [...taken.map((field) => `${relaxedHeader(field)}\r\n`), bare].join('');
  const body = relaxedBody(raw.slice(raw.indexOf('\r\n\r\n') + 4));
  const bodyHash = createHash('sha256').update(body, 'latin1').digest('base64');
  const isOurs = tags.get('a') === 'rsa-sha256' && tags.get('c') === 'relaxed/relaxed' && tags.get('v') === '1';
  const isSigned = createVerify('RSA-SHA256')
    .update(data, 'latin1')
    .verify(key, tags.get('b') ?? '', 'base64');
  return { valid: isOurs && isSigned && tags.get('bh') === bodyHash, tags, signed };
}
