import { describe, expect, test } from '@jest/globals';
import { HintQueue } from '../../../streams/conversations.ts';
import { type Check, Reconcile } from '../../../streams/reconcile.ts';
import { reconcileChecks } from '../../../streams/reconcileChecks.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingInstruments, recordingLogger } from '../../support/fakes.ts';
import { away, member } from './member.ts';

const second = 1000;

function reconciler(
  checks: readonly Check[],
  clock = manualClock(),
  sound = () => true,
  caughtUpTo = () => clock.monotonic(),
) {
  const logger = recordingLogger();
  const instruments = recordingInstruments();
  const { signal } = new AbortController();
  const reconcile = new Reconcile({
    ...{ checks, sound, caughtUpTo, clock, logger, instruments, signal },
    random: () => 0.5,
  });
  /** One turn, however long it waits between its two looks. */
  const turn = async (): Promise<number> => {
    let result: number | undefined;
    void reconcile.tick().then((count) => {
      result = count;
    });
    for (let n = 0; n < 20 && result === undefined; n++) await clock.advanceAsync(5 * second);
    if (result === undefined) throw new Error('the turn did not end');
    return result;
  };
  return { turn, logger, instruments };
}

/** Answers in turn; the last one again and again. */
function looks(...answers: (Record<string, string> | Error)[]): Check & { repaired: string[] } {
  const repaired: string[] = [];
  let n = 0;
  return {
    kind: 'test',
    repaired,
    async look() {
      const answer = answers[Math.min(n++, answers.length - 1)] ?? {};
      if (answer instanceof Error) throw answer;
      return new Map(Object.entries(answer));
    },
    async repair(ids) {
      repaired.push(...ids);
    },
  };
}

describe('two looks', () => {
  test('what stands unchanged is taken up, counted and named; what moved or is gone is not', async () => {
    const check = looks({ same: '1', moved: '1', gone: '1' }, { same: '1', moved: '2', new: '1' });
    const { turn, logger, instruments } = reconciler([check]);
    expect(await turn()).toBe(1);
    expect(check.repaired).toEqual(['same']);
    expect(instruments.events('reconciled')).toBe(1);
    expect(logger.of('warn').map(({ fields }) => fields)).toEqual([
      { code: 'reconciled', kind: 'test', count: 1, ids: ['same'] },
    ]);
  });

  test('what the stream may still tell of is not forgotten', async () => {
    const clock = manualClock();
    let caughtUpTo = 0;
    const check = looks({ same: '1' });
    const { turn } = reconciler([check], clock, undefined, () => caughtUpTo);
    clock.advance(5 * second);
    expect(await turn()).toBe(0);
    caughtUpTo = clock.monotonic() + 1;
    expect(await turn()).toBe(1);
  });

  test('nothing to be found costs one look and no wait', async () => {
    const check = looks({});
    const clock = manualClock();
    const { turn, instruments } = reconciler([check], clock);
    expect(await turn()).toBe(0);
    expect([clock.pending, instruments.calls]).toEqual([0, [{ name: 'standing', args: ['test', 0] }]]);
  });

  test('a member that was cut off or frozen in between has forgotten nothing', async () => {
    const check = looks({ a: '1' });
    let asked = 0;
    expect(await reconciler([check], manualClock(), () => ++asked !== 3).turn()).toBe(0);
    const clock = manualClock();
    const frozen: typeof clock = {
      ...clock,
      after: (ms, callback) => clock.after(ms, callback),
      monotonic: () => clock.monotonic() + 2500 * asked++,
    };
    expect(await reconciler([check], frozen).turn()).toBe(0);
    expect(check.repaired).toEqual([]);
    expect(await reconciler([check]).turn()).toBe(1);
  });

  test('a check that fails leaves the others their turn', async () => {
    const check = looks({ a: '1' });
    expect(await reconciler([looks(away()), looks({ x: '1' }, away()), check]).turn()).toBe(1);
    expect(check.repaired).toEqual(['a']);
  });
});

describe('what a member may owe', () => {
  const intro = { id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hi' }, waitForReply: 'PT1H' };

  async function owing(...contacts: string[]) {
    const one = await member([intro], contacts);
    const hints = new HintQueue();
    const offered: string[] = [];
    /** While it is set, what is offered waits for its round. */
    const busy: { with?: (() => void)[] } = {};
    hints.inputs$.subscribe((input) => {
      if (input.kind !== 'hints') return;
      offered.push(...input.ids);
      if (busy.with) busy.with.push(input.done);
      else input.done();
    });
    const elsewhere = { campaigns: undefined as never, attention: undefined as never, enrollments: undefined as never };
    const checks = reconcileChecks({
      ...{ conversations: one.store, campaignStore: one.campaigns, runs: one.runs, schedule: one.schedule },
      ...{ dispatch: one.dispatch, ownership: one.ownership, round: one.round, hints, ...elsewhere },
    }).filter(({ kind }) => ['inbox', 'message', 'due'].includes(kind));
    const check = (kind: string): Check => checks.find((one) => one.kind === kind) as Check;
    const { turn: reconcile } = reconciler(checks, one.clock);
    return { ...one, hints, offered, busy, check, reconcile };
  }

  test('nothing while all is in hand: due, on the wire, waiting for another try, answered', async () => {
    const { reconcile, turn, answer, clock, row } = await owing('ada', 'bea');
    expect(await reconcile()).toBe(0);
    await turn();
    await clock.advanceAsync(10 * second);
    expect(row('spring:ada/1')?.status).toBe('sending');
    expect(await reconcile()).toBe(0);
    await answer({ kind: 'retry', code: 'busy', message: 'later', counts: true, retryAfterMs: 60 * second });
    await turn();
    expect(row('spring:ada/1')?.status).toBe('queued');
    expect(await reconcile()).toBe(0);
    await clock.advanceAsync(60 * second);
    await turn();
    await answer();
    await turn();
    expect(row('spring:ada/1')?.status).toBe('sent');
    expect(await reconcile()).toBe(0);
  });

  test('an event whose hint never came', async () => {
    const { database, reconcile, offered } = await owing('ada', 'bea');
    database.push('spring:ada', { id: 'e1', type: 'reply' });
    expect(await reconcile()).toBe(1);
    expect(offered).toEqual(['spring:ada']);
  });

  test('a row `sending` that is not in doubt here: its sender is lost', async () => {
    const { turn, answer, database, reconcile, results, dispatch } = await owing('ada');
    await turn();
    await answer();
    await turn();
    database.messages.update('spring:ada/1', { status: 'sending', pending: true });
    expect(await reconcile()).toBe(1);
    expect(dispatch.entry('spring:ada')?.row._id).toBe('spring:ada/1');
    expect(results.map(({ outcome }) => outcome.kind)).toEqual(['lost']);
  });

  test('a conversation that is due although nobody noticed', async () => {
    const { turn, answer, database, reconcile, clock, conversation } = await owing('ada', 'bea');
    await turn();
    await answer();
    await turn();
    // as somebody may do by hand
    database.conversations.update('spring:ada', { nextActionAt: new Date(clock.now() - 10 * second) });
    expect(await reconcile()).toBe(1);
    await turn();
    expect(conversation('spring:ada')?.status).toBe('completed');
    expect(await reconcile()).toBe(0);
  });

  test('an event that waits for its round is not forgotten', async () => {
    const { database, check, hints, busy } = await owing('ada');
    database.push('spring:ada', { id: 'e1', type: 'custom' });
    expect(await check('inbox').look()).toEqual(new Map([['spring:ada', '1']]));
    busy.with = [];
    void hints.offer(['spring:ada']);
    expect(await check('inbox').look()).toEqual(new Map());
    busy.with[0]?.();
    expect((await check('inbox').look()).size).toBe(1);
  });

  test('a row between its commit and its hand-over is not forgotten', async () => {
    const { database, check, turn, row, dispatch } = await owing('ada');
    const seen: unknown[] = [];
    database.hooks.after = async (operation) => {
      if (operation !== 'round') return;
      seen.push(row('spring:ada/1')?.status, dispatch.inDoubt, await check('message').look());
    };
    await turn();
    expect(seen).toEqual(['sending', 0, new Map()]);
  });

  test('what waits for another try does not hide what is forgotten behind it', async () => {
    const { turn, answer, database, check } = await owing('zoe');
    await turn();
    await answer();
    await turn();
    database.messages.update('spring:zoe/1', { status: 'sending', pending: true });
    const sent = database.messages.get('spring:zoe/1');
    if (sent === undefined) throw new Error('there is such a row');
    for (let n = 0; n < 1500; n++) database.messages.put({ ...sent, _id: `spring:b${n}/1`, status: 'queued' });
    const messages = check('message');
    expect(await messages.look()).toEqual(new Map());
    messages.next?.();
    expect([...(await messages.look()).keys()]).toEqual(['spring:zoe/1']);
    messages.next?.();
    expect(await messages.look()).toEqual(new Map());
  });
});
