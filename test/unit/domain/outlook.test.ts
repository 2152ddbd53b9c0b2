import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fates, foresee, newOutlook, type Outlook, tally, together, withinRoom } from '../../../src/domain/outlook.ts';

describe('what would become of one', () => {
  const of = (decision: object, now = 10) => foresee(decision as never, now);
  const active = { status: 'active' };
  test.each<[string, object, object]>([
    ['a message leaves', { send: { channel: 'sms' }, conversation: active }, { fate: 'sent', detail: 'sms' }],
    [
      'it expires',
      {
        unit: { inserts: [{ status: 'skipped', reason: 'late_skipped' }], rows: [] },
        conversation: { status: 'cancelled', outcome: 'expired' },
      },
      { fate: 'expired', detail: 'late_skipped' },
    ],
    [
      'a new row is skipped',
      {
        unit: { inserts: [{ status: 'skipped', reason: 'suppressed' }], rows: [] },
        conversation: { status: 'suppressed', outcome: 'suppressed' },
      },
      { fate: 'skipped', detail: 'suppressed' },
    ],
    [
      'a row that waited is skipped',
      { unit: { inserts: [], rows: [{ set: { status: 'skipped', reason: 'frequency_cap' } }] }, conversation: active },
      { fate: 'skipped', detail: 'frequency_cap' },
    ],
    [
      'a row fails, with a reason or a code',
      { unit: { inserts: [{ status: 'failed', error: { code: 'template_error' } }], rows: [] }, conversation: active },
      { fate: 'failed', detail: 'template_error' },
    ],
    [
      'a row fails without either',
      { unit: { inserts: [{ status: 'failed' }], rows: [] }, conversation: active },
      { fate: 'failed', detail: 'failed' },
    ],
    [
      'it ends',
      { unit: { inserts: [], rows: [] }, conversation: { status: 'completed', outcome: 'exit_condition' } },
      { fate: 'later', detail: 'exit_condition' },
    ],
    ['it ended without an outcome', { conversation: { status: 'completed' } }, { fate: 'later', detail: 'completed' }],
    [
      'its window is closed',
      { conversation: { ...active, delayed: 'window', nextActionAt: new Date(11) } },
      { fate: 'held', detail: 'window', at: 11 },
    ],
    [
      'it was held, and is due',
      { conversation: { ...active, delayed: 'window', nextActionAt: new Date(10) } },
      { fate: 'later', detail: 'goes_on' },
    ],
    [
      'it was held, without a time',
      { conversation: { ...active, delayed: 'window' } },
      { fate: 'later', detail: 'goes_on' },
    ],
    [
      'it takes a place of the ramp',
      { conversation: active, send: { channel: 'sms' }, unit: { limits: [{ kind: 'raise' }, { kind: 'take' }] } },
      { fate: 'sent', detail: 'sms', isRamped: true },
    ],
    ['it waits on', { conversation: { ...active, nextActionAt: new Date(11) } }, { fate: 'later', detail: 'goes_on' }],
  ])('%s', (_, decision, expected) => expect(of(decision)).toEqual(expected));
});

const outlookOf = (details: Partial<Outlook['details']>): Outlook => {
  const found = newOutlook();
  for (const fate of fates)
    for (const [detail, many] of Object.entries(details[fate] ?? {}))
      for (let n = 0; n < many; n++) tally(found, { fate, detail });
  return found;
};

describe('of all of them', () => {
  test('they are counted by fate and detail, and when the first and last held ones may leave', () => {
    const found = newOutlook();
    tally(found, { fate: 'sent', detail: 'sms' });
    tally(found, { fate: 'held', detail: 'window', at: 20 });
    tally(found, { fate: 'held', detail: 'window', at: 10 });
    for (const detail of ['constructor', '__proto__']) tally(found, { fate: 'later', detail });
    expect(found).toMatchObject({ fates: { sent: 1, held: 2, later: 2 }, heldUntil: { first: 10, last: 20 } });
    expect(found.details.held).toEqual({ window: 2 });
    expect(Object.entries(found.details.later)).toEqual([
      ['constructor', 1],
      ['__proto__', 1],
    ]);
  });

  test('what was looked at as a whole counts as it is; a sample stands for what it is of', () => {
    const whole = { count: 3, looked: 3, outlook: outlookOf({ sent: { sms: 2 }, skipped: { suppressed: 1 } }) };
    const part = { count: 1000, looked: 3, outlook: outlookOf({ sent: { sms: 2 }, expired: { late_skipped: 1 } }) };
    expect(together([whole, part])).toMatchObject({
      fates: { sent: 2 + 667, expired: 333, skipped: 1 },
      details: { sent: { sms: 669 } },
    });
    const held = (at: number) => {
      const outlook = newOutlook();
      tally(outlook, { fate: 'held', detail: 'window', at });
      return { count: 1, looked: 1, outlook };
    };
    expect(together([held(5), held(9), held(2)]).heldUntil).toEqual({ first: 2, last: 9 });
    expect(together([{ count: 7, looked: 0, outlook: newOutlook() }])).toEqual(newOutlook());
  });

  test('whatever is estimated, the figures add up', () => {
    const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 20 }));
    fc.assert(
      fc.property(counts, counts, fc.nat(1_000_000), (sent, held, beyond) => {
        const outlook = outlookOf({ sent, held });
        const looked = fates.reduce((sum, fate) => sum + outlook.fates[fate], 0);
        fc.pre(looked > 0);
        const all = together([{ count: looked + beyond, looked, outlook }]);
        for (const fate of fates)
          expect(Object.values(all.details[fate]).reduce((sum, one) => sum + one, 0)).toBe(all.fates[fate]);
        expect(fates.reduce((sum, fate) => sum + all.fates[fate], 0)).toBe(looked + beyond);
      }),
    );
  });
});

describe('a sample of a campaign with a ramp', () => {
  const of = (sent: Record<string, number>, held: Record<string, number> = {}): Outlook => {
    const outlook = newOutlook();
    for (const [fate, details] of [
      ['sent', sent],
      ['held', held],
    ] as const) {
      outlook.details[fate] = details;
      outlook.fates[fate] = Object.values(details).reduce((sum, one) => sum + one, 0);
    }
    // what nobody has to be warmed up for
    for (const [detail, count] of Object.entries(sent)) if (detail !== 'hook') outlook.ramped[detail] = count;
    return outlook;
  };

  test('has no more room than the ramp, whatever it was scaled to', () => {
    const outlook = withinRoom(of({ sms: 750, mail: 250 }, { window: 5 }), 100, 9);
    expect(outlook.fates).toMatchObject({ sent: 100, held: 905 });
    expect(outlook.details).toMatchObject({ sent: { sms: 75, mail: 25 }, held: { window: 5, warm_up: 900 } });
    expect(outlook.heldUntil).toEqual({ first: 9, last: 9 });
  });

  test('holds back nothing that a ramp does not count, and a sample of it stands for its own kind', () => {
    const sample = { count: 3000, looked: 30, outlook: of({ hook: 20, sms: 10 }) };
    const outlook = withinRoom(together([sample]), 100, 9);
    expect(outlook.details).toMatchObject({ sent: { hook: 2000, sms: 100 }, held: { warm_up: 900 } });
    expect(outlook.fates).toMatchObject({ sent: 2100, held: 900 });
    expect(withinRoom(of({ hook: 20 }), 0, 9).fates.sent).toBe(20);
  });

  test('keeps when the others may leave, and what they wait for', () => {
    const before = { ...of({ sms: 10 }, { warm_up: 4 }), heldUntil: { first: 3, last: 5 } };
    const outlook = withinRoom(before, -2, 9);
    expect([outlook.fates.sent, outlook.details.sent, outlook.details.held]).toEqual([0, {}, { warm_up: 14 }]);
    expect(outlook.heldUntil).toEqual({ first: 3, last: 9 });
  });

  test('is left as it is where there is room for all', () => {
    const outlook = of({ sms: 10 });
    expect(withinRoom(outlook, 10, 9)).toBe(outlook);
  });
});
