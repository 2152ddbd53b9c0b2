/** What leaves, and when: send windows, business days, what comes late. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { HolidayCalendar } from '../../../src/domain/holidays.ts';
import { parseDay } from '../../../src/domain/localDates.ts';
import type { Contact } from '../../../src/domain/model.ts';
import { anna, type Story, seconds, t0 } from './given.ts';
import { type GivenTimes, given, timed } from './timed.ts';

const minute = 60;
const hour = 3600;
const day = 24 * hour;
const sent = { kind: 'sent' } as const;
const busy = { kind: 'retry', code: 'busy', message: 'busy', counts: true } as const;
/** The story begins on Monday, 5 January 2026, 09:00 UTC. */
const office = { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '18:00', timezone: 'UTC' };
const closedNow = { ...office, from: '10:00' };
const ofContact = { ...office, timezone: 'contact' };
const say = (id: string, more: object = {}) => ({
  id,
  type: 'message',
  channel: 'sms',
  content: { text: id },
  ...more,
});
const end = (id: string) => ({ id, type: 'end', outcome: id });
const openDays: HolidayCalendar = { knows: () => true, isHoliday: (_, day) => day === parseDay('2026-01-06') };

const place = ({ conversation: { status, stage, step, nextActionAt, delayed } }: Story) => ({
  ...{ status, stage, step, delayed },
  due: nextActionAt === undefined ? undefined : (nextActionAt.getTime() - t0) / 1000,
});
const rows = (story: Story) =>
  [...story.rows.values()].map(({ stage, step, status, reason }) => [stage, step, status, reason]);

describe('due times', () => {
  test('a message whose window is closed is due when it opens, and the conversation says why', () => {
    const story = given([say('a')], { sendWindow: closedNow });
    expect(place(story)).toMatchObject({ due: hour, delayed: 'window' });
    expect(story.due(hour).decision).toMatchObject({ send: { status: 'sending' }, until: seconds(9 * hour) });
    expect(story.conversation).not.toHaveProperty('delayed');
  });

  test('one whose window is open is due as its flow says', () => {
    const story = given([say('a', { delay: 'PT30M' })], { sendWindow: office });
    expect(place(story)).toMatchObject({ due: 30 * minute, delayed: undefined });
  });

  test('a holiday is told as the reason', () => {
    const sendWindow = { ...office, holidays: ['2026-01-05'] };
    expect(place(given([say('a')], { sendWindow }))).toMatchObject({ due: day, delayed: 'holiday' });
    const publicly = { ...office, holidayCountry: 'contact', holidays: ['2026-01-05'] };
    const story = given([say('a')], { sendWindow: publicly, holidays: openDays }, { ...anna, country: 'DE' });
    expect(place(story)).toMatchObject({ due: 2 * day, delayed: 'holiday' });
  });

  test('follow-ups are moved too; silence and waits are not', () => {
    const flow = [
      say('a', { followUps: [{ after: 'PT10H' }], waitForReply: 'PT10H' }),
      { id: 'w', type: 'wait', for: 'PT1H' },
      end('done'),
    ];
    const story = given(flow, { sendWindow: office }).due(0).answer(0, sent);
    expect(place(story)).toMatchObject({ step: 1, due: day, delayed: 'window' });
    story.due(day).answer(day, sent);
    expect(place(story)).toMatchObject({ step: 2, due: day + 10 * hour, delayed: undefined });
    expect(place(story.due(day + 10 * hour))).toMatchObject({ stage: 'w', due: day + 11 * hour });
  });

  test('the time of the contact counts, and an answer that comes late moves what follows', () => {
    const sendWindow = { ...ofContact, onUnknownZone: 'hold' };
    const tokyo = given([say('a')], { sendWindow }, { ...anna, timezone: 'Asia/Tokyo' });
    expect(place(tokyo)).toMatchObject({ due: 15 * hour, delayed: 'window' });
    const berlin = { ...anna, timezone: 'Europe/Berlin' };
    const story = given([say('a', { followUps: [{ after: 'PT1H' }] })], { sendWindow }, berlin);
    expect(place(story)).toMatchObject({ due: 0 });
    story.due(0).answer(7.5 * hour, sent);
    expect(place(story)).toMatchObject({ due: 23 * hour, delayed: 'window' });
  });

  test.each<[string, GivenTimes, object]>([
    ["a stage's own goes before the campaign's", { sendWindow: office }, { sendWindow: closedNow }],
    ['it needs none of the campaign', {}, { sendWindow: closedNow }],
  ])('%s', (_, is, more) => {
    expect(place(given([say('a', more)], is))).toMatchObject({ due: hour, delayed: 'window' });
  });

  test('a transactional campaign has no windows', () => {
    const story = given([say('a', { sendWindow: closedNow })], { sendWindow: closedNow, transactional: true });
    expect(place(story)).toMatchObject({ due: 0, delayed: undefined });
    expect(story.due(0).decision).toMatchObject({ send: {}, until: undefined });
  });

  test('what a service or a colleague is sent leaves at any time', () => {
    const webhook = { id: 'h', type: 'webhook', channel: 'push', body: { a: 1 } };
    const notify = { channel: 'sms', to: '+1', content: { text: 'look' } };
    const flow = [webhook, { id: 'p', type: 'escalate', to: 'us', notify }];
    const story = given(flow, { sendWindow: closedNow, late: { policy: 'skip', after: 'PT1S' } });
    story.due(60).answer(60, sent).due(60);
    expect(rows(story).map(([stage, , status]) => [stage, status])).toEqual([
      ['h', 'sent'],
      ['p', 'sending'],
    ]);
  });
});

describe('decided again before it leaves', () => {
  test('what is taken up after its window closed waits for the next, and costs no row', () => {
    const story = given([say('a')], { sendWindow: office }).due(9 * hour);
    expect(place(story)).toMatchObject({ status: 'active', stage: 'a', step: 0, due: day, delayed: 'window' });
    expect(story.rows.size).toBe(0);
    expect(rows(story.due(day))).toEqual([['a', 0, 'sending', undefined]]);
  });

  test('a retry whose time lies outside waits for the next opening; within, it is a retry as ever', () => {
    const story = given([say('a')], { sendWindow: office }).due(0);
    story.answer(1, { ...busy, retryAfterMs: 60_000 });
    expect(place(story)).toMatchObject({ due: 61, delayed: 'retry' });
    const late = given([say('a')], { sendWindow: office }).due(8.5 * hour);
    late.answer(8.5 * hour, { ...busy, retryAfterMs: 45 * 60_000 });
    expect(place(late)).toMatchObject({ due: day, delayed: 'window' });
    expect(late.conversation.history.at(-1)).toMatchObject({
      event: 'window',
      detail: { messageId: 'spring:anna/1' },
    });
    late.due(day).answer(day, sent);
    expect(rows(late)).toEqual([['a', 0, 'sent', undefined]]);
  });

  test('the time in which it could not be tried is not held against it', () => {
    const story = given([say('a')], { sendWindow: office }).due(0);
    story.answer(1, { ...busy, retryAfterMs: 10 * hour * 1000, counts: false });
    expect(rows(story)[0]).toMatchObject(['a', 0, 'failed', 'retries_exhausted']);
    const friday = 4 * day + 9 * hour - 10;
    const other = given([say('a')], { sendWindow: office }).due(friday);
    other.answer(friday, { ...busy, retryAfterMs: 60_000 });
    expect(place(other)).toMatchObject({ due: 7 * day, delayed: 'window' });
    other.due(7 * day).answer(7 * day + 1, { ...busy, retryAfterMs: 60_000 });
    expect(place(other)).toMatchObject({ due: 7 * day + 61, delayed: 'retry' });
  });

  test('a row that waited is not sent when it is taken up outside', () => {
    const story = given([say('a')], { sendWindow: office }).due(0);
    story.answer(1, { ...busy, retryAfterMs: 60_000 }).due(10 * hour);
    expect(place(story)).toMatchObject({ due: day, delayed: 'window' });
    expect(rows(story)).toEqual([['a', 0, 'queued', undefined]]);
    expect(story.due(day).decision).toMatchObject({ send: { attempts: 2 }, until: seconds(33 * hour) });
  });

  test('a row that was held while its window closed waits for the next opening', () => {
    const story = given([say('a')], { sendWindow: office }).due(9 * hour - 1);
    story.answer(9 * hour, { kind: 'held' });
    expect(place(story)).toMatchObject({ due: day, delayed: 'window' });
    expect(rows(story)).toEqual([['a', 0, 'queued', undefined]]);
  });

  test('a row of a stage that the flow has no longer leaves as it is', () => {
    const story = given([say('a'), say('b')], { sendWindow: office }).due(0);
    story.answer(1, { ...busy, retryAfterMs: 60_000 });
    story.context = timed([say('b')], { sendWindow: office });
    expect(story.due(61).decision).toMatchObject({ send: { stage: 'a', attempts: 2 }, until: undefined });
  });

  test('a row that was deleted meanwhile is not asked for its window', () => {
    const story = given([say('a', { waitForReply: 'PT1H' })], { sendWindow: office }).due(0);
    story.answer(1, { ...busy, retryAfterMs: 60_000 });
    story.rows.clear();
    expect(place(story.due(10 * hour))).toMatchObject({ stage: 'a', step: 1, due: 11 * hour });
  });
});

describe('the time zone of a contact is not known', () => {
  const hold = { ...ofContact, onUnknownZone: 'hold' };
  const fail = { ...ofContact, onUnknownZone: 'fail' };

  test('hold: it is seen, looked at again every week, and leaves when the zone is told', () => {
    const story = given([say('a')], { sendWindow: hold }).due(0);
    expect(place(story)).toMatchObject({ status: 'active', due: 7 * day, delayed: 'zone' });
    expect(place(story.due(7 * day))).toMatchObject({ due: 14 * day, delayed: 'zone' });
    story.events(8 * day, { id: 'e', type: 'contact', data: { timezone: 'Europe/Berlin', country: 'DE', id: 'x' } });
    expect(place(story)).toMatchObject({ due: 8 * day, delayed: undefined });
    expect(story.conversation.contact).toEqual({ ...anna, timezone: 'Europe/Berlin', country: 'DE' });
    story.due(8 * day + 10 * hour);
    expect(place(story)).toMatchObject({ due: 8 * day + 23 * hour, delayed: 'window' });
    expect(rows(story.due(8 * day + 23 * hour))).toEqual([['a', 0, 'sending', undefined]]);
  });

  test.each([[undefined], [7], [{}], [{ timezone: 7 }], [{ timezone: '' }], [{ country: 'x'.repeat(65) }]])(
    'an event that tells nothing (%p) changes nothing',
    (data) => {
      const story = given([say('a')], { sendWindow: hold })
        .due(0)
        .events(1, { id: 'e', type: 'contact', data });
      expect(place(story)).toMatchObject({ due: 7 * day, delayed: 'zone' });
      expect(story.conversation.contact).toEqual(anna);
    },
  );

  test('where a contact is may be told at any time, and moves nothing else', () => {
    const story = given([say('a', { delay: 'PT1H' })], { sendWindow: hold });
    story.events(1, { id: 'e', type: 'contact', data: { timezone: 'Europe/Berlin' } });
    expect(place(story)).toMatchObject({ due: hour, delayed: undefined });
    expect(story.conversation.contact.timezone).toBe('Europe/Berlin');
  });

  test('fail: the conversation fails, and says what is wrong with the contact', () => {
    const story = given([say('a')], { sendWindow: fail }).due(0);
    expect(story.conversation).toMatchObject({ status: 'failed', error: { code: 'timezone_missing' } });
    expect(rows(story)).toEqual([['a', 0, 'failed', 'contact_invalid']]);
    const other = given([say('a')], { sendWindow: fail }, { ...anna, timezone: 'Atlantis' }).due(0);
    expect(other.conversation).toMatchObject({ status: 'failed', error: { code: 'timezone_unknown' } });
    const led = given([say('a', { on: { failed: 'b' } }), end('done'), end('b')], { sendWindow: fail }).due(0);
    expect(led.conversation).toMatchObject({ status: 'completed', outcome: 'b' });
    expect(led.counters).toMatchObject({ 'messages.failed': 1, 'reasons.contact_invalid': 1 });
  });

  test.each([
    [hold, { status: 'active', delayed: 'zone' }],
    [fail, { status: 'failed', delayed: undefined }],
  ])('a row that waited, after the flow was compiled anew: %p', (sendWindow, expected) => {
    const story = given([say('a')], { sendWindow: office })
      .due(0)
      .answer(1, { ...busy, retryAfterMs: 60_000 });
    story.context = timed([say('a')], { sendWindow });
    expect(place(story.due(61))).toMatchObject(expected);
    expect(story.counters['pending']).toBe(expected.status === 'active' ? 1 : undefined);
  });
});

describe('a window that never opens', () => {
  const never = {
    ...office,
    days: ['sun'],
    preset: 'quietHours',
    country: 'ES',
    timezone: 'contact',
    fallbackTimezone: 'UTC',
  };
  const is = { sendWindow: never, holidays: openDays };

  test.each([['contact'], ['ES']])('the message is skipped, and the flow goes on as silence does (%s)', (country) => {
    const stage = say('a', { followUps: [{ after: 'PT1H' }] });
    const given2 = { ...is, sendWindow: { ...never, country } };
    const story = given([stage, end('done')], given2, { ...anna, country: 'ES', timezone: 'Europe/Madrid' });
    expect(place(story.due(0))).toMatchObject({ stage: 'a', step: 1, due: hour });
    expect(place(story.due(hour).due(hour))).toMatchObject({ status: 'completed' });
    expect(rows(story)).toEqual([
      ['a', 0, 'skipped', 'window_expired'],
      ['a', 1, 'skipped', 'window_expired'],
    ]);
    expect(story.counters).toMatchObject({ 'messages.skipped': 2, 'reasons.window_expired': 2 });
  });

  test('working days of it never come', () => {
    const spain = { ...anna, country: 'ES', timezone: 'Europe/Madrid' };
    const story = given([{ id: 'w', type: 'wait', businessDays: 1 }, end('done')], is, spain).due(0);
    expect(story.conversation).toMatchObject({ status: 'failed', error: { code: 'window_never_opens' } });
  });
});

describe('business days', () => {
  const wait = (businessDays: number) => [{ id: 'w', type: 'wait', businessDays }, end('done')];

  test.each<[string, number, GivenTimes, Contact, number]>([
    ['Monday to Friday without a window', 5, {}, anna, 7 * day],
    ['those of the window', 1, { sendWindow: { ...office, days: ['thu'] } }, anna, 3 * day],
    [
      'also of a transactional campaign',
      1,
      { sendWindow: { ...office, days: ['thu'] }, transactional: true },
      anna,
      3 * day,
    ],
    ['without its holidays', 1, { sendWindow: { ...office, holidays: ['2026-01-06'] } }, anna, 2 * day],
    ["of the contact's zone", 4, {}, { ...anna, timezone: 'Asia/Tokyo' }, 4 * day],
    ['UTC where that is not known', 4, { sendWindow: { ...ofContact, onUnknownZone: 'fail' } }, anna, 4 * day],
  ])('%s', (_, days, is, contact, due) => {
    const story = given(wait(days), is, contact);
    expect(place(story)).toMatchObject({ stage: 'w', due });
    expect(place(story.due(due))).toMatchObject({ status: 'completed' });
  });
});

describe('what comes late', () => {
  const skip = { policy: 'skip', after: 'PT1H' };
  const expire = { policy: 'expire', after: 'PT1H' };

  test.each([[undefined], [{}], [{ policy: 'send', after: 'PT1S' }], [skip]])('%p: what is in time is sent', (late) => {
    const story = given([say('a')], late ? { late } : {}).due(hour);
    expect(rows(story)).toEqual([['a', 0, 'sending', undefined]]);
  });

  test('send: it leaves however late it is', () => {
    expect(rows(given([say('a')], { late: { policy: 'send' } }).due(9 * day))).toEqual([
      ['a', 0, 'sending', undefined],
    ]);
  });

  test('skip: that message is left out, and the flow goes on as silence does', () => {
    const story = given([say('a'), say('b')], { late: skip }).due(hour + 1);
    expect(rows(story)).toEqual([
      ['a', 0, 'skipped', 'late_skipped'],
      ['b', 0, 'sending', undefined],
    ]);
    expect(story.counters).toMatchObject({ 'messages.skipped': 1, 'reasons.late_skipped': 1, pending: 1 });
  });

  test('expire: the conversation ends', () => {
    const story = given([say('a'), say('b')], { late: expire }).due(hour + 1);
    expect(story.conversation).toMatchObject({ status: 'cancelled', outcome: 'expired', reason: 'late_skipped' });
    expect(rows(story)).toEqual([['a', 0, 'skipped', 'late_skipped']]);
    expect(story.counters).toMatchObject({ cancelled: 1, total: 1, 'messages.skipped': 1 });
    expect(story.counters).not.toHaveProperty('active');
  });

  test('without `after` six hours are in time', () => {
    const late = { policy: 'skip' };
    expect(rows(given([say('a')], { late }).due(6 * hour))[0]).toEqual(['a', 0, 'sending', undefined]);
    expect(rows(given([say('a')], { late }).due(6 * hour + 1))[0]).toEqual(['a', 0, 'skipped', 'late_skipped']);
  });

  test('the time in which a window is closed makes nothing late', () => {
    const story = given([say('a')], { late: skip, sendWindow: office }).due(9 * hour - 10 * minute);
    expect(rows(story)[0]).toEqual(['a', 0, 'skipped', 'late_skipped']);
    const soon = given([say('a', { delay: 'PT8H59M' })], { late: skip, sendWindow: office }).due(9 * hour);
    expect(place(soon)).toMatchObject({ due: day, delayed: 'window' });
    expect(rows(soon.due(day))[0]).toEqual(['a', 0, 'sending', undefined]);
  });

  test.each([
    ['skip', [], { stage: 'a', step: 1, status: 'active', due: 6 * hour }],
    ['skip', [say('b')], { stage: 'a', step: 1, status: 'active', due: 6 * hour }],
    ['expire', [say('b')], { status: 'cancelled' }],
  ])('%s: a row that waited for another try is late by that time', (policy, more, expected) => {
    const story = given([say('a', { waitForReply: 'PT1H' }), ...more], { late: { policy, after: 'PT1H' } });
    story
      .due(0)
      .answer(1, { ...busy, retryAfterMs: 60_000 })
      .due(5 * hour);
    expect(place(story)).toMatchObject(expected);
    expect(rows(story)[0]).toEqual(['a', 0, 'skipped', 'late_skipped']);
    expect(story.counters).not.toHaveProperty('pending');
  });

  test('skip: a row that waited and after which nothing waits leads on at once', () => {
    const story = given([say('a'), end('done')], { late: skip });
    story
      .due(0)
      .answer(1, { ...busy, retryAfterMs: 60_000 })
      .due(5 * hour);
    expect(story.conversation).toMatchObject({ status: 'completed', outcome: 'done' });
    expect(rows(story)).toEqual([['a', 0, 'skipped', 'late_skipped']]);
  });
});

describe('whatever happens', () => {
  const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Tokyo', 'Australia/Lord_Howe', 'Africa/Casablanca'];
  const wallOf = (zone: string, at: number) => {
    const parts = new Intl.DateTimeFormat('en-GB', {
      ...{ timeZone: zone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
    }).formatToParts(at);
    const of = (type: string): string => parts.find((part) => part.type === type)?.value ?? '';
    return { weekday: of('weekday').toLowerCase(), minutes: Number(of('hour')) * 60 + Number(of('minute')) };
  };
  const step = fc.record({
    pass: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: hour }), fc.integer({ min: 0, max: 60 * day })),
    what: fc.constantFrom('due', 'due', 'sent', 'retry', 'later', 'held', 'lost'),
  });

  test('no message is handed over outside its window in the time of the contact, and none of a step twice', () => {
    let handed = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: 0, max: 22 }),
        fc.integer({ min: 1, max: 10 }),
        fc.array(step, { minLength: 15, maxLength: 40 }),
        (timezone, from, length, steps) => {
          const to = Math.min(24, from + length);
          const time = (hours: number): string => `${String(hours).padStart(2, '0')}:00`;
          const sendWindow = {
            days: office.days,
            from: time(from),
            to: time(to),
            timezone: 'contact',
            onUnknownZone: 'fail',
          };
          const followUps = [{ after: 'PT5H' }, { after: 'P3D' }];
          const flow = [say('a', { followUps }), { id: 'w', type: 'wait', businessDays: 2 }, say('b', { followUps })];
          const story = given(flow, { sendWindow }, { ...anna, timezone });
          let now = 0;
          /** Place by row. */
          const left = new Map<string, string>();
          const check = (): void => {
            const { send, until } = story.decision;
            if (send === undefined) return;
            const { weekday, minutes } = wallOf(timezone, seconds(now));
            expect(office.days).toContain(weekday);
            expect(minutes >= from * 60 && minutes < to * 60).toBe(true);
            expect(until).toBeGreaterThan(seconds(now));
            left.set(send._id, `${send.stage} ${send.step}`);
            handed += 1;
          };
          for (const { pass, what } of steps) {
            const dueAt = story.conversation.nextActionAt?.getTime() ?? 0;
            now = (what === 'due' ? Math.max(now, (dueAt - t0) / 1000) : now) + pass;
            if (what === 'due' || story.row === undefined) story.due(now);
            else if (what === 'sent') story.answer(now, sent);
            else if (what === 'held' || what === 'lost') story.answer(now, { kind: what });
            else story.answer(now, { ...busy, retryAfterMs: what === 'later' ? 20 * hour * 1000 : 1000 });
            check();
          }
          expect(new Set(left.values()).size).toBe(left.size);
        },
      ),
      { numRuns: 300 },
    );
    expect(handed).toBeGreaterThan(300);
  });
});
