import { describe, expect, test } from '@jest/globals';
import { checkCampaign } from '../../../src/domain/campaign.ts';
import { pinsOf } from '../../../src/domain/campaignPins.ts';
import { isExpanding, opensFor } from '../../../src/domain/campaignTypes.ts';
import type { CampaignDocument, Flow, Run } from '../../../src/domain/model.ts';
import { channels } from './given.ts';

const flow = { stages: [{ id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hi' } }] };
const people = { audience: { contacts: [] } };
const document = (more: object): Record<string, unknown> => ({ _id: 'c', status: 'pending', flow, ...more });
const faults = (more: object): [string, string][] =>
  checkCampaign(document(more), { channels, reservedCollections: [] }).faults.map(({ path, code }) => [path, code]);

describe('what a type asks for', () => {
  test.each<[object, [string, string][]]>([
    [people, []],
    [{}, [['audience', 'required']]],
    [{ type: 'broadcast' }, [['audience', 'required']]],
    [{ type: 'triggered' }, []],
    [{ audience: { collection: 'people', mode: 'live' } }, []],
    [{ audience: { collection: 'people', mode: 'snapshot' } }, []],
    [{ audience: { contacts: [], mode: 'snapshot' } }, []],
    [{ audience: { contacts: [], mode: 'live' } }, [['audience.mode', 'not_allowed']]],
    [{ audience: { collection: 'people', mode: 'now' } }, [['audience.mode', 'not_allowed']]],
    [
      {
        ...{ type: 'recurring', schedule: { recurrence: 'DTSTART:20260105T080000Z\nRRULE:FREQ=DAILY' } },
        audience: { collection: 'people', mode: 'live' },
      },
      [['audience.mode', 'not_allowed']],
    ],
    [
      { audience: { collection: 'people', mode: 'live' }, reentry: { policy: 'afterEnd' } },
      [['reentry', 'not_allowed']],
    ],
    [{ type: 'triggered', ...people }, [['audience', 'not_allowed']]],
  ])('%j', (more, found) => {
    expect(faults(more)).toEqual(found);
  });

  test.each<[unknown, [string, string][]]>([
    [undefined, []],
    [{ policy: 'never' }, []],
    [{ policy: 'afterEnd' }, []],
    [{ policy: 'after', after: 'P30D' }, []],
    [{ policy: 'after' }, [['reentry.after', 'required']]],
    [{ policy: 'after', after: 'PT0S' }, [['reentry.after', 'duration_invalid']]],
    [{ policy: 'after', after: 'soon' }, [['reentry.after', 'duration_invalid']]],
    [{ policy: 'after', after: 7 }, [['reentry.after', 'type']]],
    [{ policy: 'afterEnd', after: 'P1D' }, [['reentry.after', 'not_allowed']]],
    [{ policy: 'never', after: 'P1D' }, [['reentry.after', 'not_allowed']]],
    [{ policy: 'always' }, [['reentry.policy', 'not_allowed']]],
    [{}, [['reentry.policy', 'required']]],
    [7, [['reentry', 'type']]],
  ])('reentry %j', (reentry, found) => {
    expect(faults({ type: 'triggered', reentry })).toEqual(found);
  });

  test('nobody enters again where nobody enters later', () => {
    expect(faults({ ...people, reentry: { policy: 'never' } })).toEqual([]);
    expect(faults({ ...people, reentry: { policy: 'afterEnd' } })).toEqual([['reentry', 'not_allowed']]);
  });
});

test.each<[object | undefined, object | undefined]>([
  [undefined, undefined],
  [{ policy: 'never' }, undefined],
  [{ policy: 'afterEnd' }, { policy: 'afterEnd' }],
  [
    { policy: 'after', after: 'P1D' },
    { policy: 'after', after: 'P1D' },
  ],
])('reentry %j is pinned as %j, and contacts come by enrollments', (reentry, pinned) => {
  const raw = document({ type: 'triggered', ...(reentry ? { reentry } : {}) });
  const pins = pinsOf(
    'c',
    raw,
    { faults: [], variables: {}, document: raw as unknown as CampaignDocument, flow: flow as Flow },
    undefined,
    channels,
  );
  expect([pins.reentry, pins.audience]).toEqual([pinned, { kind: 'enrollments' }]);
});

test('there is an audience to expand', () => {
  const run = (kind: string, done: boolean) => ({ audience: { kind }, expansion: { done } }) as unknown as Run;
  expect(isExpanding(run('inline', false))).toBe(true);
  expect(isExpanding(run('inline', true))).toBe(false);
  expect(isExpanding(run('enrollments', false))).toBe(false);
  expect(isExpanding({ ...run('inline', false), child: {} })).toBe(false);
});

test.each([
  [undefined, undefined],
  [{}, undefined],
  [{ audience: { kind: 'inline' } }, undefined],
  [{ audience: { kind: 'collection', live: true } }, 'live'],
  [{ audience: { kind: 'enrollments' } }, 'enrollments'],
  [{ audience: { kind: 'collection', live: true }, occurrences: {} }, 'occurrences'],
])('a run %j waits without an end for %s', (run, waitsFor) => {
  expect(opensFor(run)).toBe(waitsFor);
});
