/** `limits` of a campaign: how many messages leave a second, how many a contact may get, and how many may leave while a sender is warmed up. */
import type { Fault } from './errors.ts';
import { Faults } from './flowChecks.ts';
import type { Run } from './model.ts';
import { isPlain, own } from './plain.ts';
import type { Cap } from './pressure.ts';
import { longestSpanMs } from './pressure.ts';
import { printable } from './printable.ts';
import { type Ramp, type RampStep, rampSteps } from './ramp.ts';
import { allowedPerSecond, isRate } from './rates.ts';
import { atMostMs, type Duration, isPositive, parseDuration } from './timing.ts';
import { dayMs } from './zones.ts';

export interface Limits {
  readonly cap?: Cap;
  readonly ramp?: Ramp['steps'];
  /** Messages a second. */
  readonly perSecond?: number;
}

const hourMs = dayMs / 24;
const mostCounted = 100;
const policies = ['skip', 'delay'];
const entry = /^([1-9]\d{0,8})\/([dh])$/;

/** Compiles limits of any shape. Codes: `type`, `not_allowed`, `required`, `duration_invalid`. */
export function compileLimits(source: unknown, path = 'limits'): { limits: Limits; faults: Fault[] } {
  const faults = new Faults();
  if (source === undefined) return { limits: {}, faults: [] };
  if (!isPlain(source)) {
    faults.add('type', path, () => `was ${printable(source)}; it has to be an object`);
    return { limits: {}, faults: faults.list };
  }
  const cap = compileCap(own(source, 'maxMessagesPerContact'), own(source, 'onCap'), path, faults);
  const ramp = compileRamp(own(source, 'ramp'), `${path}.ramp`, faults);
  const perSecond = compileRate(own(source, 'perSecond'), `${path}.perSecond`, faults);
  const limits = { ...(cap ? { cap } : {}), ...(ramp ? { ramp } : {}), ...(perSecond ? { perSecond } : {}) };
  return { limits, faults: faults.list };
}

/** What holds for a run. Transactional messages are outside caps: they are neither held back nor counted. */
export function limitsOf({ limits: source, transactional, startedAt }: LimitedRun): { cap?: Cap; ramp?: Ramp } {
  if (source === undefined) return {};
  const { cap, ramp } = compileLimits(source).limits;
  return {
    ...(cap === undefined || transactional === true ? {} : { cap }),
    ...(ramp === undefined ? {} : { ramp: { steps: ramp, startedAt: startedAt?.getTime() ?? 0 } }),
  };
}

export type LimitedRun = Partial<Pick<Run, 'limits' | 'transactional' | 'startedAt'>>;

function compileRate(source: unknown, path: string, faults: Faults): number | undefined {
  if (source === undefined || isRate(source)) return source;
  faults.add('not_allowed', path, () => `was ${printable(source)}; it has to be ${allowedPerSecond}`);
  return undefined;
}

// ---------------------------------------------------------------- the cap

function compileCap(source: unknown, onCap: unknown, path: string, faults: Faults): Cap | undefined {
  const before = faults.list.length;
  if (onCap !== undefined && !policies.some((name) => name === onCap))
    faults.add('not_allowed', `${path}.onCap`, () => `was ${printable(onCap)}; it has to be skip or delay`);
  const at = `${path}.maxMessagesPerContact`;
  if (source === undefined) {
    if (onCap !== undefined)
      faults.add('required', at, () => 'is missing; without it there is no cap that onCap could be about');
    return undefined;
  }
  if (!isPlain(source)) {
    faults.add('type', at, () => `was ${printable(source)}; it has to be an object, such as {count: 3, per: "P7D"}`);
    return undefined;
  }
  const count = own(source, 'count');
  const text = own(source, 'per');
  const per = typeof text === 'string' ? parseDuration(text) : undefined;
  if (typeof count !== 'number' || !Number.isInteger(count) || count < 1 || count > mostCounted)
    faults.add('not_allowed', `${at}.count`, () => `was ${printable(count)}; it has to be 1 to ${mostCounted}`);
  if (per === undefined || !isPositive(per))
    faults.add('duration_invalid', `${at}.per`, () => `was ${printable(text)}; write P7D for seven days`);
  else if (atMostMs(per) > longestSpanMs)
    faults.add('not_allowed', `${at}.per`, () => `was ${printable(text)}; it has to be 93 days (P93D) or P3M at most`);
  if (faults.list.length > before) return undefined;
  return { count: count as number, per: per as Duration, delays: onCap === 'delay' };
}

// ---------------------------------------------------------------- the ramp

function compileRamp(source: unknown, path: string, faults: Faults): Ramp['steps'] | undefined {
  if (source === undefined) return undefined;
  if (!Array.isArray(source)) {
    faults.add('type', path, () => `was ${printable(source)}; it has to be a list, such as ["50/d", "100/d"]`);
    return undefined;
  }
  const before = faults.list.length;
  if (source.length === 0) faults.add('not_allowed', path, () => 'was an empty list; leave it out if there is no ramp');
  const steps = source.flatMap((text: unknown, index): Pick<RampStep, 'limit' | 'periodMs'>[] => {
    const match = typeof text === 'string' ? entry.exec(text) : null;
    if (match !== null) return [{ limit: Number(match[1]), periodMs: match[2] === 'd' ? dayMs : hourMs }];
    const allowed = 'it has to be a number of messages a day or hour, such as 50/d or 5/h';
    faults.add('not_allowed', `${path}[${index}]`, () => `was ${printable(text)}; ${allowed}`);
    return [];
  });
  return faults.list.length > before ? undefined : rampSteps(steps);
}
