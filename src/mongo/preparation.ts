/** What a database has to have before anybody works in it, and what of it is missing: one plan, which `init` carries out and `doctor` only tells. */
import type { CollectionInfo, Db, Document } from 'mongodb';
import { MongoServerError } from 'mongodb';
import { collections as definitionNames } from '../domain/generated/schemas.ts';
import type { ClusterSetting, Run } from '../domain/model.ts';
import { type IndexEntry, indexes } from './indexes.ts';
import { validatorOf } from './validators.ts';

/** What is there. */
export interface Prepared {
  cluster: ClusterSetting | null;
  /** By name, each with its validator. */
  collections: ReadonlyMap<string, Document | undefined>;
  /** By collection. */
  indexes: ReadonlyMap<string, readonly FoundIndex[]>;
  /** Partitions that have a document. */
  partitions: readonly number[];
  /** Open runs that do not know that the collection `campaigns` of today is theirs, while their campaign is in it. */
  strangers: Strangers | undefined;
}
export interface FoundIndex {
  name: string;
  key: Document;
  partialFilterExpression?: Document;
  expireAfterSeconds?: unknown;
  unique?: boolean;
  sparse?: boolean;
  collation?: Document;
}
export interface Strangers {
  /** Of the collection `campaigns`. */
  uuid: string;
  runs: readonly Run['_id'][];
}

/** One thing that is made or changed; in the order in which they are. */
export type Step =
  | { kind: 'collection'; name: string; validator: Document | undefined }
  | { kind: 'validator'; name: string; validator: Document }
  | { kind: 'index'; index: IndexEntry }
  | { kind: 'cluster' }
  | { kind: 'partitions'; missing: readonly number[] }
  | { kind: 'runs'; strangers: Strangers };

/** An index that cannot be made beside one that is there. */
export interface Conflict {
  collection: string;
  name: string;
  /** What stands in the way: of the same name in another form, or the same under another name. */
  there: string;
}

export interface Plan {
  steps: readonly Step[];
  /** What stands in the way and is left as it is. */
  conflicts: readonly Conflict[];
  /** The count it was prepared for, where that is another one: nothing is done then. */
  otherPartitions?: number;
  /** The schema version of a newer release, which is left as it is. */
  newer?: number;
}

/** The rules a plan is made by. */
export interface Wanted {
  partitions: number;
  schemaVersion: number;
}

const sameFilter = (a: Document | undefined, b: Document | undefined): boolean =>
  JSON.stringify(a ?? {}) === JSON.stringify(b ?? {});
/** In their order, which is part of what an index is; 1 may be stored as any number. */
const sameKey = (a: Document, b: Document): boolean =>
  JSON.stringify(Object.entries(a).map(([field, way]) => [field, Number(way)])) ===
  JSON.stringify(Object.entries(b).map(([field, way]) => [field, Number(way)]));
const seconds = (value: unknown): number | undefined => (value === undefined ? undefined : Number(value));

/** None of ours is unique, sparse or collated: such a one holds other documents, or refuses some. */
const isOrdinary = ({ unique, sparse, collation }: FoundIndex): boolean =>
  !unique && !sparse && collation === undefined;

/** What is to be done of one index, or why it cannot. */
function indexStep(index: IndexEntry, found: readonly FoundIndex[]): Step | Conflict | undefined {
  const { collection, name, key, partialFilterExpression: filter, expireAfterSeconds } = index;
  const isSame = (other: FoundIndex): boolean =>
    sameKey(other.key, key as Document) && sameFilter(other.partialFilterExpression, filter) && isOrdinary(other);
  const named = found.find((other) => other.name === name);
  const inTheWay = named ?? found.find(isSame);
  if (inTheWay === undefined) return { kind: 'index', index };
  if (named !== undefined && isSame(named) && seconds(named.expireAfterSeconds) === seconds(expireAfterSeconds))
    return undefined;
  return { collection, name, there: inTheWay.name };
}

/** As `init` says it. */
export const conflictWords = ({ collection, name, there }: Conflict): string =>
  `index ${collection}.${name} is there ${there === name ? 'in another form' : `under the name ${there}`}; drop it and run init again`;

/** Pure: the same plan for the same findings. */
export function planOf(found: Prepared, wanted: Wanted): Plan {
  const { cluster } = found;
  if (cluster !== null && cluster.partitions !== wanted.partitions)
    return { steps: [], conflicts: [], otherPartitions: cluster.partitions };
  const newer = cluster !== null && cluster.schemaVersion > wanted.schemaVersion ? cluster.schemaVersion : undefined;
  const shapes = newer === undefined ? [...collectionSteps(found), ...indexes.map((i) => ofIndex(i, found))] : [];
  const there = new Set(found.partitions);
  const missing = Array.from({ length: wanted.partitions }, (_, id) => id).filter((id) => !there.has(id));
  const rest: (Step | undefined)[] = [
    cluster === null || cluster.schemaVersion < wanted.schemaVersion ? { kind: 'cluster' } : undefined,
    missing.length > 0 ? { kind: 'partitions', missing } : undefined,
    found.strangers && found.strangers.runs.length > 0 ? { kind: 'runs', strangers: found.strangers } : undefined,
  ];
  const all = [...shapes, ...rest];
  return {
    steps: all.filter((step): step is Step => step !== undefined && 'kind' in step),
    conflicts: all.filter((step): step is Conflict => step !== undefined && !('kind' in step)),
    ...(newer === undefined ? {} : { newer }),
  };
}

const ofIndex = (index: IndexEntry, found: Prepared): Step | Conflict | undefined =>
  indexStep(index, found.indexes.get(index.collection) ?? []);

const collectionSteps = (found: Prepared): (Step | undefined)[] =>
  Object.keys(definitionNames).map((name) => {
    const validator = validatorOf(name);
    if (!found.collections.has(name)) return { kind: 'collection', name, validator };
    const stored = found.collections.get(name);
    return validator !== undefined && JSON.stringify(stored) !== JSON.stringify(validator)
      ? { kind: 'validator', name, validator }
      : undefined;
  });

/** A step in a few words, as `init` says what it made. */
export function stepWords(step: Step): string {
  switch (step.kind) {
    case 'collection':
      return `collection ${step.name}`;
    case 'validator':
      return `validator of ${step.name}`;
    case 'index':
      return `index ${step.index.collection}.${step.index.name}`;
    case 'cluster':
      return 'the cluster setting';
    case 'partitions':
      return `${step.missing.length} partitions`;
    case 'runs':
      return `${step.strangers.runs.length} runs: where their campaigns are`;
  }
}

/** Reads only; with `readWrite` on the database alone. */
export async function readPrepared(db: Db): Promise<Prepared> {
  const found = (await db.listCollections({}, { nameOnly: false }).toArray()) as CollectionInfo[];
  const collections = new Map(found.map(({ name, options }) => [name, options?.['validator'] as Document | undefined]));
  const indexed = [...new Set(indexes.map(({ collection }) => collection))].filter((name) => collections.has(name));
  const cluster = (await db.collection('settings').findOne({ _id: 'cluster' } as Document)) as ClusterSetting | null;
  const partitions = await db.collection('partitions').distinct('_id');
  return {
    cluster,
    collections,
    indexes: new Map(await Promise.all(indexed.map(async (name) => [name, await indexesOf(db, name)] as const))),
    partitions: partitions.map(Number),
    strangers: await readStrangers(
      db,
      found.find(({ name }) => name === 'campaigns'),
    ),
  };
}

/** Empty for a collection that went meanwhile (NamespaceNotFound). */
async function indexesOf(db: Db, name: string): Promise<FoundIndex[]> {
  try {
    return (await db.collection(name).listIndexes().toArray()) as unknown as FoundIndex[];
  } catch (error) {
    if (error instanceof MongoServerError && error.code === 26) return [];
    throw error;
  }
}

/** As after a restore: these runs last saw their documents in another collection. */
async function readStrangers(db: Db, campaigns: CollectionInfo | undefined): Promise<Strangers | undefined> {
  const uuid = campaigns?.info?.uuid?.toString();
  if (uuid === undefined) return undefined;
  const elsewhere = { settled: false, collectionUuid: { $ne: uuid } };
  const ids = (
    await db
      .collection('campaign_runs')
      .find(elsewhere, { projection: { _id: 1 } })
      .toArray()
  ).map(({ _id }) => _id);
  const runs: Run['_id'][] = [];
  for (let from = 0; from < ids.length; from += 1000) {
    const some = { _id: { $in: ids.slice(from, from + 1000) } };
    const there = await db
      .collection('campaigns')
      .find(some, { projection: { _id: 1 } })
      .toArray();
    runs.push(...there.map(({ _id }) => _id as unknown as Run['_id']));
  }
  return { uuid, runs };
}
