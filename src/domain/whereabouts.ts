/** What the engine is told of a contact while a conversation runs: an event `contact` with `data: { timezone?, country? }`. */
import type { Draft } from './draft.ts';
import type { InboxEvent } from './model.ts';
import { isPlain, own } from './plain.ts';

/** As long as a name of the tz database, or a code of ISO 3166, may be. */
const longest = 64;

/** Takes in where the contact is; who waited for a known time zone is due at once. Anything else in `data` is left alone. */
export function learnWhereabouts(draft: Draft, { type, data }: InboxEvent): void {
  if (type !== 'contact' || !isPlain(data)) return;
  const contact = Object.fromEntries(
    ['timezone', 'country'].flatMap((field) => {
      const value = own(data, field);
      return typeof value === 'string' && value !== '' && value.length <= longest ? [[field, value]] : [];
    }),
  );
  if (Object.keys(contact).length > 0) draft.apply({ type: 'located', contact, at: draft.now });
}
