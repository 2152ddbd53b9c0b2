/** What a campaign's type asks of its other fields. */
import type { Fault } from './errors.ts';
import type { CampaignDocument, Run } from './model.ts';
import { recurrenceFaults } from './occurrences.ts';
import { isPlain, own } from './plain.ts';
import { printable } from './printable.ts';
import { isPositive, parseDuration } from './timing.ts';

/** When a campaign says nothing. */
const defaultType: NonNullable<CampaignDocument['type']> = 'sequence';

/** Combinations that make no sense; shapes are checked by the schema. `now` as in `CheckContext`. */
export function typeFaults(document: Record<string, unknown>, now: number | undefined): Fault[] {
  const type = own(document, 'type') ?? defaultType;
  const schedule = own(document, 'schedule');
  return [
    ...sourceFaults(type, own(document, 'audience')),
    ...modeFaults(type, own(document, 'audience')),
    ...reentryFaults(type, own(document, 'reentry')),
    ...recurrenceFaults(type, isPlain(schedule) ? schedule : {}, now),
  ];
}

function sourceFaults(type: unknown, audience: unknown): Fault[] {
  const isTriggered = type === 'triggered';
  if (isTriggered && audience !== undefined) {
    const message = 'is given; who enters a campaign of type "triggered" comes by `enrollments`, so leave it out';
    return [{ code: 'not_allowed', path: 'audience', message }];
  }
  if (isTriggered || audience !== undefined) return [];
  return [{ code: 'required', path: 'audience', message: 'is missing; it has to be set, but for type "triggered"' }];
}

function modeFaults(type: unknown, audience: unknown): Fault[] {
  if (!isPlain(audience) || own(audience, 'mode') !== 'live') return [];
  const fault = (why: string): Fault[] => [
    { code: 'not_allowed', path: 'audience.mode', message: `was "live"; ${why}` },
  ];
  if (own(audience, 'contacts') !== undefined) return fault('nobody joins a list: give a collection, or leave it out');
  return type === 'recurring' ? fault('an occurrence of a recurring campaign would never end: leave it out') : [];
}

function reentryFaults(type: unknown, reentry: unknown): Fault[] {
  if (!isPlain(reentry)) return [];
  const policy = own(reentry, 'policy');
  const after = own(reentry, 'after');
  const fault = (code: string, path: string, message: string): Fault[] => [{ code, path, message }];
  if (policy === 'never') return after === undefined ? [] : fault('not_allowed', 'reentry.after', onlyWithAfter(after));
  if (type !== 'triggered') {
    const message = `policy was ${printable(policy)}; only in a campaign of type "triggered" can a contact enter again`;
    return fault('not_allowed', 'reentry', message);
  }
  if (policy !== 'after') return after === undefined ? [] : fault('not_allowed', 'reentry.after', onlyWithAfter(after));
  if (after === undefined) return fault('required', 'reentry.after', 'is missing; policy "after" needs it');
  const duration = typeof after === 'string' ? parseDuration(after) : undefined;
  const isZero = duration !== undefined && !isPositive(duration);
  return isZero
    ? fault('duration_invalid', 'reentry.after', `was ${printable(after)}; it has to be longer than zero`)
    : [];
}

const onlyWithAfter = (after: unknown): string => `was ${printable(after)}; it is for policy "after" only`;

/** Of whom a run waits without an end of its own; undefined: its audience is expanded once. */
export function opensFor(
  run: { audience?: { kind: string; live?: boolean }; occurrences?: unknown } | undefined,
): 'occurrences' | 'enrollments' | 'live' | undefined {
  if (run?.occurrences !== undefined) return 'occurrences';
  if (run?.audience?.kind === 'enrollments') return 'enrollments';
  return run?.audience?.live === true ? 'live' : undefined;
}

/** Whether there is an audience of which more is to be expanded. */
export const isExpanding = ({ audience, expansion, child }: Pick<Run, 'audience' | 'expansion' | 'child'>): boolean =>
  !expansion.done && audience.kind !== 'enrollments' && child === undefined;
