// A loop as teams write it: each of some pollers takes one due document, sends, and writes what became of it.
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { person } from '../work.mjs';
import { sender } from './send.mjs';

const delayMs = 2_000;
const chunk = 1_000;
const idleMs = 50;
const lockMs = 60_000;
const sweepMs = 5_000;

async function collectionOf({ uri, database }) {
  const client = await new MongoClient(uri).connect();
  return client.db(database).collection('queue');
}

export async function produce(settings) {
  const queue = await collectionOf(settings);
  for (let from = 0; from < settings.contacts; from += chunk) {
    const count = Math.min(chunk, settings.contacts - from);
    const rows = Array.from({ length: count }, (_, index) => {
      return { ...person(from + index), status: 'waiting', number: 1, dueAt: new Date() };
    });
    await queue.insertMany(rows, { ordered: false });
  }
}

async function poll(queue, send) {
  for (;;) {
    const now = Date.now();
    const due = await queue.findOneAndUpdate(
      { status: 'waiting', dueAt: { $lte: new Date(now) } },
      { $set: { status: 'sending', lockedUntil: new Date(now + lockMs) } },
      { sort: { dueAt: 1 }, returnDocument: 'after' },
    );
    if (!due) {
      await sleep(idleMs);
      continue;
    }
    await send(due, due.number);
    const sentAt = new Date();
    const set =
      due.number === 1
        ? { status: 'waiting', number: 2, dueAt: new Date(sentAt.getTime() + delayMs), firstSentAt: sentAt }
        : { status: 'done', secondSentAt: sentAt };
    await queue.updateOne({ _id: due._id }, { $set: set, $unset: { lockedUntil: 1 } });
  }
}

/** What a dead worker held is due again when its lock is over. */
async function sweep(queue) {
  for (;;) {
    const held = { status: 'sending', lockedUntil: { $lte: new Date() } };
    await queue.updateMany(held, { $set: { status: 'waiting' }, $unset: { lockedUntil: 1 } });
    await sleep(sweepMs);
  }
}

export async function work(settings) {
  const queue = await collectionOf(settings);
  await queue.createIndexes([{ key: { status: 1, dueAt: 1 } }, { key: { lockedUntil: 1 }, sparse: true }]);
  const send = sender(settings);
  const fail = (error) => {
    process.stderr.write(`polling loop: ${error.stack}\n`);
    process.exit(1);
  };
  for (let index = 0; index < settings.pollers; index++) poll(queue, send).catch(fail);
  sweep(queue).catch(fail);
}
