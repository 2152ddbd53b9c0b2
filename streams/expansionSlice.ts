import { readContact } from '../src/domain/contact.ts';
import { newConversation } from '../src/domain/conversation.ts';
import type { CompiledFlow } from '../src/domain/flow.ts';
import { conversationId } from '../src/domain/ids.ts';
import type { Contact, Conversation, CounterDelta, ExpansionSlice, Run } from '../src/domain/model.ts';

/**
 * Contacts of one slice, in rough bytes: a transaction takes about 16 MB, and the cache of a small server less (measured).
 * With one more of `contactBytes`, and three bytes a character, a slice still fits into one command.
 */
const sliceBytes = 2_000_000;
/** A contact that leaves no room for its conversation's own growth (a document holds 16 MB). */
const contactBytes = 3_000_000;

export interface SourceItem {
  raw: unknown;
  /** `expansion.after` once this one is done. */
  after: unknown;
}

export interface SliceContext {
  run: Run;
  flow: CompiledFlow;
  /** The items are the last ones. */
  done: boolean;
  /** Of a collection's audience; inline contacts have none. */
  map?: Record<string, unknown> | undefined;
  partitions: number;
  /** ms since the epoch. */
  now: number;
  traceparent: () => string;
  existing: (ids: readonly string[]) => Promise<Set<string>>;
}

export interface Slice extends ExpansionSlice {
  /** What is wrong with the first contact that could not be used. */
  firstInvalid?: string;
}

/** What is read off the items: as many as fit in a slice. */
interface Reading {
  contacts: Map<string, Contact>;
  duplicates: number;
  invalid: number;
  firstInvalid?: string;
  taken: number;
  after: unknown;
}

/** The next slice of a run: items as far as they fit, without who is in the campaign already. */
export async function sliceOf(items: readonly SourceItem[], context: SliceContext): Promise<Slice> {
  const { run, flow, partitions, now, traceparent } = context;
  const reading = read(items, context);
  const known = reading.contacts.size > 0 ? await context.existing([...reading.contacts.keys()]) : new Set<string>();
  const conversations: Conversation[] = [];
  const counters: CounterDelta = {};
  for (const [id, contact] of reading.contacts) {
    if (known.has(id)) continue;
    const created = newConversation({ run, flow, contact, now, partitions, traceparent: traceparent() });
    conversations.push(created.conversation);
    for (const [path, by] of Object.entries(created.counters)) counters[path] = (counters[path] ?? 0) + by;
  }
  const duplicates = reading.duplicates + reading.contacts.size - conversations.length;
  const { expanded, skipped } = run.expansion;
  return {
    campaignId: run._id,
    from: run.expansion.after,
    expansion: {
      expanded: expanded + conversations.length,
      skipped: {
        ...skipped,
        ...raised(skipped, 'duplicate_contact', duplicates),
        ...raised(skipped, 'contact_invalid', reading.invalid),
      },
      ...(reading.after === undefined ? {} : { after: reading.after }),
      done: context.done && reading.taken === items.length,
    },
    conversations,
    counters,
    ...(reading.firstInvalid === undefined ? {} : { firstInvalid: reading.firstInvalid }),
  };
}

type Skipped = Run['expansion']['skipped'];

const raised = (skipped: Skipped, reason: keyof Skipped, by: number): Skipped =>
  by > 0 ? { [reason]: (skipped[reason] ?? 0) + by } : {};

function read(items: readonly SourceItem[], { run, map }: SliceContext): Reading {
  const reading: Reading = { contacts: new Map(), duplicates: 0, invalid: 0, taken: 0, after: run.expansion.after };
  let bytes = 0;
  for (const { raw, after } of items) {
    if (bytes >= sliceBytes) break;
    reading.taken += 1;
    reading.after = after;
    const { contact, invalid } = readContact(raw, map);
    const size = contact ? roughSize(contact) : 0;
    if (contact === undefined || size > contactBytes) {
      reading.invalid += 1;
      reading.firstInvalid ??= invalid ?? `it is larger than ${contactBytes} bytes`;
      continue;
    }
    const id = conversationId(run._id, contact.id);
    if (reading.contacts.has(id)) reading.duplicates += 1;
    else {
      reading.contacts.set(id, contact);
      bytes += size;
    }
  }
  return reading;
}

/** About how many bytes a value takes as BSON: cheap, and right within a factor of three. */
export function roughSize(value: unknown): number {
  if (typeof value === 'string') return value.length + 8;
  if (typeof value !== 'object' || value === null) return 8;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  let size = 16;
  for (const [key, field] of Object.entries(value)) size += key.length + roughSize(field);
  return size;
}
