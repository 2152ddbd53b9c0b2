/** What holds for every decision, whatever the flow is and whatever happens in it. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Decision } from '../../../src/domain/decision.ts';
import type { Conversation, Message } from '../../../src/domain/model.ts';
import { rowTakes } from '../../../src/domain/outbox.ts';
import { contacts, flows, type Happening, happenings, Stored } from './stories.ts';

type Step = {
  before: Conversation;
  rowsBefore: ReadonlyMap<string, Message>;
  decision: Decision;
  happening: Happening;
  stored: Stored;
};

/** Runs a story for each of many; `check` sees every step once it is committed. */
function forEveryStep(
  check: (step: Step) => void,
  end: (stored: Stored, story: readonly Happening[]) => void = () => {},
) {
  fc.assert(
    fc.property(flows, contacts, happenings, (stages, contact, story) => {
      const stored = new Stored(stages, contact);
      for (const happening of story) {
        const input = stored.happen(happening);
        const before = stored.conversation;
        const rowsBefore = new Map(stored.rows);
        const decision = stored.decide(input);
        stored.commit(decision);
        check({ before, rowsBefore, decision, happening, stored });
      }
      end(stored, story);
    }),
    { numRuns: 150 },
  );
}

const countBy = (names: readonly (string | undefined)[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) if (name !== undefined) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

test('property: the change applied to the stored document is the conversation that was decided; without one nothing differs', () => {
  const known = ({ history: _h, updatedAt: _u, ...fields }: Conversation): object => fields;
  forEveryStep(({ before, decision: { unit, conversation }, stored }) => {
    expect(known(stored.conversation)).toEqual(known(conversation));
    if (unit?.change === undefined) expect(stored.conversation).toBe(before);
    else {
      expect(unit.change).toMatchObject({ id: before._id, version: before.version, inboxSize: before.inbox.length });
      expect(stored.conversation.version).toBe(before.version + 1);
    }
  });
});

test('property: all counters together say what the documents say', () => {
  forEveryStep(({ stored: { conversation, rows, counters } }) => {
    const all = [...rows.values()];
    const under = (group: string): Record<string, number> =>
      Object.fromEntries(
        Object.entries(counters)
          .filter(([path, count]) => path.startsWith(`${group}.`) && count !== 0)
          .map(([path, count]) => [path.slice(group.length + 1), count]),
      );
    const { status, outcome, repliedAt } = conversation;
    const sent = all.filter((row) => row.status === 'sent');
    const followUps = sent.filter(({ step }) => step > 0).length;
    const bounced = all.filter(({ bouncedAt }) => bouncedAt !== undefined).length;
    expect(under('messages')).toEqual({
      ...countBy(all.map((row) => (row.pending ? undefined : row.status))),
      ...(followUps > 0 ? { followUps } : {}),
      ...(bounced > 0 ? { bounced } : {}),
    });
    expect(counters['pending'] ?? 0).toBe(all.filter(({ pending }) => pending).length);
    expect(under('reasons')).toEqual(countBy(all.map(({ reason }) => reason)));
    expect(under('outcomes')).toEqual(countBy([outcome]));
    const statuses = ['active', 'completed', 'escalated', 'failed', 'suppressed', 'cancelled'];
    expect(statuses.filter((name) => counters[name] === 1)).toEqual([status]);
    expect([counters['total'], counters['replied'] ?? 0]).toEqual([1, repliedAt === undefined ? 0 : 1]);
    const bySent = Object.entries(under('stages')).filter(([path]) => path.endsWith('.sent'));
    expect(Object.fromEntries(bySent)).toEqual(countBy(sent.map(({ stage }) => `${stage}.sent`)));
  });
});

test('property: no status runs backwards, of a row or of a conversation, and guards are met', () => {
  const ways: Record<string, readonly string[]> = {
    sending: ['sending', 'sent', 'queued', 'failed', 'uncertain', 'skipped'],
    queued: ['queued', 'sending', 'skipped', 'uncertain'],
  };
  forEveryStep(({ before, rowsBefore, decision: { unit }, stored }) => {
    const { status, outcome } = stored.conversation;
    const isBack = before.status === 'escalated' && unit?.reopens === true;
    if (before.status !== 'active' && !isBack) expect([status, outcome]).toEqual([before.status, before.outcome]);
    for (const [id, row] of rowsBefore) expect(ways[row.status] ?? [row.status]).toContain(stored.rows.get(id)?.status);
    for (const { id, from } of unit?.rows ?? []) expect(rowTakes(rowsBefore.get(id)?.status, from)).toBe(true);
    for (const row of unit?.inserts ?? []) expect(['sending', 'skipped', 'failed']).toContain(row.status);
  });
});

test('property: a message whose sender was lost is never said to have been skipped', () => {
  const lost = new WeakMap<Stored, Set<string>>();
  forEveryStep(({ decision: { unit }, happening: { answer }, stored }) => {
    const ids = lost.get(stored) ?? new Set();
    lost.set(stored, ids);
    if (answer?.outcome.kind === 'lost')
      for (const { id, from } of unit?.rows ?? []) if (from === 'sending') ids.add(id);
    for (const id of ids) expect(stored.rows.get(id)?.status).not.toBe('skipped');
  });
});

test('property: what ended has nothing due, waits for nothing, and sends nothing more', () => {
  forEveryStep(({ before, decision: { unit, send }, stored: { conversation } }) => {
    if (conversation.status !== 'active') {
      const { nextActionAt, nextChannel, awaiting, delayed, opening } = conversation;
      expect([nextActionAt, nextChannel, awaiting, delayed, opening].every((field) => field === undefined)).toBe(true);
      expect(send).toBeUndefined();
    }
    if (before.status !== 'active' && !unit?.reopens) expect(unit?.inserts ?? []).toEqual([]);
  });
});

test('property: what is active has something due, waits for an answer, or for an event that its stage names', () => {
  forEveryStep(({ stored: { conversation, inFlight, context } }) => {
    if (conversation.status !== 'active' || conversation.nextActionAt !== undefined || inFlight) return;
    const stage = context.flow.stages.get(conversation.stage);
    expect(stage).toMatchObject({ type: 'wait', waitFor: { kind: 'event' } });
    expect((stage as { waitFor: object }).waitFor).not.toHaveProperty('timeout');
  });
});

test('property: a person is asked in by one document at a time, which is open as long as the conversation waits for him', () => {
  forEveryStep(({ decision: { unit }, stored: { conversation, escalations } }) => {
    expect(unit?.escalations?.filter(({ kind }) => kind === 'opened').length ?? 0).toBeLessThanOrEqual(3);
    const open = [...escalations].filter(([, status]) => status === 'open').map(([id]) => id);
    expect(open).toEqual(conversation.escalation === undefined ? [] : [conversation.escalation]);
    const waits = conversation.status === 'escalated';
    if (waits) expect(open).toHaveLength(1);
    if (conversation.status !== 'active' && !waits) expect(open).toEqual([]);
  });
});

test('property: the sequence grows by the rows inserted, which are numbered without a gap; one row at most is in flight', () => {
  forEveryStep(({ before, decision: { unit, send }, stored }) => {
    const inserts = unit?.inserts ?? [];
    const { _id, sequence } = stored.conversation;
    expect(sequence).toBe(before.sequence + inserts.length);
    expect(inserts.map((row) => row._id)).toEqual(inserts.map((_, n) => `${_id}/${before.sequence + n + 1}`));
    expect([...stored.rows.keys()]).toEqual(Array.from({ length: sequence }, (_, n) => `${_id}/${n + 1}`));
    const sending = [...stored.rows.values()].filter(({ status }) => status === 'sending');
    expect(sending.map((row) => row._id)).toEqual(stored.inFlight ? [stored.inFlight.row._id] : []);
    if (send) expect(stored.rows.get(send._id)?.status).toBe('sending');
  });
});

test('property: deciding again at the same time, with nothing new, writes nothing', () => {
  forEveryStep(({ before, happening: { slot, room }, stored }) => {
    // a row that was put back takes a lane of its own
    const hasSlot = slot && stored.conversation.awaiting === before.awaiting;
    const again = stored.decide(stored.input([], hasSlot, room));
    expect([again.unit, again.send]).toEqual([undefined, undefined]);
  });
});

test('property: each event is consumed once by its id, in order, and what cannot be read is kept aside', () => {
  const isReadable = (event: unknown): boolean => typeof (event as { type?: unknown } | null)?.type === 'string';
  forEveryStep(
    ({ decision: { unit }, happening: { events }, stored: { conversation } }) => {
      expect(conversation.inbox).toEqual([]);
      // a stage that is none may be named too
      const unread = unit?.deadLetters.filter(({ document }) => !isReadable(document)) ?? [];
      expect(unread).toHaveLength(events.filter((event) => !isReadable(event)).length);
    },
    ({ conversation: { history, consumed } }, story) => {
      const ids = story.flatMap(({ events }) => events.flatMap((event) => (event as { id?: string } | null)?.id ?? []));
      const distinct = [...new Set(ids)];
      // what it tells others of a bounce is known to it
      expect(consumed.filter((id) => !id.startsWith('bounced:'))).toEqual(distinct);
      const told = history.flatMap(({ detail }) => (detail as { id?: string } | undefined)?.id ?? []);
      expect(told).toEqual(distinct);
    },
  );
});
