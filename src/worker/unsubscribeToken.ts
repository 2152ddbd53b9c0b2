/**
 * `{{ token }}` of `unsubscribe`: names the conversation to those who have HASH_KEY, and nothing to others (ids may hold
 * addresses). The same for every message of a conversation; it does not expire, as people unsubscribe from old mail.
 * The construction is RFC 5297's: what authenticates the text is also the nonce it is encrypted with.
 */
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';

const algorithm = 'aes-256-ctr';
const tagBytes = 16;

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const keysOf = (hashKey: string) => ({
  tag: hmac(hashKey, 'unsubscribe token: tag'),
  text: hmac(hashKey, 'unsubscribe token: text'),
});

export function unsubscribeTokens(hashKey: string): (conversationId: string) => string {
  const keys = keysOf(hashKey);
  return (conversationId) => {
    const tag = hmac(keys.tag, conversationId).subarray(0, tagBytes);
    const cipher = createCipheriv(algorithm, keys.text, tag);
    return Buffer.concat([tag, cipher.update(conversationId, 'utf8'), cipher.final()]).toString('base64url');
  };
}

/** The conversation a token names; undefined when it is not one of ours, or was changed. */
export function openUnsubscribeToken(hashKey: string, token: string): string | undefined {
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length <= tagBytes) return undefined;
  const keys = keysOf(hashKey);
  const tag = bytes.subarray(0, tagBytes);
  const cipher = createDecipheriv(algorithm, keys.text, tag);
  const text = Buffer.concat([cipher.update(bytes.subarray(tagBytes)), cipher.final()]).toString('utf8');
  return timingSafeEqual(hmac(keys.tag, text).subarray(0, tagBytes), tag) ? text : undefined;
}
