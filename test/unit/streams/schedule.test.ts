import { describe, expect, test } from '@jest/globals';
import type { Conversation, Lane, Run } from '../../../src/domain/model.ts';
import type { KnownRun } from '../../../streams/runs.ts';
import { Schedule } from '../../../streams/schedule.ts';
import { manualClock } from '../../support/clock.ts';
import { contextOf } from '../domain/given.ts';

const text = { text: 'Hello' };

function known(id: string): KnownRun {
  const context = contextOf([{ id: 'intro', type: 'message', channel: 'sms', content: text }]);
  const run = {
    _id: id,
    priority: 5,
    settled: false,
    expansion: { expanded: 1, skipped: {}, done: true },
  } as unknown as Run;
  return {
    key: id,
    run,
    context,
    contexts: new Map([[undefined, context]]),
    state: 'running',
    held: false,
    replays: false,
    seenEnd: undefined,
    askedAt: 0,
  };
}

/** A store that knows when each campaign's next conversation is due, by partition. */
function fixture(
  dueAt: (lane: Lane, partitions: readonly number[]) => number | undefined,
  room: (channel: string, planned?: ReadonlyMap<string, number>) => number = () => 100,
) {
  const clock = manualClock();
  let partitions: readonly number[] = [];
  const store = {
    due: async (lane: Lane, asked: readonly number[], now: Date): Promise<Conversation[]> => {
      const at = dueAt(lane, asked);
      if (at === undefined || at > now.getTime()) return [];
      return [
        {
          ...{ _id: `${String(lane.campaignId)}:a`, partition: asked[0] ?? 0 },
          ...{ nextActionAt: new Date(at), nextChannel: lane.channel },
        } as Conversation,
      ];
    },
    nextDue: async (lane: Lane, asked: readonly number[], after?: Date): Promise<Date | undefined> => {
      const at = dueAt(lane, asked);
      return at === undefined || (after !== undefined && at <= after.getTime()) ? undefined : new Date(at);
    },
  };
  const schedule = new Schedule({ store, clock, partitions: () => partitions, room });
  const take = async () => (await schedule.take(100, new Map(), () => false, new Map())).map(({ _id }) => _id);
  const own = (...ids: number[]): void => {
    partitions = ids;
  };
  return { clock, schedule, take, own, store };
}

describe('Schedule', () => {
  test('what others inserted with a clock that is ahead of ours is taken when it is due here', async () => {
    let inserted: number | undefined;
    const { clock, schedule, take, own } = fixture((lane) => (lane.opening ? inserted : undefined));
    own(1);
    schedule.setRun(known('spring'));
    expect(await take()).toEqual([]);
    inserted = clock.now() + 300;
    schedule.wake('spring');
    expect(await take()).toEqual([]);
    clock.advance(310);
    expect(await take()).toEqual(['spring:a']);
  });

  test('a lane that was short last time and the others share the room of their channel', async () => {
    const asked: number[] = [];
    const room = (channel: string, planned?: ReadonlyMap<string, number>): number => {
      if (planned !== undefined) asked.push(planned.get(channel) ?? 0);
      return 100;
    };
    const { clock, schedule, take, own } = fixture((lane) => (lane.opening ? clock.now() - 1 : undefined), room);
    own(1);
    schedule.setRun(known('spring'));
    await take();
    schedule.setRun(known('autumn'));
    for (const key of ['spring', 'autumn']) schedule.wake(key);
    asked.length = 0;
    expect((await take()).sort()).toEqual(['autumn:a', 'spring:a']);
    expect(Math.max(...asked)).toBe(1);
  });

  test('partitions gained while lanes are looked at are not forgotten', async () => {
    const { clock, schedule, take, own, store } = fixture((lane, partitions) =>
      !lane.opening && lane.channel === 'sms' && partitions.includes(2) ? clock.now() - 1 : undefined,
    );
    own(1);
    const names = Array.from({ length: 12 }, (_, n) => `c${n}`);
    for (const name of names) schedule.setRun(known(name));
    const { nextDue } = store;
    let asked = 0;
    store.nextDue = (lane, partitions, after) => {
      asked += 1;
      if (asked === 3) {
        own(1, 2);
        schedule.lookAtAll();
      }
      return nextDue(lane, partitions, after);
    };
    const found = new Set<string>();
    for (let turn = 0; turn < 3; turn++) for (const id of await take()) found.add(id);
    expect([...found].sort()).toEqual(names.map((name) => `${name}:a`).sort());
  });

  test('a campaign that rests has no turn, and is due again when it has rested', async () => {
    const { clock, schedule, take, own } = fixture(() => 0);
    own(1);
    const taken = async () => [...new Set(await take())];
    for (const id of ['spring', 'autumn']) schedule.setRun(known(id));
    schedule.rest('spring', 10_000);
    expect(await taken()).toEqual(['autumn:a']);
    let told = 0;
    const subscription = schedule.due$.subscribe(() => {
      told += 1;
    });
    schedule.setRun({ ...known('autumn'), state: 'paused' });
    clock.advance(9_999);
    expect([told, await taken()]).toEqual([0, []]);
    clock.advance(1);
    expect([told, await taken()]).toEqual([1, ['spring:a']]);
    subscription.unsubscribe();
  });

  test('what is due later is woken for, whatever room there is before: it is asked for then', async () => {
    let at = 5_000;
    let room = 0;
    const wanted: number[] = [];
    const { clock, own, store } = fixture(() => at);
    const schedule: Schedule = new Schedule({
      ...{ store, clock, partitions: () => [1], room: () => 100, ofCampaign: () => room },
      wanted: () => wanted.push(clock.now()),
    });
    own(1);
    at = clock.now() + 5_000;
    schedule.setRun(known('spring'));
    const take = async () => (await schedule.take(100, new Map(), () => false, new Map())).map(({ _id }) => _id);
    expect(await take()).toEqual([]);
    let told = 0;
    const subscription = schedule.due$.subscribe(() => {
      told += 1;
    });
    clock.advance(4_999);
    expect([told, wanted]).toEqual([0, []]);
    clock.advance(1);
    expect(told).toBe(1);
    schedule.arm();
    expect(new Set(wanted)).toEqual(new Set([at]));
    clock.advance(1_000);
    expect([told, await take()]).toEqual([1, []]);
    room = 1;
    schedule.arm();
    clock.advance(1);
    expect([told, await take()]).toEqual([2, ['spring:a']]);
    subscription.unsubscribe();
  });

  test('without a due time nothing is asked and no timer runs', async () => {
    const { schedule, take, own, store } = fixture(() => undefined);
    own(1);
    schedule.setRun(known('spring'));
    await take();
    let asked = 0;
    store.due = async () => {
      asked += 1;
      return [];
    };
    expect(await take()).toEqual([]);
    expect(asked).toBe(0);
  });
});

test('each idle lane is asked for what was forgotten, a part of them each turn', async () => {
  const { clock, schedule, own, store } = fixture(() => undefined);
  own(1);
  const campaigns = Array.from({ length: 100 }, (_, n) => `c${n}`);
  for (const id of campaigns) schedule.setRun(known(id));
  await schedule.take(100, new Map(), () => false, new Map());
  clock.advance(60_000);
  const asked = new Set<string>();
  store.due = async ({ campaignId }) => {
    asked.add(String(campaignId));
    return [];
  };
  await schedule.forgotten(() => false);
  const first = asked.size;
  await schedule.forgotten(() => false);
  expect([first < campaigns.length, asked.size]).toEqual([true, first]);
  for (let turn = 0; turn < 10; turn++) {
    schedule.forgottenTurns.next();
    await schedule.forgotten(() => false);
  }
  expect(asked.size).toBe(campaigns.length);
});
