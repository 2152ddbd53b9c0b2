/** What rounds and sends tell as spans. */
import { expect, test } from '@jest/globals';
import type { Conversation, Run } from '../../../src/domain/model.ts';
import type { FinishedSpan, Tracer } from '../../../src/domain/tracePorts.ts';
import { traceBeginnings } from '../../../streams/spans.ts';
import { member } from './member.ts';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const asking = {
  ...{
    id: 'intro',
    type: 'message',
    channel: 'sms',
    content: { text: 'Secret {{ contact.name }}' },
    waitForReply: 'PT1H',
  },
  on: { noReply: 'desk' },
};
const desk = { id: 'desk', type: 'escalate', to: 'boss@example.org' };
const id = 'spring:ada';

function recordingTracer(): Tracer & { spans: FinishedSpan[]; take(): FinishedSpan[] } {
  const spans: FinishedSpan[] = [];
  let rounds = 0;
  return {
    spans,
    take: () => spans.splice(0),
    newTraceparent: () => traceparent,
    sampledTraceparent: () => `round ${++rounds}`,
    span: (span) => void spans.push(span),
    flush: () => undefined,
  };
}
const traced = (tracer: Tracer, own = traceparent) =>
  member([asking, desk], ['ada'], {}, 16, 32, ['sms'], { tracer, traceparent: own });

/** The first message was sent and its answer recorded; nothing told so far is left. */
async function awaitingReply(tracer: ReturnType<typeof recordingTracer>): ReturnType<typeof traced> {
  const found = await traced(tracer);
  await found.turn();
  await found.answer();
  await found.turn();
  tracer.take();
  return found;
}

test('a message, its answer, a reply and the end: each right below the conversation, linked to its round', async () => {
  const tracer = recordingTracer();
  const { turn, answer, database } = await traced(tracer);
  await turn();
  const [decided, round, ...phases] = tracer.take();
  expect(decided).toMatchObject({ name: 'decide', parent: traceparent, links: ['round 1'] });
  expect(decided?.attributes).toMatchObject({
    ...{ 'communication_base.status': 'active', 'communication_base.messages': [`${id}/1`] },
    'communication_base.answers': [],
  });
  expect(round).toMatchObject({
    name: 'round',
    own: 'round 1',
    attributes: { 'communication_base.round.conversations': 1 },
  });
  expect(phases.map(({ name, parent }) => [name, parent])).toEqual([
    ['load', 'round 1'],
    ['decide', 'round 1'],
    ['commit', 'round 1'],
  ]);
  await answer();
  const [sent, ...none] = tracer.take();
  expect(none).toEqual([]);
  expect(sent).toMatchObject({ name: 'send sms', parent: traceparent, kind: 'client' });
  expect(sent?.error).toBeUndefined();
  expect(sent?.attributes).toMatchObject({
    ...{
      'messaging.message.conversation_id': id,
      'messaging.operation.name': 'send',
      'messaging.destination.name': 'sms',
    },
    ...{ 'messaging.message.id': `${id}/1`, 'communication_base.outcome': 'sent', 'communication_base.attempt': 1 },
  });
  // its answer is nothing new
  await turn();
  expect(tracer.take()).toEqual([]);
  database.push(id, { id: 'e1', type: 'reply', text: 'Secret words', channel: 'sms' });
  await turn(id);
  const spans = tracer.take();
  expect(spans.map(({ name, parent }) => [name, parent])).toEqual([
    ['event', traceparent],
    ['completion', traceparent],
    ['round', undefined],
    ['load', 'round 2'],
    ['decide', 'round 2'],
    ['commit', 'round 2'],
  ]);
  expect(spans[0]).toMatchObject({ kind: 'consumer', links: ['round 2'] });
  expect(spans[0]?.attributes).toMatchObject({ 'communication_base.event.type': 'reply' });
  expect(spans[1]?.attributes).toMatchObject({
    ...{ 'communication_base.status': 'completed', 'communication_base.outcome': 'replied' },
    ...{ 'communication_base.answers': [], 'communication_base.messages': [] },
  });
  expect(JSON.stringify(spans)).not.toMatch(/Secret|[+]ada/);
  for (const { startMs, endMs } of spans) expect(endMs).toBeGreaterThanOrEqual(startMs);
});

test('what fails says by which code, and a person who is asked in is told without an address', async () => {
  const tracer = recordingTracer();
  const { turn, answer, clock } = await traced(tracer);
  await turn();
  await answer({ kind: 'retry', code: 'http_503', message: 'to ada@example.org', counts: true });
  expect(tracer.take().at(-1)).toMatchObject({ error: 'http_503', attributes: { 'error.type': 'http_503' } });
  await turn();
  expect(tracer.take()[0]?.attributes).toMatchObject({ 'communication_base.answers': ['retry'] });
  await clock.advanceAsync(60_000);
  await turn();
  await answer();
  await turn();
  tracer.take();
  await clock.advanceAsync(3_600_000);
  await turn();
  const spans = tracer.take();
  expect(spans.map(({ name }) => name).slice(0, 3)).toEqual(['escalation', 'completion', 'round']);
  expect(JSON.stringify(spans)).not.toContain('example.org');
});

test.each([
  ['order.paid', 'order.paid'],
  ['ada@example.org', 'other'],
  ['+15550001', 'other'],
  ['x'.repeat(65), 'other'],
  [7, 'other'],
])('of an event of type %j no more than a name is told: %s', async (type, told) => {
  const tracer = recordingTracer();
  const { turn, database } = await awaitingReply(tracer);
  database.push(id, { id: 'e1', type, channel: 'Secret words' } as never);
  await turn(id);
  const event = tracer.take().find(({ name }) => name === 'event');
  expect(event?.attributes).toMatchObject({
    ...{ 'communication_base.event.type': told, 'communication_base.event.channel': 'other' },
  });
});

test('before the roots of conversations come into the queue it is emptied, so that none is dropped', () => {
  const told: string[] = [];
  const span = ({ name }: FinishedSpan): void => void told.push(name);
  const tracer: Tracer = { ...recordingTracer(), span, flush: () => void told.push('flush') };
  const one = { createdAt: new Date(0), stage: 'intro', campaignId: 'spring', _id: id } as unknown as Conversation;
  const [sampled, not] = [
    { ...one, trace: { traceparent } },
    { ...one, trace: { traceparent: `${traceparent}0` } },
  ];
  traceBeginnings(tracer, [not, sampled, not, sampled], {} as Run);
  expect(told.splice(0)).toEqual(['flush', 'conversation', 'conversation', 'flush']);
  traceBeginnings(tracer, [not], {} as Run);
  expect(told).toEqual([]);
});

test('a conversation that no round can write ends with its last span, too: once, by what code, and nothing of what is in it', async () => {
  const tracer = recordingTracer();
  const { turn, database } = await awaitingReply(tracer);
  database.conversations.update(id, { inbox: 'Secret words' as never });
  expect((await turn(id)).poisoned).toBe(1);
  const told = tracer.take().filter(({ parent }) => parent === traceparent);
  expect(told).toMatchObject([{ name: 'completion', error: 'poisoned' }]);
  expect(told[0]?.attributes).toEqual({ 'communication_base.status': 'failed' });
  await turn(id);
  expect(tracer.take()).toEqual([]);
});

test('of what is not sampled nothing is told, not even its rounds', async () => {
  const tracer = recordingTracer();
  const { turn, answer } = await traced(tracer, traceparent.replace(/1$/, '0'));
  await turn();
  await answer();
  await turn();
  expect(tracer.spans).toEqual([]);
});
