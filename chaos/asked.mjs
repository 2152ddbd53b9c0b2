// What was asked for, and whether it came to that: ends of campaigns and conversations, and who got what. Pure.
import { coveredMs } from './repeats.mjs';

/** Messages that everybody gets who comes to the end of a flow, as `<stage>/<step>`; `ask` forks after the first. */
const everybody = {
  ask: ['intro/0'],
  once: ['first/0', 'second/0'],
  long: ['s0/0', 's1/0', 's2/0', 's3/0', 's4/0', 's5/0'],
  slow: ['early/0', 'middle/0', 'late/0'],
};
const followUps = ['intro/1', 'intro/2'];

/** A campaign that had so long without any fault reached somebody, ms. */
const aliveMs = 10_000;
/** From the end of a fault until all is as before, ms: a process starts and joins, and takes over who was lost meanwhile. */
const recoveryMs = 8_000;
/** The clock of a decision may be so much older than its write. */
const decidedMs = 1_000;

/**
 * @param campaigns see `Traffic.campaigns`; `replied`: conversations that were replied to.
 * @param documents, runs, conversations what is stored, by id; `got`: by conversation, a set of `<stage>/<step>`.
 * @param disturbed spans `{ from, to }` of faults: whoever has the campaign may have been lost in any of them.
 * @returns lists of what is wrong, and how many campaigns had to reach somebody before they were ended.
 */
export function judgeAsked({ campaigns, replied, documents, runs, conversations, got, disturbed }) {
  const found = { ends: [], early: [], missing: [], unsent: [], unreached: [], judgedAlive: 0 };
  for (const [id, known] of campaigns) {
    const run = runs.get(id);
    const wrong = wrongEnd(known, documents.get(id), run);
    if (wrong !== undefined) found.ends.push(`${id}, ${known.fate}: ${wrong}`);
    if (run?.endReason !== undefined && run.completedAt < known.endedFrom - decidedMs)
      found.early.push(`${id} ${known.endedFrom - run.completedAt} ms too early`);
    // as the run says: who was to be cancelled may have come to the end first
    const cut = isCut(known) && (run === undefined || run.endReason !== undefined);
    for (const conversation of known.conversations) {
      const { status, outcome, updatedAt } = conversations.get(conversation) ?? {};
      if (status !== 'completed' && !(cut && (status === undefined || status === 'cancelled')))
        found.missing.push(`${conversation} ${status}`);
      if (status === 'cancelled' && updatedAt < known.endedFrom - decidedMs)
        found.early.push(`${conversation} ${known.endedFrom - updatedAt} ms too early`);
      if (status !== 'completed') continue;
      const has = got.get(conversation) ?? new Set();
      const lacks = lacking(known.flow, has, { outcome, silent: !replied.has(conversation) });
      if (lacks.length > 0) found.unsent.push(`${conversation} got no ${lacks.join(', ')}`);
    }
    if (!cut || undisturbedMs(known, disturbed) < aliveMs) continue;
    found.judgedAlive += 1;
    if (!known.conversations.some((conversation) => got.has(conversation)))
      found.unreached.push(`${id}, ${known.fate}: nobody in ${known.endedFrom - known.insertedAt} ms`);
  }
  return found;
}

/** Was it ended by us, or will `endAt`? A cancel that found nothing open any more is none. */
const isCut = ({ endedAt }) => endedAt !== undefined;

/** What is wrong with the end of a campaign, or undefined. */
function wrongEnd(known, document, run) {
  const says = `${document?.status ?? 'gone'} ${document?.error?.code ?? ''}, its run ${run?.status ?? 'none'} ${run?.endReason ?? ''}${run?.settled === false ? ' not settled' : ''}`;
  const isRun = (status, ...reasons) =>
    run?.settled === true && run.status === status && reasons.includes(run.endReason);
  if (!isCut(known)) return document?.status === 'completed' && isRun('completed', undefined) ? undefined : says;
  // one that was ended before anybody looked at it has no run
  const cancelled = run === undefined || isRun('cancelled', 'campaign_cancelled');
  if (known.fate === 'cancel') return document?.status === 'cancelled' && cancelled ? undefined : says;
  if (known.fate === 'delete') return document === undefined && cancelled ? undefined : says;
  const refused = document?.status === 'failed' && document.error?.path === 'schedule.endAt' && run === undefined;
  const completed = document?.status === 'completed' && isRun('completed', undefined, 'campaign_ended');
  return completed || refused ? undefined : says;
}

/** Messages that somebody who came to the end of a flow must have got, and did not. `silent`: who never answered. */
function lacking(flow, has, { outcome, silent }) {
  const needs = new Set(everybody[flow] ?? []);
  const add = (...messages) => {
    for (const message of messages) needs.add(message);
  };
  if (flow === 'ask') {
    // who answers may do so wherever he is by then: in a stage that leads nowhere from there it is the end
    if (silent || outcome === 'quiet') add(...followUps, 'tips/0');
    if (has.has('tips/0')) add(...followUps);
    if (has.has('intro/2')) add('intro/1');
    if (outcome === 'answered') add('thanks/0');
  }
  return [...needs].filter((message) => !has.has(message));
}

function undisturbedMs({ insertedAt, endedFrom, pauses = [] }, disturbed) {
  if (insertedAt === undefined || endedFrom === undefined || endedFrom <= insertedAt) return 0;
  const spans = [...disturbed, ...pauses].map(({ from, to }) => ({ from, to: to + recoveryMs }));
  return endedFrom - insertedAt - coveredMs(spans, insertedAt, endedFrom);
}
