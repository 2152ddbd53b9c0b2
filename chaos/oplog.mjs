// An oplog that no longer holds what was remembered of it, made in seconds.
import { MongoClient } from 'mongodb';
import { surely } from './faults.mjs';

/** Writes until the oldest entry of every oplog is younger than now; all nodes take part, so that none falls behind for good. */
export async function rollOplog({ client, set }) {
  const noise = client.db('noise').collection('noise');
  const before = (await client.db('admin').command({ hello: 1 })).lastWrite.opTime.ts;
  for (let round = 0; round < 400; round++) {
    const filler = Array.from({ length: 4 }, () => ({ filler: 'x'.repeat(1_000_000) }));
    await surely(() => noise.insertMany(structuredClone(filler), { writeConcern: { w: 3, wtimeoutMS: 60_000 } }));
    if (round % 8 === 7) await surely(() => noise.drop());
    const first = await surely(async () => oldest(await set.primary()));
    if (first?.greaterThan(before)) {
      await surely(() => noise.drop());
      return;
    }
  }
  throw new Error('the oplog could not be rolled');
}

async function oldest(node) {
  const direct = await new MongoClient(`mongodb://${node.host}/?directConnection=true`).connect();
  try {
    return (await direct.db('local').collection('oplog.rs').find().sort({ $natural: 1 }).limit(1).next())?.ts;
  } finally {
    await direct.close();
  }
}
