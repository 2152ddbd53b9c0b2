#!/usr/bin/env node
// The service of another team, which uses communication-base through the collections alone. It needs nothing but the
// MongoDB driver: it stores its patients, a template and a campaign, hears what they answer, and reads the results.
//
//   node examples/agent-service.mjs [contacts.csv]      ends with the campaign
//
// MONGODB_URI and REPLIES_URL (where the SMS gateway reports answers) have to be set; MONGODB_DATABASE, CAMPAIGN and PATIENCE
// (how long it waits for an answer, an ISO 8601 duration) may be.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { MongoClient } from 'mongodb';

const { MONGODB_URI, MONGODB_DATABASE = 'communication_base', REPLIES_URL, PATIENCE = 'PT20H' } = process.env;
const { CAMPAIGN: campaignId = 'appointments-of-tomorrow' } = process.env;

for (const [name, value] of Object.entries({ MONGODB_URI, REPLIES_URL })) {
  if (URL.canParse(value ?? '')) continue;
  console.error(`${name} has to be a URL, was ${value ?? 'not set'}; \`. examples/env.sh\` sets it for the sandbox`);
  process.exit(2);
}

/** How the conversation goes. Templates are never changed in place: other words or times are another template or version. */
const template = {
  _id: { id: `appointment-${PATIENCE}`, version: 1 },
  variables: { practice: 'Dr. Sørensen' },
  flow: {
    stages: [
      {
        id: 'remind',
        type: 'message',
        channel: 'sms',
        content: {
          text: '{{ contact.name }}, {{ variables.practice }} expects you tomorrow at {{ contact.time }}. Please answer YES or NO.',
        },
        waitForReply: PATIENCE,
        // events of our own words, and what counts as a reply that was not understood
        on: { confirm: 'coming', decline: 'free', reply: 'unclear', noReply: 'silent' },
      },
      { id: 'coming', type: 'end', outcome: 'confirmed' },
      { id: 'free', type: 'end', outcome: 'declined' },
      { id: 'unclear', type: 'end', outcome: 'call_them' },
      { id: 'silent', type: 'end', outcome: 'no_answer' },
    ],
  },
};

/** Our own table: one row a patient, no quotes, the time under `attributes.time`. */
async function patientsOf(file) {
  const [head, ...rows] = (await readFile(file, 'utf8')).trim().split(/\r?\n/);
  const columns = head.split(',').map((name) => name.replace('attributes.', ''));
  return rows.map((row) => {
    const { id, ...rest } = Object.fromEntries(row.split(',').map((cell, index) => [columns[index], cell]));
    return { _id: id, ...rest };
  });
}

const meaningOf = (text) => (/^\s*yes\b/i.test(text) ? 'confirm' : /^\s*no\b/i.test(text) ? 'decline' : 'reply');

/** `<campaign>:<contact>`, each percent-encoded, `~` too. */
const encoded = (id) => encodeURIComponent(id).replaceAll('~', '%7E');

/**
 * The webhook of our SMS gateway. An answer counts once by its id, however often the gateway reports it; it reports again what
 * was not answered with a 2xx.
 */
async function hearReplies(db, address) {
  const hear = async (request) => {
    const { id, from, text } = await json(request);
    const event = { id, type: meaningOf(text), channel: 'sms', text, at: new Date() };
    // a number may be that of two patients: whoever has a conversation is meant
    const patients = await db.collection('patients').find({ phone: from }).toArray();
    const conversations = patients.map(({ _id }) => `${encoded(campaignId)}:${encoded(_id)}`);
    const { matchedCount } = await db
      .collection('conversation_states')
      .updateMany({ _id: { $in: conversations } }, { $push: { inbox: event } });
    console.log(
      `${patients[0]?.name ?? from} says "${text}": ${matchedCount > 0 ? event.type : 'no conversation yet'}`,
    );
    return matchedCount > 0 ? 204 : 503;
  };
  const server = createServer((request, response) => {
    hear(request).then(
      (status) => response.writeHead(status).end(),
      (error) => {
        console.error(`an answer could not be stored: ${error.message}`);
        response.writeHead(503).end();
      },
    );
  });
  const { hostname, port } = new URL(address);
  server.listen(Number(port), hostname);
  await once(server, 'listening');
  return server;
}

/** Resolves with the campaign's document once it is over, whatever way; without one when it was deleted. */
async function ended(db) {
  const changes = db
    .collection('campaigns')
    .watch([{ $match: { 'documentKey._id': campaignId } }], { fullDocument: 'updateLookup' });
  try {
    // opens it: what happens from here on is not missed
    await changes.tryNext();
    const started = await db.collection('campaigns').updateOne(
      { _id: campaignId },
      {
        $setOnInsert: {
          status: 'pending',
          transactional: true,
          // what is no field of a contact by itself is mapped to be one
          audience: { collection: 'patients', filter: { time: { $exists: true } }, map: { time: '$time' } },
          templateId: template._id.id,
          templateVersion: template._id.version,
        },
      },
      { upsert: true },
    );
    console.log(started.upsertedCount === 1 ? 'campaign stored' : 'campaign found; going on with it');
    const isOver = (campaign) => !campaign || ['completed', 'cancelled', 'failed'].includes(campaign.status);
    let campaign = await db.collection('campaigns').findOne({ _id: campaignId });
    // an event of a deletion has no document
    while (!isOver(campaign)) campaign = (await changes.next()).fullDocument;
    return campaign;
  } finally {
    await changes.close();
  }
}

async function main() {
  const client = await new MongoClient(MONGODB_URI, { appName: 'agent service' }).connect();
  const db = client.db(MONGODB_DATABASE);
  const patients = await patientsOf(process.argv[2] ?? new URL('appointment.csv', import.meta.url));
  await db.collection('patients').createIndex({ phone: 1 });
  for (const { _id, ...rest } of patients)
    await db.collection('patients').updateOne({ _id }, { $set: rest }, { upsert: true });
  await db
    .collection('templates')
    .insertOne(template)
    .catch((error) => {
      if (error.code !== 11000) throw error;
    });
  const server = await hearReplies(db, REPLIES_URL);
  const { status = 'deleted', metrics, error } = (await ended(db)) ?? {};
  server.close();
  console.log(`campaign ${status}: ${metrics?.messages.sent ?? 0} messages sent`);
  if (error) console.log(`${error.code} at ${error.path}: ${error.message}`);
  const outcomes = await db
    .collection('conversation_states')
    .find({ campaignId }, { sort: { _id: 1 }, projection: { contact: 1, status: 1, outcome: 1, error: 1 } })
    .toArray();
  for (const one of outcomes)
    console.log(`${one.contact.name.padEnd(8)} ${one.outcome ?? one.error?.message ?? one.status}`);
  await client.close();
  process.exitCode = status === 'completed' ? 0 : 1;
}

await main();
