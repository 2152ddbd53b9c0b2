import type { Random } from './schedule.d.mts';

export function seeded(seed: number): Random & { fork(): Random };
