import type { Db, Document, FindCursor } from 'mongodb';

export interface Plan {
  name: string;
  /** Stages of the winning plan, each once, outermost first. */
  stages: string[];
  keysExamined: number;
  docsExamined: number;
  returned: number;
  ms: number;
}

/** What of the stores is explained; see `conversationQueries`, `campaignQueries` and `audienceQuery` in `src/mongo`. */
export interface Queries {
  conversationQueries: typeof import('../src/mongo/conversations.ts').conversationQueries;
  campaignQueries: typeof import('../src/mongo/campaigns.ts').campaignQueries;
  audienceQuery(
    db: Db,
    source: { collection: string; filter: Record<string, unknown> },
    after: unknown,
    limit: number,
  ): FindCursor<Document>;
}

/** Keys that a good plan examines beside those of what it returns. */
export const seeks: number;
export function seed(db: Db, ended: number, now: Date): Promise<void>;
export function plans(db: Db, queries: Queries, now: Date): Promise<Plan[]>;
