/** Contacts of an audience that do not enter: how many, why, and who is the first of them. */
import type { Fault } from './errors.ts';
import { isId } from './normalise.ts';
import { isPlain, own } from './plain.ts';
import { printable } from './printable.ts';

export interface LeftOutReason {
  code: 'contact_invalid' | 'duplicate_contact';
  /** Of the first of them. */
  message: string;
  count: number;
  /** `id c3`, or its place where it has none. */
  first: string;
  /** Of what is wrong, in the campaign's document. */
  path: string;
}

/** More kinds than anyone reads. */
const mostReasons = 50;

export class LeftOut {
  invalid = 0;
  duplicate = 0;
  /** In the order in which they were met. */
  readonly reasons: LeftOutReason[] = [];
  readonly #byKind = new Map<string, LeftOutReason>();

  /** `why` as `readContact` says it; `path`: of the contact. */
  addInvalid(why: string, raw: unknown, path: string): void {
    this.invalid += 1;
    const field = /^\w+/.exec(why)?.[0] ?? '';
    const kind = why.replaceAll(/, was .*?(?=; |$)/g, '');
    const quotes = / has to be a string, was -?\d/.test(why) ? '; write it in quotes' : '';
    const at = isPlain(raw) && Object.hasOwn(raw, field) ? `${path}.${field}` : path;
    this.add({ code: 'contact_invalid', message: `${why}${quotes}`, path: at }, kind, raw);
  }

  addDuplicate(raw: unknown, path: string): void {
    this.duplicate += 1;
    this.add({ code: 'duplicate_contact', message: 'there is one with the same id before', path }, '', raw);
  }

  /** `seen`: contacts, these included. */
  warnings(seen: number): Fault[] {
    return this.reasons.map(({ code, message, count, first, path }) => {
      const counted = `${count.toLocaleString('en-US')} of ${seen.toLocaleString('en-US')} contacts`;
      return { code, path, message: `${counted} cannot be used and are left out: ${message}, first: ${first}` };
    });
  }

  private add(reason: Pick<LeftOutReason, 'code' | 'message' | 'path'>, kind: string, raw: unknown): void {
    const key = `${reason.code} ${kind}`;
    const known = this.#byKind.get(key);
    if (known !== undefined) known.count += 1;
    else if (this.reasons.length < mostReasons) {
      const made = { ...reason, count: 1, first: nameOf(raw) ?? reason.path };
      this.#byKind.set(key, made);
      this.reasons.push(made);
    }
  }
}

function nameOf(raw: unknown): string | undefined {
  if (!isPlain(raw)) return undefined;
  const id = own(raw, 'id') ?? own(raw, '_id');
  if (!isId(id)) return undefined;
  return `id ${printable(typeof id === 'object' ? id.toHexString() : id).replaceAll('"', '')}`;
}
