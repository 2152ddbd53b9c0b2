import { expect, test } from '@jest/globals';
import {
  channelsOfRun,
  currentOf,
  enteringAt,
  pinnedAt,
  stagesFor,
  stagesOf,
  versionOf,
  versionsOf,
} from '../../../src/domain/flowVersions.ts';
import type { Run } from '../../../src/domain/model.ts';
import { seconds } from './given.ts';

const message = (id: string, channel = 'sms') => ({ id, type: 'message', channel, content: { text: id } });
const endAt = new Date(seconds(9));
const first = {
  _id: 'spring',
  template: { id: 'onboarding', version: 3 },
  flow: { stages: [message('a'), message('b')] },
  variables: { product: 'Base' },
  schedule: { endAt, late: { policy: 'skip' }, sendWindow: { from: '09:00', to: '18:00' } },
} as unknown as Run;
const flows = [
  { version: 4, flow: { stages: [message('x', 'push'), message('b')] }, variables: { product: 'Four' }, schedule: {} },
  { version: 5, flow: { stages: [message('b')] }, variables: {}, schedule: { late: { policy: 'expire' } } },
];
const migrated = (to: number): Run =>
  ({ ...first, flows, migration: { number: 2, from: 3, to, startedAt: new Date(), left: [] } }) as unknown as Run;
const ids = (stages: readonly { id: string }[]) => stages.map(({ id }) => id).join();

test('a run that was never migrated is pinned as it is', () => {
  expect(versionsOf(first)).toEqual([undefined]);
  expect(versionOf(first)).toBeUndefined();
  expect(currentOf(first)).toBe(first);
  expect(enteringAt(first)).toEqual({});
  expect(ids(stagesOf(first))).toBe('a,b');
  expect(channelsOfRun(first)).toEqual(['sms']);
});

test('each version has its own flow, variables, window and policy, and the end of the campaign', () => {
  const run = migrated(4);
  expect(versionsOf(run)).toEqual([undefined, 4, 5]);
  expect(currentOf(run)).toMatchObject({ flow: flows[0]?.flow, variables: { product: 'Four' }, schedule: { endAt } });
  expect(currentOf(run).schedule).toEqual({ endAt });
  expect(pinnedAt(run, 5).schedule).toEqual({ endAt, late: { policy: 'expire' } });
  expect(pinnedAt(run, undefined)).toBe(run);
  expect(pinnedAt({ ...run, schedule: undefined } as never, 4)).toMatchObject({ schedule: {} });
  expect(enteringAt(run)).toEqual({ flowVersion: 4, migration: 2 });
  expect(channelsOfRun(run)).toEqual(['sms', 'push']);
});

test('a run that went back to the version of its start has what was pinned then', () => {
  const run = migrated(3);
  expect(currentOf(run)).toBe(run);
  expect(enteringAt(run)).toEqual({ migration: 2 });
});

test('stages come in the order of the current version; what only others have follows', () => {
  expect(ids(stagesOf(migrated(4)))).toBe('x,b,a');
  expect(ids(stagesOf(migrated(3)))).toBe('a,b,x');
  expect(ids(stagesFor(migrated(4), {}))).toBe('a,b');
  expect(ids(stagesFor(migrated(4), { flowVersion: 5 }))).toBe('b');
  expect(stagesFor(migrated(4), { flowVersion: 6 })).toEqual([]);
  expect(stagesFor(first, { flowVersion: 6 })).toEqual([]);
});
