import type { Span } from './repeats.d.mts';

export function late(
  records: readonly { key: string; campaignId: string; tries: readonly { at: number; worker: string }[] }[],
  campaigns: ReadonlyMap<string, { endedAt?: number; pauses?: readonly Span[] }>,
  stops?: readonly Span[],
): string[];
