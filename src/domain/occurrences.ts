/**
 * A recurring campaign has no conversations of its own: each of its occurrences is a campaign, `<parentId>@<UTC instant>`, made of
 * what the parent's run pinned. Whoever owns the parent inserts it in the transaction that moves the run on, so there is
 * one for each occurrence, whatever fails.
 */
import { authored } from './authored.ts';
import { base, type CampaignDecision, type CampaignInput, campaignSet } from './campaignWrites.ts';
import { compileRecurrence } from './compileRecurrence.ts';
import { compileSchedule, noTiming } from './compileSchedule.ts';
import type { Fault } from './errors.ts';
import { currentOf } from './flowVersions.ts';
import type { CampaignDocument, Id, Run } from './model.ts';
import { isPlain, own } from './plain.ts';
import { nextOccurrence, occurrenceId, occurrences, type Recurrence } from './recurrence.ts';
import { runAfter } from './runAfter.ts';
import { addDuration } from './timing.ts';

/** Counted in one decision: after a year away, one that occurs every minute has half a million. Fewer where each is dear. */
const missedAtOnce = 500;
const fewestAtOnce = 4;
/** By the density of the rule: a decision takes a quarter of a second at most. */
const workAtOnce = 1_000;

/** What a campaign's recurrence has to be; `now` as in `CheckContext`. */
export function recurrenceFaults(type: unknown, schedule: Record<string, unknown>, now: number | undefined): Fault[] {
  const text = own(schedule, 'recurrence');
  const path = 'schedule.recurrence';
  if (type !== 'recurring') {
    const message = 'is given; only a campaign of type "recurring" occurs again';
    return text === undefined ? [] : [{ code: 'not_allowed', path, message }];
  }
  if (text === undefined) {
    return [{ code: 'required', path, message: 'is missing; a campaign of type "recurring" needs it' }];
  }
  const { recurrence, faults } = compileRecurrence(text, path);
  if (own(schedule, 'startAt') !== undefined) {
    const message = 'is given beside recurrence, whose DTSTART says when it begins; leave it out';
    faults.push({ code: 'not_allowed', path: 'schedule.startAt', message });
  }
  if (recurrence && now !== undefined && nextOccurrence(recurrence, now - 1) === undefined) {
    faults.push({ code: 'recurrence_over', path, message: 'has no occurrence any more: its last one has passed' });
  }
  return faults;
}

/** Pinned beside these, or different in each occurrence. */
const notCopied: ReadonlySet<string> = new Set([
  ...['_id', 'parentId', 'type', 'status', 'schedule', 'priority', 'guard', 'reentry'],
  ...['flow', 'templateId', 'templateVersion', 'variables'],
]);

/** What the occurrences of a campaign have of its document, as it is stored. Inline contacts stay there. */
export const childOf = (raw: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(authored(raw)).filter(([name]) => !notCopied.has(name)));

/** Begins the occurrence that has come, if the run goes on after the decision, and ends a run that has none left. */
export function withOccurrences(input: CampaignInput, decision: CampaignDecision): CampaignDecision {
  const { raw, now } = input;
  const run = decision.write ? runAfter(input.run, decision.write) : input.run;
  if (raw === undefined || run?.child === undefined || run.status !== 'running' || run.expansion.done) return decision;
  const { recurrence } = compileRecurrence(run.schedule?.recurrence, 'schedule.recurrence');
  // a release that knows the rule takes it on
  if (recurrence === undefined) return decision;
  const before = run.occurrences ?? firstOf(recurrence, now);
  const { after, begins } = advance(before, recurrence, now, currentOf(run).schedule);
  const isMoved = run.occurrences === undefined || after !== before || after.next === undefined;
  const next = after.next?.getTime();
  const lookAgainAt = Math.min(next ?? Number.POSITIVE_INFINITY, decision.lookAgainAt ?? Number.POSITIVE_INFINITY);
  const again = { ...decision, ...(Number.isFinite(lookAgainAt) ? { lookAgainAt } : {}) };
  if (!isMoved) return again;
  const set = {
    occurrences: after,
    ...(next === undefined ? { expansion: { ...run.expansion, done: true } } : {}),
  };
  return {
    ...again,
    write: {
      ...(decision.write ?? base(input, raw)),
      campaign: shown(raw, decision, { occurrences: { ...after } }),
      run: moved(input, decision, set),
      ...(input.run?.occurrences?.next ? { expectNext: input.run.occurrences.next } : {}),
      ...(begins === undefined ? {} : { child: documentOf(run, raw, begins) }),
    },
  };
}

type Occurrences = NonNullable<Run['occurrences']>;

/** None before the campaign was taken in. */
const firstOf = (recurrence: Recurrence, now: number): Occurrences => ({
  begun: 0,
  missed: 0,
  ...nextOf(recurrence, now - 1),
});

const nextOf = (recurrence: Recurrence, after: number): Pick<Occurrences, 'next'> => {
  const next = nextOccurrence(recurrence, after);
  return next === undefined ? {} : { next: new Date(next) };
};

/** Of those that have come the latest begins, unless it is too late for `schedule.late`; older ones are left out. */
function advance(
  before: Occurrences,
  recurrence: Recurrence,
  now: number,
  schedule: Run['schedule'],
): { after: Occurrences; begins?: number } {
  const first = before.next?.getTime();
  if (first === undefined || first > now) return { after: before };
  const most = Math.min(missedAtOnce, Math.max(fewestAtOnce, Math.floor(workAtOnce / recurrence.density)));
  const later = occurrences(recurrence, first, now, most);
  if (later.length === most) {
    const next = new Date(later.at(-1) as number);
    return { after: { ...before, missed: before.missed + most, next } };
  }
  const begins = later.at(-1) ?? first;
  const { begun, missed } = before;
  const ahead = nextOf(recurrence, begins);
  if (isLate(schedule, begins, now)) {
    const { next: _, ...counted } = before;
    return { after: { ...counted, missed: missed + later.length + 1, ...ahead } };
  }
  const counted = { begun: begun + 1, missed: missed + later.length, last: new Date(begins) };
  return { after: { ...counted, ...ahead }, begins };
}

/** Policies `skip` and `expire` leave out what comes late. */
function isLate(schedule: Run['schedule'], at: number, now: number): boolean {
  const { late } = compileSchedule({ late: schedule?.late ?? {} }, noTiming, String).timing;
  return late !== undefined && addDuration(at, late.after) < now;
}

function shown(
  raw: Record<string, unknown>,
  { write }: CampaignDecision,
  fields: Partial<CampaignDocument>,
): ReturnType<typeof campaignSet> {
  return write?.campaign ? { ...write.campaign, set: { ...write.campaign.set, ...fields } } : campaignSet(raw, fields);
}

function moved({ now }: CampaignInput, { write }: CampaignDecision, set: Partial<Run>) {
  if (write?.run === undefined) return { set: { ...set, updatedAt: new Date(now) } };
  if ('insert' in write.run) return { insert: { ...write.run.insert, ...set } };
  return { ...write.run, set: { ...write.run.set, ...set } };
}

/** The campaign of one occurrence, with the version of the template that the run follows by now. */
function documentOf(of: Run, raw: Record<string, unknown>, at: number): Record<string, unknown> & { _id: Id } {
  const run = currentOf(of);
  const { recurrence: _, ...schedule } = { ...run.schedule };
  return {
    ...run.child,
    _id: occurrenceId(run._id, at),
    parentId: run._id,
    type: 'sequence',
    status: 'pending',
    priority: run.priority,
    ...(run.guard ? { guard: run.guard } : {}),
    ...(Object.keys(schedule).length > 0 ? { schedule } : {}),
    ...(of.trace?.parent === undefined ? {} : { trace: { traceparent: of.trace.parent } }),
    ...(run.audience.kind === 'inline' ? { audience: withContacts(run.child, raw) } : {}),
    flow: run.flow,
    variables: run.variables,
  };
}

/** An inline list is read when the occurrence comes, as a collection is. */
function withContacts(child: Run['child'], raw: Record<string, unknown>): Record<string, unknown> {
  const audience = own(raw, 'audience');
  const contacts = isPlain(audience) ? own(audience, 'contacts') : undefined;
  return { ...(child?.['audience'] as object), contacts: Array.isArray(contacts) ? contacts : [] };
}
