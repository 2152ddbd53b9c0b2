/** What of a campaign may change while it runs, and the end its schedule sets. */

import { defaultPriority, scheduled } from './campaignPins.ts';
import {
  type CampaignDecision,
  type CampaignEvent,
  type CampaignInput,
  campaignSet,
  closed,
  collectionMissing,
  numberOf,
  runWrite,
} from './campaignWrites.ts';
import { compileLimits } from './compileLimits.ts';
import type { Fault } from './errors.ts';
import { guardFaults, guardTripped, rateNames } from './guard.ts';
import type { CampaignDocument, Run } from './model.ts';
import { normalise } from './normalise.ts';
import { isPlain, own } from './plain.ts';
import { faultsOf } from './validation.ts';

/**
 * Takes `priority`, `guard`, `limits` and `schedule.endAt` into the run beside `set`, and ends the run when its end has come. A change that
 * cannot be taken is reported once in `error`, and the run keeps what it had.
 */
export function takeIn(
  input: CampaignInput,
  raw: Record<string, unknown>,
  run: Run,
  set: Partial<Run>,
  event?: CampaignEvent,
  shown?: Partial<CampaignDocument>,
): CampaignDecision {
  const faults = liveFaults(raw);
  const { priority, guard, endAt, limits } = live(raw, run, faults);
  if (endAt !== undefined && endAt.getTime() <= input.now) {
    const ended = { status: 'cancelled', endReason: 'campaign_ended', ...closed(run) } as const;
    const taken = { schedule: withEnd(run.schedule, endAt), ...takenIn(run, endAt, input.now) };
    return runWrite(input, raw, { ...ended, ...taken }, 'ended');
  }
  const changes: Partial<Run> = {
    ...set,
    ...(priority === run.priority ? {} : { priority }),
    ...(guard === undefined || isSameGuard(guard, run.guard) ? {} : { guard }),
    ...(limits === undefined || isSame(limits, run.limits) ? {} : { limits }),
    ...(endAt?.getTime() === run.schedule?.endAt?.getTime()
      ? {}
      : { schedule: withEnd(run.schedule, endAt), ...takenIn(run, endAt, input.now) }),
  };
  const again = endAt === undefined ? {} : { lookAgainAt: endAt.getTime() };
  // why its guard paused it stands there until it goes on
  const isGuarded = run.pausedReason === guardTripped && event !== 'resumed';
  const campaign = reported(raw, isGuarded ? [] : faults, event, shown);
  const unset = gone(run, event, { guard, limits });
  if (Object.keys(changes).length === 0 && campaign === undefined && unset.length === 0) return again;
  const { write, ...decision } = runWrite(input, raw, changes, event, unset);
  return {
    ...decision,
    ...again,
    write: { ...write, ...(campaign ? { campaign } : {}) },
    ...(faults.length > 0 && campaign ? { faults } : {}),
  };
}

/** What the run has no more. */
function gone(
  run: Run,
  event: CampaignEvent | undefined,
  { guard, limits }: { guard: Run['guard']; limits: Run['limits'] },
): (keyof Run)[] {
  const isOver = event === 'resumed' || run.pausedReason === collectionMissing;
  return [
    ...(isOver ? (['pausedReason'] as const) : []),
    ...(run.guard && !guard ? (['guard'] as const) : []),
    ...(run.limits && !limits ? (['limits'] as const) : []),
  ];
}

function live(
  raw: Record<string, unknown>,
  run: Run,
  faults: readonly Fault[],
): { priority: number; guard?: Run['guard'] | undefined; endAt?: Date | undefined; limits?: Run['limits'] } {
  const limits = faults.some(isOfLimits) ? run.limits : (normalise(own(raw, 'limits')) as Run['limits']);
  const wrong = (...paths: string[]): boolean => faults.some(({ path }) => paths.includes(path));
  const isGuardWrong = faults.some(({ path }) => /^guard\b/.test(path));
  return {
    priority: wrong('priority') ? run.priority : (numberOf(raw, 'priority') ?? defaultPriority),
    guard: isGuardWrong ? run.guard : (normalise(own(raw, 'guard')) as Run['guard'] | undefined),
    endAt: wrong('schedule', 'schedule.endAt') ? run.schedule?.endAt : scheduled(raw, 'endAt'),
    ...(limits === undefined ? {} : { limits }),
  };
}

/** What is to be `shown`, and the first fault, unless it stands there already; without one, a resumed campaign has no error any more. */
function reported(
  raw: Record<string, unknown>,
  [fault]: readonly Fault[],
  event: CampaignEvent | undefined,
  shown: Partial<CampaignDocument> | undefined,
): ReturnType<typeof campaignSet> | undefined {
  const error = own(raw, 'error');
  const isTold = fault === undefined ? event !== 'resumed' || error === undefined : sameError(error, fault);
  if (isTold && shown === undefined) return undefined;
  return fault === undefined
    ? campaignSet(raw, { ...shown }, ['error'])
    : campaignSet(raw, { ...shown, error: { ...fault } });
}

/** Faults of the fields that are looked at while it runs. */
function liveFaults(raw: Record<string, unknown>): Fault[] {
  const shown = { _id: '', status: 'running', audience: { contacts: [] } };
  const fields = ['priority', 'limits', 'guard'].filter((name) => own(raw, name) !== undefined);
  const schedule = own(raw, 'schedule');
  const endAt = isPlain(schedule) ? own(schedule, 'endAt') : undefined;
  const ends = schedule === undefined || isPlain(schedule) ? (endAt === undefined ? {} : { endAt }) : schedule;
  const document = { ...shown, ...Object.fromEntries(fields.map((name) => [name, own(raw, name)])), schedule: ends };
  const normal = normalise(document) as Record<string, unknown>;
  const shape = [...faultsOf('CampaignDocument', normal), ...guardFaults(own(normal, 'guard'))];
  return shape.some(isOfLimits) ? shape : [...shape, ...compileLimits(own(normal, 'limits')).faults];
}

const guardFields = [...rateNames, 'over'] as const;
const isSameGuard = (a: NonNullable<Run['guard']>, b: Run['guard']): boolean =>
  b !== undefined && guardFields.every((name) => a[name] === b[name]);

const isOfLimits = ({ path }: Fault): boolean => /^limits\b/.test(path);

const isSame = (a: Run['limits'], b: Run['limits']): boolean => JSON.stringify(a) === JSON.stringify(b);

function withEnd(schedule: Run['schedule'], endAt: Date | undefined): NonNullable<Run['schedule']> {
  const { endAt: _, ...rest } = schedule ?? {};
  return endAt === undefined ? rest : { ...rest, endAt };
}

/** Since when the run knows that it ends so early: what left after an end that it knew was late, whatever is set then. */
function takenIn(run: Run, endAt: Date | undefined, now: number): Pick<Run, 'endTakenInAt'> {
  const before = run.schedule?.endAt?.getTime();
  if (endAt === undefined || endAt.getTime() === before) return {};
  if (before === undefined || before > now) return { endTakenInAt: new Date(now) };
  return { endTakenInAt: new Date(Math.max(before, run.endTakenInAt?.getTime() ?? before)) };
}

const sameError = (error: unknown, fault: Fault): boolean =>
  isPlain(error) && own(error, 'code') === fault.code && own(error, 'path') === fault.path;
