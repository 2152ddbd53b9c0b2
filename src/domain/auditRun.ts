/** Whether a run is where its campaign wants it. Suspected first, as conversations are: only what stands still is a finding. */

import { type CampaignState, unsettled } from './auditStuck.ts';
import { instant, time } from './auditSubject.ts';
import { opensFor } from './campaignTypes.ts';
import { isFinal } from './campaignWrites.ts';
import type { Claim, FindingKind } from './findings.ts';

/** @param left What is left of it, counted from its documents; undefined where nobody could count. */
export function runSuspicions(
  state: CampaignState,
  left: { active: number; pending: number } | undefined,
  overdueMs: number,
): Claim[] {
  const claims = [
    left && unsettled(state, left, overdueMs),
    endedOtherwise(state),
    undecided(state),
    notStarted(state, overdueMs),
    expansionStuck(state, overdueMs),
  ];
  return claims.filter((claim) => claim !== undefined);
}

function endedOtherwise({ run, campaign }: CampaignState): Claim | undefined {
  if (!run.settled || campaign === undefined || isFinal(run, campaign.status)) return undefined;
  const found = `the campaign says ${String(campaign.status)}`;
  return { kind: 'settled_wrong', found, expected: 'the status in which it ended' };
}

function undecided({ run, campaign }: CampaignState): Claim | undefined {
  if (run.settled || run.status !== 'paused' || campaign?.status !== 'running') return undefined;
  return {
    kind: 'undecided',
    found: 'the campaign says running, its run paused',
    expected: 'a resume is taken in at once',
  };
}

/** The start is the one that the document sets now. */
function notStarted({ run, campaign, now }: CampaignState, overdueMs: number): Claim | undefined {
  if (run.settled || run.status !== 'scheduled' || campaign?.status !== 'scheduled') return undefined;
  const startAt = time(campaign.startAt) ?? time(run.schedule?.startAt);
  if (startAt === undefined || now - startAt <= overdueMs) return undefined;
  const found = `scheduled for ${instant(new Date(startAt))}`;
  return { kind: 'not_started', found, expected: `started within ${overdueMs / 1000} s` };
}

const isUnwritten = ({ run, now }: CampaignState, overdueMs: number): boolean =>
  now - (time(run.updatedAt) ?? 0) > overdueMs;

function expansionStuck({ run, campaign, now }: CampaignState, overdueMs: number): Claim | undefined {
  if (run.settled || run.status !== 'running' || campaign?.status !== 'running' || run.expansion.done) return undefined;
  const waitsFor = opensFor(run);
  const next = time(run.occurrences?.next);
  if (waitsFor !== undefined && (next === undefined || now - next <= overdueMs)) return undefined;
  if (next !== undefined) {
    const found = `the occurrence of ${instant(new Date(next))} has not begun`;
    return { kind: 'expansion_stuck', found, expected: `it begins within ${overdueMs / 1000} s` };
  }
  const found = `${run.expansion.expanded} expanded, and no further`;
  return { kind: 'expansion_stuck', found, expected: 'it goes on until the audience is expanded' };
}

/** For how long a run has to stand still, ms, beside what any suspect has to. When an expansion moved last is not recorded, and folding writes a busy run all the while: where the run has just been written, only watching tells. */
export const watchedMs = (kind: FindingKind, state: CampaignState, overdueMs: number): number =>
  kind === 'expansion_stuck' && !isUnwritten(state, overdueMs) ? overdueMs : 0;

/** What a campaign without a run waits for, by its status. */
export const notBegun = (status: unknown): Claim => ({
  kind: 'not_started',
  found: `${String(status)}, without a run`,
  expected: 'it is decided at once',
});

/** Equal as long as nothing of what the claim is about moved. */
export const runMark = ({ kind }: Pick<Claim, 'kind'>, { run, campaign }: CampaignState): string => {
  const statuses = `${run.settled} ${run.status} ${String(campaign?.status)}`;
  const { expanded, skipped, after } = run.expansion;
  if (kind === 'expansion_stuck')
    return `${statuses} ${expanded} ${JSON.stringify(skipped)} ${String(after)} ${time(run.occurrences?.next)}`;
  return kind === 'not_settled' ? `${statuses} ${run.updatedAt?.getTime()}` : statuses;
};
