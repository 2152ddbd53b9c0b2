import { expect, test } from '@jest/globals';
import { ServiceError } from '../../../src/domain/errors.ts';
import type { Run } from '../../../src/domain/model.ts';
import { away, member } from './member.ts';

const stages = [
  { id: 'one', type: 'message', channel: 'sms', content: { text: 'one' }, waitForReply: 'PT1M' },
  { id: 'two', type: 'message', channel: 'sms', content: { text: 'two' } },
];
const people = ['ada', 'bob', 'cyd'];
const exitWhen = { 'contact.attributes.customer': true };

async function given(more: Partial<Run> = {}) {
  const one = await member(stages, people);
  const audience = { kind: 'collection', collection: 'people', filter: {}, map: { attributes: '$crm' } } as const;
  one.database.runs.update('spring', { audience, exitWhen, startedAt: new Date(one.clock.now()), ...more });
  for (const known of await one.campaigns.openRuns()) one.runs.update(known);
  for (const _id of people) one.database.audience('people').put({ _id, phone: `+${_id}` } as never);
  let reads = 0;
  one.database.hooks.before = (operation) => {
    if (operation === 'sources') reads += 1;
  };
  const statuses = () => one.database.conversations.find().map(({ status, outcome }) => outcome ?? status);
  return { ...one, statuses, reads: () => reads };
}

test('given contacts that changed since they entered, then who fits leaves; one read a round and campaign', async () => {
  const { turn, wire, clock, database, statuses, reads } = await given();
  await turn();
  expect([wire.length, reads()]).toEqual([3, 1]);
  for (const { answer } of wire.splice(0)) answer({ kind: 'sent' });
  await turn();
  expect(reads()).toBe(1);
  database.audience('people').update('bob' as never, { crm: { customer: true } } as never);
  database.audience('people').delete('cyd' as never);
  await clock.advanceAsync(61_000);
  await turn();
  expect(statuses()).toEqual(['active', 'exit_condition', 'active']);
  expect(wire.map(({ id }) => id)).toEqual(['spring:ada/2', 'spring:cyd/2']);
  expect(reads()).toBe(2);
});

test.each<[string, Partial<Run>]>([
  ['without exitWhen', { exitWhen: undefined as never }],
  ['whose contacts are inline', { audience: { kind: 'inline' } }],
])('given a campaign %s, then nothing is read again', async (_, more) => {
  const { turn, wire, reads } = await given(more);
  await turn();
  expect([wire.length, reads()]).toEqual([3, 0]);
});

test('given a collection that cannot be read for good, then contacts are taken as they entered, and it is told', async () => {
  const { turn, wire, database, logger } = await given();
  database.hooks.before = (operation) => {
    if (operation === 'sources') throw new ServiceError('document_invalid', 'audience: no');
  };
  await turn();
  expect(wire).toHaveLength(3);
  expect(logger.of('warn').map(({ message }) => message)).toContain(
    'contacts cannot be read again; exitWhen sees them as they entered',
  );
});

test('given it takes too long, then nobody of that campaign is sent anything for a while, and others are', async () => {
  const { turn, wire, clock, campaigns, put, logger, runs, schedule } = await given();
  const { sources } = campaigns;
  let asked = 0;
  campaigns.sources = async () => {
    asked += 1;
    return undefined;
  };
  put('autumn');
  for (const known of await campaigns.openRuns()) runs.update(known);
  schedule.lookAtAll();
  await turn();
  expect(wire.map(({ id }) => id.split(':')[0])).toEqual(['autumn', 'autumn', 'autumn']);
  for (let n = 0; n < 5; n++) await turn();
  expect(asked).toBe(1);
  expect(logger.of('warn')).toHaveLength(1);
  campaigns.sources = sources;
  await clock.advanceAsync(10_000);
  await turn();
  expect(wire.filter(({ id }) => id.startsWith('spring'))).toHaveLength(3);
});

test('given the database is away, then nobody is sent anything before it was asked', async () => {
  const { turn, wire, clock, database } = await given();
  let failures = 2;
  database.hooks.before = (operation) => {
    if (operation === 'sources' && failures-- > 0) throw away();
  };
  const round = turn();
  for (let n = 0; n < 20 && wire.length === 0; n++) await clock.advanceAsync(2_000);
  await round;
  expect(failures).toBeLessThan(0);
  expect(wire).toHaveLength(3);
});
