export interface Planned {
  at: number;
  name: string;
  particulars: { ms?: number; seconds?: number };
}
export interface Random {
  next(): number;
}
export const faultNames: string[];
export function schedule(
  world: { workers: { count: number }; leaseTtlMs: number },
  random: Random,
  times: { totalMs: number; everyMs: number },
): Planned[];
