/** Another version of a template amid a running campaign: real workers, the owner of which is killed meanwhile. */
import { expect, test } from '@jest/globals';
import { testService } from '../support/service.ts';

const { of, start, until } = testService('migrate');
const people = 3_000;
const say = (id: string, more: object = {}) => ({
  id,
  type: 'message',
  channel: 'phone',
  content: { text: id },
  ...more,
});

test('everybody goes over once, whoever dies meanwhile; nobody gets a message twice, or none', async () => {
  const workers = [start(), start()];
  const version = (number: number, stages: object[]) => ({ _id: { id: 'series', version: number }, flow: { stages } });
  const wait = { id: 'wait', type: 'wait', for: 'PT25S' };
  await of<{ _id: object; flow: object }>('templates').insertMany([
    version(1, [
      say('one'),
      {
        id: 'gone',
        type: 'split',
        variants: [
          { variant: 'a', weight: 1, goto: 'wait' },
          { variant: 'b', weight: 1, goto: 'old' },
        ],
      },
      wait,
      say('two'),
      { id: 'over', type: 'end', outcome: 'first' },
      { id: 'old', type: 'wait', for: 'PT25S' },
      say('three'),
    ]),
    version(2, [say('one'), wait, say('two', { content: { text: 'better' } }), say('more')]),
  ]);
  await of('campaigns').insertOne({
    ...{ _id: 'spring', status: 'pending', templateId: 'series', templateVersion: 1 },
    audience: { contacts: Array.from({ length: people }, (_, n) => ({ id: `p${n}`, phone: `+49151${n}` })) },
  });
  const rows = (filter: object) => of('messages').countDocuments({ status: 'sent', ...filter });
  await until('the first messages', async () => (await rows({ stage: 'one' })) === people);
  await of('campaigns').updateOne({ _id: 'spring' }, { $set: { migrate: { toVersion: 2 } } });
  await until('that it begins', async () => (await of('conversation_states').findOne({ migration: 1 })) !== null);
  const owner = await of('members').find().toArray();
  expect(owner.length).toBeGreaterThan(0);
  await workers[0]?.kill('SIGKILL');
  await until(
    'that all were asked',
    async () => (await of('campaign_runs').findOne({ _id: 'spring' }))?.['migration']?.completedAt,
  );
  const asked = await of('campaigns').findOne({ _id: 'spring' });
  expect(asked).toMatchObject({ templateVersion: 2, migration: { from: 1, to: 2 } });
  expect(asked).not.toHaveProperty('migrate');
  const { moved, stayed } = { moved: 0, stayed: {} as Record<string, number>, ...asked?.['migration'] };
  expect(moved + (stayed['old'] ?? 0)).toBe(people);
  expect(await of('conversation_states').countDocuments({ flowVersion: 2 })).toBe(moved);
  await until('its end', async () => (await of('campaigns').findOne({ _id: 'spring' }))?.['status'] === 'completed');
  expect(await rows({ stage: 'two', 'content.text': 'better' })).toBe(moved);
  expect(await rows({ stage: 'more' })).toBe(moved);
  expect(await rows({ stage: 'three' })).toBe(stayed['old']);
  const twice = await of('messages').aggregate([
    { $group: { _id: { conversation: '$conversationId', stage: '$stage', step: '$step' }, count: { $sum: 1 } } },
    { $match: { count: { $gt: 1 } } },
  ]);
  expect(await twice.toArray()).toEqual([]);
}, 240_000);
