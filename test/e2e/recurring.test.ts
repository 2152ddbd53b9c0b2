/** A recurring campaign as its author sees it: real workers, one of which is killed between two occurrences. */
import { expect, test } from '@jest/globals';
import { testService } from '../support/service.ts';

const { of, start, until } = testService('recurring');
const basic = (at: number): string => new Date(at).toISOString().replace(/[-:]|\.\d+/g, '');

type Counted = { begun: number; missed: number };
test('each occurrence is a campaign of its own, once, whoever dies meanwhile; after the last one it is completed', async () => {
  const first = start();
  await until('a worker', async () => (await of('partitions').countDocuments({ owner: { $exists: true } })) === 16);
  await of('people').insertMany([1, 2, 3].map((n) => ({ _id: `p${n}`, phone: `+49151${n}` })));
  const soon = Math.ceil(Date.now() / 1000) * 1000 + 3_000;
  // of the first two one may be missed where the machine stands still
  const times = [soon, soon + 4_000, soon + 20_000];
  await of('campaigns').insertOne({
    ...{ _id: 'news', type: 'recurring', status: 'pending', audience: { collection: 'people' } },
    schedule: {
      recurrence: `DTSTART:${basic(soon)}\nRRULE:FREQ=YEARLY;COUNT=1\nRDATE:${times.map(basic).join(',')}`,
    },
    flow: { stages: [{ id: 'hello', type: 'message', channel: 'phone', content: { text: 'Hello' } }] },
  });
  const counted = async () => {
    const run = await of('campaign_runs').findOne({ _id: 'news' });
    return run?.['occurrences'] as Counted | undefined;
  };
  await until('the first two', async () => {
    const { begun = 0, missed = 0 } = (await counted()) ?? {};
    return begun + missed >= 2;
  });
  await of('people').insertOne({ _id: 'p4', phone: '+491514' });
  await first.kill('SIGKILL');
  start();
  await until('the end', async () => (await of('campaigns').findOne({ _id: 'news' }))?.['status'] === 'completed');
  const { begun, missed } = (await counted()) as Counted;
  expect(begun + missed).toBe(3);
  const children = () => of('campaigns').find({ parentId: 'news' }).sort({ _id: 1 }).toArray();
  await until('the last one', async () => (await children()).every(({ status }) => status === 'completed'));
  const ids = (await children()).map(({ _id }) => _id);
  expect(ids).toHaveLength(begun);
  expect(ids.at(-1)).toBe(`news@${basic(times[2] as number)}`);
  expect(ids.filter((id) => !times.some((at) => id === `news@${basic(at)}`))).toEqual([]);
  expect(await of('conversation_states').countDocuments({ campaignId: ids.at(-1) })).toBe(4);
  expect(await of('campaign_runs').countDocuments({ parentId: 'news', settled: true })).toBe(begun);
  const sent = await of('messages').countDocuments({ status: 'sent' });
  expect(sent).toBe(await of('conversation_states').countDocuments({ status: 'completed' }));
});
