/** A simulation against a member's own rounds on a moved clock: the same campaign, the same messages. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { SendResult } from '../../../src/domain/channelPorts.ts';
import { conversationId } from '../../../src/domain/ids.ts';
import type { Contact, Message } from '../../../src/domain/model.ts';
import { type Chance, counts, happens, parseChance } from '../../../src/domain/simulatedEvents.ts';
import { type SimulatedMessage, Simulation } from '../../../src/domain/simulation.ts';
import { addDuration } from '../../../src/domain/timing.ts';
import { contextOf, facts, t0 } from '../domain/given.ts';
import { type Member, member } from './member.ts';

const seed = 7;
const names = ['ada', 'bob', 'cleo', 'dan', 'eve', 'flo', 'gil', 'hal'];
/** One has no address, one no name: the flow prints it. */
const contacts: Contact[] = names.map((id) => ({
  id,
  ...(id === 'cleo' ? {} : { phone: `+${id}` }),
  ...(id === 'dan' ? {} : { name: id }),
}));

interface Scenario {
  stages: unknown[];
  replies: Chance[];
  failures: Chance[];
  /** Minutes after the start. */
  end: number | undefined;
}

const drawn = (chances: readonly Chance[], kind: string, { _id, stage, step }: Message): (Chance & { id: string })[] =>
  chances.flatMap((chance, n) => {
    const message = { stage, step, sequence: Number(_id.split('/').at(-1)) };
    const id = `${kind} ${n}`;
    return counts(chance, message) && happens(chance, seed, id, _id) ? [{ ...chance, id }] : [];
  });

/** What a member's database holds when nothing is due any more. */
async function lived({ stages, replies, failures, end }: Scenario): Promise<unknown[]> {
  const world: Member = await member(stages, names, {}, 3, 6, ['sms', 'push']);
  const { clock, database } = world;
  for (const contact of contacts) database.conversations.update(conversationId('spring', contact.id), { contact });
  const pushes: { at: number; id: string; event: { id: string; type: string } }[] = [];
  /** Everything that is to happen at this time. */
  const settle = async (): Promise<void> => {
    for (;;) {
      await world.turn();
      if (world.wire.length === 0) return;
      for (const { id, answer } of world.wire.splice(0)) {
        const row = world.row(id) as Message;
        const refused: SendResult = { kind: 'rejected', code: 'simulated', message: '' };
        const isRefused = drawn(failures, 'failure', row).length > 0;
        answer(isRefused ? refused : { kind: 'sent' });
        for (const reply of isRefused ? [] : drawn(replies, 'reply', row))
          pushes.push({
            at: addDuration(clock.now(), reply.after),
            id: row.conversationId,
            event: { id: `${reply.id} ${id}`, type: 'reply' },
          });
      }
    }
  };
  const endAt = end === undefined ? Number.POSITIVE_INFINITY : t0 + end * 60_000;
  for (;;) {
    await settle();
    const dues = database.conversations
      .find(({ status }) => status === 'active')
      .flatMap(({ nextActionAt }) => (nextActionAt === undefined ? [] : [nextActionAt.getTime()]));
    const open = database.conversations.find(({ status }) => status === 'active').length;
    const next = Math.min(...dues, ...pushes.map(({ at }) => at), endAt);
    if (open === 0 || next === Number.POSITIVE_INFINITY) return rowsOf(database.messages.find());
    await clock.advanceAsync(Math.max(0, next - clock.now()));
    if (next === endAt) {
      const run = database.runs.get('spring');
      if (run === undefined) throw new Error('the run is gone');
      world.runs.update({ ...run, status: 'cancelled', endReason: 'campaign_ended' });
      await world.turn(...database.conversations.find().map(({ _id }) => _id));
      return rowsOf(database.messages.find());
    }
    // what is there at a time comes before what is due then
    const now = pushes.filter(({ at }) => at <= next);
    for (const push of now) {
      pushes.splice(pushes.indexOf(push), 1);
      database.push(push.id, push.event);
    }
    await world.turn(...now.map(({ id }) => id));
  }
}

const rowsOf = (rows: readonly Message[]): unknown[] =>
  rows.map((row) => ({
    at: row.sentAt ?? row.handedAt ?? row.queuedAt,
    contactId: String(row.conversationId.split(':')[1]),
    ...{ stage: row.stage, step: row.step, channel: row.channel, status: row.status },
    ...(row.reason === undefined ? {} : { reason: row.reason }),
  }));

function foretold({ stages, replies, failures, end }: Scenario): unknown[] {
  const messages: SimulatedMessage[] = [];
  const channels = new Map(['sms', 'push'].map((name) => [name, facts(name, 'phone')]));
  const simulation = new Simulation(
    {
      ...{
        run: { _id: 'spring', variables: { product: 'Compass' } },
        context: contextOf(stages, { channels }),
        contacts,
        startAt: t0,
      },
      ...(end === undefined ? {} : { endAt: t0 + end * 60_000 }),
      ...{ until: Number.POSITIVE_INFINITY, paces: new Map(), retries: [], failures, seed },
      events: replies.map((chance) => ({ type: 'reply' as const, ...chance })),
    },
    { message: (message) => void messages.push(message), delayed() {}, counted() {}, ended() {}, cutOff() {} },
  );
  while (simulation.run(100));
  return messages;
}

const inOrder = (messages: readonly unknown[]): string[] => messages.map((one) => JSON.stringify(one)).toSorted();

// ---------------------------------------------------------------- scenarios

const ids = ['a', 'b', 'c', 'd', 'e'];
const minutes = fc.integer({ min: 1, max: 90 }).map((n) => `PT${n}M`);
const later = fc.constantFrom('b', 'c', 'd', 'e');
const maybe = <T>(name: string, value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.option(value, { nil: undefined }).map((one) => (one === undefined ? {} : { [name]: one }));
const channel = fc.constantFrom('sms', 'push');
const content = fc.constantFrom({ text: 'Hello' }, { text: 'Hello {{ contact.name }}' });
const messageStage = fc
  .tuple(
    fc.record({ channel, content }),
    maybe('delay', minutes),
    maybe('waitForReply', minutes),
    maybe('followUps', fc.array(fc.record({ after: minutes, channel }), { maxLength: 2 })),
    maybe(
      'on',
      fc.tuple(maybe('reply', later), maybe('failed', later)).map(([a, b]) => ({ ...a, ...b })),
    ),
  )
  .map((parts) => Object.assign({ type: 'message' }, ...parts) as object);
const stage = fc.oneof(
  { weight: 6, arbitrary: messageStage },
  { weight: 1, arbitrary: minutes.map((duration) => ({ type: 'wait', for: duration })) },
  { weight: 1, arbitrary: minutes.map((timeout) => ({ type: 'wait', event: 'ordered', timeout })) },
  { weight: 1, arbitrary: minutes.map((after) => ({ type: 'escalate', to: 'sales', after })) },
  { weight: 1, arbitrary: channel.map((name) => ({ type: 'webhook', channel: name, body: 'x' })) },
  { weight: 1, arbitrary: later.map((goto) => ({ type: 'split', goto })) },
  { weight: 1, arbitrary: later.map((goto) => ({ type: 'branch', goto })) },
);
/** Ways back are left out: they could go round. */
const flow = fc.array(stage, { minLength: 1, maxLength: 5 }).map((stages) => {
  const isAhead = (to: string, index: number): boolean => ids.indexOf(to) > index && ids.indexOf(to) < stages.length;
  return stages.map((one, index) => {
    const { on, goto, ...rest } = one as { type: string; on?: Record<string, string>; goto?: string };
    const id = ids[index];
    if (goto !== undefined) {
      if (!isAhead(goto, index)) return { id, type: 'end', outcome: 'nowhere' };
      if (rest.type === 'branch') return { id, ...rest, branches: [{ when: { 'contact.name': { $gt: 'd' } }, goto }] };
      const variants = [
        { variant: 'x', weight: 1, goto },
        { variant: 'held', weight: 1 },
      ];
      return { id, ...rest, variants };
    }
    const ahead = Object.entries(on ?? {}).filter(([, to]) => isAhead(to, index));
    return { id, ...rest, ...(on === undefined ? {} : { on: Object.fromEntries(ahead) }) };
  });
});
const chances = (...texts: string[]): fc.Arbitrary<Chance[]> =>
  fc.subarray(texts.map((text) => parseChance(text) as Chance));
const scenario: fc.Arbitrary<Scenario> = fc.record({
  stages: flow,
  // none at the very instant at which a webhook was answered: what comes first then is up to the clocks
  replies: chances('40% after PT7M', 'b: 50% after PT45M', 'c: 30% after PT13M'),
  failures: chances('20%', 'b: 40%'),
  end: fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined }),
});

test('the same flow, contacts and replies: the same messages at the same time', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (one) => {
      expect(inOrder(foretold(one))).toEqual(inOrder(await lived(one)));
    }),
    { numRuns: 60 },
  );
}, 120_000);
