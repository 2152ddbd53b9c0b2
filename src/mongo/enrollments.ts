import type { ClientSession, Db, Document } from 'mongodb';
import { BSON, MaxKey, MinKey, MongoServerError } from 'mongodb';
import type { EnrollmentPage, EnrollmentStore } from '../domain/enrollmentPorts.ts';
import type { RawEnrollment } from '../domain/enrollments.ts';
import { campaignKey } from '../domain/ids.ts';
import type { EnrollmentSlice, Id } from '../domain/model.ts';
import type { Clock } from '../domain/systemPorts.ts';
import { insertDocuments, type UpdateStatement, updateDocuments } from './commands.ts';
import { counterUpdates } from './counters.ts';
import { orLeniently } from './decoding.ts';
import type { MongoLedger } from './ledger.ts';

export interface MongoEnrollmentsParams {
  db: Db;
  ledger: Pick<MongoLedger, 'transact'>;
  clock: Clock;
  memberId: string;
}

/** Null counts as not set, as everywhere. */
const waits = { handledAt: null };
const headFields = { campaignId: 1, 'contact.id': 1, 'error.code': 1 };
const wholeFields = { campaignId: 1, contact: 1, at: 1, 'error.code': 1 };

/** Behind which enrollment of index `waiting` a page begins. */
type Place = Pick<RawEnrollment, '_id' | 'campaignId'>;

/**
 * The query for one page, in the order of index `waiting`. `min` and `max` are bounds of the index and so cross types, which
 * `$gt` does not; `min` is inclusive, so the document the last page ended with is filtered out.
 */
export function waitingQuery(
  db: Db,
  campaignId: Id | undefined,
  after: Place | undefined,
  limit: number,
  how: { raw?: true } = {},
) {
  const from = after === undefined ? (campaignId ?? new MinKey()) : after.campaignId;
  const upTo = campaignId ?? new MaxKey();
  return db
    .collection('enrollments')
    .find(after === undefined ? waits : { ...waits, _id: { $ne: after._id as never } }, {
      ...{ projection: headFields, limit, batchSize: limit + 1, ...how },
      hint: 'waiting',
      min: { handledAt: null, campaignId: from, _id: after === undefined ? new MinKey() : after._id },
      max: { handledAt: null, campaignId: upTo, _id: new MaxKey() },
    });
}

export class MongoEnrollments implements EnrollmentStore {
  private readonly params: MongoEnrollmentsParams;

  constructor(params: MongoEnrollmentsParams) {
    this.params = params;
  }

  /** A list has one key in the index for each of its items, so nothing can begin behind it: a page goes on to what is none. */
  async page(campaignId: Id | undefined, after: unknown, limit: number): Promise<EnrollmentPage> {
    for (let most = limit; ; most *= 2) {
      const { documents, exhausted } = await oneAnswer((how) =>
        waitingQuery(this.params.db, campaignId, after as Place | undefined, most, how),
      );
      const last = documents.findLast(({ campaignId: id }) => !Array.isArray(id));
      // less than was asked for, and more there: an answer holds no more
      const isLast = documents.length < most;
      if (last === undefined && !isLast) continue;
      const of = { campaignId: last?.['campaignId'] ?? null };
      return {
        heads: documents,
        after: last ? { ...of, _id: last['_id'] } : after,
        afterCampaign: last ? { ...of, _id: new MaxKey() } : after,
        done: last === undefined || (exhausted && isLast),
      };
    }
  }

  async waiting(ids: readonly unknown[], headsOnly = false): Promise<{ documents: RawEnrollment[]; rest: unknown[] }> {
    const query = { _id: { $in: ids as never[] }, ...waits };
    const options = { projection: headsOnly ? headFields : wholeFields, batchSize: ids.length + 1 };
    const { documents, exhausted } = await oneAnswer((how) =>
      this.params.db.collection('enrollments').find(query, { ...options, ...how }),
    );
    const places = new Map(ids.map((id, index) => [keyOf(id), index]));
    const place = (document: Document): number => places.get(keyOf(document['_id'])) ?? 0;
    const found = new Set(documents.map(({ _id }) => keyOf(_id)));
    return {
      documents: documents.toSorted((a, b) => place(a) - place(b)),
      rest: exhausted ? [] : ids.filter((id) => !found.has(keyOf(id))),
    };
  }

  async answer(slice: EnrollmentSlice): Promise<boolean> {
    try {
      return await this.params.ledger.transact('enroll', async (session) => {
        await this.write(slice, session);
        return true;
      });
    } catch (error) {
      // somebody else wrote there in between: the caller looks again
      if (error instanceof Missed || (error instanceof MongoServerError && error.code === 11_000)) return false;
      throw error;
    }
  }

  private async write(slice: EnrollmentSlice, session: ClientSession): Promise<void> {
    const { entering, answers, faults, deadLetters = [] } = slice;
    const { db, clock, memberId } = this.params;
    const now = new Date(clock.now());
    const letters = deadLetters.map((letter) => ({ ...letter, collection: 'enrollments', at: now }));
    if (letters.length > 0) await insertDocuments(db, 'dead_letters', letters, session);
    // first: of members that enroll into one campaign at once all but one begin again, and have done nothing for it
    if (entering) await this.all('campaign_runs', [admitted(entering, now)], session);
    const updates = [
      ...answers.map(({ id, set }) => answered(id, set, now)),
      ...faults.map(({ id, error }) => ({ q: { _id: id, ...waits }, u: { $set: { error } } })),
    ];
    await this.all('enrollments', updates, session);
    if (entering === undefined) return;
    const { campaignId, conversations, again, counters } = entering;
    if (conversations.length > 0) await insertDocuments(db, 'conversation_states', conversations, session);
    const entries = again.map(({ id, entries }) => ({
      // the first one may go on since it was read: a message of it is tried again. None does that has others behind it
      q: { _id: id, ...(entries === 2 ? { entries: null, status: isOver } : { entries: entries - 1 }) },
      u: { $set: { entries, updatedAt: now }, $inc: { version: 1 } },
    }));
    await this.all('conversation_states', entries, session);
    const key = campaignKey(campaignId);
    const counted = counterUpdates(memberId, new Map([[key, { campaignId, delta: counters }]]));
    if (counted.length > 0) await updateDocuments(db, 'campaign_counters', counted, session);
  }

  /** @throws Missed when fewer match than are meant. */
  private async all(collection: string, updates: UpdateStatement[], session: ClientSession): Promise<void> {
    if (updates.length === 0) return;
    const matched = await updateDocuments(this.params.db, collection, updates, session);
    if (matched !== updates.length) throw new Missed(`${matched} of ${updates.length} in ${collection}`);
  }
}

class Missed extends Error {}

function answered(id: unknown, set: EnrollmentSlice['answers'][number]['set'], handledAt: Date): UpdateStatement {
  const u = { $set: { ...set, handledAt }, ...(set.error === undefined ? { $unset: { error: '' } } : {}) };
  return { q: { _id: id, ...waits }, u };
}

/** The run is written, so that it cannot end in a transaction that does not see these conversations. */
function admitted(
  { campaignId, conversations, skipped, migration }: NonNullable<EnrollmentSlice['entering']>,
  updatedAt: Date,
): UpdateStatement {
  const left = Object.entries(skipped).map(([reason, by]) => [`expansion.skipped.${reason}`, by]);
  const $inc = {
    'expansion.expanded': conversations.length,
    ...Object.fromEntries(left),
    ...(conversations.length > 0 ? { wake: 1 } : {}),
  };
  const follows = { 'migration.number': migration ?? { $exists: false } };
  return { q: { _id: campaignId, ...takesContacts, ...follows }, u: { $inc, $set: { updatedAt } } };
}

const isOver = { $nin: ['active', 'escalated'] };

const takesContacts = { settled: false, status: 'running', endReason: { $exists: false } };

/** What the server gives in one answer, 16 MB at most. */
async function oneAnswer(
  find: (how: { raw?: true }) => ReturnType<typeof waitingQuery>,
): Promise<{ documents: Document[]; exhausted: boolean }> {
  let exhausted = false;
  const documents = await orLeniently(find, async (cursor) => {
    await cursor.hasNext();
    exhausted = cursor.id === undefined || cursor.id.isZero();
    return cursor.readBufferedDocuments();
  });
  return { documents, exhausted };
}

/** Ids are of any type here. */
const keyOf = (id: unknown): string => (typeof id === 'string' ? `"${id}` : BSON.EJSON.stringify({ id }));
