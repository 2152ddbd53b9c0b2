import type { Collection, Db, Document } from 'mongodb';
import { MongoBulkWriteError } from 'mongodb';
import type { SuppressionStore } from '../domain/inboundPorts.ts';
import type { Suppression, SuppressionChange } from '../domain/model.ts';
import { liftable, weakerThan } from '../domain/suppression.ts';
import type { UpdateStatement } from './commands.ts';

const duplicateKey = 11000;
/** Longer, a question is of no use, ms. */
const patienceMs = 5_000;

export class MongoSuppressions implements SuppressionStore {
  private readonly suppressions: Collection<Suppression>;

  constructor(params: { db: Db }) {
    this.suppressions = params.db.collection('suppressions');
  }

  async among(ids: readonly string[], signal?: AbortSignal): Promise<Map<string, Suppression['reason']>> {
    if (ids.length === 0) return new Map();
    const options = { projection: { reason: 1 }, maxTimeMS: patienceMs, ...(signal ? { signal } : {}) };
    const found = await this.suppressions.find({ _id: { $in: [...ids] } }, options).toArray();
    return new Map(found.map(({ _id, reason }) => [_id, reason]));
  }

  async page(after: string | undefined, limit: number): Promise<string[]> {
    const found = await this.suppressions
      .find(after === undefined ? {} : { _id: { $gt: after } }, { projection: { _id: 1 }, sort: { _id: 1 }, limit })
      .toArray();
    return found.map(({ _id }) => _id);
  }

  async write(changes: readonly SuppressionChange[]): Promise<void> {
    for (let left = changes; left.length > 0; ) left = await this.outrun(left);
  }

  /** Writes them; returns what has to be written again: of two upserts of one id the other was faster. */
  private async outrun(changes: readonly SuppressionChange[]): Promise<readonly SuppressionChange[]> {
    try {
      await this.suppressions.bulkWrite(
        changes.map((change) =>
          change.kind === 'add'
            ? {
                updateOne: {
                  filter: { _id: change.suppression._id },
                  update: inserting(change.suppression),
                  upsert: true,
                },
              }
            : { deleteOne: { filter: lifted(change) } },
        ),
        { ordered: false, writeConcern: { w: 'majority', wtimeoutMS: patienceMs } },
      );
      return [];
    } catch (error) {
      const refused = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
      if (refused.length === 0 || refused.some(({ code }) => code !== duplicateKey)) throw error;
      const again = new Set(refused.map(({ index }) => idOf(changes[index])));
      return changes.filter((change) => again.has(idOf(change)));
    }
  }
}

const idOf = (change: SuppressionChange | undefined): string | undefined =>
  change?.kind === 'add' ? change.suppression._id : change?.id;

/**
 * Whoever says it again said it later: what was said before that lifts nothing. A stronger reason takes the place of a weaker
 * one, with its campaign.
 */
function inserting({ at, reason, campaignId }: Suppression): Document[] {
  const gives = { $in: [{ $ifNull: ['$reason', null] }, [null, ...weakerThan(reason)]] };
  const own = campaignId === undefined ? '$$REMOVE' : { $literal: campaignId };
  return [
    {
      $set: {
        reason: { $cond: [gives, reason, '$reason'] },
        campaignId: { $cond: [gives, own, { $ifNull: ['$campaignId', '$$REMOVE'] }] },
        at: { $max: ['$at', { $literal: at }] },
      },
    },
  ];
}

/** What its person said herself, and not after she said the opposite. */
const lifted = ({ id, at }: Extract<SuppressionChange, { kind: 'lift' }>) => ({
  _id: id,
  reason: { $in: [...liftable] },
  at: { $lte: at },
});

/** The changes of a round as statements of its transaction. */
export const suppressionStatements = (changes: readonly SuppressionChange[]): UpdateStatement[] =>
  changes.flatMap((change) =>
    change.kind === 'add'
      ? [{ q: { _id: change.suppression._id }, u: inserting(change.suppression), upsert: true }]
      : [],
  );

export const suppressionDeletes = (changes: readonly SuppressionChange[]) =>
  changes.flatMap((change) => (change.kind === 'lift' ? [lifted(change)] : []));
