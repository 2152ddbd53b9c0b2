// Fills a database with what ended long ago and a little that is open, and says how the standing queries are answered.
// The queries come from whoever calls: the test has them from the sources, `explain.mjs` from the build.

const batch = 10_000;
const partitions = 64;
const allPartitions = Array.from({ length: partitions }, (_, partition) => partition);
const limit = 500;
/** One seek for each partition that is merged, and one for each gap between the ranges of a query. */
export const seeks = partitions + 8;

/** `ended` conversations with a message each, and a tenth as many ended campaigns, beside 2,000 conversations of 20 open campaigns. */
export async function seed(db, ended, now) {
  const old = new Date(now.getTime() - 86_400_000);
  const at = (ms) => new Date(now.getTime() + ms);
  const conversation = (i, campaignId, rest) => ({
    _id: `${campaignId}:n${i}`,
    campaignId,
    contact: { id: `n${i}` },
    partition: i % partitions,
    version: 3,
    stage: 'intro',
    step: 1,
    sequence: 1,
    inbox: [],
    consumed: [],
    history: [],
    createdAt: old,
    updatedAt: old,
    ...rest,
  });
  const row = (i, campaignId, rest) => ({
    _id: `${campaignId}:n${i}/1`,
    campaignId,
    conversationId: `${campaignId}:n${i}`,
    partition: i % partitions,
    channel: 'console',
    ...rest,
  });
  const counter = (i, updatedAt) => ({ _id: `m1|c${i}`, campaignId: `c${i}`, memberId: 'm1', pending: 0, updatedAt });
  const campaigns = ended / 10;
  const resting = ['completed', 'failed', 'cancelled', 'draft'];
  await fill(db, 'conversation_states', ended, (i) => conversation(i, `old${i % 50}`, { status: 'completed' }));
  await fill(db, 'messages', ended, (i) => row(i, `old${i % 50}`, { status: 'sent' }));
  await fill(db, 'campaigns', campaigns, (i) => ({ _id: `old${i}`, status: resting[i % 4] }));
  await fill(db, 'campaign_runs', campaigns, (i) => ({ _id: `old${i}`, status: 'completed', settled: true }));
  await fill(db, 'campaign_counters', campaigns, (i) => ({ ...counter(i, old), _id: `m0|old${i}` }));
  await fill(db, 'contacts', campaigns, (i) => ({ _id: i % 2 ? i : `n${i}`, country: 'DE' }));
  await fill(db, 'conversation_states', 2_000, (i) =>
    conversation(i, `c${i % 20}`, {
      status: 'active',
      nextActionAt: at(i % 2 ? -i * 1_000 : i * 1_000),
      nextChannel: 'console',
      ...(i % 4 === 1 ? { opening: true } : {}),
      ...(i % 10 === 0 ? { inbox: [{ id: `e${i}`, type: 'reply' }] } : {}),
    }),
  );
  await fill(db, 'messages', 300, (i) => row(i, `c${i % 20}`, { status: 'sending', pending: true }));
  await fill(db, 'campaigns', 20, (i) => ({ _id: `c${i}`, status: i === 0 ? 7 : i % 2 ? 'running' : 'pending' }));
  await fill(db, 'campaign_runs', 20, (i) => ({ _id: `c${i}`, status: 'running', settled: false }));
  await fill(db, 'campaign_counters', 20, (i) => counter(i, new Date()));
}

/** How each standing query is answered. */
export async function plans(db, { conversationQueries, campaignQueries, audienceQuery }, now) {
  const { due, nextDue, withInbox, pendingMessages } = conversationQueries;
  const { needingAttention, openRuns, changedCounters } = campaignQueries;
  const lane = { campaignId: 'c3', channel: 'console', opening: false };
  const states = db.collection('conversation_states');
  const messages = db.collection('messages');
  const byDue = { sort: { nextActionAt: 1 } };
  const ids = { sort: { _id: 1 }, projection: { _id: 1 }, limit: 100, hint: 'inbox' };
  const source = { collection: 'contacts', filter: { country: 'DE' } };
  const cursors = {
    due: states.find(due(lane, allPartitions, now), { hint: 'due', limit }),
    'due (opening)': states.find(due({ ...lane, campaignId: 'c1', opening: true }, allPartitions, now), {
      hint: 'due',
      limit,
    }),
    'due (nothing)': states.find(due({ ...lane, campaignId: 'old3' }, allPartitions, now), { hint: 'due', limit }),
    nextDue: states.find(nextDue(lane, allPartitions), { ...byDue, limit: 1 }),
    'nextDue (after)': states.find(nextDue({ ...lane, campaignId: 'c2' }, allPartitions, now), { ...byDue, limit: 1 }),
    withInbox: states.find(withInbox(allPartitions, undefined), ids),
    'withInbox (next page)': states.find(withInbox(allPartitions, 'c0:n9'), ids),
    pendingMessages: messages.find(pendingMessages(allPartitions, undefined), {
      sort: { _id: 1 },
      limit,
      hint: 'pending',
    }),
    'pendingMessages (next page)': messages.find(pendingMessages(allPartitions, 'c3:n1/1'), {
      sort: { _id: 1 },
      limit: 100,
      hint: 'pending',
    }),
    needingAttention: db.collection('campaigns').find(needingAttention, { projection: { _id: 1 } }),
    openRuns: db.collection('campaign_runs').find(openRuns),
    changedCounters: db.collection('campaign_counters').find(changedCounters(undefined)),
    'changedCounters (since)': db.collection('campaign_counters').find(changedCounters(new Date())),
    audiencePage: audienceQuery(db, source, undefined, limit),
    'audiencePage (next)': audienceQuery(db, source, 'n1000', limit),
  };
  const found = [];
  for (const [name, cursor] of Object.entries(cursors)) found.push({ name, ...(await planOf(cursor)) });
  return found;
}

async function planOf(cursor) {
  const { queryPlanner, executionStats } = await cursor.explain('executionStats');
  return {
    stages: stagesOf(queryPlanner.winningPlan),
    keysExamined: executionStats.totalKeysExamined,
    docsExamined: executionStats.totalDocsExamined,
    returned: executionStats.nReturned,
    ms: executionStats.executionTimeMillis,
  };
}

/** Newer servers put the plan of the slot-based engine beside the one to read. */
function stagesOf(plan) {
  const { stage, queryPlan, inputStage, inputStages = [] } = plan;
  const inner = [queryPlan, inputStage, ...inputStages].filter(Boolean).flatMap(stagesOf);
  return [...new Set([...(stage ? [stage] : []), ...inner])];
}

async function fill(db, collection, count, document) {
  for (let from = 0; from < count; from += batch) {
    const documents = Array.from({ length: Math.min(batch, count - from) }, (_, i) => document(from + i));
    // Only what the queries look at is there, which is less than the validators ask for.
    const options = { ordered: false, bypassDocumentValidation: true, writeConcern: { w: 1 } };
    await db.collection(collection).insertMany(documents, options);
  }
}
