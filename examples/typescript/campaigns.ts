// Everything that a service does with communication-base, by the MongoDB driver alone. docs/writing-campaigns.md explains it.
//
//   npm install mongodb && node campaigns.ts        Node 22.18 or newer runs TypeScript as it is
//
// It needs a worker with a channel `sms`. MONGODB_URI and MONGODB_DATABASE say where.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Db, MongoClient, MongoServerError } from 'mongodb';

/** As much of a campaign as this service looks at. */
interface Campaign {
  _id: string;
  type?: string;
  status: string;
  audience?: { contacts: { id: string; name: string; phone: string }[] };
  templateId?: string;
  templateVersion?: number;
  flow?: { stages: object[] };
  error?: { code: string; path?: string; message: string };
  metrics?: { total: number; replied: number; messages: { sent: number } };
}
interface Conversation {
  _id: string;
  status: string;
  outcome?: string;
  inbox: { id: string; type: string; text?: string; at: Date }[];
}

/** Asks until there is an answer; throws after half a minute. */
async function patiently<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (let left = 100; left > 0; left--) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await sleep(300);
  }
  throw new Error(`waited in vain: ${what}`);
}

// #region template
/** Templates are never changed in place: other words are another version. */
async function storeTemplate(db: Db): Promise<void> {
  const template = {
    _id: { id: 'invitation', version: 1 },
    variables: { event: 'the summer party' },
    flow: {
      stages: [
        {
          id: 'invite',
          type: 'message',
          channel: 'sms',
          content: { text: 'Hello {{ contact.name }}, will you come to {{ variables.event }}?' },
          followUps: [{ after: 'P2D' }],
          waitForReply: 'P3D',
          on: { accept: 'coming', reply: 'answered', noReply: 'silent' },
        },
        { id: 'coming', type: 'end', outcome: 'accepted' },
        { id: 'answered', type: 'end', outcome: 'answered' },
        { id: 'silent', type: 'end', outcome: 'no_answer' },
      ],
    },
  };
  try {
    await db.collection<typeof template>('templates').insertOne(template);
  } catch (error) {
    // it is there already: somebody ran this before
    if (!(error instanceof MongoServerError && error.code === 11000)) throw error;
  }
}
// #endregion

// #region campaign
/** May be called again: the campaign is stored once, and starts once. */
async function storeCampaign(db: Db, campaign: Campaign): Promise<void> {
  const { _id, ...fields } = campaign;
  await db.collection<Campaign>('campaigns').updateOne({ _id }, { $setOnInsert: fields }, { upsert: true });
}
// #endregion

// #region poll
/** `metrics` are two seconds behind at most: asking more often tells nothing new. */
async function untilSent(db: Db, _id: string, count: number): Promise<void> {
  const campaigns = db.collection<Campaign>('campaigns');
  await patiently(`${count} messages of ${_id}`, async () => {
    const campaign = await campaigns.findOne({ _id }, { projection: { metrics: 1 } });
    return (campaign?.metrics?.messages.sent ?? 0) >= count ? true : undefined;
  });
}
// #endregion

// #region reply
/** For whoever knows the conversation. An event counts once, by its `id`. */
async function pushReply(db: Db, conversation: string, id: string, type: string, text: string): Promise<boolean> {
  const event = { id, type, text, at: new Date() };
  const { matchedCount } = await db
    .collection<Conversation>('conversation_states')
    .updateOne({ _id: conversation }, { $push: { inbox: event } });
  return matchedCount === 1;
}
// #endregion

// #region inbound
/** For whoever knows an address. `_id` is what the provider calls the event, so that what comes twice is stored once. */
async function storeInbound(db: Db, _id: string, address: string, text: string): Promise<void> {
  const event = { type: 'reply', channel: 'sms', address, text, at: new Date() };
  await db.collection<{ _id: string }>('inbound_events').updateOne({ _id }, { $setOnInsert: event }, { upsert: true });
}
// #endregion

// #region follow
/** Resolves with the campaign once it has ended, in whatever way; with undefined when it was deleted. */
async function untilEnded(db: Db, _id: string): Promise<Campaign | undefined> {
  const campaigns = db.collection<Campaign>('campaigns');
  const changes = campaigns.watch([{ $match: { 'documentKey._id': _id } }], { fullDocument: 'updateLookup' });
  try {
    // opens the stream: what happens from here on is not missed
    await changes.tryNext();
    let campaign = await campaigns.findOne({ _id });
    while (campaign && !['completed', 'cancelled', 'failed'].includes(campaign.status)) {
      const change = await changes.next();
      campaign = 'fullDocument' in change ? (change.fullDocument ?? null) : null;
    }
    return campaign ?? undefined;
  } finally {
    await changes.close();
  }
}
// #endregion

// #region results
/** Conversations lie together by their ids; ";" comes behind ":". */
async function outcomesOf(db: Db, campaign: string): Promise<string[]> {
  const ids = { $gte: `${campaign}:`, $lt: `${campaign};` };
  const found = db.collection<Conversation>('conversation_states').find({ _id: ids }, { sort: { _id: 1 } });
  return found.map(({ _id, status, outcome }) => `${_id} ${outcome ?? status}`).toArray();
}
// #endregion

// #region enroll
/** One contact into a campaign of type `triggered`. Resolves with the conversation, or why there is none. */
async function enroll(db: Db, _id: string, campaignId: string, contact: object): Promise<string> {
  const enrollments = db.collection<{ _id: string; conversationId?: string; reason?: string }>('enrollments');
  await enrollments.updateOne({ _id }, { $setOnInsert: { campaignId, contact, at: new Date() } }, { upsert: true });
  const answered = { _id, handledAt: { $exists: true } };
  const { conversationId, reason } = await patiently(
    `enrollment ${_id}`,
    async () => (await enrollments.findOne(answered)) ?? undefined,
  );
  return conversationId ?? `nobody: ${reason}`;
}
// #endregion

// #region cancel
/** False: it has ended already, or is not there. */
async function cancel(db: Db, _id: string): Promise<boolean> {
  const open = { $in: ['draft', 'pending', 'scheduled', 'running', 'paused'] };
  const { modifiedCount } = await db
    .collection<Campaign>('campaigns')
    .updateOne({ _id, status: open }, { $set: { status: 'cancelled' } });
  return modifiedCount === 1;
}
// #endregion

// #region error
/** What is wrong with a campaign is told in its document: `path` says where. */
function complaintOf({ _id, status, error }: Campaign): string {
  return error ? `${_id} is ${status}: ${error.code} at ${error.path}` : `${_id} is ${status}`;
}
// #endregion

async function main(db: Db): Promise<void> {
  const ada = { id: 'ada', name: 'Ada', phone: '+493055501005' };
  const grace = { id: 'grace', name: 'Grace', phone: '+493055501006' };
  const stages = [{ id: 'hello', type: 'message', channel: 'sms', content: { text: 'Hello' } }];

  await storeTemplate(db);
  await storeCampaign(db, {
    _id: 'party',
    status: 'pending',
    audience: { contacts: [ada, grace] },
    templateId: 'invitation',
    templateVersion: 1,
  });
  await untilSent(db, 'party', 2);
  console.log(`reply pushed: ${await pushReply(db, 'party:ada', 'reply-1', 'accept', 'With pleasure')}`);
  await storeInbound(db, 'reply-2', grace.phone, 'Who else comes?');
  const party = await untilEnded(db, 'party');
  console.log(party ? complaintOf(party) : 'party was deleted');
  console.log(`${party?.metrics?.messages.sent} messages sent, ${party?.metrics?.replied} replies`);
  for (const line of await outcomesOf(db, 'party')) console.log(line);

  await storeCampaign(db, { _id: 'welcome', type: 'triggered', status: 'pending', flow: { stages } });
  console.log(`enrolled: ${await enroll(db, 'signup-1', 'welcome', ada)}`);
  console.log(`cancelled: ${await cancel(db, 'welcome')}`);

  const fax = [{ id: 'hello', type: 'message', channel: 'fax', content: { text: 'Hello' } }];
  await storeCampaign(db, { _id: 'wrong', status: 'pending', audience: { contacts: [ada] }, flow: { stages: fax } });
  const wrong = await untilEnded(db, 'wrong');
  console.log(wrong ? complaintOf(wrong) : 'wrong was deleted');
}

const client = new MongoClient(process.env['MONGODB_URI'] ?? 'mongodb://127.0.0.1:27017/?replicaSet=rs0');
try {
  await main(client.db(process.env['MONGODB_DATABASE'] ?? 'communication_base'));
} finally {
  await client.close();
}
