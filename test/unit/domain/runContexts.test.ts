import { expect, test } from '@jest/globals';
import type { Run } from '../../../src/domain/model.ts';
import { contextFor, contextsNow, isAhead, runContextsOf } from '../../../src/domain/runContexts.ts';
import { channels } from './given.ts';

const message = (id: string, channel = 'sms') => ({ id, type: 'message', channel, content: { text: id } });
const run = (more: object = {}): Run =>
  ({
    ...{ _id: 'spring', status: 'running', settled: false, template: { id: 'onboarding', version: 3 } },
    ...{ flow: { stages: [message('a'), message('b')] }, variables: { product: 'Base' }, campaign: {} },
    ...more,
  }) as unknown as Run;
const flows = [{ version: 4, flow: { stages: [message('b')] }, variables: { product: 'Four' } }];
const migration = { number: 1, from: 3, to: 4, startedAt: new Date(0), left: [] };
const options = { channels, worker: 'm1' };

test('each version has a context of its own, with its variables; one that does not compile is missing', () => {
  const { contexts, faults } = runContextsOf(run({ flows, migration }), options);
  expect(faults).toEqual([]);
  expect(contextFor(contexts, {})).toMatchObject({ variables: { product: 'Base' } });
  expect(contextFor(contexts, {})).not.toHaveProperty('version');
  expect(contextFor(contexts, { flowVersion: 4 })).toMatchObject({ version: 4, variables: { product: 'Four' } });
  expect(contextFor(contexts, { flowVersion: 5 })).toBeUndefined();
  const broken = { flow: { stages: [{ id: 'a', type: 'dance' }] } };
  expect(runContextsOf(run(broken), options)).toMatchObject({ faults: [{ path: 'flow.stages[0].type' }] });
  const later = runContextsOf(run({ flows: [{ ...flows[0], ...broken }], migration }), options);
  expect(later.faults).toMatchObject([{ path: 'flow.stages[0].type', version: 4 }]);
  expect([...later.contexts.keys()]).toEqual([undefined]);
});

test('contexts say how the run stands, and are made anew only when that is news', () => {
  const plain = run();
  const first = contextsNow(runContextsOf(plain, options).contexts, plain);
  expect(contextFor(first, {})).toMatchObject({ isOver: false });
  expect(contextsNow(first, run({ wake: 3 }))).toBe(first);
  const cancelled = contextsNow(first, run({ status: 'cancelled' }));
  expect(contextFor(cancelled, {})).toMatchObject({ stopped: 'campaign_cancelled' });
  const ended = contextsNow(cancelled, run({ status: 'cancelled', endReason: 'campaign_ended', settled: true }));
  expect(contextFor(ended, {})).toMatchObject({ stopped: 'campaign_ended', isOver: true });
});

test('those of a run that was migrated ask for the version it follows', () => {
  const migrated = run({ flows, migration });
  const { contexts } = runContextsOf(migrated, options);
  const now = contextsNow(contexts, migrated);
  const to = contextFor(now, { flowVersion: 4 });
  expect(contextFor(now, {})?.asking).toMatchObject({ number: 1 });
  expect(contextFor(now, {})?.asking?.to).toBe(to);
  expect(contextFor(now, {})?.asking?.crossing.get('a')).toEqual({ why: 'stage_missing' });
  // back where it began: what lies behind is of both
  const back = run({ flows, migration: { ...migration, number: 2, from: 4, to: 3 } });
  const then = contextsNow(now, back);
  expect(contextFor(then, { flowVersion: 4 })?.asking?.to).toBe(contextFor(then, {}));
  const alone = contextsNow(contexts, run({ migration: { ...migration, to: 3 } }));
  expect(contextFor(alone, {})?.asking?.crossing.get('a')).toBeUndefined();
  // nobody is asked for what does not compile here
  const lacking = contextsNow(new Map([...contexts].slice(0, 1)), migrated);
  expect(contextFor(lacking, {})?.asking).toBeUndefined();
});

test('a conversation may tell of a migration that its run is not known to have had', () => {
  expect(isAhead({}, run())).toBe(false);
  expect(isAhead({ migration: 1 }, undefined)).toBe(false);
  expect(isAhead({ migration: 1 }, run())).toBe(true);
  expect(isAhead({ migration: 1 }, run({ migration }))).toBe(false);
  expect(isAhead({ migration: 2 }, run({ migration }))).toBe(true);
});
