/** What holds for every message that leaves, whatever the flow, its times and what happens: each rule by a look at the clock or the document. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileSchedule } from '../../../src/domain/compileSchedule.ts';
import { noHolidays } from '../../../src/domain/holidays.ts';
import type { Message } from '../../../src/domain/model.ts';
import type { Refusals } from '../../../src/domain/suppression.ts';
import { contacts, flows, type Happening, happenings, Stored } from './stories.ts';

const zones = ['Europe/Berlin', 'America/New_York', 'Pacific/Auckland', 'Asia/Kathmandu'];
const window = { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '18:00', timezone: 'contact' };
const { timing } = compileSchedule(
  { sendWindow: { ...window, fallbackTimezone: 'Europe/Berlin' } },
  { transactional: false, holidays: noHolidays },
  (field) => field,
);

/** The clock on the wall, as `Intl` writes it. */
const wall = (zone: string, at: number): string =>
  new Intl.DateTimeFormat('en-GB', {
    ...{ timeZone: zone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  }).format(at);
const isOpen = (zone: string, at: number): boolean => /^(Mon|Tue|Wed|Thu|Fri),? (09|1[0-7]):/.test(wall(zone, at));

const isFromFlow = ({ context }: Stored, { stage }: Message): boolean =>
  context.flow.stages.get(stage)?.type === 'message';

/** Days in steps of hours, so that windows open and close; few say anything, so that there is something to send. */
const long: fc.Arbitrary<Happening[]> = happenings.map((story) =>
  story.map((one, n) => ({ ...one, pass: one.pass * 7, slot: true, events: n % 8 === 7 ? one.events : [] })),
);

test('property: nothing leaves outside its window, by the clock on the wall of the contact', () => {
  let left = 0;
  fc.assert(
    fc.property(flows, contacts, long, fc.constantFrom(...zones), (stages, contact, story, timezone) => {
      const stored = new Stored(stages, { ...contact, timezone }, timing);
      for (const happening of story) {
        const decision = stored.decide(stored.happen(happening));
        stored.commit(decision);
        const { send, until } = decision;
        if (send === undefined || !isFromFlow(stored, send)) continue;
        left++;
        expect([wall(timezone, stored.now), isOpen(timezone, stored.now)]).toEqual([expect.anything(), true]);
        // and the gate is told when it closes
        expect(until).toBeGreaterThan(stored.now);
        expect(isOpen(timezone, (until ?? 0) - 1)).toBe(true);
        expect(isOpen(timezone, until ?? 0)).toBe(false);
      }
    }),
    { numRuns: 400 },
  );
  expect(left).toBeGreaterThan(20);
});

test('property: nothing leaves to an address once it is suppressed, whatever it waited for', () => {
  let refused = 0;
  const channel = fc.constantFrom('sms', 'push');
  fc.assert(
    fc.property(flows, contacts, long, fc.nat(6), fc.uniqueArray(channel), (stages, contact, story, from, which) => {
      const refusals: Refusals = new Map(which.map((name) => [name, 'suppressed']));
      const stored = new Stored(stages, contact);
      for (const [n, happening] of story.entries()) {
        const input = stored.happen(happening);
        const decision = stored.decide(n < from ? input : { ...input, refusals });
        stored.commit(decision);
        const { send, unit } = decision;
        if (n >= from && send !== undefined && isFromFlow(stored, send)) expect(which).not.toContain(send.channel);
        const said = [...(unit?.inserts ?? []), ...(unit?.rows ?? []).map(({ set }) => set)];
        refused += said.filter(({ reason }) => reason === 'suppressed').length;
      }
    }),
    { numRuns: 400 },
  );
  expect(refused).toBeGreaterThan(15);
});

test('property: after the campaign was stopped nothing leaves, and nothing is decided but what was under way', () => {
  fc.assert(
    fc.property(flows, contacts, happenings, fc.nat(20), (stages, contact, story, from) => {
      const stored = new Stored(stages, contact);
      for (const [n, happening] of story.entries()) {
        const decision = stored.decide(stored.happen({ ...happening, stop: n >= from }));
        stored.commit(decision);
        if (n < from) continue;
        expect([decision.send, decision.unit?.inserts ?? []]).toEqual([undefined, []]);
        expect(stored.conversation.status).not.toBe('active');
      }
    }),
    { numRuns: 150 },
  );
});

/** Ways lead onwards only, so that nobody comes to a place twice. */
const onwards = flows
  .map((stages) => {
    const index = (id: unknown): number => Number(String(id).slice(1));
    return stages.map((stage, n) => {
      const ahead = (to: unknown): boolean => index(to) > n;
      const { on, branches, variants, onTimeout, onMissing, ...rest } = stage as Record<string, never>;
      return {
        ...rest,
        ...(on === undefined ? {} : { on: Object.fromEntries(Object.entries(on).filter(([, to]) => ahead(to))) }),
        ...(branches === undefined
          ? {}
          : { branches: (branches as { goto: string }[]).filter(({ goto }) => ahead(goto)) }),
        ...(variants === undefined
          ? {}
          : {
              variants: (variants as { goto?: string }[]).map(({ goto, ...one }) =>
                ahead(goto) ? { ...one, goto } : one,
              ),
            }),
        ...(onTimeout !== undefined && ahead(onTimeout) ? { onTimeout } : {}),
        ...(onMissing !== undefined && ahead(onMissing) ? { onMissing } : {}),
      };
    });
  })
  .map((stages) =>
    stages.map((stage) =>
      'branches' in stage && (stage.branches as unknown[]).length === 0
        ? { id: (stage as Record<string, unknown>)['id'], type: 'wait', for: 'PT1M' }
        : stage,
    ),
  );
/** Nobody leads back: `resume` names no stage. */
const forward = happenings.map((story) =>
  story.map((one) => ({
    ...one,
    events: one.events.map((event) => {
      const { stage: _, ...rest } = (event ?? {}) as { stage?: string };
      return event === null || typeof event !== 'object' ? event : rest;
    }),
  })),
);

test('property: where no way leads back, no step of a stage has more than one message, and one by its fallback if that did not leave', () => {
  let fallbacks = 0;
  fc.assert(
    fc.property(onwards, contacts, forward, (stages, contact, story) => {
      const stored = new Stored(stages, contact);
      for (const happening of story) stored.commit(stored.decide(stored.happen(happening)));
      const rows = [...stored.rows.values()];
      const place = ({ stage, step, fallback }: Message): string => `${stage}/${step}${fallback ? ' fallback' : ''}`;
      expect(rows.map(place)).toEqual([...new Set(rows.map(place))]);
      for (const { stage, step, channel } of rows.filter(({ fallback }) => fallback)) {
        const first = rows.find((row) => row.stage === stage && row.step === step && row.fallback !== true);
        // a follow-up of a stage that fell back before has none
        if (first === undefined)
          expect(rows.some((row) => row.stage === stage && row.step < step && row.fallback)).toBe(true);
        else
          expect([first.status, channel]).toEqual([
            expect.stringMatching(/^(failed|skipped)$/),
            expect.not.stringContaining(first.channel),
          ]);
        fallbacks++;
      }
    }),
    { numRuns: 600 },
  );
  expect(fallbacks).toBeGreaterThan(0);
});

test('property: left alone, and answered, every conversation ends, or waits for the event its stage names, or for a person', () => {
  fc.assert(
    fc.property(onwards, contacts, forward, (stages, contact, story) => {
      const stored = new Stored(stages, contact);
      for (const happening of story) stored.commit(stored.decide(stored.happen(happening)));
      const quiet: Omit<Happening, 'pass' | 'answer'> = { events: [], slot: true, room: 'all', stop: false };
      for (let n = 0; n < 60 && stored.conversation.status === 'active'; n++) {
        const { nextActionAt } = stored.conversation;
        if (stored.inFlight === undefined && nextActionAt === undefined) break;
        const pass = stored.inFlight ? 1 : Math.max(0, Number(nextActionAt) - stored.now);
        const answer = { outcome: { kind: 'sent' }, lateMs: 0 } as const;
        stored.commit(stored.decide(stored.happen({ ...quiet, pass, answer })));
      }
      const { status, stage, nextActionAt } = stored.conversation;
      if (status !== 'active') return;
      expect(nextActionAt).toBeUndefined();
      const standing = stored.context.flow.stages.get(stage);
      expect(standing).toMatchObject({ type: 'wait', waitFor: { kind: 'event' } });
      expect(standing).not.toHaveProperty('waitFor.timeout');
    }),
    { numRuns: 200 },
  );
});
