// The proofs that must hold at any time, asked for while everything fails.
import { setTimeout as sleep } from 'node:timers/promises';
import { audit } from './verdict.mjs';

const everyMs = 60_000;
/** When it proved nothing. */
const againMs = 10_000;
/** Time for an election, and for what was under way, after such a fault. */
const recoveryMs = 15_000;

/** Waits for somebody to take over who was lost: a lease is longer than the second look of an audit. */
const takesTime = ({ kind, found }) =>
  /^partition_|_stuck$|undecided|not_started/.test(kind) ||
  (kind === 'settled_wrong' && /^the campaign says|in the inbox/.test(found));

/**
 * What an audit proves. One that did not end as an audit does counts as a failure, unless the database was out of reach.
 * @param away was there a fault of the servers just then? `restoring`: were campaigns missing?
 * @returns `counts`: did it prove something; `wrong`: findings.
 */
export function judgeAudit({ code, findings, unreadable }, { away, restoring }) {
  const nothing = { counts: false, wrong: [] };
  if (code === 3 || (away && unreadable !== undefined)) return nothing;
  if (unreadable !== undefined || (code !== 0 && code !== 1))
    return { counts: false, wrong: [{ kind: 'audit_crashed', code, text: unreadable }] };
  const wrong = findings.filter((finding) => !takesTime(finding));
  return restoring && wrong.length > 0 ? nothing : { counts: true, wrong };
}

/** While everything fails the proofs must hold as well, but for what takes time and for who owns what. */
export async function auditMeanwhile({ env, world }, over) {
  const wrong = [];
  let times = 0;
  for (let waitMs = everyMs; ; ) {
    await sleep(waitMs, undefined, { signal: over }).catch(() => {});
    if (over.aborted) return { times, wrong };
    const from = Date.now();
    const audited = await audit(env, '--overdue', '3600');
    const near = world.spans.filter(({ to = Number.POSITIVE_INFINITY }) => to + recoveryMs >= from);
    const { counts, wrong: more } = judgeAudit(audited, {
      away: near.some(({ kind }) => kind.servers),
      restoring: near.some(({ kind }) => kind.restores),
    });
    if (counts) times += 1;
    wrong.push(...more);
    waitMs = counts ? everyMs : againMs;
  }
}
