import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { unsubscribeTokens } from '../../../src/worker/unsubscribeToken.ts';
import { conversationOf } from '../../support/conversationOf.ts';

const key = 'a key of sixteen characters';

test('a token names its conversation to whoever has the key, always the same, and is safe in a URL', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (id) => {
      const token = unsubscribeTokens(key)(id);
      expect(token).toMatch(/^[\w-]+$/);
      expect(unsubscribeTokens(key)(id)).toBe(token);
      expect(conversationOf(token, key)).toBe(id);
      expect(conversationOf(token, `${key}!`)).toBeUndefined();
    }),
  );
});

test('a token that was changed, cut or made up names nothing; nothing of the id is to be read in it', () => {
  const token = unsubscribeTokens(key)('spring:ada@example.com');
  expect(Buffer.from(token, 'base64url').toString('latin1')).not.toContain('ada');
  for (let at = 0; at < token.length; at += 1) {
    const other = token[at] === 'A' ? 'Q' : 'A';
    expect(conversationOf(token.slice(0, at) + other + token.slice(at + 1), key)).toBeUndefined();
    expect(conversationOf(token.slice(0, at), key)).toBeUndefined();
  }
  for (const made of ['', '...', 'AAAA', '😀'.repeat(20)]) expect(conversationOf(made, key)).toBeUndefined();
});
