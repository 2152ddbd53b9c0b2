/** Limits in rounds: nobody gets more than the cap, nothing leaves beyond the ramp, however rounds and members interleave. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileLimits, limitsOf } from '../../../src/domain/compileLimits.ts';
import { decide, newConversation } from '../../../src/domain/conversation.ts';
import type { FlowContext } from '../../../src/domain/decision.ts';
import type { Contact, ContactPressure, Conversation, Member, Message } from '../../../src/domain/model.ts';
import type { RowResult } from '../../../src/domain/outbox.ts';
import { pressureId } from '../../../src/domain/pressure.ts';
import { manualClock } from '../../support/clock.ts';
import { MemoryConversations } from '../../support/memory/conversations.ts';
import { MemoryDatabase } from '../../support/memory/database.ts';
import { MemoryLedger } from '../../support/memory/ledger.ts';
import { MemoryLimits } from '../../support/memory/limits.ts';
import { contextOf } from '../domain/given.ts';
import { member } from './member.ts';

const dayMs = 86_400_000;
const stages = [{ id: 'a', type: 'message', channel: 'sms', content: { text: 'a' } }];
const ada: Contact = { id: 'ada', phone: '+49' };
const perWeek = (count: number) => ({ maxMessagesPerContact: { count, per: 'P7D' } });

/** One conversation of the contact, on a member of its own or shared; what it read may be old when it commits. */
class Actor {
  message: Message | undefined;
  isDone = false;
  private read: { pressure: ContactPressure | undefined; conversation: Conversation } | undefined;
  private readonly of: { store: MemoryConversations; limits: MemoryLimits; context: FlowContext; fails: boolean };
  private readonly id: string;

  constructor(id: string, of: Actor['of']) {
    this.id = id;
    this.of = of;
  }

  /** Reads, or decides from what it read and commits. */
  async step(now: number): Promise<void> {
    if (this.isDone) return;
    if (this.read === undefined) {
      const [pressure] = await this.of.limits.pressures([pressureId({ contact: ada })]);
      const [conversation] = await this.of.store.byIds([this.id]);
      this.read = { pressure, conversation: conversation as Conversation };
      return;
    }
    const { pressure, conversation } = this.read;
    this.read = undefined;
    const results: RowResult[] =
      this.message === undefined
        ? []
        : [
            {
              ...{ row: this.message, decidedAt: now, handedAt: now, answeredAt: now },
              outcome: { kind: 'rejected', code: 'no', message: 'no' },
            },
          ];
    const facts = {
      results,
      slot: true,
      hasRoom: () => true,
      inFlight: false,
      limits: { pressure, room: 0, waiting: 0 },
    };
    const { unit, send } = decide(this.of.context, { conversation, ...facts }, now, () => 0.5);
    const { missed } = await this.of.store.commit(unit ? [unit] : []);
    if (missed.size > 0) return;
    this.isDone = !this.of.fails || send === undefined;
    this.message = send;
  }
}

test('property: 1,000 interleavings of members that write to one contact never exceed the cap, and give back exactly', async () => {
  const order = fc.array(fc.nat(4), { minLength: 10, maxLength: 60 });
  const fails = fc.array(fc.boolean(), { minLength: 5, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 3 }), order, fails, async (count, turns, failing) => {
      const clock = manualClock();
      const database = new MemoryDatabase({ clock });
      const stores = await Promise.all(['m1', 'm2'].map((memberId) => storesOf(database, memberId, clock)));
      const limits = limitsOf({ limits: perWeek(count) } as never);
      const actors = failing.map((isFailing, n) => {
        const context = contextOf(stages, { campaignId: `c${n}`, ...limits });
        const { conversation } = newConversation({
          ...{ run: { _id: `c${n}`, variables: {} }, flow: context.flow, contact: ada },
          ...{ now: clock.now(), partitions: 8, traceparent: 't' },
        });
        database.conversations.insert(conversation);
        const own = stores[n % 2] as (typeof stores)[number];
        return new Actor(conversation._id, { ...own, context, fails: isFailing });
      });
      const check = (): void => {
        const sending = database.messages.find(({ status }) => status === 'sending').map(({ _id }) => _id);
        expect(sending.length).toBeLessThanOrEqual(count);
        expect((database.pressures.find()[0]?.sends ?? []).map(({ id }) => id).toSorted()).toEqual(sending);
      };
      for (const turn of turns) {
        await actors[turn]?.step(clock.now());
        check();
      }
      for (let left = 100; left > 0 && actors.some(({ isDone }) => !isDone); left -= 1)
        for (const actor of actors) await actor.step(clock.now());
      expect(actors.every(({ isDone }) => isDone)).toBe(true);
      check();
      const skipped = database.messages.find(({ reason }) => reason === 'frequency_cap').length;
      const kept = database.messages.find(({ status }) => status === 'sending').length;
      expect(skipped === 0 || kept > 0 || failing.some(Boolean)).toBe(true);
    }),
    { numRuns: 1000 },
  );
}, 240_000);

async function storesOf(database: MemoryDatabase, memberId: string, clock: ReturnType<typeof manualClock>) {
  database.members.insert({ _id: memberId, beat: 0 } as Member);
  const ledger = new MemoryLedger({ database, memberId, clock });
  await ledger.beat();
  return {
    store: new MemoryConversations({ database, ledger, clock }),
    limits: new MemoryLimits({ database, memberId }),
  };
}

async function limitedMember(limits: object, contacts: string[], campaigns = ['spring']) {
  expect(compileLimits(limits).faults).toEqual([]);
  const is = await member(stages, contacts);
  for (const id of campaigns.slice(1)) is.put(id);
  for (const id of campaigns) is.database.runs.update(id, { limits, startedAt: new Date(is.clock.now()) });
  for (const run of await is.campaigns.openRuns()) is.runs.update(run);
  is.schedule.lookAtAll();
  const reads: string[] = [];
  is.database.hooks = { before: (operation) => void reads.push(operation) };
  return { ...is, reads };
}

test('two campaigns in one round: the second one waits for the next, in which the contact has had enough', async () => {
  const { turn, wire, database, answer, reads } = await limitedMember(perWeek(1), ['ada', 'bob'], ['spring', 'summer']);
  expect(await turn()).toMatchObject({ sent: 2 });
  expect(reads.filter((name) => name === 'pressures' || name === 'ramps')).toEqual(['pressures']);
  await answer();
  await turn();
  await turn();
  const rows = database.messages.find();
  expect(rows.map(({ status }) => status).toSorted()).toEqual(['sent', 'sent', 'skipped', 'skipped']);
  expect(rows.filter(({ reason }) => reason === 'frequency_cap')).toHaveLength(2);
  expect(new Set(rows.filter(({ status }) => status === 'sent').map(({ to }) => to)).size).toBe(2);
  expect([wire.length, database.pressures.find().map(({ sends }) => sends.length)]).toEqual([0, [1, 1]]);
});

test('a ramp lets go what its period has, and the rest with the next ones; live limits hold at once', async () => {
  const { turn, wire, database, answer, clock, runs, campaigns, conversation } = await limitedMember(
    { ramp: ['2/d', '1/d', '9/d'] },
    ['a', 'b', 'c', 'd', 'e', 'f'],
  );
  await turn();
  expect([wire.length, database.ramps.find()]).toMatchObject([2, [{ _id: 'spring', used: 2 }]]);
  await answer();
  await turn();
  const delayed = database.conversations.find(({ delayed: why }) => why === 'warm_up');
  expect(delayed.map(({ nextActionAt }) => nextActionAt?.getTime())).toEqual(Array(4).fill(clock.now() + dayMs));
  await clock.advanceAsync(dayMs);
  await turn();
  expect(wire).toHaveLength(1);
  await answer();
  await turn();
  database.runs.update('spring', { limits: { ramp: ['2/d', '2/d'] } });
  for (const run of await campaigns.openRuns()) runs.update(run);
  await clock.advanceAsync(dayMs);
  await turn();
  expect(wire).toHaveLength(2);
  await answer();
  await turn();
  await clock.advanceAsync(dayMs);
  await turn();
  await answer();
  await turn();
  expect(database.messages.find().map(({ status }) => status)).toEqual(Array(6).fill('sent'));
  expect(conversation('spring:a')).toMatchObject({ status: 'completed' });
});

test('a campaign without limits costs no read, and writes nothing of them', async () => {
  const is = await member(stages, ['ada']);
  const reads: string[] = [];
  is.database.hooks = { before: (operation) => void reads.push(operation) };
  expect(await is.turn()).toMatchObject({ sent: 1 });
  expect(reads.filter((name) => name === 'pressures' || name === 'ramps')).toEqual([]);
  expect([is.database.pressures.find(), is.row('spring:ada/1')]).toEqual([
    [],
    expect.not.objectContaining({ ramp: expect.anything() }),
  ]);
});

test('what is wrong with a conversation meets nobody else', async () => {
  const { turn, wire, database, conversation } = await limitedMember(perWeek(1), ['ada', 'bob']);
  database.conversations.update('spring:ada', { contact: null as never });
  await turn();
  expect([wire.map(({ id }) => id), conversation('spring:ada')?.status]).toEqual([['spring:bob/1'], 'failed']);
});

test('an answer whose conversation is gone gives back what did not come about', async () => {
  const { turn, database, answer } = await limitedMember({ ...perWeek(1), ramp: ['5/d'] }, ['ada', 'bob']);
  await turn();
  database.conversations.delete('spring:ada');
  await answer({ kind: 'rejected', code: 'no', message: 'no' });
  await turn('spring:ada', 'spring:bob');
  expect(database.pressures.find().map(({ sends }) => sends.length)).toEqual([0, 0]);
  expect(database.ramps.find()).toMatchObject([{ used: 2 }]);
});
