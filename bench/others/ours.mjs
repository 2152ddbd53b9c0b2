// This program as it is installed, on one campaign over the same people.
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { startProgram } from '../processes.mjs';
import { campaign, person, workerEnv } from '../work.mjs';

const chunk = 5_000;

export async function prepare({ uri, database, contacts }) {
  const ended = await startProgram(['init'], { MONGODB_URI: uri, MONGODB_DATABASE: database }).gone;
  if (ended !== 0) throw new Error(`communication-base init ended with ${ended}`);
  await withPeople(uri, database, async (people) => {
    for (let from = 0; from < contacts; from += chunk) {
      const count = Math.min(chunk, contacts - from);
      await people.insertMany(Array.from({ length: count }, (_, index) => person(from + index)));
    }
  });
}

async function withPeople(uri, database, body) {
  const client = await new MongoClient(uri).connect();
  try {
    return await body(client.db(database).collection('people'), client.db(database));
  } finally {
    await client.close();
  }
}

export function startWorker({ uri, database, sinkUrl, connections, inDoubt }) {
  const env = workerEnv({ uri, database, sinkUrl, threads: 1, inDoubt, concurrency: connections });
  const onLine = (line) => {
    if (/"level":"error"/.test(line)) process.stderr.write(`worker: ${line}\n`);
  };
  return startProgram(['worker'], env, { onLine });
}

/** Resolves when a worker owns every partition. */
export const ready = ({ uri, database }) =>
  withPeople(uri, database, async (_people, db) => {
    const partitions = db.collection('partitions');
    const free = { owner: { $not: { $type: 'string' } } };
    while ((await partitions.countDocuments()) === 0 || (await partitions.countDocuments(free)) > 0) await sleep(100);
  });

export const begin = ({ uri, database }) =>
  withPeople(uri, database, (_people, db) => db.collection('campaigns').insertOne(campaign()));
