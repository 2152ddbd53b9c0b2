/** What a check comes to. Pure. */

export const groups = ['settings', 'mongodb', 'rights', 'preparation', 'workers', 'campaigns', 'channels'] as const;
export type Group = (typeof groups)[number];

/** Worst first. */
export const statuses = ['failure', 'warning', 'not_checked', 'ok'] as const;
export type Status = (typeof statuses)[number];

export interface Verdict {
  status: Status;
  /** What was found, a sentence; of `not_checked` why it was not. */
  found: string;
  /** What to do, each a thing by itself: a command, a setting, a role to grant. Of failures and warnings never empty. */
  mend?: readonly string[];
  /** What a sentence cannot hold. */
  detail?: readonly string[];
}

export interface Result extends Verdict {
  group: Group;
  check: string;
}

export const ok = (found: string, detail?: readonly string[]): Verdict => ({
  status: 'ok',
  found,
  ...(detail === undefined || detail.length === 0 ? {} : { detail }),
});
export const warning = (found: string, ...mend: string[]): Verdict => ({ status: 'warning', found, mend });
export const failure = (found: string, ...mend: string[]): Verdict => ({ status: 'failure', found, mend });
export const notChecked = (because: string): Verdict => ({ status: 'not_checked', found: because });

/** The worst first; among equals in the order in which things depend on each other. */
export const worstFirst = (results: readonly Result[]): Result[] =>
  results.toSorted(
    (a, b) =>
      statuses.indexOf(a.status) - statuses.indexOf(b.status) || groups.indexOf(a.group) - groups.indexOf(b.group),
  );

export const countOf = (results: readonly Result[]): Record<Status, number> => {
  const counts: Record<Status, number> = { failure: 0, warning: 0, not_checked: 0, ok: 0 };
  for (const { status } of results) counts[status] += 1;
  return counts;
};
