import { describe, expect, test } from '@jest/globals';
import { ObjectId } from 'bson';
import fc from 'fast-check';
import { type CampaignInput, checkCampaign, decideCampaign, runAfter } from '../../../src/domain/campaign.ts';
import type { Id, Run } from '../../../src/domain/model.ts';
import { channels } from './given.ts';

type Raw = Record<string, unknown>;
const hour = 3_600_000;
const at = (text: string): number => Date.parse(text);
const monday = at('2026-01-05T08:00:00Z');
const weekly = 'DTSTART;TZID=Europe/Berlin:20260105T090000\nRRULE:FREQ=WEEKLY;BYDAY=MO';
const hourly = 'DTSTART:20260105T080000Z\nRRULE:FREQ=HOURLY';
const stages = [{ id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hi' } }];
const campaign = (more: Raw = {}, schedule: Raw = {}): Raw => ({
  ...{ _id: 'weekly', type: 'recurring', status: 'pending', tenant: 'acme', name: 'News' },
  schedule: { recurrence: weekly, ...schedule },
  audience: { collection: 'people', filter: { country: 'DE' }, map: { phone: '$tel' } },
  flow: { stages },
  variables: { product: 'Compass' },
  ...more,
});

/** What its owner does from look to look: the campaign, its run, and the children that were inserted. */
function series(raw: Raw, id: Id = 'weekly') {
  let run: Run | undefined;
  let document: Raw | undefined = raw;
  const children: (Raw & { _id: Id })[] = [];
  const look = (now: number) => {
    const input: CampaignInput = {
      ...{ id, raw: document, run, channels, reservedCollections: [], partitions: 8, now },
      traceparent: () => '00',
    };
    const decision = decideCampaign(input);
    const { write } = decision;
    if (write) {
      expect(write.expectNext).toEqual(write.child || write.expectNext ? run?.occurrences?.next : undefined);
      run = runAfter(run, write);
      if (write.child) children.push(write.child);
      if (document && write.campaign) document = { ...document, ...write.campaign.set };
    }
    return decision;
  };
  const write = (more: Raw | undefined): void => {
    document = more && { ...document, ...more };
  };
  return { look, write, children, run: () => run as Run, document: () => document as Raw };
}

describe('what the type asks for', () => {
  const people = { audience: { contacts: [] } };
  const faults = (more: Raw, now?: number): [string, string][] =>
    checkCampaign(
      { _id: 'c', status: 'pending', flow: { stages }, ...people, ...more },
      { channels, reservedCollections: [], ...(now === undefined ? {} : { now }) },
    ).faults.map(({ path, code }) => [path, code]);
  const recurring = (schedule: unknown): Raw => ({ type: 'recurring', schedule });

  test.each<[Raw, [string, string][]]>([
    [recurring({ recurrence: weekly }), []],
    [{ type: 'recurring' }, [['schedule.recurrence', 'required']]],
    [recurring({}), [['schedule.recurrence', 'required']]],
    [recurring(7), [['schedule', 'type']]],
    [recurring({ recurrence: 7 }), [['schedule.recurrence', 'type']]],
    [recurring({ recurrence: 'RRULE:FREQ=DAILY' }), [['schedule.recurrence', 'recurrence_invalid']]],
    [recurring({ recurrence: weekly.replace('WEEKLY', 'SECONDLY') }), [['schedule.recurrence', 'recurrence_invalid']]],
    [recurring({ recurrence: weekly, startAt: new Date(monday) }), [['schedule.startAt', 'not_allowed']]],
    [{ schedule: { recurrence: weekly } }, [['schedule.recurrence', 'not_allowed']]],
    [{ ...recurring({ recurrence: weekly }), audience: undefined }, [['audience', 'required']]],
    [{ ...recurring({ recurrence: weekly }), reentry: { policy: 'afterEnd' } }, [['reentry', 'not_allowed']]],
  ])('%j', (more, found) => {
    expect(faults(more).slice(0, 1)).toEqual(found);
  });

  test('one that has no occurrence ahead is refused, not run in vain', () => {
    const ended = recurring({ recurrence: `${weekly};UNTIL=20260112T080000Z` });
    expect(faults(ended, at('2026-01-12T08:00:00Z'))).toEqual([]);
    expect(faults(ended, at('2026-01-12T08:00:00.001Z'))).toEqual([['schedule.recurrence', 'recurrence_over']]);
  });
});

describe('occurrences', () => {
  test('given one that has come, then a campaign is inserted that is made of what was pinned', () => {
    const { look, children, run, document } = series(campaign({ priority: 7, unsubscribe: { mailto: 'a@b.test' } }));
    expect(look(monday - hour)).toMatchObject({ event: 'started', lookAgainAt: monday });
    expect(run()).toMatchObject({ status: 'running', occurrences: { begun: 0, missed: 0, next: new Date(monday) } });
    expect(look(monday - 1)).toEqual({ lookAgainAt: monday });
    expect(children).toEqual([]);
    const next = monday + 7 * 24 * hour;
    expect(look(monday)).toMatchObject({ lookAgainAt: next });
    expect(children).toEqual([
      {
        ...{ _id: 'weekly@20260105T080000Z', parentId: 'weekly', type: 'sequence', status: 'pending' },
        ...{ tenant: 'acme', name: 'News', priority: 7, unsubscribe: { mailto: 'a@b.test' } },
        audience: { collection: 'people', filter: { country: 'DE' }, map: { phone: '$tel' } },
        flow: { stages },
        variables: { product: 'Compass' },
      },
    ]);
    const counted = { begun: 1, missed: 0, last: new Date(monday), next: new Date(next) };
    expect(run().occurrences).toEqual(counted);
    expect(document()).toMatchObject({ status: 'running', occurrences: counted });
    expect(look(monday)).toEqual({ lookAgainAt: next });
    expect(children).toHaveLength(1);
    const child = children[0] as Raw;
    const context = { channels, reservedCollections: [] };
    expect(checkCampaign(child, context).faults).toEqual([]);
    const started = decideCampaign({
      ...{ id: child['_id'] as Id, raw: child, run: undefined, partitions: 8, now: monday, traceparent: () => '' },
      ...context,
    });
    expect(started.write?.run).toMatchObject({
      insert: { parentId: 'weekly', campaign: { type: 'sequence', parentId: 'weekly' } },
    });
  });

  test('each goes on in the trace that the writer gave', () => {
    const given = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
    const { look, children } = series(campaign({ trace: { traceparent: given } }));
    for (const now of [monday - 1, monday]) look(now);
    expect(children[0]).toMatchObject({ trace: { traceparent: given } });
    const plain = series(campaign({}));
    for (const now of [monday - 1, monday]) plain.look(now);
    expect(plain.children[0]).not.toHaveProperty('trace');
  });

  test('given a template, then its flow and variables as they were pinned are those of each occurrence', () => {
    const input = {
      ...{ id: 'weekly', channels, reservedCollections: [], partitions: 8, now: monday, traceparent: () => '' },
      raw: campaign({ flow: undefined, templateId: 't' }),
      run: undefined,
      template: { _id: { id: 't', version: 3 }, flow: { stages } as Run['flow'], variables: { colour: 'red' } },
    };
    const { write } = decideCampaign(input);
    expect(write?.child).toMatchObject({ flow: { stages }, variables: { product: 'Compass', colour: 'red' } });
    expect(write?.child).not.toHaveProperty('templateId');
    expect(write?.run).toMatchObject({ insert: { template: { id: 't', version: 3 }, occurrences: { begun: 1 } } });
  });

  test('given edits of the document, then what was pinned counts, and of an inline list what it says now', () => {
    const { look, write, children, document } = series(campaign({ audience: { contacts: [{ id: 1 }] } }));
    look(monday - hour);
    const guard = { bounceRate: 0.1 };
    write({ flow: { stages: [] }, name: 'Other', audience: { contacts: [{ id: 2 }] }, priority: 9, guard });
    look(monday);
    expect(children[0]).toMatchObject({
      flow: { stages },
      name: 'News',
      audience: { contacts: [{ id: 2 }] },
      ...{ priority: 9, guard },
    });
    write({ audience: 'gone' });
    look(monday + 7 * 24 * hour);
    expect(children[1]).toMatchObject({ audience: { contacts: [] } });
    expect(document()['status']).toBe('running');
  });

  test('given an ObjectId, then it is the parent as it is', () => {
    const _id = new ObjectId();
    const { look, children } = series(campaign({ _id }), _id);
    look(monday);
    expect(children).toMatchObject([{ _id: `~${_id.toHexString()}@20260105T080000Z`, parentId: _id }]);
  });

  test('given a change of the clocks, then it occurs at the hour on the wall', () => {
    const { look, children } = series(campaign());
    for (let now = at('2026-03-16T00:00:00Z'); now < at('2026-04-07T00:00:00Z'); now += hour) look(now);
    expect(children.map(({ _id }) => _id)).toEqual([
      'weekly@20260316T080000Z',
      'weekly@20260323T080000Z',
      'weekly@20260330T070000Z',
      'weekly@20260406T070000Z',
    ]);
  });

  test('given no worker for weeks, then the latest one begins late, older ones are counted as missed', () => {
    const { look, children, run } = series(campaign());
    look(monday - hour);
    look(at('2026-01-28T00:00:00Z'));
    expect(children.map(({ _id }) => _id)).toEqual(['weekly@20260126T080000Z']);
    expect(run().occurrences).toMatchObject({ begun: 1, missed: 3, next: new Date('2026-02-02T08:00:00Z') });
  });

  test.each<[string, Raw, number]>([
    ['that says nothing of its policy', { after: 'PT1H' }, 1],
    ['that sends', { policy: 'send', after: 'PT1H' }, 1],
    ['that skips', { policy: 'skip' }, 0],
    ['that skips what is later still', { policy: 'skip', after: 'P3D' }, 1],
    ['that lets expire', { policy: 'expire', after: 'PT1H' }, 0],
    ['that nobody can read', { policy: 'skip', after: 'soon' }, 1],
  ])('given schedule.late %s, then the latest begins or is missed as the others', (_, late, begun) => {
    const { look, children, run } = series(campaign());
    look(monday - hour);
    (run().schedule as Raw)['late'] = late;
    look(at('2026-01-28T00:00:00Z'));
    expect(children).toHaveLength(begun);
    const next = new Date('2026-02-02T08:00:00Z');
    expect(run().occurrences).toMatchObject({ begun, missed: 4 - begun, next });
    look(at('2026-02-02T08:00:01Z'));
    expect(run().occurrences).toMatchObject({ begun: begun + 1, missed: 4 - begun });
  });

  test('given a great many that were missed, then they are counted in several looks', () => {
    const { look, children, run } = series(campaign({}, { recurrence: hourly }));
    look(monday - hour);
    const now = monday + 1200 * hour;
    let looks = 0;
    for (let next = 0; next <= now; looks++) next = look(now).lookAgainAt as number;
    expect(looks).toBe(3);
    expect(children.map(({ _id }) => _id)).toEqual(['weekly@20260224T080000Z']);
    expect(run().occurrences).toMatchObject({ begun: 1, missed: 1200 });
  });

  test('given a rule that is dear to work out, then fewer are counted in a look', () => {
    const upTo = (n: number): string => [...Array(n).keys()].join();
    const recurrence = `DTSTART:20260105T080000Z\nRRULE:FREQ=DAILY;BYHOUR=${upTo(24)};BYMINUTE=${upTo(60)}`;
    const { look, children, run } = series(campaign({}, { recurrence }));
    look(monday - hour);
    look(monday + hour);
    expect(run().occurrences?.missed).toBe(4);
    for (let next = 0; next <= monday + hour; ) next = look(monday + hour).lookAgainAt as number;
    expect(children.map(({ _id }) => _id)).toEqual(['weekly@20260105T090000Z']);
    expect(run().occurrences).toMatchObject({ begun: 1, missed: 60 });
  });

  test('none before the campaign was taken in', () => {
    const { look, children, run } = series(campaign({}, { recurrence: hourly }));
    look(monday + 10 * hour + 1);
    expect(children).toEqual([]);
    expect(run().occurrences).toMatchObject({ missed: 0, next: new Date(monday + 11 * hour) });
  });

  test('given a pause, then none begins; when it is over, the latest does', () => {
    const { look, write, children, run } = series(campaign({}, { recurrence: hourly }));
    look(monday);
    write({ status: 'paused' });
    expect(look(monday + hour)).toMatchObject({ event: 'paused' });
    expect(look(monday + 2 * hour)).toEqual({});
    write({ status: 'running' });
    expect(look(monday + 3.5 * hour)).toMatchObject({ event: 'resumed', lookAgainAt: monday + 4 * hour });
    expect(children).toHaveLength(2);
    expect(run()).toMatchObject({ status: 'running', occurrences: { begun: 2, missed: 2 }, pauses: [{}] });
  });

  test.each<[string, Raw | undefined, string]>([
    ['it was cancelled', { status: 'cancelled' }, 'campaign_cancelled'],
    ['it was deleted', undefined, 'campaign_cancelled'],
    ['its endAt has come', { schedule: { endAt: new Date(monday + hour) } }, 'campaign_ended'],
  ])('given %s, then none begins any more', (_, change, endReason) => {
    const { look, write, children, run } = series(campaign({}, { recurrence: hourly }));
    look(monday);
    write(change);
    look(monday + hour);
    look(monday + 2 * hour);
    expect(children).toHaveLength(1);
    expect(run()).toMatchObject({ status: 'cancelled', endReason, expansion: { done: true } });
  });

  test('given an end, then it is the end of each occurrence, too', () => {
    const endAt = new Date(monday + 9 * hour);
    const { look, children } = series(campaign({}, { recurrence: hourly, endAt }));
    expect(look(monday - hour)).toMatchObject({ lookAgainAt: monday });
    look(monday);
    expect(children).toMatchObject([{ schedule: { endAt } }]);
    expect(look(monday + 8.5 * hour)).toMatchObject({ lookAgainAt: monday + 9 * hour });
  });

  test.each(['COUNT=2', 'UNTIL=20260105T090000Z'])(
    'given %s, then its expansion is done with the last one',
    (bound) => {
      const { look, children, run } = series(campaign({}, { recurrence: `${hourly};${bound}` }));
      look(monday);
      expect(run().expansion.done).toBe(false);
      expect(look(monday + hour)).not.toHaveProperty('lookAgainAt');
      expect(children).toHaveLength(2);
      expect(run()).toMatchObject({ status: 'running', expansion: { done: true }, occurrences: { begun: 2 } });
      expect(run().occurrences).not.toHaveProperty('next');
      expect(look(monday + 2 * hour)).toEqual({});
    },
  );

  test('given a status that others may not set, then it is put back, and the occurrence begins', () => {
    const { look, write, children, document } = series(campaign());
    look(monday - hour);
    write({ status: 'completed' });
    expect(look(monday)).toMatchObject({ event: 'put_back' });
    expect(children).toHaveLength(1);
    expect(document()).toMatchObject({ status: 'running', occurrences: { begun: 1 } });
  });

  test('given a recurrence that this release cannot read, then it rests', () => {
    const { look, run } = series(campaign());
    look(monday - hour);
    (run().schedule as Raw)['recurrence'] = 'RRULE:FREQ=LUNAR';
    expect(look(monday)).toEqual({});
  });

  test('given a look at any times, then each occurrence begins once, is left out once, or lies ahead', () => {
    const minutes = fc.array(fc.nat({ max: 600 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(minutes, fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }), (gaps, pauses) => {
        const { look, write, children, run } = series(campaign({}, { recurrence: hourly }));
        let now = monday - hour / 2;
        look(now);
        for (const [n, gap] of gaps.entries()) {
          now += gap * 60_000;
          write({ status: pauses[n] ? 'paused' : 'running' });
          look(now);
        }
        write({ status: 'running' });
        look(now);
        const { begun, missed, next } = run().occurrences as NonNullable<Run['occurrences']>;
        const come = Math.floor((now - monday) / hour) + 1;
        expect(new Set(children.map(({ _id }) => _id)).size).toBe(begun);
        expect(children).toHaveLength(begun);
        expect(begun + missed).toBe(Math.max(0, come));
        expect(next).toEqual(new Date(monday + come * hour));
      }),
    );
  });
});
