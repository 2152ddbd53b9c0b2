import type { Document } from 'mongodb';
import { Decimal128, Double, Int32, Long } from 'mongodb';
import type { Change } from '../domain/changePorts.ts';
import { isObjectId } from '../domain/ids.ts';
import type { Id } from '../domain/model.ts';
import { ownCollections } from './collections.ts';

/**
 * Raised with every change of `watchPipeline`: the server refuses an event's token under another filter, so a position of
 * another version is given up as planned (a sweep follows, without an alert).
 */
export const filterVersion = 6;

/** Every write of ours raises `version`; an update without it is somebody else's. Holds for what is no update too. */
const byOthers = { 'updateDescription.updatedFields.version': { $exists: false } };
const whole = { $in: ['insert', 'replace', 'delete'] };

/**
 * What the server lets through. It does not depend on the partitions that a member owns, so that one member's token
 * serves another. Whole documents never travel: an event may be larger than a document can be.
 *
 * The server asks these conditions of every write in the database, each one inside a transaction by itself. A whole `ns`
 * is compared as one string there, `ns.coll` by a regular expression: the difference was 13 or 5 microseconds a write.
 */
export function watchPipeline(database: string): Document[] {
  const ns = (coll: string): Document => ({ ns: { db: database, coll } });
  return [
    {
      $match: {
        $or: [
          // A push by an update with a pipeline may be logged as a replacement.
          { ...ns('conversation_states'), operationType: { $in: ['update', 'replace'] }, ...byOthers },
          {
            ...ns('campaigns'),
            operationType: { $in: ['insert', 'update', 'replace', 'delete'] },
            // one that fails may have no run by which other members would learn of it
            $or: [byOthers, { 'updateDescription.updatedFields.status': 'failed' }],
          },
          { ...ns('campaign_runs'), operationType: { $in: ['insert', 'update', 'replace'] } },
          { ...ns('enrollments'), operationType: { $in: ['insert', 'replace'] } },
          { ...ns('partitions'), operationType: whole },
          {
            ...ns('partitions'),
            operationType: 'update',
            $or: [
              { 'updateDescription.updatedFields.owner': { $exists: true } },
              { 'updateDescription.removedFields': 'owner' },
            ],
          },
          { ...ns('members'), operationType: 'delete' },
          { ...ns('settings'), 'documentKey._id': 'control' },
          // what we take of a limit is nobody's news
          { ...ns('rate_limits'), operationType: 'replace' },
          // those of domains go by themselves, many of them
          { ...ns('rate_limits'), operationType: 'delete', 'documentKey._id': { $not: /^domain:/ } },
          {
            ...ns('rate_limits'),
            operationType: 'insert',
            $or: [{ 'fullDocument.rate': { $exists: true } }, { 'fullDocument.burst': { $exists: true } }],
          },
          {
            ...ns('rate_limits'),
            operationType: 'update',
            $or: [
              { 'updateDescription.updatedFields.rate': { $exists: true } },
              { 'updateDescription.updatedFields.burst': { $exists: true } },
              { 'updateDescription.removedFields': { $in: ['rate', 'burst'] } },
            ],
          },
          { ...ns('inbound_events'), operationType: 'insert' },
          { ...ns('suppressions'), operationType: { $in: ['insert', 'replace'] } },
          { operationType: { $in: ['drop', 'rename', 'dropDatabase', 'invalidate'] } },
        ],
      },
    },
    { $project: { _id: 1, operationType: 1, 'ns.coll': 1, 'to.coll': 1, 'documentKey._id': 1 } },
  ];
}

/** An event as `watchPipeline` leaves it. */
export interface WatchEvent {
  operationType: string;
  ns?: { coll?: string };
  to?: { coll?: string };
  documentKey?: { _id?: unknown };
}

const own: ReadonlySet<string | undefined> = new Set(ownCollections);

/** What an event says; undefined when its document has an `_id` that none of ours can have, or the collection is not ours. */
export function changeOf({ operationType, ns, to, documentKey }: WatchEvent): Change | undefined {
  const coll = ns?.coll;
  if (documentKey === undefined)
    return coll !== undefined && !own.has(coll) && !own.has(to?.coll)
      ? undefined
      : { kind: 'sweep', why: [operationType, coll, to?.coll && `to ${to.coll}`].filter(Boolean).join(' ') };
  const id = plainId(documentKey._id);
  if (coll === 'enrollments') return { kind: 'enrollment', id: id ?? documentKey._id };
  if (id === undefined) return undefined;
  switch (coll) {
    case 'campaigns':
      return { kind: 'campaign', id, deleted: operationType === 'delete' };
    case 'campaign_runs':
      return { kind: 'run', id };
    case 'conversation_states':
      return typeof id === 'string' ? { kind: 'conversation', id } : undefined;
    case 'partitions':
      return typeof id === 'number' ? { kind: 'partition', id } : undefined;
    case 'members':
      return typeof id === 'string' ? { kind: 'member', id } : undefined;
    case 'inbound_events':
      return { kind: 'inbound', id };
    case 'suppressions':
      return typeof id === 'string' ? { kind: 'suppression', id } : undefined;
    case 'rate_limits':
      return typeof id === 'string' ? { kind: 'rate', id } : undefined;
    case 'settings':
      return { kind: 'control' };
    default:
      return { kind: 'sweep', why: `${operationType} ${coll}` };
  }
}

/** Numbers of any BSON type as what they mean; undefined for what is neither string, number nor ObjectId. */
function plainId(value: unknown): Id | undefined {
  if (typeof value === 'string' || isObjectId(value)) return value;
  const number =
    typeof value === 'bigint' || value instanceof Long || value instanceof Decimal128
      ? Number(value.toString())
      : value instanceof Double || value instanceof Int32
        ? value.valueOf()
        : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
