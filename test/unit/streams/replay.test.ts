/** Messages that gave up are tried again by the rounds of a member. */
import { describe, expect, test } from '@jest/globals';
import type { Id, Message, Run } from '../../../src/domain/model.ts';
import { type ReplayOptions, replayEvent } from '../../../src/domain/replay.ts';
import { Attention, type AttentionParams } from '../../../streams/attention.ts';
import type { KnownRun } from '../../../streams/runs.ts';
import { type Member, member } from './member.ts';

const intro = { id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hi {{ contact.name }}' } };
const id = 'spring:ada';
const key = `${id}/1`;
const rejected = { kind: 'rejected', code: 'no', message: 'no' } as const;

/** Its only message failed, and its campaign is over. */
async function failed(over: Partial<Run> = { settled: true, status: 'completed' }): Promise<Member> {
  const it = await member([intro]);
  await it.turn();
  await it.answer(rejected);
  await it.turn();
  it.database.runs.update('spring', over);
  it.database.campaigns.update('spring', { status: over.status ?? 'running' });
  await it.runs.reload('spring');
  return it;
}

function ask({ database, clock }: Member, options: ReplayOptions = {}, rowId = key): void {
  const row = database.messages.get(rowId) as Message;
  database.push(row.conversationId, replayEvent(row, options, new Date(clock.now())));
}

describe('given a campaign that is over', () => {
  test('when a message is asked for, then it leaves with its key, and nothing else changes', async () => {
    const it = await failed();
    ask(it);
    await it.turn(id);
    expect(it.conversation(id)).toMatchObject({ status: 'failed', awaiting: key });
    await it.turn();
    expect(it.wire.map(({ id: sent }) => sent)).toEqual([key]);
    await it.answer();
    await it.turn();
    expect(it.row(key)).toMatchObject({ status: 'sent', attempts: 1, content: { text: 'Hi ada' } });
    expect(it.conversation(id)).toMatchObject({ status: 'failed', outcome: 'failed' });
    expect(it.conversation(id)).not.toHaveProperty('nextActionAt');
    const { metrics, pending } = await it.counters();
    expect([metrics.failed, metrics.messages.sent, metrics.messages.failed, pending]).toEqual([1, 1, 0, 0]);
  });

  test('when it is asked for twice, then it is sent once', async () => {
    const it = await failed();
    ask(it);
    ask(it);
    await it.turn(id);
    await it.turn();
    await it.answer();
    await it.turn(id);
    expect(it.row(key)).toMatchObject({ status: 'sent', replay: { count: 1 } });
    expect(it.conversation(id)?.inbox).toEqual([]);
    expect((await it.counters()).metrics.messages.sent).toBe(1);
  });

  test('when whoever queued it is gone, then it is found by its row', async () => {
    const it = await failed();
    ask(it);
    await it.turn(id);
    const asked: Id[] = [];
    const { Ownership } = await import('../../../streams/ownership.ts');
    const onReplays = async (ids: readonly Id[]) => void asked.push(...ids);
    const heir = new Ownership({ ...it, onActive: () => {}, onReplays });
    heir.gained(it.all);
    await heir.takeUp(it.all, it.signal);
    expect(asked).toEqual(['spring']);
  });

  test('when its document is gone, then what waits is skipped', async () => {
    const it = await failed();
    ask(it);
    await it.turn(id);
    it.database.campaigns.delete('spring');
    // what is known of it may be a second old
    await it.clock.advanceAsync(2_000);
    for (let n = 0; n < 3; n++) await it.turn();
    expect(it.wire).toEqual([]);
    expect(it.row(key)).toMatchObject({ status: 'skipped', reason: 'campaign_cancelled' });
    expect(it.conversation(id)).not.toHaveProperty('awaiting');
    expect((await it.counters()).pending).toBe(0);
  });

  test('when its conversation has to be quarantined, then what waits is skipped', async () => {
    const it = await failed();
    ask(it);
    await it.turn(id);
    it.database.conversations.update(id, { consumed: null as never });
    it.database.push(id, { id: 'e', type: 'custom' });
    await it.turn(id);
    expect(it.row(key)).toMatchObject({ status: 'skipped', reason: 'stopped' });
    expect(it.conversation(id)).not.toHaveProperty('awaiting');
    expect(it.conversation(id)).toMatchObject({ status: 'failed' });
    const { metrics, pending } = await it.counters();
    expect([metrics.failed, pending]).toEqual([1, 0]);
  });
});

test.each<[Partial<Run>, string]>([
  [{ settled: true, status: 'cancelled' }, 'campaign_cancelled'],
  [{ settled: true, status: 'completed', endReason: 'campaign_ended' }, 'campaign_ended'],
  [{ settled: true, status: 'completed', schedule: { endAt: new Date(0) } }, 'campaign_ended'],
])('given a campaign that was cut short (%j), then what is asked for is refused', async (over, refused) => {
  const it = await failed(over);
  ask(it);
  await it.turn(id);
  expect(it.row(key)).toMatchObject({ status: 'failed', replay: { refused } });
  expect(it.runs.maySend('spring')).toBe(false);
});

test('given a campaign that runs, then the conversation goes on, and it is not settled meanwhile', async () => {
  const it = await failed({});
  ask(it);
  await it.turn(id);
  expect(it.conversation(id)).toMatchObject({ status: 'active', awaiting: key });
  await it.turn();
  await it.answer();
  await it.turn();
  expect(it.conversation(id)).toMatchObject({ status: 'completed', outcome: 'finished' });
  const { metrics, pending } = await it.counters();
  expect([metrics.failed, metrics.completed, metrics.messages.sent, pending]).toEqual([0, 1, 1, 0]);
});

test('given a run that is not known here yet, then it is looked at once more', async () => {
  const it = await failed();
  expect(it.runs.replays('autumn')).toBe(false);
  it.put('autumn');
  await it.runs.reload('autumn');
  expect(it.runs.get('autumn')?.replays).toBe(true);
});

test('given a campaign that is cancelled, then what waits in conversations that had ended is looked at', async () => {
  const rows = [
    { _id: 'a:1/1', campaignId: 'a', conversationId: 'a:1', replay: { alone: true } },
    { _id: 'a:2/1', campaignId: 'a', conversationId: 'a:2' },
    { _id: 'b:1/1', campaignId: 'b', conversationId: 'b:1', replay: { alone: true } },
  ];
  const offered: string[] = [];
  const attention = new Attention({
    conversations: {
      activeOf: async () => [],
      pendingMessages: async (_: unknown, after?: string) => (after === undefined ? rows : []),
    },
    ownership: { active: [0] },
    hints: { offer: async (ids: string[]) => void offered.push(...ids) },
    ...{ enrollments: { isNews: () => false }, schedule: { setRun: () => {} }, runs: { get: () => undefined } },
    signal: new AbortController().signal,
  } as unknown as AttentionParams);
  const run = { _id: 'a', status: 'cancelled', settled: false } as Run;
  attention.runChanged({ key: 'a', run, state: 'stopped', replays: true } as KnownRun);
  for (let n = 0; n < 20; n++) await Promise.resolve();
  expect(offered).toEqual(['a:1']);
});
