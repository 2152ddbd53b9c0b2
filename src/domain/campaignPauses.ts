/** The pauses a run remembers: what came due in one was held back on purpose, not late. */
import type { CampaignDecision, CampaignInput } from './campaignWrites.ts';
import type { Run } from './model.ts';

export type Pause = NonNullable<Run['pauses']>[number];

/** The newest ones are kept: the run is read often. */
export const keptPauses = 100;

/** Notes in the run when a started one comes to be paused, and when that is over, in the write that makes it so. */
export function withPauses(input: CampaignInput, decision: CampaignDecision): CampaignDecision {
  const { run, now } = input;
  const change = decision.write?.run;
  if (run?.startedAt === undefined || change === undefined || 'insert' in change) return decision;
  const pauses = pausesAfter(run, change.set.status, new Date(now));
  if (pauses === undefined) return decision;
  return { ...decision, write: { ...decision.write, run: { ...change, set: { ...change.set, pauses } } } as never };
}

/** Undefined when nothing of it changes. */
function pausesAfter({ status, pauses = [] }: Run, next: Run['status'] | undefined, at: Date): Pause[] | undefined {
  if (next === undefined || next === status) return undefined;
  if (next === 'paused') return [...pauses, { from: at }].slice(-keptPauses);
  const last = pauses.at(-1);
  if (status !== 'paused' || last === undefined || last.until !== undefined) return undefined;
  return [...pauses.slice(0, -1), { ...last, until: at }];
}
