/** What the schedule of a campaign says of when its messages leave: the send window, and the policy for what comes late. */
import { compileSendWindow, needsHolidays } from './compileSendWindow.ts';
import type { Fault } from './errors.ts';
import { Faults } from './flowChecks.ts';
import { type HolidayCalendar, noHolidays } from './holidays.ts';
import { isPlain, joinPath, own } from './plain.ts';
import { printable } from './printable.ts';
import type { SendWindow } from './sendWindow.ts';
import { type Duration, isPositive, parseDuration } from './timing.ts';

/** What becomes of a message that came due longer ago than `after`; absent where it is sent all the same. */
export interface Late {
  readonly policy: 'skip' | 'expire';
  readonly after: Duration;
}

/** What holds for every stage of a flow. */
export interface Timing {
  readonly window?: SendWindow;
  readonly late?: Late;
  /** Its messages leave at any time; working days are those of the window nevertheless. */
  readonly transactional: boolean;
  readonly holidays: HolidayCalendar;
}

export const noTiming: Timing = { transactional: false, holidays: noHolidays };

const policies = ['send', 'skip', 'expire'];
/** Of a policy that does not say it: the contract's own example. */
const lateAfter = 'PT6H';

/**
 * Compiles `sendWindow` and `late` of a schedule, whatever its shape. `pathOf`: where a field of it was written.
 * Codes: those of `compileSendWindow`, and `type`, `not_allowed`, `duration_invalid`.
 */
export function compileSchedule(
  schedule: unknown,
  { transactional, holidays }: Pick<Timing, 'transactional' | 'holidays'>,
  pathOf: (field: string) => string,
): { timing: Timing; faults: Fault[] } {
  const source = isPlain(schedule) ? schedule : {};
  const written = own(source, 'sendWindow');
  const { window, faults } =
    written === undefined ? { faults: [] } : compileSendWindow(written, pathOf('sendWindow'), holidays);
  const late = compileLate(own(source, 'late'), pathOf('late'));
  const timing = {
    ...(window === undefined ? {} : { window }),
    ...(late.late === undefined ? {} : { late: late.late }),
    ...{ transactional, holidays },
  };
  return { timing, faults: [...faults, ...late.faults] };
}

function compileLate(source: unknown, path: string): { late?: Late; faults: Fault[] } {
  const faults = new Faults();
  if (source === undefined) return { faults: [] };
  if (!isPlain(source)) {
    faults.add('type', path, () => `was ${printable(source)}; it has to be an object`);
    return { faults: faults.list };
  }
  const policy = own(source, 'policy') ?? 'send';
  const text = own(source, 'after') ?? lateAfter;
  const after = typeof text === 'string' ? parseDuration(text) : undefined;
  if (!policies.some((name) => name === policy))
    faults.add('not_allowed', `${path}.policy`, () => `was ${printable(policy)}; it has to be send, skip or expire`);
  if (after === undefined || !isPositive(after))
    faults.add('duration_invalid', `${path}.after`, () => `was ${printable(text)}; write PT6H for six hours`);
  if (faults.list.length > 0 || after === undefined) return { faults: faults.list };
  return policy === 'send' ? { faults: [] } : { late: { policy: policy as Late['policy'], after }, faults: [] };
}

// ---------------------------------------------------------------- where windows are written

/** What may bear windows: a campaign, a template, a run. Of any shape. */
type Source = object | undefined;

/** The send windows that are written in these: in the schedule, and in the stages of the flow. */
export function windowsIn(...sources: readonly Source[]): unknown[] {
  return sources.flatMap((source) => {
    const fields = isPlain(source) ? source : {};
    const [schedule, flow] = [own(fields, 'schedule'), own(fields, 'flow')];
    const stages = isPlain(flow) ? own(flow, 'stages') : undefined;
    return [schedule, ...(Array.isArray(stages) ? (stages as unknown[]) : [])].flatMap((bearer) => {
      const window = isPlain(bearer) ? own(bearer, 'sendWindow') : undefined;
      return window === undefined ? [] : [window];
    });
  });
}

/** Whether the public holidays have to be loaded before these are compiled (`loadHolidays`). */
export const wantsHolidays = (...sources: readonly Source[]): boolean => windowsIn(...sources).some(needsHolidays);

/** Countries that are named in windows, but for `contact`: their holidays can be worked out beforehand. */
export const countriesIn = (...sources: readonly Source[]): string[] => [
  ...new Set(
    windowsIn(...sources).flatMap((window) =>
      ['holidayCountry', 'country'].flatMap((field) => {
        const country = isPlain(window) ? own(window, field) : undefined;
        return typeof country === 'string' && country !== 'contact' ? [country] : [];
      }),
    ),
  ),
];

/** The schedule that holds: the campaign's own fields, and those of the template where it says nothing. */
export function effectiveSchedule(campaign: unknown, template: unknown): Record<string, unknown> | undefined {
  const [wins, base] = [isPlain(campaign) ? campaign : undefined, isPlain(template) ? template : undefined];
  return base === undefined ? wins : { ...base, ...wins };
}

/** Where a field of it stands. */
export const schedulePath =
  (campaign: unknown, template: unknown) =>
  (field: string): string => {
    const isOwn = isPlain(campaign) && own(campaign, field) !== undefined;
    const inherited = !isOwn && isPlain(template) && own(template, field) !== undefined;
    return joinPath(inherited ? 'template.schedule' : 'schedule', field);
  };
