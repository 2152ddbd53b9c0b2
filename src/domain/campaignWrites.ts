/** Inputs and answers of the campaign lifecycle, and the conditional writes its decisions are made of. */
import type { CheckContext } from './campaignChecks.ts';
import type { CampaignWrite } from './campaignPorts.ts';
import type { Fault } from './errors.ts';
import type { CampaignDocument, Id, Metrics, Run, RunState, Template } from './model.ts';
import { normalise } from './normalise.ts';
import { own } from './plain.ts';
import { printable } from './printable.ts';
import type { NewTraceparent } from './trace.ts';

export interface CampaignInput extends CheckContext {
  id: Id;
  /** The document as it is stored; undefined when there is none. */
  raw: Record<string, unknown> | undefined;
  run: Run | undefined;
  partitions: number;
  /** ms since the epoch. */
  now: number;
  traceparent: NewTraceparent;
  /** Identity (UUID) of the collection of campaigns; absent: always the same one. */
  collection?: string | 'missing';
  /** Of a campaign that asks to be migrated: the version it runs on, if it is still stored, and the one it asks for. */
  versions?: { from: Template | undefined; to: Template | 'missing' } | undefined;
  /** Of one whose migration may be over: its counters. */
  counted?: Metrics | undefined;
}

/** `pausedReason` of a run whose document went with the whole collection. */
export const collectionMissing = 'collection_missing';

export type CampaignEvent =
  | 'started'
  | 'scheduled'
  | 'paused'
  | 'resumed'
  | 'cancelled'
  | 'ended'
  | 'failed'
  | 'put_back'
  | 'migrating'
  | 'migrated';

export interface CampaignDecision {
  write?: CampaignWrite;
  /** ms since the epoch at which there is something to decide without anybody's writing. */
  lookAgainAt?: number;
  event?: CampaignEvent;
  /** Why it failed, or what of a change was not taken. */
  faults?: Fault[];
}

export const numberOf = (raw: Record<string, unknown>, field: string): number | undefined => {
  const value = normalise(own(raw, field));
  return typeof value === 'number' ? value : undefined;
};

/** Our change of the document: the status it was decided on must still hold, and `version` tells our writes from others'. */
export function campaignSet(
  raw: Record<string, unknown>,
  set: Partial<CampaignDocument>,
  unset: (keyof CampaignDocument)[] = [],
): NonNullable<CampaignWrite['campaign']> {
  const version = numberOf(raw, 'version');
  const next = version !== undefined && Number.isSafeInteger(version) && version >= 0 ? version + 1 : 1;
  const fields = unset.filter((field) => own(raw, String(field)) !== undefined);
  return { set: { ...set, version: next }, ...(fields.length > 0 ? { unset: fields } : {}) };
}

const runState = (run: Pick<Run, 'settled'> | undefined): RunState =>
  run === undefined ? 'none' : run.settled ? 'settled' : 'open';

export function base(input: CampaignInput, raw: Record<string, unknown> | undefined): CampaignWrite {
  const status = raw && own(raw, 'status');
  const expectStatus = raw === undefined ? undefined : typeof status === 'string' ? status : '*';
  return { campaignId: input.id, expectStatus, expectRun: runState(input.run) };
}

export function runWrite(
  input: CampaignInput,
  raw: Record<string, unknown> | undefined,
  set: Partial<Run>,
  event?: CampaignEvent,
  unset: (keyof Run)[] = [],
): CampaignDecision & { write: CampaignWrite } {
  const run = { set: { ...set, updatedAt: new Date(input.now) }, ...(unset.length > 0 ? { unset } : {}) };
  return { write: { ...base(input, raw), run }, ...(event ? { event } : {}) };
}

export const closed = (run: Run): Pick<Run, 'expansion'> => ({ expansion: { ...run.expansion, done: true } });

/** Nothing more is expanded: what is open can be counted down. */
export const cancelled = (run: Run): Partial<Run> => ({
  status: 'cancelled',
  endReason: 'campaign_cancelled',
  ...closed(run),
});

/** What the run knows and a document that was put back or replaced does not show. */
export function missingFrom(raw: Record<string, unknown>, run: Run): Partial<CampaignDocument> {
  const names = (['startedAt', 'completedAt', 'metrics'] as const).filter(
    (name) => run[name] && own(raw, name) === undefined,
  );
  return Object.fromEntries(names.map((name) => [name, run[name]]));
}

/** A run that was only scheduled ends with its campaign. */
export function failed(
  input: CampaignInput,
  raw: Record<string, unknown>,
  run: Run | undefined,
  faults: Fault[],
): CampaignDecision {
  const at = new Date(input.now);
  const ended = { settled: true, completedAt: at, updatedAt: at } as const;
  return {
    write: {
      ...base(input, raw),
      campaign: campaignSet(raw, { status: 'failed', error: { ...(faults[0] as Fault) } }),
      ...(run ? { run: { set: { ...cancelled(run), ...ended } } } : {}),
    },
    event: 'failed',
    faults,
  };
}

export function putBack(
  input: CampaignInput,
  raw: Record<string, unknown>,
  run: Run,
  status: CampaignDocument['status'],
): CampaignDecision {
  const why = run.settled
    ? 'the campaign has ended and never runs again; submit it under a new _id'
    : `the campaign is ${status}, and that change is not allowed`;
  const fault: Fault = {
    code: 'status_not_allowed',
    path: 'status',
    message: `was ${printable(own(raw, 'status'))}; ${why}`,
  };
  return {
    write: {
      ...base(input, raw),
      campaign: campaignSet(raw, { status, error: { ...fault }, ...missingFrom(raw, run) }),
    },
    event: 'put_back',
    faults: [fault],
  };
}

/** Whether the run that is stored is still the one the write was decided from: it may have been settled or expanded further meanwhile. */
export function isAsDecided(
  { expectRun, expectNext, expectMigration, run }: Omit<CampaignWrite, 'campaignId' | 'expectStatus'>,
  there: Pick<Run, 'settled' | 'expansion' | 'occurrences' | 'migration'> | undefined,
): boolean {
  if (expectRun && runState(there) !== expectRun) return false;
  if (expectMigration !== undefined && expectMigration !== (there?.migration?.number ?? 0)) return false;
  if (expectNext && there?.occurrences?.next?.getTime() !== expectNext.getTime()) return false;
  if (run === undefined) return true;
  if ('insert' in run) return there === undefined;
  const { expansion } = run.set;
  return there !== undefined && (expansion === undefined || isCountedAlike(expansion, there.expansion));
}

const isCountedAlike = (a: Run['expansion'], b: Run['expansion']): boolean =>
  a.expanded === b.expanded &&
  (['duplicate_contact', 'contact_invalid', 'duplicate_address', 'excluded'] as const).every(
    (reason) => (a.skipped[reason] ?? 0) === (b.skipped[reason] ?? 0),
  );

/** The status of a campaign whose run is settled. */
export const finalStatus = ({ endReason }: Pick<Run, 'endReason'>): 'cancelled' | 'completed' =>
  endReason === 'campaign_cancelled' ? 'cancelled' : 'completed';

/** One that failed before it started stays so. */
export const isFinal = (run: Pick<Run, 'endReason' | 'startedAt'>, status: unknown): boolean =>
  status === finalStatus(run) || (run.startedAt === undefined && status === 'failed');
