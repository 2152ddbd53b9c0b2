/** What a round writes of limits: guarded by what was read, over members, together with all else of its unit. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ObjectId } from 'bson';
import type {
  CampaignRamp,
  ContactPressure,
  Conversation,
  Id,
  LimitChange,
  Message,
  Unit,
} from '../../src/domain/model.ts';
import { raised } from '../../src/domain/pressure.ts';
import { conversation, type Harness, memoryHarness, mongoHarnesses, unit } from './harness.ts';

const mongo = mongoHarnesses();
afterAll(() => mongo.close());

const at = new Date('2026-01-05T09:00:00Z');
const later = new Date('2026-01-06T09:00:00Z');
const none: ReadonlySet<string> = new Set();

describe.each([
  ['in memory', memoryHarness],
  ['on MongoDB', mongo.make],
])('the limits of a round %s', (_, make) => {
  let on: Harness;
  beforeEach(async () => {
    on = await make();
  });
  afterEach(() => on.close());

  const put = async (campaign: Id, contact = 'ada'): Promise<Conversation> => {
    const one = conversation(campaign, contact);
    await on.insert('conversation_states', [one]);
    return one;
  };
  const raise = (of: Conversation, stored?: ContactPressure): LimitChange => {
    const document = raised(of, stored, { id: `${of._id}/1`, at }, none);
    return { kind: 'raise', version: stored?.version, document };
  };
  const limited = (of: Conversation, ...limits: LimitChange[]): Unit => unit(of, { limits });
  const take = (limit: number, from = at): LimitChange => ({ kind: 'take', from, limit });
  const pressure = async (): Promise<ContactPressure | undefined> =>
    (await on.find<ContactPressure>('contact_pressure'))[0];
  const sends = async () => (await pressure())?.sends.map(({ id }) => id);
  const ramp = async (): Promise<CampaignRamp | undefined> => (await on.find<CampaignRamp>('campaign_ramps'))[0];
  const rows = async () => (await on.find<Message>('messages')).map(({ _id }) => _id);
  const missedOf = async (units: Unit[]) => [...(await on.conversations.commit(units)).missed];

  test('a contact is counted with the message that it gets, and read as it was written', async () => {
    const a = await put('a');
    expect(await on.conversations.commitInOrder([limited(a, raise(a))])).toEqual(new Set());
    const first = await pressure();
    expect(first).toMatchObject({
      _id: ':ada',
      contactId: 'ada',
      sends: [{ id: 'a:ada/1', at }],
      version: at.getTime(),
    });
    const b = await put('b');
    expect(await on.conversations.commitInOrder([limited(b, raise(b, first))])).toEqual(new Set());
    expect(await sends()).toEqual(['a:ada/1', 'b:ada/1']);
    expect(await on.limits.pressures([':ada', ':nobody'])).toEqual([await pressure()]);
  });

  test('nothing of a unit is written when its contact was counted meanwhile, whether there was a document or not', async () => {
    const [a, b, c, d] = await Promise.all(['a', 'b', 'c', 'd'].map((id) => put(id)));
    if (!a || !b || !c || !d) throw new Error('none');
    const first = limited(a, raise(a));
    expect(await missedOf([first])).toEqual([]);
    const read = await pressure();
    expect(await on.conversations.commitInOrder([limited(b, raise(b))])).toEqual(new Set([b._id]));
    expect(await missedOf([limited(b, raise(b))])).toEqual([b._id]);
    expect(await missedOf([limited(c, raise(c, read))])).toEqual([]);
    expect(await on.conversations.commitInOrder([limited(d, raise(d, read))])).toEqual(new Set([d._id]));
    expect(await missedOf([limited(d, raise(d, read))])).toEqual([d._id]);
    expect([await sends(), await rows()]).toEqual([
      ['a:ada/1', 'c:ada/1'],
      ['a:ada/1', 'c:ada/1'],
    ]);
    expect(await on.find('conversation_states', { _id: d._id })).toMatchObject([{ version: 1 }]);
  });

  test('of two units in one round that count the same contact only the first is written; others are left alone', async () => {
    const [a, b] = [await put('a'), await put('b')];
    const other = await put('c', 'bob');
    expect(await missedOf([limited(a, raise(a)), limited(b, raise(b)), limited(other, raise(other))])).toEqual([b._id]);
    expect(await rows()).toEqual(['a:ada/1', 'c:bob/1']);
  });

  test('two members that count a contact at the same moment: one of them misses', async () => {
    const other = await on.member('m2');
    for (let round = 0; round < 10; round += 1) {
      const [a, b] = [await put(`a${round}`), await put(`b${round}`)];
      const read = await pressure();
      const receipts = await Promise.all([
        on.conversations.commit([limited(a, raise(a, read))]),
        other.conversations.commit([limited(b, raise(b, read))]),
      ]);
      expect(receipts.map(({ missed }) => missed.size).toSorted()).toEqual([0, 1]);
      expect(await sends()).toHaveLength(round + 1);
    }
  });

  test('what does not come about is given back, exactly once, and whoever read before misses', async () => {
    const [a, b, c, d] = [await put('a'), await put('b'), await put('c'), await put('d')];
    await missedOf([limited(a, raise(a))]);
    const read = await pressure();
    const lower: LimitChange = { kind: 'lower', id: ':ada', messageId: 'a:ada/1' };
    const nowhere: LimitChange = { kind: 'lower', id: ':nobody', messageId: 'a:ada/1' };
    expect(await missedOf([limited(b, lower, nowhere)])).toEqual([]);
    expect(await sends()).toEqual([]);
    expect(await missedOf([limited(c, raise(c, read))])).toEqual([c._id]);
    const now = await pressure();
    expect(await missedOf([limited(c, raise(c, now), lower), limited(d, lower)])).toEqual([]);
    expect(await sends()).toEqual(['c:ada/1']);
  });

  test.each<[string, Id]>([
    ['a string', 'spring'],
    ['an ObjectId', new ObjectId()],
    ['a number', 7],
  ])(
    'a ramp whose campaign is %s takes as many as its period has, in one round or in several',
    async (__, campaign) => {
      const all = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((contact) => put(campaign, contact)));
      const [a, b, c, d, e] = all as [Conversation, Conversation, Conversation, Conversation, Conversation];
      expect(await missedOf([limited(a, take(3)), limited(b, take(3))])).toEqual([]);
      expect(await ramp()).toEqual({ _id: campaign, from: at, used: 2 });
      expect(await on.conversations.commitInOrder([limited(c, take(3)), limited(d, take(3))])).toEqual(
        new Set([c._id, d._id]),
      );
      expect(await missedOf([limited(c, take(3)), limited(d, take(3))])).toEqual([d._id]);
      expect(await missedOf([limited(d, { kind: 'return', from: at }, take(3)), limited(e, take(3))])).toEqual([e._id]);
      expect(await on.limits.ramps([campaign, 'nobody'])).toEqual([{ _id: campaign, from: at, used: 3 }]);
      expect(await missedOf([limited(e, { kind: 'return', from: at })])).toEqual([]);
      expect(await ramp()).toMatchObject({ used: 2 });
    },
  );

  test('a period begins anew, and is never left for an earlier one', async () => {
    const [a, b, c, d] = await Promise.all(['a', 'b', 'c', 'd'].map((contact) => put('spring', contact)));
    if (!a || !b || !c || !d) throw new Error('none');
    await missedOf([limited(a, take(1))]);
    expect(await missedOf([limited(b, take(2, later))])).toEqual([]);
    expect(await ramp()).toEqual({ _id: 'spring', from: later, used: 1 });
    expect(await missedOf([limited(c, take(2))])).toEqual([]);
    expect(await ramp()).toEqual({ _id: 'spring', from: later, used: 2 });
    expect(await missedOf([limited(d, take(2))])).toEqual([d._id]);
    expect(await missedOf([limited(d, { kind: 'return', from: at })])).toEqual([]);
    expect(await ramp()).toMatchObject({ used: 2 });
  });

  test('members that take of one ramp at the same moment never take more than there is', async () => {
    const other = await on.member('m2');
    const contacts = Array.from({ length: 30 }, (__, n) => `c${n}`);
    const all = await Promise.all(contacts.map((contact) => put('spring', contact)));
    const rounds: Promise<string[]>[] = [];
    for (let n = 0; n < all.length; n += 3) {
      const units = all.slice(n, n + 3).map((one) => limited(one, take(20)));
      const { conversations } = n % 2 === 0 ? on : other;
      rounds.push(conversations.commit(units).then(({ missed }) => [...missed]));
    }
    const missed = (await Promise.all(rounds)).flat();
    expect([missed.length, (await ramp())?.used, (await rows()).length]).toEqual([10, 20, 20]);
  });

  test('a unit that misses for another reason takes nothing', async () => {
    const a = await put('spring');
    await on.push(a._id, { type: 'reply' });
    expect(await missedOf([limited(a, raise(a), take(5))])).toEqual([a._id]);
    expect([await pressure(), await ramp()]).toEqual([undefined, undefined]);
  });
});
