// The ceiling: a bare loop over the driver that makes the same durable writes as the worker, field by field, and nothing
// else. No guards, no templates, no schedule, no lease; one bad row would end it. A yardstick, not a design. A process of its own:
// `ceiling.mjs <uri> <database> <sink url> <contacts> <in doubt>` expands the contacts, sends two messages each, two seconds apart.
import { MongoClient } from 'mongodb';
import { Pool } from 'undici';

const [uri, database, sinkUrl, contacts, doubt] = process.argv.slice(2);
const partitions = 2;
/** Handed over or sent, and not yet recorded. */
const inDoubt = Number(doubt);
const batch = Math.min(1000, Math.ceil(inDoubt / partitions));
const connections = 32;
const delayMs = 2_000;
const campaignId = 'bench';
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

const client = await new MongoClient(uri, { maxPoolSize: 32 }).connect();
const db = client.db(database);
const conversations = db.collection('conversation_states');
const messages = db.collection('messages');
const fence = db.collection('bare_fence');
const counters = db.collection('bare_counters');
const pool = new Pool(sinkUrl, { connections, pipelining: 1, keepAliveTimeout: 60_000 });

async function transaction(session, body) {
  for (let attempt = 1; ; attempt++) {
    try {
      session.startTransaction();
      await body(session);
      await session.commitTransaction();
      return;
    } catch (error) {
      await session.abortTransaction().catch(() => {});
      if (attempt > 20 || !error.hasErrorLabel?.('TransientTransactionError')) throw error;
    }
  }
}

const conversation = (contact, at) => ({
  _id: `${campaignId}:${contact._id}`,
  campaignId,
  contact: { id: contact._id, name: contact.name, phone: contact.phone },
  partition: contact._id % partitions,
  version: 1,
  status: 'active',
  stage: 'one',
  step: 0,
  nextActionAt: at,
  nextChannel: 'phone',
  opening: true,
  sequence: 0,
  // as long as a hash is, and as different
  addresses: [`phone:~${String(contact._id).padStart(22, '0')}`],
  inbox: [],
  consumed: [],
  history: [{ at, stage: 'one', event: 'entered' }],
  trace: { traceparent },
  createdAt: at,
  updatedAt: at,
});

const row = (due, now) => {
  const sequence = due.stage === 'one' ? 1 : 2;
  return {
    _id: `${due._id}/${sequence}`,
    campaignId,
    conversationId: due._id,
    partition: due.partition,
    stage: due.stage,
    step: 0,
    channel: 'phone',
    to: due.contact.phone,
    content: { text: `Hello ${due.contact.name}, this is message ${sequence} of your campaign. Reply STOP to end it.` },
    status: 'sending',
    attempts: 1,
    pending: true,
    dueAt: due.nextActionAt,
    queuedAt: now,
    worker: 'bare-loop',
    trace: { traceparent },
  };
};

async function post(message) {
  const { _id: messageId, conversationId, channel, to, content, stage, step } = message;
  const headers = { 'content-type': 'application/json', 'idempotency-key': messageId };
  const body = JSON.stringify({ messageId, campaignId, conversationId, channel, to, content, stage, step });
  const answer = await pool.request({ method: 'POST', path: '/', headers, body });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error(`the sink answered ${answer.statusCode}`);
}

/** One partition: every turn is one transaction that claims what is due and records what was sent since the last one. */
async function loop(partition, total, wakers) {
  const session = client.startSession();
  let waiting = 0;
  let sent = [];
  let ended = 0;
  let wake = () => {};
  let woken = false;
  const kick = () => {
    woken = true;
    wake();
  };
  wakers.push(kick);
  const queue = [];
  let active = 0;
  const pump = () => {
    while (active < connections / partitions && queue.length > 0) {
      active++;
      const message = queue.shift();
      post(message).then(() => {
        active--;
        message.sentAt = new Date();
        sent.push(message);
        pump();
        kick();
      }, fail);
    }
  };

  while (ended < total) {
    woken = false;
    const now = new Date();
    const done = sent;
    sent = [];
    waiting -= done.length;
    const lane = { nextChannel: 'phone', campaignId, opening: { $in: [true, null] }, partition };
    const filter = { ...lane, nextActionAt: { $lte: now } };
    const projection = { stage: 1, partition: 1, nextActionAt: 1, 'contact.phone': 1, 'contact.name': 1 };
    const due =
      waiting < inDoubt / partitions
        ? await conversations.find(filter, { projection }).sort({ nextActionAt: 1 }).limit(batch).toArray()
        : [];
    const rows = due.map((found) => row(found, now));
    if (done.length > 0 || due.length > 0)
      await transaction(session, (s) => commit(s, partition, due, rows, done, now));
    ended += done.filter((message) => message.stage === 'two').length;
    if (due.some((found) => found.stage === 'one')) setTimeout(kick, delayMs + 1);
    waiting += rows.length;
    queue.push(...rows);
    pump();
    if (due.length < batch && sent.length === 0 && !woken && ended < total) {
      await new Promise((resolve) => {
        wake = resolve;
        setTimeout(resolve, 500);
      });
    }
  }
}

async function commit(session, partition, due, rows, done, now) {
  const options = { session };
  const later = new Date(now.getTime() + delayMs);
  const idsIn = (stage) => due.filter((found) => found.stage === stage).map((found) => found._id);
  const [first, second] = [idsIn('one'), idsIn('two')];
  const last = done.filter((message) => message.stage === 'two').map((message) => message.conversationId);
  await fence.updateOne({ _id: partition }, { $inc: { beat: 1 }, $set: { at: now } }, options);
  const move = (ids, update) =>
    ids.length > 0 ? conversations.updateMany({ _id: { $in: ids } }, update, options) : undefined;
  const set = { sequence: 1, updatedAt: now };
  const history = (stage, event, detail) => ({
    $push: { history: { $each: [{ at: now, stage, event, detail }], $slice: -100 } },
  });
  await move(first, {
    $set: { ...set, stage: 'two', nextActionAt: later },
    $unset: { opening: 1 },
    $inc: { version: 1 },
    ...history('one', 'message', { sequence: 1, step: 0 }),
  });
  await move(second, {
    $set: { ...set, sequence: 2 },
    $unset: { nextActionAt: 1, nextChannel: 1 },
    $inc: { version: 1 },
    ...history('two', 'message', { sequence: 2, step: 0 }),
  });
  await move(last, {
    $set: { status: 'completed', outcome: 'finished', updatedAt: now },
    $inc: { version: 1 },
    ...history('two', 'ended', { status: 'completed', outcome: 'finished' }),
  });
  if (rows.length > 0) await messages.insertMany(rows, { session, ordered: false });
  if (done.length > 0) {
    const ids = done.map((message) => message._id);
    await messages.updateMany(
      { _id: { $in: ids } },
      { $set: { status: 'sent', sentAt: now, handedAt: now }, $unset: { pending: 1 } },
      options,
    );
    await counters.updateOne({ _id: partition }, { $inc: { sent: done.length, completed: last.length } }, options);
  }
}

async function expand(wakers) {
  for (let after = -1; ; ) {
    const page = await db
      .collection('people')
      .find({ _id: { $gt: after } })
      .sort({ _id: 1 })
      .limit(batch)
      .toArray();
    if (page.length === 0) return;
    const now = new Date();
    await conversations.insertMany(
      page.map((contact) => conversation(contact, now)),
      { ordered: false },
    );
    for (const wake of wakers) wake();
    after = page.at(-1)._id;
  }
}

function fail(error) {
  process.stderr.write(`bare loop: ${error.stack}\n`);
  process.exit(1);
}

await fence.insertMany([0, 1].map((_id) => ({ _id, beat: 0 })));
await counters.insertMany([0, 1].map((_id) => ({ _id, sent: 0, completed: 0 })));
process.send({ ready: true });
process.once('message', async () => {
  try {
    const wakers = [];
    const share = (partition) => Math.ceil((Number(contacts) - partition) / partitions);
    await Promise.all([loop(0, share(0), wakers), loop(1, share(1), wakers), expand(wakers)]);
    process.send({ done: true });
  } catch (error) {
    fail(error);
  }
});
process.on('disconnect', () => process.exit(0));
