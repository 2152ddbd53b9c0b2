/** Carries out a plan of `preparation.ts`. May run again, and on several replicas at once. */
import type { Db, Document } from 'mongodb';
import { MongoServerError } from 'mongodb';
import { conflictWords, type Plan, type Step, type Strangers, stepWords } from './preparation.ts';

export interface Done {
  /** What was made or changed by this call, one line each. */
  changes: string[];
  /** What the user of MONGODB_URI may not do, or what stands in the way; the rest was done. */
  problems: string[];
}

/** What a step came to: it was done, somebody else was faster, or why it cannot be. */
type Outcome = 'done' | 'there' | { problem: string };

const code = (error: unknown): unknown => (error instanceof MongoServerError ? error.code : undefined);
const unauthorized = 13;
const namespaceExists = 48;
const validationFailed = 121;
/** IndexOptionsConflict, IndexKeySpecsConflict: something of the same name or key is there in another form. */
const indexConflicts: unknown[] = [85, 86];

/** `cluster` writes the setting of the cluster; what it throws ends everything. */
export async function carryOut(db: Db, plan: Plan, cluster: () => Promise<void>): Promise<Done> {
  const done: Done = { changes: [], problems: plan.conflicts.map(conflictWords) };
  for (const step of plan.steps) {
    if (step.kind === 'cluster') {
      await cluster();
      continue;
    }
    const outcome = await carryOutStep(db, step);
    if (typeof outcome === 'object') done.problems.push(outcome.problem);
    // what a run remembers of its campaign is nothing that anybody made
    else if (outcome === 'done' && step.kind !== 'runs') done.changes.push(stepWords(step));
  }
  return done;
}

function carryOutStep(db: Db, step: Exclude<Step, { kind: 'cluster' }>): Promise<Outcome> {
  switch (step.kind) {
    case 'collection':
      return create(db, step);
    case 'validator':
      return setValidator(db, step);
    case 'index':
      return makeIndex(db, step);
    case 'partitions':
      return makePartitions(db, step.missing);
    case 'runs':
      return noteCampaigns(db, step.strangers);
  }
}

async function create(db: Db, { name, validator }: Extract<Step, { kind: 'collection' }>): Promise<Outcome> {
  try {
    await db.createCollection(name, validator ? { validator, validationAction: 'error' } : {});
    return 'done';
  } catch (error) {
    if (code(error) === namespaceExists) return 'there';
    if (code(error) === unauthorized) return { problem: `no right to create ${name}` };
    throw error;
  }
}

async function setValidator(db: Db, { name, validator }: Extract<Step, { kind: 'validator' }>): Promise<Outcome> {
  try {
    await db.command({ collMod: name, validator, validationLevel: 'strict', validationAction: 'error' });
    return 'done';
  } catch (error) {
    if (code(error) !== unauthorized) throw error;
    return { problem: `no right to set the validator of ${name} (collMod, in the role dbAdmin)` };
  }
}

async function makeIndex(db: Db, { index: entry }: Extract<Step, { kind: 'index' }>): Promise<Outcome> {
  const { collection, reason: _, ...index } = entry;
  try {
    const { numIndexesBefore, numIndexesAfter } = await db.command({ createIndexes: collection, indexes: [index] });
    return numIndexesAfter > numIndexesBefore ? 'done' : 'there';
  } catch (error) {
    if (code(error) === unauthorized) return { problem: `no right to create index ${collection}.${index.name}` };
    if (indexConflicts.includes(code(error)))
      return { problem: conflictWords({ collection, name: index.name, there: index.name }) };
    throw error;
  }
}

/** Another replica may be making them at the same moment; who owns one keeps it. */
async function makePartitions(db: Db, missing: readonly number[]): Promise<Outcome> {
  const { upsertedCount } = await db.collection<{ _id: number }>('partitions').bulkWrite(
    missing.map((_id) => ({ updateOne: { filter: { _id }, update: { $setOnInsert: { _id } }, upsert: true } })),
    { ordered: false },
  );
  return upsertedCount > 0 ? 'done' : 'there';
}

async function noteCampaigns(db: Db, { uuid, runs }: Strangers): Promise<Outcome> {
  for (let from = 0; from < runs.length; from += 1000) {
    const some = { _id: { $in: runs.slice(from, from + 1000) }, settled: false, collectionUuid: { $ne: uuid } };
    const [campaigns] = await db.listCollections({ name: 'campaigns' }, { nameOnly: false }).toArray();
    // dropped and put back meanwhile: whoever sees that notes it
    if ((campaigns as { info?: { uuid?: unknown } } | undefined)?.info?.uuid?.toString() !== uuid) return 'there';
    try {
      await db.collection('campaign_runs').updateMany(some as Document, { $set: { collectionUuid: uuid } });
    } catch (error) {
      // an older validator that could not be replaced
      if (code(error) !== validationFailed) throw error;
      return {
        problem: 'it is not remembered which collection `campaigns` is: the validator of campaign_runs is an older one',
      };
    }
  }
  return 'done';
}
