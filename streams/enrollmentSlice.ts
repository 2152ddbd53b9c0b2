import { newConversation } from '../src/domain/conversation.ts';
import {
  firstConversation,
  type LastEntry,
  nextEntry,
  type RawEnrollment,
  readEnrollment,
} from '../src/domain/enrollments.ts';
import type { CompiledFlow } from '../src/domain/flow.ts';
import { currentOf } from '../src/domain/flowVersions.ts';
import type { Contact, EnrollmentSlice, Run } from '../src/domain/model.ts';
import { roughSize } from '../src/domain/roughSize.ts';
import type { NewTraceparent } from '../src/domain/trace.ts';

/** As of an expansion's slice: what one transaction takes. */
const sliceBytes = 2_000_000;

export interface EnrollmentContext {
  run: Run;
  flow: CompiledFlow;
  /** ms since the epoch. */
  now: number;
  partitions: number;
  traceparent: NewTraceparent;
  /** Addresses that the conversation of a contact keeps. */
  addressesOf?: (contact: Contact) => readonly string[] | undefined;
  lastEntries: (firstIds: readonly string[]) => Promise<Map<string, LastEntry>>;
}

export interface EnteringSlice extends EnrollmentSlice {
  /** What is wrong with the first that cannot be used. */
  firstInvalid?: string;
}

/** What becomes of enrollments in a campaign that runs, in their order. */
export async function enrollmentSlice(
  of: readonly RawEnrollment[],
  context: EnrollmentContext,
): Promise<EnteringSlice> {
  const { run, flow, now, partitions, traceparent } = context;
  const read = of.map((raw) => ({ id: raw['_id'], ...readEnrollment(raw, now) }));
  const firstOf = (contact: Contact): string => firstConversation(run._id, contact);
  const contacts = read.flatMap(({ contact }) => contact ?? []);
  const last = await context.lastEntries([...new Set(contacts.map(firstOf))]);
  const current = currentOf(run);
  const entering: NonNullable<EnrollmentSlice['entering']> = {
    ...{ campaignId: run._id, conversations: [], again: [], skipped: {}, counters: {} },
    ...(run.migration === undefined ? {} : { migration: run.migration.number }),
  };
  const slice: EnteringSlice = { entering, answers: [], faults: [] };
  const leaveOut = (reason: 'duplicate_contact' | 'contact_invalid'): void => {
    entering.skipped[reason] = (entering.skipped[reason] ?? 0) + 1;
  };
  for (const { id, contact, answer } of read) {
    if (contact === undefined) {
      slice.answers.push({ id, set: answer });
      if (answer.error !== undefined) slice.firstInvalid ??= answer.error.message;
      leaveOut('contact_invalid');
      continue;
    }
    const first = firstOf(contact);
    const entry = nextEntry(last.get(first), run.reentry, now);
    if (entry === undefined) {
      slice.answers.push({ id, set: { reason: 'duplicate_contact' } });
      leaveOut('duplicate_contact');
      continue;
    }
    const addresses = context.addressesOf?.(contact);
    const ids = { traceparent: traceparent(run.trace?.parent, 'linked') };
    const place = { run: current, flow, contact, now, partitions, ...ids };
    const created = newConversation({ ...place, entry, addresses });
    const { conversation, counters } = created;
    entering.conversations.push(conversation);
    if (entry > 1) entering.again.push({ id: first, entries: entry });
    for (const [path, by] of Object.entries(counters)) entering.counters[path] = (entering.counters[path] ?? 0) + by;
    slice.answers.push({ id, set: { conversationId: conversation._id } });
    last.set(first, { entry, status: 'active', createdAt: conversation.createdAt });
  }
  return slice;
}

/** In parts that one transaction takes each. */
export function* partsOf(of: readonly RawEnrollment[]): Generator<RawEnrollment[]> {
  let part: RawEnrollment[] = [];
  let bytes = 0;
  for (const raw of of) {
    const size = roughSize(raw);
    if (part.length > 0 && bytes + size > sliceBytes) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(raw);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
