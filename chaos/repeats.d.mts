/** Times in ms since the epoch. */
export interface Span {
  from: number;
  to: number;
}
export interface Trouble {
  name: string;
  member?: string;
  kind: string;
  at?: number;
  from?: number;
  to?: number;
}
export interface Try {
  at: number;
  worker: string;
  acknowledged: boolean;
}
export function judgeRepeats(
  records: readonly { key: string; tries: readonly Try[] }[],
  seen: { troubles: readonly Trouble[]; stills?: readonly (Span & { name?: string })[] },
  bounds: { inDoubt: number; leaseTtlMs: number },
): { count: number; unexplained: string[]; tooMany: string[]; most: number };
export function coveredMs(spans: readonly Span[], from: number, to: number): number;
