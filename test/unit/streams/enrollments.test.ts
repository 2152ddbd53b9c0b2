import { describe, expect, test } from '@jest/globals';
import { enrollmentPartition } from '../../../src/domain/enrollments.ts';
import type { Member, Run } from '../../../src/domain/model.ts';
import { Enrollments } from '../../../streams/enrollments.ts';
import { Runs } from '../../../streams/runs.ts';
import { run } from '../../contract/harness.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingInstruments, recordingLogger } from '../../support/fakes.ts';
import { MemoryCampaigns } from '../../support/memory/campaigns.ts';
import { MemoryDatabase } from '../../support/memory/database.ts';
import { MemoryEnrollments } from '../../support/memory/enrollments.ts';
import { MemoryLedger } from '../../support/memory/ledger.ts';
import { channels } from '../domain/given.ts';

const partitions = 16;
const spring = (over: Partial<Run> = {}): Run =>
  run('spring', {
    audience: { kind: 'enrollments' },
    flow: { stages: [{ id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hi' } }] },
    ...over,
  });

/** One member's enrollments over the in-memory store. `cannotWrite`: what of an enrollment's answer the database refuses. */
function given(owns: (partition: number) => boolean = () => true, cannotWrite = (_id: unknown): boolean => false) {
  const clock = manualClock();
  const database = new MemoryDatabase({ clock });
  database.members.put({ _id: 'm1', beat: 0 } as Member);
  const ledger = new MemoryLedger({ database, memberId: 'm1', clock });
  const campaigns = new MemoryCampaigns({ database, ledger, clock });
  const store = new MemoryEnrollments({ database, ledger, clock });
  const logger = recordingLogger();
  const instruments = recordingInstruments();
  const operations: string[] = [];
  database.hooks.before = (operation) => void operations.push(operation);
  const { answer, waiting } = store;
  store.answer = async (slice) => {
    if (slice.answers.some(({ id }) => cannotWrite(id))) throw new RangeError('larger than a document can be');
    return answer.call(store, slice);
  };
  const read: unknown[] = [];
  store.waiting = (ids, headsOnly) => {
    if (!headsOnly) read.push(...ids);
    return waiting.call(store, ids, headsOnly);
  };
  const runs = new Runs({ campaigns, channels, memberId: 'm1', clock, logger, onChanged: () => {} });
  const enrollments = new Enrollments({
    ...{ store, campaigns, runs, partitions, owns, clock, logger, instruments },
    ...{ signal: new AbortController().signal, isNoFaultOfDocuments: () => false, onEntered: () => {} },
    traceparent: () => 't',
  });
  const put = (_id: unknown, contact: unknown, more: object = {}): void =>
    database.enrollments.put({ _id, campaignId: 'spring', contact, ...more });
  const answers = () =>
    database.enrollments.find().map((one) => one['conversationId'] ?? one['reason'] ?? (one['error'] ? 'told' : '-'));
  return { database, enrollments, put, answers, operations, read, logger, instruments };
}
const many = (count: number, put: (n: number) => void): void => {
  for (let n = 0; n < count; n++) put(n);
};

describe('one that cannot even be answered', () => {
  test('is left alone: the others enter, it is told to operators once, and is not looked at again', async () => {
    const { database, enrollments, put, answers, read, logger, instruments } = given(undefined, (id) => id === 4);
    database.runs.insert(spring());
    many(9, (n) => put(n, { id: `k${n}` }));
    await enrollments.look();
    expect(answers()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].map((n) => (n === 4 ? '-' : `spring:k${n}`)));
    expect(database.deadLetters.find()).toMatchObject([
      { collection: 'enrollments', documentId: 4, reason: 'poisoned', error: { code: 'poisoned' } },
    ]);
    expect(instruments.of('event')).toEqual([['poisoned']]);
    expect(logger.of('error')).toHaveLength(1);
    read.length = 0;
    await enrollments.look();
    await enrollments.offer([4]);
    expect(read).toEqual([]);
    expect(await enrollments.forgotten()).toEqual(new Map());
    expect(database.deadLetters.find()).toHaveLength(1);
  });

  test('is left alone as well where not even that can be told', async () => {
    const { database, enrollments, put, answers, logger } = given(undefined, (id) => id === 1);
    database.runs.insert(spring());
    many(3, (n) => put(n, { id: `k${n}` }));
    database.letter = () => {
      throw new RangeError('its _id is too large');
    };
    await enrollments.look();
    await enrollments.look();
    expect(answers()).toEqual(['spring:k0', '-', 'spring:k2']);
    expect(logger.of('error')).toHaveLength(2);
  });

  test('is no fault of theirs where it is all of them: the look fails, and is tried again', async () => {
    const { database, enrollments, put } = given(undefined, () => true);
    database.runs.insert(spring());
    many(40, (n) => put(n, { id: `k${n}` }));
    await expect(enrollments.look()).rejects.toThrow('larger than');
    expect(database.deadLetters.find()).toHaveLength(20);
  });

  test.each<[string, unknown]>([
    ['a date', new Date(5)],
    ['a document', { a: 1 }],
  ])('its _id may be %s', async (_, id) => {
    const { database, enrollments, put } = given(undefined, (one) => typeof one === 'object');
    database.runs.insert(spring());
    put(id, { id: 'ada' });
    await enrollments.offer([id]);
    await enrollments.look();
    expect(database.deadLetters.find()).toHaveLength(1);
  });
});

describe('who waits for whom', () => {
  test('given a look at many, then what is told meanwhile is decided before it is through', async () => {
    const { database, enrollments, put, answers } = given();
    database.runs.insert(spring());
    database.runs.insert({ ...spring(), _id: 'autumn' });
    many(1_600, (n) => put(n, { id: `k${n}` }));
    const looked = enrollments.look().then(() => 'look');
    put('new', { id: 'ada' }, { campaignId: 'autumn' });
    const offered = enrollments.offer(['new']).then(() => 'offer');
    expect(await Promise.race([looked, offered])).toBe('offer');
    expect(answers()).toContain('autumn:ada');
    await looked;
    expect(answers()).not.toContain('-');
  });

  test('given two looks, then they take turns page by page', async () => {
    const { database, enrollments, put, answers } = given();
    database.runs.insert(spring());
    database.runs.insert({ ...spring(), _id: 'autumn' });
    many(1_600, (n) => put(n, { id: `k${n}` }));
    put('other', { id: 'ada' }, { campaignId: 'autumn' });
    const first = enrollments.look('spring').then(() => 'first');
    const second = enrollments.look('autumn').then(() => 'second');
    expect(await Promise.race([first, second])).toBe('second');
    await first;
    expect(answers()).not.toContain('-');
  });

  test('given more are told than are kept in mind, then everything that waits is looked at, once for all who ask', async () => {
    const { database, enrollments, put, answers, operations } = given();
    database.runs.insert(spring());
    many(30, (n) => put(n, { id: `k${n}` }));
    const unknown = Array.from({ length: 20_001 }, (_, n) => `x${n}`);
    await Promise.all([enrollments.offer(unknown), enrollments.offer(unknown), enrollments.offer([])]);
    expect(answers()).not.toContain('-');
    expect(operations.filter((name) => name === 'enrollments')).toHaveLength(1);
    await enrollments.offer(unknown);
    expect(operations.filter((name) => name === 'enrollments')).toHaveLength(2);
  });
});

test('given other members own most of them, then only ours are read whole', async () => {
  const { database, enrollments, put, read } = given((partition) => partition === 3);
  database.runs.insert(spring());
  many(64, (n) => put(n, { id: `k${n}` }));
  await enrollments.offer(Array.from({ length: 64 }, (_, n) => n));
  const ours = database.enrollments.find().filter((raw) => enrollmentPartition(raw, partitions) === 3);
  expect(ours.length).toBeGreaterThan(0);
  expect(read).toEqual(ours.map(({ _id }) => _id));
});

describe('what waits for a campaign that has not begun', () => {
  test.each<[string, object | undefined, string]>([
    ['is not there', undefined, 'told'],
    ['is a draft', { status: 'draft' }, '-'],
  ])(
    'given it %s, then it is passed over once its authors were told, and nobody behind it is forgotten',
    async (...of) => {
      const [, document, shown] = of;
      const { database, enrollments, put, answers, operations, read } = given();
      if (document) database.campaigns.put({ _id: 'none', ...document } as never);
      database.runs.insert(spring());
      many(1_100, (n) => put(n, { id: `k${n}` }, { campaignId: 'none' }));
      await enrollments.look();
      expect(answers().filter((one) => one === shown)).toHaveLength(1_100);
      put('z', { id: 'ada' });
      operations.length = 0;
      read.length = 0;
      expect(await enrollments.forgotten()).toEqual(new Map());
      await enrollments.look();
      expect(read).toEqual(['z']);
      expect(operations.filter((name) => name === 'enrollments')).toHaveLength(4);
      expect(answers()).toContain('spring:ada');
      // it begins after all
      database.runs.insert({ ...spring(), _id: 'none' });
      await enrollments.look('none');
      expect(answers()).not.toContain('-');
    },
  );

  test.each(['cancelled', 'failed'])(
    'given it is %s and nobody was told, then it is found, and they are',
    async (status) => {
      const { database, enrollments, put, answers } = given();
      database.campaigns.put({ _id: 'none', status } as never);
      database.campaigns.put({ _id: 'draft', status: 'draft' } as never);
      many(3, (n) => put(n, { id: `k${n}` }, { campaignId: 'none' }));
      put('draft', { id: 'ada' }, { campaignId: 'draft' });
      put('missing', { id: 'ada' }, { campaignId: 'missing' });
      put('invalid', { id: 'ada' }, { campaignId: {} });
      expect([...(await enrollments.forgotten()).keys()]).toEqual(['0', '1', '2']);
      await enrollments.lookAtEnded(['draft', 'none']);
      expect(answers().slice(0, 3)).toEqual(
        Array(3).fill(status === 'failed' ? 'campaign_ended' : 'campaign_cancelled'),
      );
      expect(await enrollments.forgotten()).toEqual(new Map());
    },
  );

  test('given thousands of such campaigns, then comparisons go on where the last one ended', async () => {
    const { database, enrollments, put } = given();
    database.runs.insert(spring());
    many(5_200, (n) => put(n, { id: `k${n}` }, { campaignId: `none${n}` }));
    put('z', { id: 'ada' });
    await enrollments.offer(['z']);
    put('seen', { id: 'bob' });
    const found: string[] = [];
    for (let turn = 0; turn < 2; turn++) {
      found.push(...(await enrollments.forgotten()).keys());
      enrollments.nextForgotten();
    }
    expect(found).toEqual(['seen']);
  });
});
