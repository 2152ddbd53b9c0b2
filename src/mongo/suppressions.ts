import type { AnyBulkWriteOperation, Collection, Db, Document } from 'mongodb';
import { MongoBulkWriteError } from 'mongodb';
import type { SuppressionStore } from '../domain/inboundPorts.ts';
import type { Suppression, SuppressionChange } from '../domain/model.ts';
import { isWill, liftable, weakerThan } from '../domain/suppression.ts';
import type { UpdateStatement } from './commands.ts';

const duplicateKey = 11000;
/** Longer, a question is of no use, ms. */
const patienceMs = 5_000;

export class MongoSuppressions implements SuppressionStore {
  private readonly suppressions: Collection<Suppression>;

  constructor(params: { db: Db }) {
    this.suppressions = params.db.collection('suppressions');
  }

  async among(
    ids: readonly string[],
    signal?: AbortSignal,
  ): Promise<Map<string, Pick<Suppression, 'reason' | 'willed'>>> {
    if (ids.length === 0) return new Map();
    const options = { projection: { reason: 1, willed: 1 }, maxTimeMS: patienceMs, ...(signal ? { signal } : {}) };
    const found = await this.suppressions.find({ _id: { $in: [...ids] } }, options).toArray();
    return new Map(found.map(({ _id, ...said }) => [_id, said]));
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
    const operations = changes.flatMap((change) => operationsOf(change).map((operation) => ({ change, operation })));
    try {
      await this.suppressions.bulkWrite(
        operations.map(({ operation }) => operation),
        { ordered: false, writeConcern: { w: 'majority', wtimeoutMS: patienceMs } },
      );
      return [];
    } catch (error) {
      const refused = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
      if (refused.length === 0 || refused.some(({ code }) => code !== duplicateKey)) throw error;
      const again = new Set(refused.map(({ index }) => idOf(operations[index]?.change)));
      return changes.filter((change) => again.has(idOf(change)));
    }
  }
}

function operationsOf(change: SuppressionChange): AnyBulkWriteOperation<Suppression>[] {
  if (change.kind === 'lift')
    return [{ deleteOne: { filter: lifted(change) } }, { updateOne: { filter: unwilled(change), update: noWill } }];
  const { suppression } = change;
  return [{ updateOne: { filter: { _id: suppression._id }, update: inserting(suppression), upsert: true } }];
}

const idOf = (change: SuppressionChange | undefined): string | undefined =>
  change?.kind === 'add' ? change.suppression._id : change?.id;

/** Was it suppressed before, for what is somebody's will? */
const wasWilled = { $not: { $in: [{ $ifNull: ['$reason', null] }, [null, 'bounce']] } };

/**
 * Whoever says it again said it later: what was said before that lifts nothing. A stronger reason takes the place of a weaker
 * one, with its campaign; that something was somebody's will is kept beside a bounce.
 */
function inserting({ at, reason, campaignId }: Suppression): Document[] {
  const gives = { $in: [{ $ifNull: ['$reason', null] }, [null, ...weakerThan(reason)]] };
  const own = campaignId === undefined ? '$$REMOVE' : { $literal: campaignId };
  const will = { $or: [{ $eq: ['$willed', true] }, wasWilled] };
  return [
    {
      $set: {
        willed: isWill(reason) ? { $literal: true } : { $cond: [will, true, '$$REMOVE'] },
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

/** The address bounces still: of that, START takes back what was said beside. */
const unwilled = ({ id, at }: Extract<SuppressionChange, { kind: 'lift' }>) => ({
  _id: id,
  reason: 'bounce' as const,
  willed: true as const,
  at: { $lte: at },
});
const noWill = { $unset: { willed: '' as const } };

/** The changes of a round as statements of its transaction: what is taken back behind what is said. */
export const suppressionStatements = (changes: readonly SuppressionChange[]): UpdateStatement[] => [
  ...changes.flatMap((change) =>
    change.kind === 'add'
      ? [{ q: { _id: change.suppression._id }, u: inserting(change.suppression), upsert: true }]
      : [],
  ),
  ...changes.flatMap((change) => (change.kind === 'lift' ? [{ q: unwilled(change), u: noWill }] : [])),
];

export const suppressionDeletes = (changes: readonly SuppressionChange[]) =>
  changes.flatMap((change) => (change.kind === 'lift' ? [lifted(change)] : []));
