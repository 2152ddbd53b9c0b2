/**
 * How many messages a contact was sent lately: `contact_pressure`, by which caps hold across campaigns and members. Only
 * campaigns with a cap count, among each other.
 */
import { encodePart } from './ids.ts';
import type { ContactPressure, Conversation } from './model.ts';
import { addDuration, type Duration } from './timing.ts';
import { dayMs } from './zones.ts';

/** At most `count` messages in any span of `per`. */
export interface Cap {
  readonly count: number;
  readonly per: Duration;
  /** What is too much waits; else it is skipped. */
  readonly delays: boolean;
}

/** No cap looks further back: three months of 31 days. What is younger counts for a cap that comes later, too. */
export const longestSpanMs = 93 * dayMs;
/** Twice as many as any cap asks for, so that those given back leave enough. */
const mostKept = 200;

type Send = ContactPressure['sends'][number];

/** The document of a contact, all over a tenant; an empty tenant is none. */
export const pressureId = ({ tenant = '', contact }: Pick<Conversation, 'tenant' | 'contact'>): string =>
  `${encodePart(tenant)}:${encodePart(contact.id)}`;

/**
 * When the contact may get one more message, ms; undefined: now. A send counts from its instant on, that one included, until
 * `per` later, that one not. `but`: a message that does not count, being the one asked for.
 */
export function freeAt(cap: Cap, sends: readonly Send[], now: number, but?: string): number | undefined {
  const ends = sends
    .filter(({ id }) => id !== but)
    .map(({ at }) => addDuration(at.getTime(), cap.per))
    .filter((end) => end > now)
    .toSorted((a, b) => a - b);
  return ends[ends.length - cap.count];
}

/** The document with a send that comes to it, or is tried again. */
export function raised(
  of: Pick<Conversation, 'tenant' | 'contact'>,
  stored: ContactPressure | undefined,
  send: Send,
  gone: ReadonlySet<string>,
): ContactPressure {
  const now = send.at.getTime();
  const kept = (stored?.sends ?? []).filter(
    ({ id, at }) => id !== send.id && !gone.has(id) && at.getTime() + longestSpanMs > now,
  );
  const sends = [...kept, send].slice(-mostKept);
  const latest = Math.max(...sends.map(({ at }) => at.getTime()));
  return {
    _id: pressureId(of),
    ...(of.tenant === undefined ? {} : { tenant: of.tenant }),
    contactId: of.contact.id,
    version: stored === undefined ? now : stored.version + 1,
    sends,
    expireAt: new Date(latest + longestSpanMs),
  };
}
