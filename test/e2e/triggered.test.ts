/** A triggered campaign as its author sees it: real workers, one of which is killed while contacts come in. */
import { expect, test } from '@jest/globals';
import type { Enrollment } from '../../src/domain/model.ts';
import { testService } from '../support/service.ts';

const { of, start, until } = testService('triggered');
const waiting = () => of('enrollments').countDocuments({ handledAt: null });
const enroll = (from: number, count: number, campaignId = 'welcome') =>
  of<Omit<Enrollment, '_id'>>('enrollments').insertMany(
    Array.from({ length: count }, (_, n) => ({
      campaignId,
      contact: { id: `k${from + n}`, phone: '+491511' },
      at: new Date(),
    })),
  );

test('contacts enter while it runs, once each, whoever dies meanwhile; after its end they are told', async () => {
  const first = start();
  await enroll(0, 50);
  await of('campaigns').insertOne({
    ...{ _id: 'welcome', type: 'triggered', status: 'pending', reentry: { policy: 'afterEnd' } },
    flow: { stages: [{ id: 'hello', type: 'message', channel: 'phone', content: { text: 'Hello' } }] },
  });
  await until('those who came before it', async () => (await waiting()) === 0);
  start();
  const more = enroll(50, 2_000);
  await until('some of the others', async () => (await of('conversation_states').estimatedDocumentCount()) > 200);
  await first.kill('SIGKILL');
  await more;
  await until('all of them', async () => (await waiting()) === 0);
  await until('their messages', async () => (await of('messages').countDocuments({ status: 'sent' })) === 2_050);
  expect(await of('conversation_states').countDocuments({ status: 'completed' })).toBe(2_050);

  await enroll(0, 1);
  await until(
    'the second entry',
    async () => (await of('conversation_states').findOne({ _id: 'welcome:k0:2' }))?.['status'] === 'completed',
  );
  expect(await of('campaigns').findOne({ _id: 'welcome' })).toMatchObject({ status: 'running' });

  await of('campaigns').updateOne({ _id: 'welcome' }, { $set: { status: 'cancelled' } });
  await until('its end', async () => (await of('campaign_runs').findOne({ _id: 'welcome' }))?.['settled']);
  expect(await of('campaigns').findOne({ _id: 'welcome' })).toMatchObject({
    expansion: { expanded: 2_051, done: true },
    metrics: { total: 2_051, active: 0, completed: 2_051 },
  });
  await enroll(7_000, 1);
  await until('an answer', async () => (await waiting()) === 0);
  expect(await of('enrollments').countDocuments({ reason: 'campaign_cancelled' })).toBe(1);
});
