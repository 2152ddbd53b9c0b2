// At the end: what was asked for, what the documents say, and what the provider saw. Empty lists are what is hoped for.
import { startProgram } from '../bench/processes.mjs';
import { judgeAsked } from './asked.mjs';
import { late } from './instants.mjs';
import { judgeRepeats } from './repeats.mjs';

const some = (found) => ({ count: found.length, examples: found.slice(0, 5) });

/** `communication-base audit --json`; `unreadable`: what it said instead, if it was no audit. */
export async function audit(env, ...args) {
  let text = '';
  const child = startProgram(['--json', 'audit', ...args], env, {
    onLine: (line) => {
      text += `${line}\n`;
    },
  });
  const code = await child.gone;
  try {
    const told = JSON.parse(text);
    if (Array.isArray(told.findings)) return { ...told, code };
  } catch {
    // said below
  }
  return {
    code,
    ok: false,
    findings: [{ kind: 'unreadable', text: text.slice(0, 500) }],
    unreadable: text.slice(0, 500),
  };
}

/**
 * Everything that must not be.
 * @param atMostOnce channels on which nothing is tried again that may have left.
 * @param spans faults as `perform` keeps them; `sendingStops`: spans in which sending was stopped for all.
 */
export async function judge({ db, provider, traffic, workers, spans = [], sendingStops = [], ...given }) {
  const { atMostOnce, inDoubt, leaseTtlMs } = given;
  const rows = await readRows(db);
  const records = [...provider.record.values()];
  const repeated = records.filter(({ times }) => times > 1);
  const unknown = records.filter(({ key }) => !rows.byId.has(key)).map(({ key }) => key);
  const of = (flag) => spans.filter(({ kind }) => kind[flag]).map(({ from, to }) => ({ from, to }));
  const losses = {
    troubles: workers.troubles,
    stills: [...workers.troubles.filter(({ from }) => from), ...of('deafens')],
  };
  const repeats = judgeRepeats(repeated, losses, { inDoubt, leaseTtlMs });
  const disturbed = spans.map(({ from, to }) => ({ from, to }));
  const { judgedAlive, faults } = await asked(db, traffic, rows, provider, { atMostOnce, disturbed });
  return {
    figures: {
      rows: rows.byId.size,
      statuses: rows.statuses,
      taken: records.length,
      repeated: repeated.reduce((sum, { times }) => sum + times - 1, 0),
      /** Of these, after a try that the provider had acknowledged. */
      acknowledgedBefore: repeats.count,
      mostOfOneLoss: repeats.most,
      /** Campaigns that were ended, and had had the time to reach somebody. */
      endedAlive: judgedAlive,
    },
    faults: {
      'sent by the documents, never seen by the provider': some(
        [...rows.byId.values()].filter(({ _id, sentAt }) => sentAt && !provider.record.has(_id)).map(({ _id }) => _id),
      ),
      'seen by the provider, unknown to the documents': some(unknown),
      'two messages for one step': some(doubled(rows.byId, provider)),
      'another text under the same key': some(records.filter(({ differs }) => differs).map(({ key }) => key)),
      'at-most-once, taken twice': some(
        repeated.filter(({ channel }) => atMostOnce.includes(channel)).map(({ key }) => key),
      ),
      'uncertain although it could have been tried again': some(await givenUp(db, rows, atMostOnce)),
      'repeated although its sender was well': some(repeats.unexplained),
      'more repeated than a sender may have in doubt': some(repeats.tooMany),
      'handed over in a pause, while sending was stopped or after the end': some(
        late(records, traffic.campaigns, sendingStops),
      ),
      'events not consumed exactly once': some(await wrongEvents(db, traffic)),
      ...faults,
    },
  };
}

async function readRows(db) {
  const fields = ['status', 'queuedAt', 'sentAt', 'channel', 'conversationId', 'stage', 'step', 'reason'];
  const projection = Object.fromEntries(fields.map((field) => [field, 1]));
  const byId = new Map();
  const statuses = {};
  for await (const row of db.collection('messages').find({}, { projection })) {
    byId.set(row._id, row);
    statuses[row.status] = (statuses[row.status] ?? 0) + 1;
  }
  return { byId, statuses };
}

/** Rows that are `uncertain` on a channel which tries again, although their conversation had not gone on without them. */
async function givenUp(db, { byId }, atMostOnce) {
  const uncertain = [...byId.values()].filter(
    ({ status, channel }) => status === 'uncertain' && !atMostOnce.includes(channel),
  );
  const found = await db
    .collection('conversation_states')
    .find(
      { _id: { $in: uncertain.map(({ conversationId }) => conversationId) } },
      { projection: { status: 1, history: 1 } },
    )
    .toArray();
  const conversations = new Map(found.map((conversation) => [conversation._id, conversation]));
  return uncertain.filter((row) => !wentOn(row, conversations.get(row.conversationId))).map(({ _id }) => _id);
}

/** It was cancelled, or an event came, after the message was decided. */
const wentOn = ({ queuedAt }, { status, history } = {}) =>
  status === 'cancelled' || history?.some(({ at, detail }) => detail?.id !== undefined && at >= queuedAt) === true;

/** The flows of the traffic have no loops: a step of a conversation is one message. */
function doubled(byId, provider) {
  const steps = new Set();
  return [...byId.values()]
    .filter(({ _id }) => provider.record.has(_id))
    .filter(({ conversationId, stage, step }) => {
      const key = `${conversationId} ${stage} ${step}`;
      if (steps.has(key)) return true;
      steps.add(key);
      return false;
    })
    .map(({ _id }) => _id);
}

/** What was asked for, against what is stored and what the provider saw. */
async function asked(db, traffic, rows, provider, { atMostOnce, disturbed }) {
  const { campaigns, replied = new Set() } = traffic;
  const stored = await storedOf(db);
  const reached = (row) =>
    provider.record.has(row._id) || (row.status === 'uncertain' && atMostOnce.includes(row.channel));
  const got = new Map();
  for (const row of [...rows.byId.values()].filter(reached)) {
    if (!got.has(row.conversationId)) got.set(row.conversationId, new Set());
    got.get(row.conversationId).add(`${row.stage}/${row.step}`);
  }
  const { judgedAlive, ...found } = judgeAsked({ campaigns, replied, ...stored, got, disturbed });
  const expected = new Set([...campaigns.values()].flatMap(({ conversations }) => conversations));
  const letters = await db.collection('dead_letters').find({}, { limit: 5 }).toArray();
  const failed = [...rows.byId.values()]
    .filter(({ status }) => status === 'failed')
    .map(({ _id, reason }) => `${_id} ${reason}`);
  const faults = {
    'campaigns that ended as they should not': some(found.ends),
    'ended before its time': some(found.early),
    'conversations that are missing or ended as they should not': some(found.missing),
    'conversations of nobody': some([...stored.conversations.keys()].filter((id) => !expected.has(id))),
    'people who did not get a message': some(found.unsent),
    'campaigns that reached nobody while they ran': some(found.unreached),
    'messages that failed': some(failed),
    'dead letters': some(letters.map(({ reason, conversationId }) => `${reason} ${conversationId}`)),
  };
  return { judgedAlive, faults };
}

/** Campaigns, runs and conversations by id, as far as they are judged. */
async function storedOf(db) {
  const read = async (name, fields) => {
    const found = new Map();
    const projection = Object.fromEntries(fields.map((field) => [field, 1]));
    for await (const document of db.collection(name).find({}, { projection })) found.set(document._id, document);
    return found;
  };
  return {
    documents: await read('campaigns', ['status', 'error']),
    runs: await read('campaign_runs', ['status', 'settled', 'endReason', 'completedAt']),
    conversations: await read('conversation_states', ['status', 'outcome', 'updatedAt']),
  };
}

/** Which stamps the rows of these conversations have. */
async function stampsOf(db, ids) {
  const found = new Set();
  const rows = db
    .collection('messages')
    .find({ conversationId: { $in: ids } }, { projection: { conversationId: 1, openedAt: 1, clickedAt: 1 } });
  for await (const { conversationId, ...row } of rows)
    for (const stamp of ['openedAt', 'clickedAt']) if (row[stamp]) found.add(`${conversationId} ${stamp}`);
  return found;
}

/** What only stamps its row is remembered there; it is told once in the history. */
async function wrongEvents(db, { events, stamps }) {
  const wrong = [];
  const ids = [...new Set(events.values())];
  const byConversation = new Map(ids.map((id) => [id, []]));
  for (const [event, conversation] of events) byConversation.get(conversation).push(event);
  for (let from = 0; from < ids.length; from += 500) {
    const found = await db
      .collection('conversation_states')
      .find({ _id: { $in: ids.slice(from, from + 500) } }, { projection: { consumed: 1, history: 1, inbox: 1 } })
      .toArray();
    const known = new Map(found.map((conversation) => [conversation._id, conversation]));
    const stamped = await stampsOf(db, ids.slice(from, from + 500));
    for (const id of ids.slice(from, from + 500)) {
      const { consumed = [], history = [], inbox = [] } = known.get(id) ?? {};
      for (const event of byConversation.get(id)) {
        const times = consumed.filter((one) => one === event).length;
        const told = history.filter(({ detail }) => detail?.id === event).length;
        const stamp = stamps.get(event);
        const isStamped = stamp !== undefined && stamped.has(`${id} ${stamp}`) && inbox.length === 0 && told <= 1;
        if (!isStamped && (times !== 1 || told !== 1))
          wrong.push(`${event} of ${id}: consumed ${times}, in the history ${told}`);
      }
    }
  }
  return wrong;
}
