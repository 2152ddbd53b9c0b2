/** Stories whose messages leave by a schedule. */
import { expect } from '@jest/globals';
import { compileSchedule } from '../../../src/domain/compileSchedule.ts';
import type { FlowContext } from '../../../src/domain/decision.ts';
import { compileFlow } from '../../../src/domain/flow.ts';
import { type HolidayCalendar, noHolidays } from '../../../src/domain/holidays.ts';
import type { Contact, Flow } from '../../../src/domain/model.ts';
import { anna, channels, contextOf, Story } from './given.ts';

/** What a campaign says of when its messages leave. */
export interface GivenTimes {
  sendWindow?: object;
  late?: object;
  transactional?: boolean;
  holidays?: HolidayCalendar;
}

/** The context of a flow whose messages leave by these times. */
export function timed(
  stages: unknown[],
  { transactional = false, holidays = noHolidays, ...schedule }: GivenTimes,
): FlowContext {
  const { timing, faults } = compileSchedule(schedule, { transactional, holidays }, (field) => field);
  expect(faults).toEqual([]);
  const { flow } = compileFlow({ stages } as Flow, { channels, bulk: true, unsubscribe: true, timing });
  if (flow === undefined) throw new Error('the flow of the spec does not compile');
  return { ...contextOf([{ id: 'any', type: 'end', outcome: 'any' }]), flow };
}
export const given = (stages: unknown[], is: GivenTimes, contact: Contact = anna): Story =>
  new Story(timed(stages, is), contact);
