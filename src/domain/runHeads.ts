import type { Run } from './model.ts';

/** What is compared of runs, again and again: all but what they pinned, which may be large. */
export const runHeadFields = [
  ...(['_id', 'partition', 'status', 'settled', 'schedule', 'endReason', 'occurrences'] as const),
  ...(['audience', 'expansion', 'wake', 'migration', 'updatedAt'] as const),
] as const;

/** `child` is there, and empty, where there is one. */
export type RunHead = Pick<Run, (typeof runHeadFields)[number] | 'child'>;
