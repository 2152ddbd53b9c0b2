export interface Finding {
  kind: string;
  found?: string;
}
export function judgeAudit(
  audited: { code: number | string; findings: readonly Finding[]; unreadable?: string },
  at: { away: boolean; restoring: boolean },
): { counts: boolean; wrong: Finding[] };
