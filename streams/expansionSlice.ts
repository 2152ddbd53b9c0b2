import { opensFor } from '../src/domain/campaignTypes.ts';
import { readContact } from '../src/domain/contact.ts';
import { newConversation } from '../src/domain/conversation.ts';
import type { CompiledFlow } from '../src/domain/flow.ts';
import { currentOf } from '../src/domain/flowVersions.ts';
import { conversationId } from '../src/domain/ids.ts';
import type { Contact, Conversation, CounterDelta, ExpansionSlice, Run, Skipped } from '../src/domain/model.ts';
import { roughSize } from '../src/domain/roughSize.ts';
import type { NewTraceparent } from '../src/domain/trace.ts';
import { type AdmissionRules, admit } from './admission.ts';

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
  /** They are looked at once more: only who enters counts, and where the expansion is stays as it is. Then, what they come behind. */
  again?: { after: unknown } | undefined;
  /** All that lies up to there was looked at: behind the last item, there is nothing. */
  looked?: { after: unknown } | undefined;
  /** Why the database takes none of the items. */
  refused?: string;
  /** Of a collection's audience; inline contacts have none. */
  map?: Record<string, unknown> | undefined;
  partitions: number;
  /** ms since the epoch. */
  now: number;
  traceparent: NewTraceparent;
  rules: AdmissionRules;
  /** Addresses that the conversation of a contact keeps. */
  addressesOf?: ((contact: Contact) => readonly string[]) | undefined;
}

export interface Slice extends ExpansionSlice {
  /** The last item it is done with. */
  reached: unknown;
  /** All items are. */
  isWhole: boolean;
  /** What is wrong with the first contact that could not be used. */
  firstInvalid?: string;
}

/** What is read off the items: as many as fit in a slice. */
interface Reading {
  contacts: Map<string, Contact>;
  skipped: Skipped;
  firstInvalid?: string;
  taken: number;
  after: unknown;
}

/** The next slice of a run: items as far as they fit, without those who are kept out. */
export async function sliceOf(items: readonly SourceItem[], context: SliceContext): Promise<Slice> {
  const { run, flow, partitions, now, traceparent } = context;
  const reading = read(items, context);
  const { entering, skipped, addresses } = await admit(reading.contacts, context.rules);
  const conversations: Conversation[] = [];
  const counters: CounterDelta = {};
  const current = currentOf(run);
  for (const contact of entering.values()) {
    const own = context.addressesOf?.(contact);
    const created = newConversation({
      run: current,
      flow,
      contact,
      now,
      partitions,
      traceparent: traceparent(run.trace?.parent, 'linked'),
      addresses: own,
    });
    conversations.push(created.conversation);
    for (const [path, by] of Object.entries(created.counters)) counters[path] = (counters[path] ?? 0) + by;
  }
  return {
    campaignId: run._id,
    from: run.expansion.after,
    expansion: context.again
      ? { ...run.expansion, expanded: run.expansion.expanded + conversations.length }
      : {
          expanded: run.expansion.expanded + conversations.length,
          skipped: sum(run.expansion.skipped, reading.skipped, skipped),
          ...(reading.after === undefined ? {} : { after: reading.after }),
          done: context.done && reading.taken === items.length,
        },
    ...(opensFor(run) === 'live' ? { expectExpanded: run.expansion.expanded } : {}),
    ...(run.migration === undefined ? {} : { migration: run.migration.number }),
    reached: reading.after,
    isWhole: reading.taken === items.length,
    conversations,
    ...(addresses.length > 0 ? { addresses } : {}),
    counters,
    ...(reading.firstInvalid === undefined || context.again ? {} : { firstInvalid: reading.firstInvalid }),
  };
}

function sum(...all: readonly Skipped[]): Skipped {
  const total: Skipped = {};
  for (const skipped of all)
    for (const [reason, count] of Object.entries(skipped) as [keyof Skipped, number][])
      total[reason] = (total[reason] ?? 0) + count;
  return total;
}

function read(items: readonly SourceItem[], { run, map, again, looked, refused }: SliceContext): Reading {
  const { after } = again ?? run.expansion;
  const reading: Reading = { contacts: new Map(), skipped: {}, taken: 0, after };
  const skip = (reason: keyof Skipped): void => {
    reading.skipped[reason] = (reading.skipped[reason] ?? 0) + 1;
  };
  let bytes = 0;
  for (const { raw, after } of items) {
    if (bytes >= sliceBytes) break;
    reading.taken += 1;
    reading.after = after;
    const { contact, invalid } = refused === undefined ? readContact(raw, map) : { invalid: refused };
    const size = contact ? roughSize(contact) : 0;
    if (contact === undefined || size > contactBytes) {
      skip('contact_invalid');
      reading.firstInvalid ??= invalid ?? `it is larger than ${contactBytes} bytes`;
      continue;
    }
    const id = conversationId(run._id, contact.id);
    if (reading.contacts.has(id)) skip('duplicate_contact');
    else {
      reading.contacts.set(id, contact);
      bytes += size;
    }
  }
  if (looked && reading.taken === items.length) reading.after = looked.after;
  return reading;
}
