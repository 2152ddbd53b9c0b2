/** A member's rounds while everything around them fails at random; then the failures end, and everything has to add up. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RoundReceipt } from '../../../src/domain/conversationPorts.ts';
import { ServiceError } from '../../../src/domain/errors.ts';
import type { Unit } from '../../../src/domain/model.ts';
import { away, member, settle } from './member.ts';

const intro = { id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hello {{ contact.name }}' } };
const flows = {
  'one message': [intro],
  'a reply or the next one': [
    { ...intro, waitForReply: 'PT1H' },
    { ...intro, id: 'more' },
  ],
  'two messages': [intro, { ...intro, id: 'later', delay: 'PT2S' }],
  'two channels': [intro, { ...intro, id: 'push', channel: 'push' }],
};
const contacts = ['a', 'b', 'c', 'd', 'e', 'f'];
const unknown = (): Error => new ServiceError('commit_unknown', 'unknown');
type Commit = (units: readonly Unit[]) => Promise<RoundReceipt>;
type CommitInOrder = (units: readonly Unit[]) => Promise<Set<string>>;
/** Of each channel; the member may have this many rows in doubt on all of them. */
const concurrency = 1;
const inDoubt = 4;

/** Commits that fail before or after they were written, and rounds of which a first part is written alone. */
function flaky(commit: Commit, chance: () => number): Commit {
  return async (units) => {
    const luck = chance();
    if (luck < 0.08) throw unknown();
    if (luck < 0.14) throw away();
    if (luck >= 0.5 || units.length < 2) {
      const receipt = await commit(units);
      if (luck > 0.92) throw unknown();
      return receipt;
    }
    const cut = 1 + Math.floor(chance() * (units.length - 1));
    const receipt = await commit(units.slice(0, cut));
    const rest = units.slice(cut);
    const end = chance();
    if (end < 0.3) throw unknown();
    if (end < 0.6) {
      for (const { conversationId } of rest) receipt.missed.add(conversationId);
      return receipt;
    }
    for (const id of (await commit(rest)).missed) receipt.missed.add(id);
    if (end < 0.8) throw unknown();
    return receipt;
  };
}

/** As `flaky`, for what is written in order: any part of it, from the first unit on. */
function flakyInOrder(commit: CommitInOrder, chance: () => number): CommitInOrder {
  return async (units) => {
    const luck = chance();
    if (luck < 0.08) throw unknown();
    if (luck < 0.14) throw away();
    const cut = luck < 0.4 ? Math.floor(chance() * (units.length + 1)) : units.length;
    const left = await commit(units.slice(0, cut));
    for (const { conversationId } of units.slice(cut)) left.add(conversationId);
    if (luck > 0.92 || chance() < 0.1) throw unknown();
    return left;
  };
}

async function story(stages: unknown[], delivery: 'at-least-once' | 'at-most-once', chance: () => number) {
  const one = await member(stages, contacts, { delivery, attempts: 100, giveUpMs: 1e12 }, concurrency, inDoubt, [
    'sms',
    'push',
  ]);
  const { turn, wire, database, clock, store, hinted, schedule } = one;
  const commit = store.commit.bind(store);
  const commitInOrder = store.commitInOrder.bind(store);
  let most = 0;
  const sent = new Map<string, number>();
  const asked = new Map<string, number>();
  const add = (counts: Map<string, number>, id: string): void => void counts.set(id, (counts.get(id) ?? 0) + 1);
  let events = 0;
  const answer = (failing: boolean): void => {
    for (const one of wire.splice(0)) {
      const luck = failing ? chance() : 1;
      if (luck < 0.3) {
        wire.push(one);
        continue;
      }
      add(sent, one.id);
      if (luck > 0.55 && luck < 1) add(asked, one.id);
      const retry = { kind: 'retry', code: 'busy', message: 'later', counts: true, retryAfterMs: luck * 500 } as const;
      one.answer(luck > 0.55 && luck < 1 ? retry : { kind: 'sent' });
    }
  };
  const round = async (): Promise<void> => {
    let over = false;
    const done = turn(...new Set(hinted.splice(0))).finally(() => {
      over = true;
    });
    for (let n = 0; n < 500 && !over; n++) await clock.advanceAsync(100);
    expect(over).toBe(true);
    await done;
  };
  store.commit = flaky(commit, chance);
  store.commitInOrder = flakyInOrder(commitInOrder, chance);
  database.hooks.after = () => {
    most = Math.max(most, database.messages.find(({ status }) => status === 'sending').length);
  };
  database.hooks.before = (operation) => {
    if (['byIds', 'messages', 'due', 'beat'].includes(operation) && chance() < 0.12) throw away();
    if (operation !== 'round' || chance() > 0.1) return;
    const id = `spring:${contacts[Math.floor(chance() * contacts.length)]}`;
    database.push(id, { id: `e${events++}`, type: chance() < 0.15 ? 'reply' : 'custom' });
    hinted.push(id);
  };
  for (let n = 0; n < 25; n++) {
    await round();
    if (chance() < 0.7) answer(true);
    await settle(clock);
    if (chance() < 0.3) await clock.advanceAsync(1500);
  }
  store.commit = commit;
  store.commitInOrder = commitInOrder;
  database.hooks.before = () => {};
  for (let n = 0; n < 25; n++) {
    await round();
    answer(false);
    await clock.advanceAsync(n > 15 ? 3_600_000 : 3_000);
    if (n % 5 === 0) schedule.lookAtAll();
  }
  return { ...one, sent, asked, most };
}

test('nothing is lost, repeated, counted twice or left waiting, whatever fails meanwhile', async () => {
  const seeds = fc.infiniteStream(fc.noBias(fc.nat(2 ** 30 - 1)).map((n) => n / 2 ** 30));
  const delivery = fc.constantFrom('at-least-once' as const, 'at-most-once' as const);
  const flow = fc.constantFrom(...Object.values(flows));
  await fc.assert(
    fc.asyncProperty(flow, delivery, seeds, async (stages, kind, stream) => {
      const { sent, asked, most, database, dispatch, results, counters } = await story(
        stages,
        kind,
        () => stream.next().value,
      );
      // a reply may come before another try that was asked for
      expect([...sent].filter(([id, times]) => times > 1 + (asked.get(id) ?? 0))).toEqual([]);
      expect(most).toBeLessThanOrEqual(inDoubt);
      const rows = database.messages.find();
      const of = (status: string): string[] => rows.filter((row) => row.status === status).map(({ _id }) => _id);
      expect(rows.filter(({ pending }) => pending)).toEqual([]);
      expect(of('sent').filter((id) => !sent.has(id))).toEqual([]);
      expect(database.conversations.find(({ status }) => status === 'active')).toEqual([]);
      const { pending, metrics } = await counters();
      expect([pending, metrics.messages.sent, metrics.messages.skipped]).toEqual([
        0,
        of('sent').length,
        of('skipped').length,
      ]);
      expect([of('uncertain'), dispatch.inDoubt, results.length]).toEqual([[], 0, 0]);
    }),
    { numRuns: 60, endOnFailure: true },
  );
}, 60_000);
