#!/usr/bin/env node
// `node scripts/explain.mjs [N]`: fills a database of its own with N ended conversations (default 1,000,000) and prints how
// every standing query is answered. Uses MONGODB_URI, or a mongod that it starts and removes; needs a build (`npm run build`).
import { randomBytes } from 'node:crypto';
import process from 'node:process';
import Table from 'cli-table3';
import { MongoClient } from 'mongodb';
import { audienceQuery } from '../dist/src/mongo/audience.js';
import { campaignQueries } from '../dist/src/mongo/campaigns.js';
import { initDatabase } from '../dist/src/mongo/collections.js';
import { conversationQueries } from '../dist/src/mongo/conversationQueries.js';
import { plans, seed, seeks } from './plans.mjs';
import { startReplicaSet } from './replicaSet.mjs';

const ended = Number(process.argv[2] ?? 1_000_000);
if (!Number.isInteger(ended) || ended < 0) {
  process.stderr.write(`usage: explain.mjs [N]; N is a whole number, not ${process.argv[2]}\n`);
  process.exit(2);
}
const uri = process.env.MONGODB_URI;
const replicaSet = uri === undefined ? await startReplicaSet() : undefined;
const client = await new MongoClient(uri ?? replicaSet.uri).connect();
const db = client.db(`explain_${randomBytes(4).toString('hex')}`);
try {
  await initDatabase(db, { partitions: 64 });
  const now = new Date();
  const started = performance.now();
  await seed(db, ended, now);
  process.stderr.write(`${ended} ended conversations in ${Math.round((performance.now() - started) / 1000)} s\n`);
  const found = await plans(db, { conversationQueries, campaignQueries, audienceQuery }, now);
  const style = process.stdout.isTTY ? {} : { head: [], border: [] };
  const table = new Table({ head: ['query', 'plan', 'keys', 'documents', 'returned', 'ms', ''], style });
  for (const { name, stages, keysExamined, docsExamined, returned, ms } of found) {
    const good = stages.includes('IXSCAN') && !stages.includes('SORT') && keysExamined <= 2 * returned + seeks;
    table.push([name, stages.join(' < '), keysExamined, docsExamined, returned, ms, good ? 'ok' : 'BAD']);
    if (!good) process.exitCode = 1;
  }
  process.stdout.write(`${table.toString()}\n`);
} finally {
  await db.dropDatabase();
  await client.close();
  await replicaSet?.stop();
}
