import { expect, test } from '@jest/globals';
import type { Flow, Run } from '../../../src/domain/model.ts';
import { Runs } from '../../../streams/runs.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingLogger } from '../../support/fakes.ts';
import { channels } from '../domain/given.ts';

const flowOf = (id: string): Flow =>
  ({ stages: [{ id, type: 'message', channel: 'sms', content: { text: 'Hi' } }] }) as unknown as Flow;

function given() {
  const logger = recordingLogger();
  const runs = new Runs({
    ...{ campaigns: {} as never, channels, memberId: 'm1', clock: manualClock(), logger, onChanged: () => {} },
  });
  const run = (more: Partial<Run>): Run =>
    ({ _id: 'spring', status: 'running', flow: flowOf('old'), variables: {}, campaign: {}, ...more }) as Run;
  return { runs, run, logger };
}

test('given a flow that was changed before its start, then what was pinned at the start counts, and stays', () => {
  const { runs, run } = given();
  const entry = (more: Partial<Run>) => runs.update(run(more)).context?.flow.entry;
  const startedAt = new Date(0);
  expect(entry({ status: 'scheduled' })).toBe('old');
  expect(entry({ flow: flowOf('new'), startedAt })).toBe('new');
  const { context } = runs.update(run({ flow: flowOf('new'), startedAt }));
  expect(runs.update(run({ flow: flowOf('new'), startedAt, wake: 2 })).context).toBe(context);
});

test('given an exitWhen that this release cannot read, then nothing of the run is taken up here', () => {
  const { runs, run, logger } = given();
  expect(runs.update(run({ exitWhen: { 'contact.name': { $new: 1 } } })).context).toBeUndefined();
  expect(logger.of('error')).toMatchObject([{ fields: { faults: [{ code: 'query_invalid' }] } }]);
});

test('given a window with public holidays that was set before its start, then they are waited for', async () => {
  const { runs, run } = given();
  const schedule = { sendWindow: { from: '09:00', to: '18:00', timezone: 'UTC', holidayCountry: 'DE' } } as never;
  const startedAt = new Date(0);
  runs.update(run({ status: 'scheduled' }));
  expect(runs.ready(run({ status: 'scheduled', schedule }))).toBeUndefined();
  await runs.ready(run({ schedule, startedAt }));
  expect(runs.update(run({ schedule, startedAt })).context).toBeDefined();
  expect(runs.ready(run({ schedule, startedAt, wake: 2 }))).toBeUndefined();
});
