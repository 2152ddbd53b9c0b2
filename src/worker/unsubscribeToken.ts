/**
 * `{{ token }}` of `unsubscribe`: names the conversation to those who have HASH_KEY, and nothing to others (ids may hold
 * addresses). The same for every message of a conversation; it does not expire, as people unsubscribe from old mail.
 * The construction is RFC 5297's: what authenticates the text is also the nonce it is encrypted with.
 */
import { createCipheriv, createHmac } from 'node:crypto';

const tagBytes = 16;

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** docs/mail.md has the code that reads them. */
export function unsubscribeTokens(hashKey: string): (conversationId: string) => string {
  const tagKey = hmac(hashKey, 'unsubscribe token: tag');
  const textKey = hmac(hashKey, 'unsubscribe token: text');
  return (conversationId) => {
    const tag = hmac(tagKey, conversationId).subarray(0, tagBytes);
    const cipher = createCipheriv('aes-256-ctr', textKey, tag);
    return Buffer.concat([tag, cipher.update(conversationId, 'utf8'), cipher.final()]).toString('base64url');
  };
}
