import type { RuleParts } from './recurrenceRule.ts';

/**
 * Times that a rule may give in one of its periods. The library works all of them out for each look ahead, some 15 microseconds
 * each (measured): a thousand are felt, a hundred thousand would cost a member its lease.
 */
export const mostTimes = 2_000;

/** How many times a rule gives in one of its periods (a year of `FREQ=YEARLY`), at most. */
export function timesPerPeriod(rule: RuleParts): number {
  const count = (name: string, absent = 1): number => rule.get(name)?.split(',').length ?? absent;
  const frequency = rule.get('FREQ');
  if (frequency === 'MINUTELY') return 1;
  if (frequency === 'HOURLY') return count('BYMINUTE');
  return daysPerPeriod(rule, count) * count('BYHOUR') * count('BYMINUTE');
}

function daysPerPeriod(rule: RuleParts, count: (name: string, absent?: number) => number): number {
  const days = rule.has('BYMONTHDAY') ? count('BYMONTHDAY') : rule.has('BYDAY') ? 5 * count('BYDAY') : undefined;
  const inMonth = days ?? 1;
  switch (rule.get('FREQ')) {
    case 'YEARLY':
      if (rule.has('BYYEARDAY')) return count('BYYEARDAY');
      return Math.min(
        366,
        rule.has('BYWEEKNO') ? 7 * count('BYWEEKNO') : count('BYMONTH', days === undefined ? 1 : 12) * inMonth,
      );
    case 'MONTHLY':
      return Math.min(31, inMonth);
    case 'WEEKLY':
      return count('BYDAY');
    default:
      return 1;
  }
}
