import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openUnsubscribeToken, unsubscribeTokens } from '../../../src/worker/unsubscribeToken.ts';

const key = 'a key of sixteen characters';

test('a token names its conversation to whoever has the key, always the same, and is safe in a URL', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (id) => {
      const token = unsubscribeTokens(key)(id);
      expect(token).toMatch(/^[\w-]+$/);
      expect(unsubscribeTokens(key)(id)).toBe(token);
      expect(openUnsubscribeToken(key, token)).toBe(id);
      expect(openUnsubscribeToken(`${key}!`, token)).toBeUndefined();
    }),
  );
});

test('a token that was changed, cut or made up names nothing; nothing of the id is to be read in it', () => {
  const token = unsubscribeTokens(key)('spring:ada@example.com');
  expect(Buffer.from(token, 'base64url').toString('latin1')).not.toContain('ada');
  for (let at = 0; at < token.length; at += 1) {
    const other = token[at] === 'A' ? 'Q' : 'A';
    expect(openUnsubscribeToken(key, token.slice(0, at) + other + token.slice(at + 1))).toBeUndefined();
    expect(openUnsubscribeToken(key, token.slice(0, at))).toBeUndefined();
  }
  for (const made of ['', '...', 'AAAA', '😀'.repeat(20)]) expect(openUnsubscribeToken(key, made)).toBeUndefined();
});

test('the code that docs/mail.md gives to whoever serves the link opens tokens, and nothing else', async () => {
  const page = await readFile(new URL('../../../docs/mail.md', import.meta.url), 'utf8');
  const [, code = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
  const { conversationOf } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
    conversationOf: (token: string, hashKey: string) => string | undefined;
  };
  const token = unsubscribeTokens(key)('spring:Zoë');
  expect(conversationOf(token, key)).toBe('spring:Zoë');
  expect(conversationOf(token, `${key}!`)).toBeUndefined();
  expect(conversationOf(token.slice(0, -2), key)).toBeUndefined();
  expect(conversationOf('', key)).toBeUndefined();
});
