import type { Span } from './repeats.d.mts';

export interface Known {
  flow: string;
  fate: string;
  conversations: readonly string[];
  insertedAt?: number;
  endedFrom?: number;
  endedAt?: number;
  pauses?: readonly Span[];
}
export function judgeAsked(given: {
  campaigns: ReadonlyMap<string, Known>;
  replied: ReadonlySet<string>;
  documents: ReadonlyMap<string, { status: string; error?: { code?: string; path?: string } }>;
  runs: ReadonlyMap<string, { status: string; settled: boolean; endReason?: string; completedAt?: Date }>;
  conversations: ReadonlyMap<string, { status: string; outcome?: string; updatedAt?: Date }>;
  got: ReadonlyMap<string, ReadonlySet<string>>;
  disturbed: readonly Span[];
}): {
  ends: string[];
  early: string[];
  missing: string[];
  unsent: string[];
  unreached: string[];
  judgedAlive: number;
};
