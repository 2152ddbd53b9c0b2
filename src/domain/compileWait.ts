/** A stage `wait`, compiled as far as it can be: what is wrong goes to the faults, with a stand-in in its place. */
import {
  asText,
  type Compilation,
  compileDuration,
  compileOn,
  optionalDuration,
  optionalTarget,
  type StagePlace,
} from './compileParts.ts';
import { compileSendWindow } from './compileSendWindow.ts';
import type { CompiledWait, WaitFor } from './flow.ts';
import { own } from './plain.ts';
import { printable } from './printable.ts';
import type { SendWindow } from './sendWindow.ts';
import { parseUntil } from './until.ts';
import { zoneNamed } from './zones.ts';

const waits = ['for', 'businessDays', 'until', 'event'] as const;
/** Fields that only go with one of them. */
const beside: Readonly<Record<string, (typeof waits)[number]>> = {
  onMissing: 'until',
  timeout: 'event',
  onTimeout: 'event',
};

export function compileWait(compilation: Compilation, source: object, place: StagePlace, at: string): CompiledWait {
  const given = waits.filter((field) => own(source, field) !== undefined);
  if (given.length !== 1) {
    const has = given.length === 0 ? 'none' : given.join(' and ');
    compilation.faults.add(
      'stage_invalid',
      at,
      () => `has to have exactly one of for, businessDays, until and event, has ${has}`,
    );
  }
  for (const [field, needs] of Object.entries(beside)) {
    if (own(source, field) === undefined || given.includes(needs)) continue;
    compilation.faults.add('stage_invalid', `${at}.${field}`, () => `is of no use without ${needs}`);
  }
  return {
    type: 'wait',
    ...place,
    waitFor: waitFor(compilation, source, given[0], at),
    on: compileOn(compilation, source, at),
  };
}

function waitFor(
  compilation: Compilation,
  source: object,
  kind: (typeof waits)[number] | undefined,
  at: string,
): WaitFor {
  if (kind === 'event') {
    const event = asText(own(source, 'event')) ?? '';
    if (event === '') compilation.faults.add('stage_invalid', `${at}.event`, () => 'is not the type of an event');
    const timeout = optionalDuration(compilation, source, 'timeout', at);
    const onTimeout = optionalTarget(compilation, source, 'onTimeout', at);
    if (onTimeout['onTimeout'] !== undefined && timeout['timeout'] === undefined)
      compilation.faults.add('stage_invalid', `${at}.onTimeout`, () => 'is of no use without timeout');
    return { kind, event, ...timeout, ...onTimeout };
  }
  if (kind === 'until') {
    const until = parseUntil(own(source, 'until'));
    if (typeof until === 'string') compilation.faults.add('until_invalid', `${at}.until`, () => until);
    const onMissing = optionalTarget(compilation, source, 'onMissing', at);
    return { kind, until: typeof until === 'string' ? { at: 0 } : until, ...onMissing };
  }
  if (kind === 'businessDays') {
    const days = own(source, kind);
    const isCount = Number.isInteger(days) && Number(days) >= 1 && Number(days) <= mostBusinessDays;
    if (!isCount) {
      const wanted = `has to be a whole number from 1 to ${mostBusinessDays}, was ${printable(days)}`;
      compilation.faults.add('not_allowed', `${at}.businessDays`, () => wanted);
    }
    return { kind, days: isCount ? Number(days) : 1, window: workdaysOf(compilation) };
  }
  // what is missing has its fault already
  const duration = kind === undefined ? 'PT1S' : own(source, 'for');
  return { kind: 'time', duration: compileDuration(compilation, duration, `${at}.for`) };
}

/** A year of the calendar, and more than one of offices. */
const mostBusinessDays = 366;
const utc = zoneNamed('UTC');
const mondayToFriday = { days: ['mon', 'tue', 'wed', 'thu', 'fri'], timezone: 'contact', fallbackTimezone: 'UTC' };

/** The window that counts working days: the campaign's, Monday to Friday without one. Nobody is kept from waiting by an unknown zone: that is UTC then. */
function workdaysOf({ timing: { window } }: Compilation): SendWindow {
  const counting = window ?? (compileSendWindow(mondayToFriday, '').window as SendWindow);
  return { ...counting, fallback: counting.fallback ?? utc };
}
