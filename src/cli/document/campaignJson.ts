/** JSON with the places of things. The only file that knows jsonc-parser. */
import { type Node, type ParseError, parseTree, printParseErrorCode, visit } from 'jsonc-parser';
import type { Spot } from '../../domain/spots.ts';
import type { ParsedText, TextFault } from './campaignText.ts';

/** RFC 8259, neither comments nor trailing commas; a key that comes twice and a number that would be rounded are faults. */
export function readJson(text: string): ParsedText {
  const faults: TextFault[] = [];
  try {
    const syntax = walk(text, faults);
    if (syntax !== undefined) return { faults: [syntaxFault(syntax, text)], spot: () => spotOf(undefined) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = 'is nested far deeper than any campaign';
    return { faults: [{ code: 'not_json', message, at: 0 }], spot: () => spotOf(undefined) };
  }
  return { json: text, faults, spot: () => spotOf(parseTree(text)) };
}

/** The first syntax error; what else is wrong goes to `faults`. */
function walk(text: string, faults: TextFault[]): ParseError | undefined {
  let syntax: ParseError | undefined;
  const open: Set<string>[] = [];
  visit(
    text,
    {
      onError: (error, offset, length) => {
        syntax ??= { error, offset, length };
      },
      onObjectBegin: () => void open.push(new Set()),
      onObjectEnd: () => void open.pop(),
      onObjectProperty: (key, at) => {
        const keys = open.at(-1);
        if (keys?.has(key)) faults.push(repeatedKey(key, at));
        keys?.add(key);
      },
      onLiteralValue: (value, at) => {
        if (isRounded(value)) faults.push(roundedNumber(at));
      },
    },
    { disallowComments: true },
  );
  return syntax;
}

export const repeatedKey = (key: string, at: number): TextFault => ({
  code: 'duplicate_key',
  message: `the key ${JSON.stringify(key)} is there twice in this object`,
  at,
});

/** Integers past 2^53 and what is larger than any double. */
export const isRounded = (value: unknown): boolean =>
  typeof value === 'number' && (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)));

export const roundedNumber = (at: number): TextFault => ({
  code: 'number_inexact',
  message: 'is no number that can be kept exactly; write it as text, in quotes, or as {"$numberLong": "…"}',
  at,
});

const messages: Readonly<Record<string, string>> = {
  InvalidSymbol: 'there is a word that JSON does not have; text is written in double quotes',
  InvalidNumberFormat: 'this is no JSON number',
  PropertyNameExpected: 'a key in double quotes is expected here (no comma after the last field)',
  ValueExpected: 'a value is expected here',
  ColonExpected: 'a colon is expected here',
  CommaExpected: 'a comma is expected before this',
  CloseBraceExpected: 'the object is not closed: "}" is expected here',
  CloseBracketExpected: 'the list is not closed: "]" is expected here',
  EndOfFileExpected: 'the document is over, and yet something follows',
  InvalidCommentToken: 'JSON has no comments',
  UnexpectedEndOfComment: 'JSON has no comments',
  UnexpectedEndOfString: 'the text that begins here is not closed on its line',
  UnexpectedEndOfNumber: 'the number ends too early',
  InvalidUnicode: 'after \\u four hexadecimal digits are expected',
  InvalidEscapeCharacter: 'there is an escape that JSON does not have',
  InvalidCharacter: 'there is a control character in a text; write it as \\u00XX',
};

const syntaxFault = ({ error, offset }: ParseError, text: string): TextFault => ({
  code: 'not_json',
  message:
    text.trim() === ''
      ? 'there is nothing in it'
      : `is no JSON: ${messages[printParseErrorCode(error)] ?? printParseErrorCode(error)}`,
  at: offset,
  excerpt: true,
});

function spotOf(node: Node | undefined): Spot {
  const children = node?.children ?? [];
  return {
    at: node?.offset ?? 0,
    fields: () =>
      node?.type === 'object'
        ? children.map(({ children: pair = [] }) => ({
            key: String(pair[0]?.value),
            at: pair[0]?.offset ?? 0,
            value: spotOf(pair[1]),
          }))
        : [],
    items: () => (node?.type === 'array' ? children.map(spotOf) : []),
  };
}
