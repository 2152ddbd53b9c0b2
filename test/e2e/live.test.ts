/** A live audience and `exitWhen` as an author sees them: real workers, one of which is killed. */
import { expect, test } from '@jest/globals';
import { testService } from '../support/service.ts';

const { of, start, until } = testService('live');

test('who joins later enters, once; who fits exitWhen by then is not written to again', async () => {
  const first = start();
  const people = of('people');
  await people.insertMany([1, 2, 3].map((n) => ({ _id: `p${n}`, tel: `+49151${n}`, crm: { customer: false } })));
  const say = (id: string, more: object) => ({ id, type: 'message', channel: 'phone', content: { text: id }, ...more });
  await of('campaigns').insertOne({
    ...{ _id: 'spring', status: 'pending', exitWhen: { 'contact.attributes.customer': true } },
    audience: { collection: 'people', mode: 'live', map: { phone: '$tel', attributes: '$crm' } },
    flow: { stages: [say('one', { waitForReply: 'PT20S' }), say('two', {})] },
  });
  const sent = (stage: string) => of('messages').countDocuments({ stage, status: 'sent' });
  await until('the first messages', async () => (await sent('one')) === 3);
  await people.updateOne({ _id: 'p2' }, { $set: { crm: { customer: true } } });
  await people.insertOne({ _id: 'p4', tel: '+491514' });
  await first.kill('SIGKILL');
  start();
  await until('whoever joined', async () => (await sent('one')) === 4);
  await until('the others', async () => (await sent('two')) === 3);
  const conversations = await of('conversation_states').find().sort({ _id: 1 }).toArray();
  expect(conversations.map(({ _id, outcome }) => [_id, outcome])).toEqual([
    ['spring:p1', 'finished'],
    ['spring:p2', 'exit_condition'],
    ['spring:p3', 'finished'],
    ['spring:p4', 'finished'],
  ]);
  expect(await of('campaigns').findOne({ _id: 'spring' })).toMatchObject({ status: 'running' });
  await of('campaigns').updateOne({ _id: 'spring' }, { $set: { status: 'cancelled' } });
  await until('its end', async () => (await of('campaign_runs').findOne({ _id: 'spring' }))?.['settled']);
  expect(await of('campaigns').findOne({ _id: 'spring' })).toMatchObject({
    expansion: { expanded: 4, done: true },
    metrics: { total: 4, active: 0, completed: 4 },
  });
}, 240_000);
