import { describe, expect, test } from '@jest/globals';
import { checkCampaign, compilePinned } from '../../../src/domain/campaign.ts';
import { pinsOf } from '../../../src/domain/campaignPins.ts';
import { compileSchedule, countriesIn, wantsHolidays, windowsIn } from '../../../src/domain/compileSchedule.ts';
import { type HolidayCalendar, noHolidays } from '../../../src/domain/holidays.ts';
import type { CampaignDocument, Flow, Run, Template } from '../../../src/domain/model.ts';
import { channels } from './given.ts';

const office = { from: '09:00', to: '18:00', timezone: 'Europe/Berlin' };
const stage = { id: 'a', type: 'message', channel: 'sms', content: { text: 'a' } };
const campaign = (more: object = {}, stages: unknown[] = [stage]) => ({
  ...{ _id: 'c', status: 'pending', audience: { contacts: [] }, flow: { stages } },
  ...more,
});
const germany: HolidayCalendar = { knows: (country) => country === 'DE', isHoliday: () => false };
const check = (raw: unknown, more: object = {}) => checkCampaign(raw, { channels, reservedCollections: [], ...more });
const codes = (raw: unknown, more: object = {}): Record<string, string> =>
  Object.fromEntries(check(raw, more).faults.map(({ code, path }) => [path, code]));
const template = (more: object = {}) =>
  ({ _id: { id: 't', version: 1 }, flow: { stages: [stage] }, ...more }) as unknown as Template;
const ofTemplate = (more: object = {}) => ({ ...campaign(more), flow: undefined, templateId: 't' });

describe('what can be wrong', () => {
  test.each<[unknown, Record<string, string>]>([
    [{ sendWindow: office, late: { policy: 'skip', after: 'PT6H' } }, {}],
    [{ sendWindow: office, late: { policy: 'expire' } }, {}],
    [{ sendWindow: {} }, { 'schedule.sendWindow.timezone': 'required' }],
    [{ sendWindow: 9 }, { 'schedule.sendWindow': 'type' }],
    [{ sendWindow: { ...office, zone: 'UTC' } }, { 'schedule.sendWindow.zone': 'unknown_field' }],
    [{ sendWindow: { ...office, from: '9 am' } }, { 'schedule.sendWindow.from': 'not_allowed' }],
    [{ sendWindow: { ...office, days: ['someday'] } }, { 'schedule.sendWindow.days[0]': 'not_allowed' }],
    [{ sendWindow: { ...office, timezone: 'CEST' } }, { 'schedule.sendWindow.timezone': 'timezone_unknown' }],
    [{ sendWindow: { ...office, holidayCountry: 'XX' } }, { 'schedule.sendWindow.holidayCountry': 'country_unknown' }],
    [{ late: 'skip' }, { 'schedule.late': 'type' }],
    [{ late: { policy: 'drop' } }, { 'schedule.late.policy': 'not_allowed' }],
    [{ late: { policy: 'skip', after: 'PT0S' } }, { 'schedule.late.after': 'duration_invalid' }],
    [{ late: { policy: 'skip', after: 'soon' } }, { 'schedule.late.after': 'duration_invalid' }],
    [{ late: { after: 7 } }, { 'schedule.late.after': 'type' }],
    [{ late: { grace: 'PT1H' } }, { 'schedule.late.grace': 'unknown_field' }],
  ])('schedule %j', (schedule, faults) => {
    expect(codes(campaign({ schedule }), { holidays: germany })).toEqual(faults);
  });

  test.each<[object, Record<string, string>]>([
    [{ sendWindow: { timezone: 'UTC' } }, {}],
    [{ sendWindow: { timezone: 'Mars' } }, { 'flow.stages[0].sendWindow.timezone': 'timezone_unknown' }],
    [{ sendWindow: {} }, { 'flow.stages[0].sendWindow.timezone': 'required' }],
  ])('a stage with %j', (more, faults) => {
    expect(codes(campaign({}, [{ ...stage, ...more }]))).toEqual(faults);
    expect(codes(campaign({ transactional: true }, [{ ...stage, ...more }]))).toEqual(faults);
  });

  test.each<[object, Record<string, string>]>([
    [{ businessDays: 366 }, {}],
    [{ businessDays: 0 }, { 'flow.stages[0].businessDays': 'not_allowed' }],
    [{ businessDays: 367 }, { 'flow.stages[0].businessDays': 'not_allowed' }],
    [{ businessDays: 1.5 }, { 'flow.stages[0].businessDays': 'type' }],
    [{ businessDays: '3' }, { 'flow.stages[0].businessDays': 'type' }],
    [{ businessDays: 3, for: 'P1D' }, { 'flow.stages[0]': 'stage_invalid' }],
  ])('a wait with %j', (more, faults) => {
    expect(codes(campaign({}, [{ id: 'w', type: 'wait', ...more }]))).toEqual(faults);
  });

  test('a template is told of what is wrong with its own defaults, and not of what the campaign says instead', () => {
    const wrong = template({ schedule: { sendWindow: { ...office, from: '25:00' }, late: { policy: 'skip' } } });
    const path = 'template.schedule.sendWindow.from';
    expect(codes(ofTemplate(), { template: wrong })).toEqual({ [path]: 'not_allowed' });
    expect(codes(ofTemplate({ schedule: { sendWindow: office } }), { template: wrong })).toEqual({});
    const dated = template({ schedule: { startAt: new Date(0), recurrence: 'x' } });
    expect(codes(ofTemplate(), { template: dated })).toEqual({
      'template.schedule.startAt': 'unknown_field',
      'template.schedule.recurrence': 'unknown_field',
    });
  });

  test('holidays that were not loaded', () => {
    const schedule = { sendWindow: { ...office, holidayCountry: 'DE' } };
    expect(codes(campaign({ schedule }))).toEqual({ 'schedule.sendWindow.holidayCountry': 'holidays_unavailable' });
  });
});

describe('what is compiled', () => {
  const holding = { transactional: false, holidays: noHolidays };
  const timing = (schedule: unknown) => compileSchedule(schedule, holding, (field) => field);

  test('what is sent late all the same costs nothing', () => {
    expect(timing({ late: { policy: 'send', after: 'PT1H' } })).toEqual({ timing: holding, faults: [] });
    expect(timing({ late: {} })).toEqual({ timing: holding, faults: [] });
    expect(timing(7)).toEqual({ timing: holding, faults: [] });
  });

  test('a run keeps the schedule with the defaults of its template, and compiles to the same', () => {
    const checked = check(ofTemplate({ transactional: true, schedule: { late: { policy: 'expire' } } }), {
      template: template({ schedule: { sendWindow: office, late: { policy: 'skip' } } }),
    });
    expect(checked.faults).toEqual([]);
    const document = checked.document as CampaignDocument;
    const pins = pinsOf(
      'c',
      { ...document },
      { ...checked, document, flow: checked.flow as Flow },
      undefined,
      channels,
    );
    expect(pins).toMatchObject({ transactional: true, schedule: { sendWindow: office, late: { policy: 'expire' } } });
    const { transactional: _, ...bulk } = pins;
    expect(compilePinned(bulk as Run, channels).flow?.stages.get('a')).toMatchObject({
      window: { onUnknownZone: 'fallback' },
    });
    const outside = compilePinned(pins as Run, channels).flow;
    expect(outside?.late).toMatchObject({ policy: 'expire' });
    expect(outside?.stages.get('a')).not.toHaveProperty('window');
  });

  test('a run whose holidays are missing says so', () => {
    const run = { flow: { stages: [stage] }, schedule: { sendWindow: { ...office, holidayCountry: 'DE' } } };
    expect(compilePinned(run as never, channels).faults).toMatchObject([{ code: 'holidays_unavailable' }]);
    expect(compilePinned(run as never, channels, germany).faults).toEqual([]);
  });
});

test('windows are found wherever they are written', () => {
  const source = {
    schedule: { sendWindow: { holidayCountry: 'DE' } },
    flow: { stages: [7, {}, { sendWindow: { preset: 'quietHours', country: 'FR' } }, { sendWindow: 5 }] },
  };
  expect(windowsIn(source, undefined, { schedule: 7, flow: [] }, { flow: { stages: {} } })).toHaveLength(3);
  expect(countriesIn(source, { schedule: { sendWindow: { holidayCountry: 'contact' } } })).toEqual(['DE', 'FR']);
  expect(wantsHolidays(source)).toBe(true);
  expect(wantsHolidays({ schedule: { sendWindow: office } }, undefined)).toBe(false);
});
