import type { EnrollmentPage, EnrollmentStore } from '../../../src/domain/enrollmentPorts.ts';
import type { RawEnrollment } from '../../../src/domain/enrollments.ts';
import type { EnrollmentSlice, Id } from '../../../src/domain/model.ts';
import { compare } from './bson.ts';
import { addCounters } from './counters.ts';
import { MemoryStore } from './store.ts';

export class MemoryEnrollments extends MemoryStore implements EnrollmentStore {
  page(campaignId: Id | undefined, after: unknown, limit: number): Promise<EnrollmentPage> {
    return this.read('enrollments', () => {
      const order = (a: RawEnrollment, b: RawEnrollment): number =>
        compare(a['campaignId'], b['campaignId']) || (b['all'] === true ? -1 : compare(a['_id'], b['_id']));
      const heads = this.database.enrollments
        .find((one) => waits(one) && (campaignId === undefined || compare(one['campaignId'], campaignId) === 0))
        .filter((one) => after === undefined || order(one, after as RawEnrollment) > 0)
        .toSorted(order)
        .slice(0, limit)
        .map(headOf);
      return {
        heads,
        after: heads.at(-1) ?? after,
        afterCampaign: { ...heads.at(-1), all: true },
        done: heads.length < limit,
      };
    });
  }

  waiting(ids: readonly unknown[], headsOnly = false): Promise<{ documents: RawEnrollment[]; rest: unknown[] }> {
    return this.read('waiting', () => {
      const documents = ids.flatMap((id) => this.database.enrollments.get(id) ?? []).filter(waits);
      return { documents: headsOnly ? documents.map(headOf) : documents, rest: [] };
    });
  }

  answer({ entering, answers, faults, deadLetters = [] }: EnrollmentSlice): Promise<boolean> {
    const { database, ledger } = this;
    return ledger.transact('enroll', () => {
      const now = new Date(this.clock.now());
      if ([...answers, ...faults].some(({ id }) => !waits(database.enrollments.get(id) ?? { handledAt: 1 })))
        return false;
      const run = entering && database.runs.get(entering.campaignId);
      if (entering) {
        if (run === undefined || run.settled || run.status !== 'running' || run.endReason !== undefined) return false;
        if (run.migration?.number !== entering.migration) return false;
        if (entering.conversations.some(({ _id }) => database.conversations.get(_id) !== undefined)) return false;
        const mayEnter = ({ id, entries }: (typeof entering.again)[number]): boolean => {
          const { entries: before = 1, status = 'active' } = database.conversations.get(id) ?? {};
          return before === entries - 1 && (entries > 2 || (status !== 'active' && status !== 'escalated'));
        };
        if (!entering.again.every(mayEnter)) return false;
      }
      for (const letter of deadLetters) database.letter({ ...letter, collection: 'enrollments', at: now });
      for (const { id, set } of answers)
        database.enrollments.update(id, { ...set, handledAt: now }, set.error === undefined ? ['error'] : []);
      for (const { id, error } of faults) database.enrollments.update(id, { error });
      if (entering === undefined || run === undefined) return true;
      for (const conversation of entering.conversations) database.conversations.insert(conversation);
      for (const { id, entries } of entering.again) {
        const { version = 0 } = database.conversations.get(id) ?? {};
        database.conversations.update(id, { entries, version: version + 1, updatedAt: now });
      }
      addCounters(database, ledger.memberId, entering.campaignId, entering.counters);
      const skipped = { ...run.expansion.skipped };
      for (const [reason, by] of Object.entries(entering.skipped) as [keyof typeof skipped, number][])
        skipped[reason] = (skipped[reason] ?? 0) + by;
      const expanded = run.expansion.expanded + entering.conversations.length;
      const wake = run.wake + (entering.conversations.length > 0 ? 1 : 0);
      database.runs.update(run._id, { wake, expansion: { ...run.expansion, expanded, skipped }, updatedAt: now });
      return true;
    });
  }
}

const waits = ({ handledAt }: RawEnrollment): boolean => handledAt === undefined || handledAt === null;

const headOf = ({ _id, campaignId, contact, error }: RawEnrollment): RawEnrollment => ({
  _id,
  ...(campaignId === undefined ? {} : { campaignId }),
  ...(hasField(contact, 'id') ? { contact: { id: contact.id } } : {}),
  ...(hasField(error, 'code') ? { error: { code: error.code } } : {}),
});

const hasField = <T extends string>(value: unknown, name: T): value is Record<T, unknown> =>
  typeof value === 'object' && value !== null && name in value;
