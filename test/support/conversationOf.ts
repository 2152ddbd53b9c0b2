/** The code that docs/mail.md gives to whoever serves an unsubscribe link, as it stands there: `(token, hashKey)` to an id. */
import { readFileSync } from 'node:fs';

const page = readFileSync(new URL('../../docs/mail.md', import.meta.url), 'utf8');
const [, code = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? [];

export const { conversationOf } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
  conversationOf: (token: string, hashKey: string) => string | undefined;
};
