/** Where enrollments are stored. It has an in-memory fake and a real adapter, which pass one suite (`test/contract`). */
import type { RawEnrollment } from './enrollments.ts';
import type { EnrollmentSlice, Id } from './model.ts';

/** What routes an enrollment: `_id`, `campaignId` and `contact.id` as they are stored; `error.code`, which says what its author was told. */
export interface EnrollmentPage {
  heads: RawEnrollment[];
  /** Resumes behind the last one. */
  after: unknown;
  /** Resumes behind all of the campaign of the last one. */
  afterCampaign: unknown;
  done: boolean;
}

export interface EnrollmentStore {
  /** Heads of what waits, of one campaign or of all, paged. */
  page(campaignId: Id | undefined, after: unknown, limit: number): Promise<EnrollmentPage>;
  /**
   * Those of these that wait, as they are stored, in the order asked for: as many as come in one answer of the server. `rest`
   * is to be asked for again. `headsOnly`: what routes them alone.
   */
  waiting(ids: readonly unknown[], headsOnly?: boolean): Promise<{ documents: RawEnrollment[]; rest: unknown[] }>;
  /**
   * Writes answers, conversations and counters in one fenced transaction, and raises `wake`. False, with nothing written, when one
   * of the enrollments no longer waits, a conversation exists, or the run takes nobody (any more).
   */
  answer(slice: EnrollmentSlice): Promise<boolean>;
}
