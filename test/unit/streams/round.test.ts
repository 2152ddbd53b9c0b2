import { describe, expect, test } from '@jest/globals';
import type { SendResult } from '../../../src/domain/channelPorts.ts';
import { ServiceError } from '../../../src/domain/errors.ts';
import type { Message, Run } from '../../../src/domain/model.ts';
import { away, type Member, member, settle } from './member.ts';

const text = { text: 'Hello {{ contact.name }}' };
const intro = { id: 'intro', type: 'message', channel: 'sms', content: text };
const asking = { ...intro, waitForReply: 'PT1H' };
const id = 'spring:ada';

describe('a round', () => {
  test('hands a message over only once its row is committed, and records the answer in the next one', async () => {
    const { turn, wire, answer, row, conversation, database, counters } = await member([intro]);
    const committed: boolean[] = [];
    database.hooks.after = (operation) => void (operation === 'round' && committed.push(wire.length === 0));
    await turn();
    expect(committed).toEqual([true]);
    expect(wire.map((sent) => sent.id)).toEqual([`${id}/1`]);
    expect(row(`${id}/1`)).toMatchObject({ status: 'sending', pending: true });
    await answer();
    await turn();
    expect(row(`${id}/1`)?.status).toBe('sent');
    expect(conversation(id)).toMatchObject({ status: 'completed', outcome: 'finished' });
    expect(await counters()).toMatchObject({ pending: 0, metrics: { completed: 1, messages: { sent: 1 } } });
  });

  test('a reply stored before the commit comes first: the guard misses and the conversation is decided again', async () => {
    const { turn, wire, conversation, database } = await member([asking]);
    let pushed = false;
    database.hooks.before = (operation) => {
      if (operation === 'round' && !pushed) {
        pushed = true;
        database.push(id, { id: 'e1', type: 'reply' });
      }
    };
    await turn();
    expect(wire).toEqual([]);
    expect(conversation(id)).toMatchObject({ status: 'completed', outcome: 'replied', consumed: ['e1'], inbox: [] });
  });

  test('it never has more in doubt than it may, and everything leaves in the end', async () => {
    const contacts = Array.from({ length: 150 }, (_, index) => `p${index}`);
    const { turn, answer, database, dispatch } = await member([asking], contacts);
    // the channel alone may have 32 in doubt, twice its concurrency
    const doubted: number[] = [];
    database.hooks.after = (operation) => {
      if (operation === 'round') doubted.push(database.messages.find(({ status }) => status === 'sending').length);
    };
    const sent: number[] = [];
    for (let n = 0; n < 40; n++) {
      sent.push((await turn()).sent);
      await answer();
    }
    expect(sent.reduce((sum, count) => sum + count, 0)).toBe(150);
    expect(Math.max(...doubted)).toBe(32);
    expect(dispatch.inDoubt).toBe(0);
    // each answer that is recorded makes room for one more in the same transaction
    expect(sent.slice(0, 5)).toEqual([32, 16, 16, 16, 16]);
  });

  test('a channel that gets through its messages between rounds may have more in doubt; one that falls behind may not', async () => {
    const contacts = Array.from({ length: 400 }, (_, index) => `p${index}`);
    const { turn, answer, wire, dispatch } = await member([asking], contacts, {}, 4, 64);
    const doubt: number[] = [];
    const all = async (): Promise<void> => {
      while (wire.length > 0) await answer();
    };
    for (let n = 0; n < 6; n++) {
      await turn();
      doubt.push(dispatch.inDoubt);
      await all();
    }
    // twice its concurrency at first, the member's bound at last
    expect(doubt).toEqual([8, 8, 16, 32, 64, 64]);
    doubt.length = 0;
    for (let n = 0; n < 40; n++) {
      await turn();
      doubt.push(dispatch.inDoubt);
      await answer();
    }
    expect(doubt.slice(20)).toEqual(doubt.slice(20).map(() => 8));
  });

  test.each<[string, (one: Member, id: string) => void]>([
    ['whose conversation got an event', ({ database }, one) => database.push(one, { id: 'e', type: 'custom' })],
    [
      'that the server does not take',
      ({ database }, one) => database.conversations.update(one, { inbox: '' as never }),
    ],
    [
      'that was recorded before',
      ({ database }, one) => void database.messages.update(`${one}/1`, { status: 'skipped' }),
    ],
  ])('an answer %s makes room for nothing', async (_, change) => {
    const one = await member(
      [intro],
      Array.from({ length: 90 }, (__, index) => `p${index}`),
    );
    const { turn, wire, answer, database, store, clock, hinted, dispatch } = one;
    await turn();
    const ids = wire.map(({ id: sent }) => sent.replace('/1', ''));
    const [stays = ''] = ids;
    let most = 0;
    database.hooks.after = () => {
      most = Math.max(most, database.messages.find(({ status }) => status === 'sending').length);
    };
    database.hooks.before = (operation) => {
      if (operation === 'round' && ids.length > 0) change(one, ids.pop() ?? stays);
    };
    const inOrder = store.commitInOrder.bind(store);
    const tried: number[] = [];
    store.commitInOrder = (units) => {
      tried.push(units.reduce((sum, unit) => sum + unit.inserts.length, 0));
      return inOrder(units);
    };
    for (let n = 0; n < 12; n++) {
      await answer();
      await turn(...hinted.splice(0));
      await clock.advanceAsync(1000);
    }
    expect(Math.max(...tried)).toBeGreaterThanOrEqual(16);
    expect(most).toBe(32);
    expect(dispatch.inDoubt).toBe(0);
  });

  test('answers whose conversations are gone do not let more come in doubt', async () => {
    const contacts = Array.from({ length: 150 }, (_, index) => `p${index}`);
    const { turn, wire, answer, database, row } = await member([asking], contacts);
    await turn();
    const gone = wire.map(({ id: sent }) => row(sent)?.conversationId ?? '');
    for (const one of gone) database.conversations.delete(one);
    await answer();
    let most = 0;
    database.hooks.after = () => {
      most = Math.max(most, database.messages.find(({ status }) => status === 'sending').length);
    };
    await turn(...gone);
    expect(most).toBeLessThanOrEqual(32);
  });

  const pause = { id: 'pause', type: 'wait', for: 'PT1S' };
  test.each<[string, unknown[], unknown[]]>([
    ['both open', [asking], [asking]],
    ['one comes from a pause, which has a lane without a channel', [pause, asking], [asking]],
    ['both come from a pause', [pause, asking], [pause, asking]],
  ])('campaigns that share a channel share its room: %s', async (_, stages, others) => {
    const contacts = Array.from({ length: 100 }, (__, index) => `p${index}`);
    const { turn, answer, put, runs, campaigns, schedule, database, clock, dispatch } = await member(stages, contacts);
    put('autumn', others);
    for (const run of await campaigns.openRuns()) runs.update(run);
    schedule.lookAtAll();
    clock.advance(1_000);
    const of = (id: string) =>
      database.messages.find(({ campaignId, status }) => campaignId === id && status !== 'queued').length;
    let most = 0;
    database.hooks.after = () => {
      most = Math.max(most, database.messages.find(({ status }) => status === 'sending').length);
    };
    for (let n = 0; n < 6; n++) {
      await turn();
      await answer();
    }
    expect(of('spring') + of('autumn')).toBeLessThan(200);
    for (const id of ['spring', 'autumn']) expect(of(id)).toBeGreaterThan(16);
    for (let n = 0; n < 60; n++) {
      await turn();
      await answer();
    }
    expect(most).toBe(32);
    expect(database.messages.find(({ status }) => status === 'sent')).toHaveLength(200);
    expect(dispatch.inDoubt).toBe(0);
  });

  test('rounds that cannot be written in order still share out what room there is', async () => {
    const contacts = Array.from({ length: 100 }, (_, index) => `p${index}`);
    const one = await member([intro], contacts, {}, 8, 16);
    const { turn, answer, put, campaigns, runs, schedule, store, database, instruments } = one;
    put('autumn');
    for (const run of await campaigns.openRuns()) runs.update(run);
    schedule.lookAtAll();
    store.commitInOrder = async (units) => new Set(units.map(({ conversationId }) => conversationId));
    const of = (id: string): number => database.messages.find(({ campaignId }) => campaignId === id).length;
    let apart = 0;
    for (let n = 0; n < 80; n++) {
      await turn();
      await answer();
      apart = Math.max(apart, Math.abs(of('spring') - of('autumn')));
    }
    expect([of('spring'), of('autumn')]).toEqual([100, 100]);
    expect(apart).toBeLessThanOrEqual(8);
    // how late a message was is told once, when it leaves
    expect(instruments.calls.filter(({ name }) => name === 'lateness')).toHaveLength(200);
  });

  test('a follow-up is not held up by openings when rounds cannot be written in order', async () => {
    const contacts = Array.from({ length: 100 }, (_, index) => `p${index}`);
    const two = { ...intro, id: 'two', delay: 'PT1S' };
    const { turn, answer, store, database, clock } = await member([intro, two], contacts, {}, 8, 16);
    store.commitInOrder = async (units) => new Set(units.map(({ conversationId }) => conversationId));
    const of = (stage: string): number => database.messages.find((one) => one.stage === stage).length;
    for (let n = 0; n < 20 && of('two') === 0; n++) {
      await turn();
      await answer();
      await clock.advanceAsync(300);
    }
    expect(of('two')).toBeGreaterThan(0);
    expect(of('intro')).toBeLessThan(60);
  });

  test('while the database is away it waits, then decides from fresh documents', async () => {
    const { turn, wire, database, clock } = await member([intro]);
    let failures = 3;
    database.hooks.before = (operation) => {
      if (operation === 'round' && failures-- > 0) throw away();
    };
    const done = turn();
    for (let n = 0; n < 20; n++) await clock.advanceAsync(500);
    await done;
    expect(wire).toHaveLength(1);
  });

  test('an answer that was committed before the database went away is not counted twice', async () => {
    const stages = [asking, { ...intro, id: 'more' }];
    const { turn, answer, database, clock, counters, dispatch } = await member(stages);
    await turn();
    await answer();
    let armed = true;
    // the commit is written, and what the round does next fails
    database.hooks.after = (operation) => {
      if (operation === 'round' && armed) {
        armed = false;
        throw away();
      }
    };
    const done = turn();
    for (let n = 0; n < 10; n++) await clock.advanceAsync(500);
    await done;
    expect(await counters()).toMatchObject({ pending: 0, metrics: { messages: { sent: 1 } } });
    expect(dispatch.inDoubt).toBe(0);
  });

  test('an answer that asks for another try is recorded once, though the round had to be repeated', async () => {
    const one = await member([intro], ['ada', 'bob']);
    const { turn, answer, database, clock, conversation, row, dispatch, logger } = one;
    await turn();
    await answer({ kind: 'retry', code: 'busy', message: 'later', counts: true });
    let pushed = false;
    let failures = 1;
    // the first pass is written but for bob, and reading him again fails
    database.hooks.before = (operation) => {
      if (operation === 'byIds' && pushed && failures-- > 0) throw away();
      if (operation !== 'round' || pushed) return;
      pushed = true;
      database.push('spring:bob', { id: 'e1', type: 'custom' });
    };
    const done = turn();
    for (let n = 0; n < 10; n++) await clock.advanceAsync(500);
    await done;
    expect(failures).toBeLessThan(1);
    const retries = conversation(id)?.history.filter(({ event }) => event === 'retry');
    expect(retries).toHaveLength(1);
    expect(dispatch.inDoubt).toBe(0);
    expect(logger.of('warn').filter(({ message }) => message.includes('under every try'))).toEqual([]);
    expect(row(`${id}/1`)).toMatchObject({ status: 'queued', attempts: 1 });
  });

  test('an old answer is not recorded over a later try of its row, however often the round had to be repeated', async () => {
    const one = await member([intro], ['ada', 'bob'], { delivery: 'at-most-once' });
    const { turn, answer, database, clock, wire, dispatch, row } = one;
    await turn();
    wire.splice(
      wire.findIndex((sent) => sent.id.startsWith('spring:bob')),
      1,
    );
    // it was held back: it is due again at once
    await answer({ kind: 'retry', code: 'not_begun', message: 'later', counts: false });
    let rounds = 0;
    const failures = new Set([2, 6]);
    database.hooks.before = (operation) => {
      // bob misses each time, and reading him again fails after the first pass and after the third: two transactions each
      if (operation === 'round' && ++rounds <= 6) database.push('spring:bob', { id: `e${rounds}`, type: 'custom' });
      if (operation === 'byIds' && failures.delete(rounds)) throw away();
    };
    database.push('spring:bob', { id: 'e0', type: 'custom' });
    const done = turn('spring:bob');
    for (let n = 0; n < 20; n++) await clock.advanceAsync(300);
    await done;
    expect(failures.size).toBe(0);
    expect(wire.map((sent) => sent.id)).toEqual([`${id}/1`]);
    expect(row(`${id}/1`)?.status).toBe('sending');
    expect(dispatch.entry(id)).toBeDefined();
  });

  test.each<[string, Partial<Message> | undefined]>([
    ['was deleted', undefined],
    ['was ended by hand', { status: 'skipped' }],
  ])('another try of a row that %s between reading and commit does not leave', async (_, ended) => {
    const { turn, answer, database, wire, clock, conversation, counters } = await member([intro]);
    await turn();
    await answer({ kind: 'retry', code: 'busy', message: 'later', counts: true, retryAfterMs: 1000 });
    await turn();
    await clock.advanceAsync(1000);
    database.hooks.before = (operation) => {
      if (operation !== 'round') return;
      if (ended) database.messages.update(`${id}/1`, ended, ['pending']);
      else database.messages.delete(`${id}/1`);
    };
    await turn();
    await turn();
    expect(wire).toEqual([]);
    expect(conversation(id)).toMatchObject({ status: 'completed' });
    expect((await counters()).pending).toBe(0);
  });

  test('a row that somebody set to `sending` is counted down once, by whoever adopts it', async () => {
    const { turn, answer, database, ownership, all, signal, clock, conversation, counters } = await member([intro]);
    await turn();
    await answer({ kind: 'retry', code: 'busy', message: 'later', counts: true, retryAfterMs: 1000 });
    await turn();
    database.messages.update(`${id}/1`, { status: 'sending' });
    await clock.advanceAsync(1000);
    await turn();
    ownership.lost(all.map(({ _id }) => _id));
    ownership.gained(all);
    await ownership.takeUp(all, signal);
    await turn();
    expect(conversation(id)?.status).toBe('completed');
    expect((await counters()).pending).toBe(0);
  });

  test('guards that miss all the time: the answer and the event are taken up by a later round', async () => {
    const { turn, answer, database, hinted, results, row, conversation, dispatch, clock } = await member([asking]);
    await turn();
    await answer();
    let pushes = 0;
    const push = (): void => void database.push(id, { id: `e${pushes++}`, type: 'custom' });
    push();
    database.hooks.before = (operation) => {
      if (operation === 'round') push();
    };
    await turn(id);
    expect(row(`${id}/1`)?.status).toBe('sending');
    expect([dispatch.inDoubt, results.length, hinted]).toEqual([1, 1, [id]]);
    database.hooks.before = () => {};
    await turn(...hinted);
    await settle(clock);
    expect(row(`${id}/1`)?.status).toBe('sent');
    expect(conversation(id)).toMatchObject({ inbox: [], status: 'active' });
    expect(conversation(id)?.consumed).toHaveLength(pushes);
    expect(dispatch.inDoubt).toBe(0);
  });

  test('rows of a lost sender whose run was deleted end, and are in doubt no longer', async () => {
    const { turn, database, ownership, all, signal, row, dispatch, conversation } = await member([intro]);
    const ada = conversation(id);
    if (ada === undefined) throw new Error('no conversation');
    const gone = { ...ada, _id: 'gone:ada', campaignId: 'gone' };
    database.conversations.insert(gone);
    database.messages.insert({
      ...{ _id: 'gone:ada/1', campaignId: 'gone', conversationId: gone._id, partition: gone.partition },
      ...{ stage: 'intro', step: 0, channel: 'sms', status: 'sending', pending: true, attempts: 1, worker: 'm0' },
      ...{ dueAt: gone.createdAt, queuedAt: gone.createdAt },
    });
    ownership.gained(all);
    await ownership.takeUp(all, signal);
    expect(dispatch.inDoubt).toBe(1);
    await turn();
    expect(row('gone:ada/1')).toMatchObject({ status: 'uncertain' });
    expect(row('gone:ada/1')?.pending).toBeUndefined();
    expect(dispatch.entry('gone:ada')).toBeUndefined();
  });

  test('a commit of unknown outcome: rows nobody handed over are adopted, and leave once', async () => {
    const { turn, wire, database, row } = await member([intro]);
    let armed = true;
    database.hooks.after = (operation) => {
      if (operation === 'round' && armed) {
        armed = false;
        throw new ServiceError('commit_unknown', 'unknown');
      }
    };
    await turn();
    expect(wire).toEqual([]);
    await turn();
    await turn();
    expect(wire.map((sent) => sent.id)).toEqual([`${id}/1`]);
    expect(row(`${id}/1`)).toMatchObject({ status: 'sending', attempts: 1 });
  });

  test('a commit of unknown outcome is no reason to send what a lost sender may have sent', async () => {
    const one = await member([intro], ['ada', 'bob'], { delivery: 'at-most-once' });
    const { turn, wire, database, ownership, signal, row, conversation } = one;
    const ada = conversation(id);
    if (ada === undefined) throw new Error('no conversation');
    // claimed from m0, and not taken up yet
    ownership.lost([ada.partition]);
    database.messages.insert({
      ...{ _id: `${id}/1`, campaignId: 'spring', conversationId: id, partition: ada.partition },
      ...{ stage: 'intro', step: 0, channel: 'sms', status: 'sending', pending: true, attempts: 1, worker: 'm0' },
      ...{ dueAt: ada.createdAt, queuedAt: ada.createdAt },
    });
    database.conversations.update(id, { sequence: 1, step: 1 }, ['nextActionAt', 'nextChannel', 'opening']);
    let armed = true;
    database.hooks.after = (operation) => {
      if (operation === 'round' && armed) {
        armed = false;
        throw new ServiceError('commit_unknown', 'unknown');
      }
    };
    await turn();
    expect(armed).toBe(false);
    ownership.gained([{ _id: ada.partition }]);
    await ownership.takeUp([{ _id: ada.partition }], signal);
    await turn();
    await turn();
    expect(row(`${id}/1`)?.status).toBe('uncertain');
    expect(wire.map((sent) => sent.id)).toEqual(['spring:bob/1']);
  });

  test('a commit of unknown outcome that did not take place is made again', async () => {
    const { turn, wire, database } = await member([intro]);
    let armed = true;
    database.hooks.before = (operation) => {
      if (operation === 'round' && armed) {
        armed = false;
        throw new ServiceError('commit_unknown', 'unknown');
      }
    };
    await turn();
    expect(wire.map((sent) => sent.id)).toEqual([`${id}/1`]);
  });

  test('a conversation that is mended while it is put into quarantine goes on', async () => {
    const { turn, wire, database, conversation, instruments } = await member([intro]);
    const broken = { inbox: 'hello' as never };
    database.conversations.update(id, broken);
    database.hooks.before = (operation) => {
      if (operation === 'round') database.conversations.update(id, { inbox: [] });
    };
    expect((await turn()).poisoned).toBe(0);
    expect(instruments.events('poisoned')).toBe(0);
    expect(conversation(id)).toMatchObject({ status: 'active', inbox: [] });
    expect(wire.map((sent) => sent.id)).toEqual([`${id}/1`]);
  });

  test('what cannot even be put into quarantine is left alone, and its answers end their rows', async () => {
    const one = await member([intro], ['ada', 'bob']);
    const { turn, answer, wire, database, store, row, dispatch, conversation, instruments, schedule } = one;
    await turn();
    await answer();
    database.conversations.update(id, { inbox: 'hello' as never, nextActionAt: new Date(0), nextChannel: 'sms' });
    const real = store.commit.bind(store);
    store.commitInOrder = async (units) => new Set(units.map(({ conversationId }) => conversationId));
    let refused = 0;
    // the server takes no change of ada, whatever it is
    store.commit = async (units) => {
      const bad = units.filter(({ change }) => change?.id === id);
      refused += bad.length;
      const receipt = await real(units.filter((one) => !bad.includes(one)));
      for (const { conversationId } of bad) receipt.poisoned.set(conversationId, new Error('no'));
      return receipt;
    };
    await turn(id);
    expect(row(`${id}/1`)).toMatchObject({ status: 'sent', handedAt: expect.any(Date) });
    for (let n = 0; n < 3; n++) {
      schedule.lookAtAll();
      await turn(id);
    }
    // once with what was in its inbox, once without
    expect([refused, instruments.events('poisoned'), dispatch.inDoubt]).toEqual([2, 1, 0]);
    expect(conversation(id)).toMatchObject({ status: 'active', inbox: 'hello' });
    expect(wire).toEqual([]);
  });

  test('answers of a run that does not compile here are left to a member that can record them', async () => {
    const { turn, answer, runs, row, dispatch } = await member([asking]);
    await turn();
    const known = runs.get('spring');
    if (known) known.contexts = new Map();
    await answer();
    await turn();
    expect(row(`${id}/1`)?.status).toBe('sending');
    expect(dispatch.inDoubt).toBe(0);
  });

  test('late events of more settled campaigns than are kept in mind are all consumed', async () => {
    const { turn, put, database, logger, conversation } = await member([asking]);
    const ids = Array.from({ length: 230 }, (_, index) => `c${index}`);
    for (const campaign of ids) {
      put(campaign);
      database.runs.update(campaign, { settled: true, status: 'completed' });
      database.push(`${campaign}:ada`, { id: 'e1', type: 'custom' });
    }
    await turn(...ids.map((campaign) => `${campaign}:ada`));
    expect(logger.of('error')).toEqual([]);
    expect(ids.filter((campaign) => conversation(`${campaign}:ada`)?.inbox.length !== 0)).toEqual([]);
  });

  test('a settled run that is forgotten while another one is read is decided by all the same', async () => {
    const { turn, put, database, logger, runs, conversation } = await member([asking]);
    const settled = (campaign: string): void => {
      put(campaign);
      database.runs.update(campaign, { settled: true, status: 'completed' });
    };
    for (const campaign of ['old', 'new']) {
      settled(campaign);
      database.push(`${campaign}:ada`, { id: 'e1', type: 'custom' });
    }
    await runs.reload('old');
    database.hooks.before = async (operation) => {
      if (operation !== 'runs') return;
      // others become known, more than are kept
      for (let n = 0; n < 210; n++) {
        if (database.runs.get(`c${n}`) === undefined) settled(`c${n}`);
        const run = database.runs.get(`c${n}`);
        if (run) runs.update(run);
      }
    };
    await turn('old:ada', 'new:ada');
    expect(runs.get('old')).toBeUndefined();
    expect(logger.of('error')).toEqual([]);
    expect([conversation('old:ada')?.inbox, conversation('new:ada')?.inbox]).toEqual([[], []]);
  });

  test('a hint of a conversation that is not ours any more is passed over', async () => {
    const { turn, database, ownership, conversation } = await member([asking]);
    ownership.lost([conversation(id)?.partition ?? -1]);
    database.push(id, { id: 'e1', type: 'reply' });
    expect((await turn(id)).units).toBe(0);
    expect(conversation(id)?.consumed).toEqual([]);
  });

  test.each([[null], ['hello'], [undefined]])(
    'a conversation whose inbox is %s is quarantined with its reason; the others go on',
    async (inbox) => {
      const { turn, wire, database, conversation, instruments, counters } = await member([intro], ['ada', 'bob']);
      database.conversations.update(id, { inbox: inbox as never });
      await turn();
      expect(wire.map((sent) => sent.id)).toEqual(['spring:bob/1']);
      expect(conversation(id)).toMatchObject({ status: 'failed', error: { code: 'poisoned' }, inbox: [] });
      expect(instruments.events('poisoned')).toBe(1);
      expect(instruments.of('conversations')).toContainEqual(['failed', 1]);
      expect((await counters()).metrics.failed).toBe(1);
      expect((await turn()).units).toBe(0);
      const kept = database.deadLetters.find().map(({ reason, document }) => [reason, document]);
      const events = inbox === 'hello' ? [['event_of_poisoned', 'hello']] : [];
      expect(kept).toEqual([['poisoned', undefined], ...events]);
    },
  );

  test('the events of a conversation that is quarantined are kept, each by itself', async () => {
    const { turn, database, conversation, logger } = await member([intro]);
    database.conversations.update(id, { consumed: null as never });
    const events = [
      { id: 'e1', type: 'reply', text: 'yes' },
      { id: 'e2', type: 'custom' },
    ];
    for (const event of events) database.push(id, event);
    await turn(id);
    expect(conversation(id)).toMatchObject({ status: 'failed', error: { code: 'poisoned' }, inbox: [] });
    const kept = database.deadLetters.find(({ reason }) => reason === 'event_of_poisoned');
    expect(kept.map(({ document }) => document)).toEqual(events);
    expect(kept[0]).toMatchObject({ conversationId: id, campaignId: 'spring', error: { path: 'inbox' } });
    expect(logger.of('error').map(({ message }) => message)).toEqual([
      'a conversation cannot be written and is quarantined',
    ]);
  });

  test('the answer to a row whose conversation was deleted ends the row and its counters', async () => {
    const { turn, answer, database, row, dispatch, counters } = await member([intro]);
    await turn();
    database.conversations.delete(id);
    await answer();
    await turn();
    expect(row(`${id}/1`)).toMatchObject({ status: 'sent' });
    expect(dispatch.inDoubt).toBe(0);
    expect((await counters()).pending).toBe(0);
  });

  test.each<[SendResult, object]>([
    [
      { kind: 'sent', providerMessageId: 'p1' },
      { status: 'sent', providerMessageId: 'p1' },
    ],
    [
      { kind: 'unknown', code: 'timeout', message: 'no answer' },
      { status: 'uncertain', error: { code: 'timeout', message: 'no answer' } },
    ],
    [
      { kind: 'retry', code: 'timeout', message: 'no answer', counts: true },
      { status: 'skipped', error: { code: 'timeout', message: 'no answer' } },
    ],
    [
      { kind: 'rejected', code: 'http_400', message: 'no' },
      { status: 'failed', error: { code: 'http_400' } },
    ],
  ])('what is known of a row whose conversation was deleted is kept: %o', async (result, known) => {
    const { turn, answer, database, row } = await member([intro]);
    await turn();
    database.conversations.delete(id);
    await answer(result);
    await turn();
    expect(row(`${id}/1`)).toMatchObject({ ...known, handedAt: expect.any(Date) });
  });

  test('a paused run takes nothing up; replies are followed all the same', async () => {
    const { turn, wire, runs, database, conversation, clock } = await member([asking]);
    runs.seen('spring', { status: 'paused' }, clock.monotonic());
    await turn();
    expect(wire).toEqual([]);
    database.push(id, { id: 'e1', type: 'reply' });
    await turn(id);
    expect(conversation(id)?.outcome).toBe('replied');
  });
});

describe('a send window', () => {
  const stage = { ...intro, sendWindow: { from: '09:00', to: '09:01', timezone: 'UTC' } };

  test('closes over a row that waits for its channel: it leaves on the next day', async () => {
    const { turn, answer, clock, wire, conversation, row } = await member([stage], ['ada', 'bob', 'eve'], {}, 1);
    await turn();
    expect(wire).toHaveLength(1);
    const [first] = wire.map(({ id }) => id);
    await clock.advanceAsync(60_000);
    await answer();
    expect(wire).toEqual([]);
    // a round of its own renews the lease, which the gate waits for
    for (let n = 0; n < 3; n++) {
      await turn();
      await clock.advanceAsync(100);
    }
    expect(wire).toEqual([]);
    const others = ['ada', 'bob', 'eve'].map((id) => `spring:${id}`).filter((id) => first !== `${id}/1`);
    const opens = new Date(Date.UTC(2026, 0, 6, 9));
    for (const id of others) expect(conversation(id)).toMatchObject({ nextActionAt: opens, delayed: 'window' });
    expect(others.flatMap((id) => row(`${id}/1`)?.status ?? [])).toEqual(['queued']);
    await clock.advanceAsync(opens.getTime() - clock.now());
    for (let n = 0; n < 6; n++) {
      await turn();
      await clock.advanceAsync(100);
      await answer();
    }
    expect(others.map((id) => row(`${id}/1`)?.status)).toEqual(['sent', 'sent']);
  });
});

describe('runs', () => {
  test('public holidays are loaded before a run is taken in whose windows ask for them', async () => {
    const { runs, database, put } = await member([intro]);
    expect(runs.ready(database.runs.get('spring') as Run)).toBeUndefined();
    put('festive');
    const sendWindow = { timezone: 'UTC', holidayCountry: 'DE' };
    database.runs.update('festive', { schedule: { sendWindow } });
    const found = await runs.load(['festive']);
    expect(found.get('festive')?.context?.flow.stages.get('intro')).toMatchObject({ window: { holidayCountry: 'DE' } });
    put('later');
    database.runs.update('later', { schedule: { sendWindow } });
    await runs.reload('later');
    await runs.reload('nobody');
    expect(runs.get('later')?.context).toBeDefined();
  });

  test('what was seen in `campaigns` outlives a re-read of the run, and an older answer changes nothing', async () => {
    const { runs, database } = await member([intro]);
    const run = database.runs.get('spring');
    if (run === undefined) throw new Error('no run');
    runs.seen('spring', { status: 'paused' }, 10);
    runs.update(run);
    expect(runs.get('spring')?.state).toBe('paused');
    runs.seen('spring', { status: 'running' }, 20);
    expect(runs.get('spring')?.state).toBe('running');
    runs.seen('spring', { status: 'paused' }, 15);
    expect(runs.get('spring')?.state).toBe('running');
    runs.update({ ...run, status: 'paused' });
    expect(runs.get('spring')?.state).toBe('paused');
  });

  test('an `endAt` that was changed holds as soon as it is seen, if it is the earlier one', async () => {
    const { runs, clock, database } = await member([intro]);
    const run = database.runs.get('spring');
    if (run === undefined) throw new Error('no run');
    const ends = (inMs: number): Date => new Date(clock.now() + inMs);
    const seen = (endAt?: Date): void =>
      runs.seen('spring', { status: 'running', ...(endAt ? { endAt } : {}) }, clock.monotonic());
    runs.update({ ...run, schedule: { endAt: ends(60_000) } });
    seen(ends(1_000));
    expect(runs.maySend('spring')).toBe(true);
    clock.advance(1_000);
    expect([runs.get('spring')?.state, runs.maySend('spring')]).toEqual(['paused', false]);
    // moved on again, before anybody took the earlier one in
    seen(ends(5_000));
    expect([runs.get('spring')?.state, runs.maySend('spring')]).toEqual(['running', true]);
    seen(ends(600_000));
    clock.advance(59_000);
    expect(runs.maySend('spring')).toBe(false);
    runs.update({ ...run, schedule: { endAt: ends(540_000) } });
    expect(runs.maySend('spring')).toBe(true);
    seen();
    runs.stop();
    runs.update({ ...run, schedule: { endAt: ends(540_000) } });
    expect(clock.pending).toBe(0);
  });

  test('every member holds a run at its `endAt`, whoever records the end: what waits does not leave, nothing is taken up', async () => {
    const contacts = ['a', 'b', 'c', 'd'];
    const { turn, wire, runs, row, clock, database, schedule } = await member([intro], contacts, {}, 1, 2);
    const run = database.runs.get('spring');
    if (run === undefined) throw new Error('no run');
    let rounds = 0;
    schedule.due$.subscribe(() => {
      rounds += 1;
    });
    runs.update({ ...run, schedule: { endAt: new Date(clock.now() + 5_000) } });
    await turn();
    expect(wire).toHaveLength(1);
    await clock.advanceAsync(5_000);
    expect([runs.get('spring')?.state, runs.maySend('spring')]).toEqual(['paused', false]);
    wire.splice(0)[0]?.answer({ kind: 'sent' });
    await turn();
    await turn();
    expect(wire).toEqual([]);
    const statuses = contacts.map((contact) => row(`spring:${contact}/1`)?.status);
    expect(statuses.filter((status) => status === 'sent')).toHaveLength(1);
    expect(statuses.filter((status) => status === 'sending')).toEqual([]);
    const before = rounds;
    await clock.advanceAsync(60_000);
    expect(rounds - before).toBeLessThanOrEqual(1);
    // its author gives it more time
    runs.update({ ...run, schedule: { endAt: new Date(clock.now() + 60_000) } });
    await turn();
    expect(wire).toHaveLength(1);
  });

  test('an end that a clock which was set back has not reached is waited for again', async () => {
    const { runs, clock, database } = await member([intro]);
    const run = database.runs.get('spring');
    if (run === undefined) throw new Error('no run');
    runs.update({ ...run, schedule: { endAt: new Date(clock.now() + 5_000) } });
    clock.stepWall(-3_000);
    await clock.advanceAsync(6_000);
    expect(runs.get('spring')?.state).toBe('running');
    await clock.advanceAsync(3_000);
    expect(runs.get('spring')?.state).toBe('paused');
    runs.stop();
    expect(runs.maySend('spring')).toBe(false);
  });
});

describe('dispatch', () => {
  test('the gate reads each campaign anew: traffic of one does not vouch for another', async () => {
    const { turn, wire, answer, put, runs, campaigns, database, row, clock } = await member([intro]);
    await turn();
    await answer();
    await turn();
    expect(wire).toEqual([]);
    put('autumn');
    for (const run of await campaigns.openRuns()) runs.update(run);
    // cancelled, and the stream has not told us
    database.campaigns.update('autumn', { status: 'cancelled' });
    await turn();
    expect(wire).toEqual([]);
    await turn();
    expect(row('autumn:ada/1')).toMatchObject({ status: 'queued' });
    expect(clock.monotonic()).toBeLessThan(1000);
  });

  test('a stopped switch holds everything and is asked again until it is on', async () => {
    const { turn, wire, database, clock, dispatch } = await member([intro]);
    database.settings.put({ _id: 'control', sending: 'stopped' });
    await turn();
    await turn();
    expect(wire).toEqual([]);
    expect(dispatch.room.left('sms')).toBe(0);
    database.settings.put({ _id: 'control', sending: 'on' });
    await clock.advanceAsync(1100);
    await turn();
    expect(wire).toHaveLength(1);
  });

  test('rows wait while the lease is over and leave once it holds again', async () => {
    const { turn, wire, ledger, clock, database } = await member([intro]);
    database.hooks.after = (operation) => void (operation === 'round' && clock.advance(60_000));
    await turn();
    await clock.advanceAsync(5000);
    expect(wire).toEqual([]);
    await ledger.beat();
    await clock.advanceAsync(100);
    expect(wire).toHaveLength(1);
  });
});

describe('ownership', () => {
  test('a drain waits for rows in doubt, and never ends in the middle of a round', async () => {
    const { turn, answer, ownership, database } = await member([intro]);
    const drained: string[] = [];
    let during: Promise<void> | undefined;
    database.hooks.before = (operation) => {
      if (operation !== 'round' || during) return;
      during = ownership.drain(ownership.active).then(() => void drained.push('drained'));
    };
    await turn();
    expect(drained).toEqual([]);
    await answer();
    await turn();
    await during;
    expect(drained).toEqual(['drained']);
  });

  test('partitions given up while they are being gained do not become active', async () => {
    const { ownership, database, all, signal, clock } = await member([intro]);
    ownership.lost(all.map(({ _id }) => _id));
    database.hooks.before = (operation) => {
      if (operation === 'pendingMessages') ownership.lost([3]);
    };
    ownership.gained(all);
    await ownership.takeUp(all, signal);
    await settle(clock);
    expect(ownership.active).toEqual([0, 1, 2, 4, 5, 6, 7]);
  });

  test('partitions given up before they are taken up are never worked on, and their drain waits for what was read of them', async () => {
    const { ownership, all, signal, clock } = await member([intro]);
    ownership.lost(all.map(({ _id }) => _id));
    ownership.gained(all);
    let drained = false;
    const drain = ownership.drain([0, 1, 2]).then(() => {
      drained = true;
    });
    await settle(clock);
    expect(drained).toBe(false);
    await ownership.takeUp(all, signal);
    await drain;
    expect(ownership.active).toEqual([3, 4, 5, 6, 7]);
  });

  test('rows of a lost sender are adopted before anything else: the same key leaves again, attempts counted', async () => {
    const { turn, wire, ownership, all, signal, row, dispatch } = await member([intro]);
    await turn();
    const [first] = wire.splice(0);
    // as if another member had taken over: nothing is known of what is in doubt
    const sending = row(`${id}/1`);
    if (sending) dispatch.settled(sending);
    ownership.lost(all.map(({ _id }) => _id));
    ownership.gained(all);
    await ownership.takeUp(all, signal);
    await turn();
    await turn();
    expect(wire.map((sent) => sent.id)).toEqual([first?.id]);
    expect(row(`${id}/1`)).toMatchObject({ status: 'sending', attempts: 2 });
  });
});
