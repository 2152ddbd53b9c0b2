/** The lifecycle of a campaign: what its document asks for, against what its run has done. The contract's table of statuses. */
import { type CheckedCampaign, checkCampaign } from './campaignChecks.ts';
import { takeIn } from './campaignLive.ts';
import { withMigration } from './campaignMigration.ts';
import { withPauses } from './campaignPauses.ts';
import { optionalPins, type Pins, pinsOf, scheduled, unexpanded } from './campaignPins.ts';
import {
  base,
  type CampaignDecision,
  type CampaignInput,
  campaignSet,
  cancelled,
  collectionMissing,
  failed,
  finalStatus,
  isFinal,
  missingFrom,
  putBack,
  runWrite,
} from './campaignWrites.ts';
import type { Fault } from './errors.ts';
import { resumedAt } from './guard.ts';
import { campaignPartition } from './ids.ts';
import { emptyMetrics } from './metrics.ts';
import type { CampaignDocument, Flow, Run } from './model.ts';
import { withOccurrences } from './occurrences.ts';
import { own } from './plain.ts';
import { traceOfRun } from './trace.ts';

export type { CheckContext, CheckedCampaign } from './campaignChecks.ts';
export { checkCampaign } from './campaignChecks.ts';
export { compilePinned } from './campaignPins.ts';
export type { CampaignDecision, CampaignEvent, CampaignInput } from './campaignWrites.ts';
export { runAfter } from './runAfter.ts';

/** Decides one campaign. Pure; survives any document. An empty answer: all is as it should be. */
export const decideCampaign = (input: CampaignInput): CampaignDecision =>
  withPauses(input, withCollection(input, withMigration(input, withOccurrences(input, decide(input)))));

function decide(input: CampaignInput): CampaignDecision {
  const { raw, run } = input;
  if (run === undefined) return raw === undefined ? {} : decideNew(input, raw);
  if (raw === undefined) return run.settled ? {} : decideGone(input, run);
  const status = own(raw, 'status');
  if (run.settled) return decideEnded(input, raw, run);
  switch (run.status) {
    case 'scheduled':
      return decideScheduled(input, raw, run, status);
    case 'running':
      return decideRunning(input, raw, run, status);
    case 'paused':
      return decidePaused(input, raw, run, status);
    default:
      return decideEnding(input, raw, run, status);
  }
}

/**
 * Pauses a running campaign that cannot go on as it is written, or whose guard tripped; whoever corrects the cause sets it to
 * `running` again. Empty when it does not run, or was paused and resumed since it was `judged`.
 */
export function holdCampaign(input: CampaignInput, fault: Fault, judged?: Pick<Run, 'pauses'>): CampaignDecision {
  const { raw, run } = input;
  if (raw === undefined || run?.status !== 'running' || run.settled || own(raw, 'status') !== 'running') return {};
  if (judged !== undefined && resumedAt(judged) !== resumedAt(run)) return {};
  const { write } = runWrite(input, raw, { status: 'paused', pausedReason: fault.code });
  const campaign = campaignSet(raw, { status: 'paused', error: { ...fault } });
  return withPauses(input, { write: { ...write, campaign }, event: 'paused', faults: [fault] });
}

/** May `decideCampaign` have to check the document (and so need its template)? */
export const mayStart = (run: Run | undefined): boolean =>
  run === undefined || (!run.settled && run.startedAt === undefined && run.status !== 'cancelled');

// ---------------------------------------------------------------- without a run

/** Others hold a campaign back as `paused` before it starts, and let it go as `pending` or `running`. */
const starting: ReadonlySet<unknown> = new Set(['pending', 'running', 'scheduled']);
const resting: ReadonlySet<unknown> = new Set(['draft', 'paused', 'cancelled', 'completed', 'failed']);

function decideNew(input: CampaignInput, raw: Record<string, unknown>): CampaignDecision {
  const status = own(raw, 'status');
  if (resting.has(status)) return {};
  if (status !== 'pending' && own(raw, 'startedAt') !== undefined) {
    const message = 'it has run before and its record is gone; a second run could write to everybody again';
    return failed(input, raw, undefined, [{ code: 'run_missing', path: 'status', message }]);
  }
  const checked = checkCampaign(raw, input);
  const wrong = starting.has(status) ? [] : checked.faults.filter(({ path }) => path === 'status');
  if (checked.faults.length > 0) return failed(input, raw, undefined, [...new Set([...wrong, ...checked.faults])]);
  return start(input, raw, undefined, checked);
}

// ---------------------------------------------------------------- with a run that is not settled

function decideGone(input: CampaignInput, run: Run): CampaignDecision {
  if (run.status === 'cancelled') return closeExpansion(input, run, undefined);
  if (!isDropped(run, input.collection)) return runWrite(input, undefined, cancelled(run), 'cancelled');
  // one that was held for a fault keeps that reason
  if (run.status === 'paused' && run.pausedReason !== undefined) return {};
  const paused = { status: 'paused', pausedReason: collectionMissing } as const;
  return runWrite(input, undefined, paused, ...(run.status === 'paused' ? [] : (['paused'] as const)));
}

/** The document went with the whole collection, which is gone or another one by now: nobody cancelled anything. */
export const isDropped = (
  { collectionUuid }: Pick<Run, 'collectionUuid'>,
  collection: CampaignInput['collection'],
): boolean =>
  collection === 'missing' ||
  (collection !== undefined && collectionUuid !== undefined && collectionUuid !== collection);

/** An open run remembers in which collection its document was seen. */
function withCollection(input: CampaignInput, decision: CampaignDecision): CampaignDecision {
  const { raw, run, collection } = input;
  if (raw === undefined || run?.settled || collection === undefined || collection === 'missing') return decision;
  if (run?.collectionUuid === collection) return decision;
  const { write } = decision;
  const seen = { collectionUuid: collection };
  if (write?.run !== undefined) {
    const noted =
      'insert' in write.run
        ? { insert: { ...write.run.insert, ...seen } }
        : { ...write.run, set: { ...write.run.set, ...seen } };
    return { ...decision, write: { ...write, run: noted } };
  }
  if (run === undefined) return decision;
  const alone = runWrite(input, raw, seen).write;
  return { ...decision, write: { ...alone, ...(write?.campaign ? { campaign: write.campaign } : {}) } };
}

function decideScheduled(
  input: CampaignInput,
  raw: Record<string, unknown>,
  run: Run,
  status: unknown,
): CampaignDecision {
  if (status === 'cancelled') return runWrite(input, raw, cancelled(run), 'cancelled');
  if (status === 'paused') return runWrite(input, raw, { status: 'paused' }, 'paused');
  if (status !== 'scheduled') return putBack(input, raw, run, 'scheduled');
  const startAt = scheduled(raw, 'startAt')?.getTime();
  return startAt !== undefined && startAt > input.now ? { lookAgainAt: startAt } : startScheduled(input, raw, run);
}

/** What is pinned is the document of that moment, so it is checked again. */
function startScheduled(input: CampaignInput, raw: Record<string, unknown>, run: Run): CampaignDecision {
  const checked = checkCampaign(raw, input);
  return checked.faults.length > 0 ? failed(input, raw, run, checked.faults) : start(input, raw, run, checked);
}

function decideRunning(
  input: CampaignInput,
  raw: Record<string, unknown>,
  run: Run,
  status: unknown,
): CampaignDecision {
  if (status === 'cancelled') return runWrite(input, raw, cancelled(run), 'cancelled');
  if (status === 'paused') return takeIn(input, raw, run, { status: 'paused' }, 'paused');
  if (status !== 'running') return putBack(input, raw, run, 'running');
  return takeIn(input, raw, run, {});
}

function decidePaused(input: CampaignInput, raw: Record<string, unknown>, run: Run, status: unknown): CampaignDecision {
  if (status === 'cancelled') return runWrite(input, raw, cancelled(run), 'cancelled');
  if (status === 'paused') return takeIn(input, raw, run, {});
  // as it stood in the collection that was put back, maybe from before its start
  const isPutBack = run.pausedReason === collectionMissing && starting.has(status);
  if (status !== 'running' && !isPutBack) return putBack(input, raw, run, 'paused');
  if (run.startedAt === undefined) return startScheduled(input, raw, run);
  const shown = isPutBack ? { status: 'running' as const, ...missingFrom(raw, run) } : undefined;
  return takeIn(input, raw, run, { status: 'running' }, 'resumed', shown);
}

/** Cancelled, or past its end: what is open is winding down. */
function decideEnding(input: CampaignInput, raw: Record<string, unknown>, run: Run, status: unknown): CampaignDecision {
  const ended = run.endReason === 'campaign_ended';
  if (ended && status === 'cancelled') return runWrite(input, raw, { endReason: 'campaign_cancelled' }, 'cancelled');
  if (status === 'cancelled' || (ended && (status === 'running' || status === 'paused'))) {
    return closeExpansion(input, run, raw);
  }
  return putBack(input, raw, run, ended ? 'running' : 'cancelled');
}

/** A slice that was on its way when the run was cancelled may have left the expansion open. */
function closeExpansion(input: CampaignInput, run: Run, raw: Record<string, unknown> | undefined): CampaignDecision {
  return run.expansion.done ? {} : runWrite(input, raw, { expansion: { ...run.expansion, done: true } });
}

function decideEnded(input: CampaignInput, raw: Record<string, unknown>, run: Run): CampaignDecision {
  return isFinal(run, own(raw, 'status')) ? {} : putBack(input, raw, run, finalStatus(run));
}

// ---------------------------------------------------------------- the start

/** Pins the campaign and starts it, or schedules it when `startAt` lies ahead. */
function start(
  input: CampaignInput,
  raw: Record<string, unknown>,
  run: Run | undefined,
  checked: CheckedCampaign,
): CampaignDecision {
  const at = new Date(input.now);
  const template = input.template === 'missing' || own(raw, 'templateId') === undefined ? undefined : input.template;
  const document = checked.document as CampaignDocument;
  const pins = pinsOf(input.id, raw, { ...checked, document, flow: checked.flow as Flow }, template, input.channels);
  const startAt = scheduled(raw, 'startAt');
  const ahead = startAt !== undefined && startAt.getTime() > input.now;
  const state: Partial<Run> = ahead ? { status: 'scheduled' } : { status: 'running', startedAt: at };
  const next = run ?? newRun(input, raw, pins, at);
  const shown = ahead ? { status: 'scheduled' as const } : asStarted(next, pins, at);
  const gone = [...optionalPins.filter((name) => pins[name] === undefined), 'pausedReason' as const];
  const unset = gone.filter((name) => run?.[name] !== undefined);
  return {
    write: {
      ...base(input, raw),
      campaign: campaignSet(raw, shown, ['error', 'results', 'completedAt']),
      run: run
        ? { set: { ...pins, ...state, updatedAt: at }, ...(unset.length > 0 ? { unset } : {}) }
        : { insert: { ...next, ...state } },
    },
    event: ahead ? 'scheduled' : 'started',
    ...lookAt(ahead ? startAt : pins.schedule?.endAt),
  };
}

/** What a campaign shows from its start on. */
function asStarted(run: Run, { template }: Pins, at: Date): Partial<CampaignDocument> {
  return {
    status: 'running',
    startedAt: at,
    ...(template?.version === undefined ? {} : { templateVersion: template.version }),
    metrics: emptyMetrics(at),
    expansion: { ...unexpanded },
    trace: { ...run.trace },
  };
}

const lookAt = (date: Date | undefined): { lookAgainAt?: number } => (date ? { lookAgainAt: date.getTime() } : {});

function newRun(input: CampaignInput, raw: Record<string, unknown>, pins: Pins, at: Date): Run {
  return {
    _id: input.id,
    partition: campaignPartition(input.id, input.partitions),
    status: 'scheduled',
    settled: false,
    ...pins,
    expansion: { ...unexpanded },
    wake: 0,
    metrics: emptyMetrics(at),
    createdAt: at,
    updatedAt: at,
    trace: traceOfRun(raw, input.traceparent),
  };
}
