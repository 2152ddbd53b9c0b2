// At the end: what was asked for, what the documents say, and what the provider saw. Empty lists are what is hoped for.
import { startProgram } from '../bench/processes.mjs';

/** A pause, a cancel and an end hold within a second of being stored; the rest is the way to the provider and its clock. */
const toleranceMs = 1_000 + 1_000;

const some = (found) => ({ count: found.length, examples: found.slice(0, 5) });

/** `communication-base audit --json`. */
export async function audit(env, ...args) {
  let text = '';
  const child = startProgram(['--json', 'audit', ...args], env, {
    onLine: (line) => {
      text += `${line}\n`;
    },
  });
  const code = await child.gone;
  try {
    return { code, findings: [], ...JSON.parse(text) };
  } catch {
    return { code, ok: false, findings: [{ kind: 'unreadable', text: text.slice(0, 500) }] };
  }
}

/**
 * Everything that must not be.
 * @param atMostOnce channels on which nothing is tried again that may have left.
 */
export async function judge({ db, provider, traffic, workers, atMostOnce, inDoubt }) {
  const rows = await readRows(db);
  const records = [...provider.record.values()];
  const repeated = records.filter(({ times }) => times > 1);
  const unknown = records.filter(({ key }) => !rows.byId.has(key)).map(({ key }) => key);
  const repeats = judgeRepeats(repeated, workers, inDoubt);
  return {
    figures: {
      rows: rows.byId.size,
      statuses: rows.statuses,
      taken: records.length,
      repeated: repeated.reduce((sum, { times }) => sum + times - 1, 0),
      /** Of these, after a try that the provider had acknowledged. */
      acknowledgedBefore: repeats.count,
      mostOfOneLoss: repeats.most,
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
      'uncertain on a channel that may try again': some(
        [...rows.byId.values()]
          .filter(({ status, channel }) => status === 'uncertain' && !atMostOnce.includes(channel))
          .map(({ _id }) => _id),
      ),
      'repeated although its sender was well': some(repeats.unexplained),
      'more repeated than a sender may have in doubt': some(repeats.tooMany),
      'handed over in a pause or after the end': some(late(records, traffic)),
      'events not consumed exactly once': some(await wrongEvents(db, traffic)),
      ...(await wrongEnds(db, traffic, rows, provider, atMostOnce)),
    },
  };
}

async function readRows(db) {
  const fields = ['status', 'sentAt', 'channel', 'conversationId', 'stage', 'step', 'reason'];
  const projection = Object.fromEntries(fields.map((field) => [field, 1]));
  const byId = new Map();
  const byConversation = new Map();
  const statuses = {};
  for await (const row of db.collection('messages').find({}, { projection })) {
    byId.set(row._id, row);
    statuses[row.status] = (statuses[row.status] ?? 0) + 1;
    const own = byConversation.get(row.conversationId) ?? [];
    own.push(row);
    byConversation.set(row.conversationId, own);
  }
  return { byId, byConversation, statuses };
}

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

// ---------------------------------------------------------------- repeats

/** Longest from the loss of a member to the next hand-over of what it had: leases, outages and back-off. */
const lossMs = 60_000;

/**
 * What was acknowledged may come again only if its sender was lost before it could record the answer: killed, fenced, or
 * gone with something in doubt. One loss explains as many as it may have had in doubt.
 */
function judgeRepeats(repeated, { troubles }, inDoubt) {
  const byWorker = new Map();
  for (const trouble of troubles) byWorker.set(trouble.name, [...(byWorker.get(trouble.name) ?? []), trouble]);
  const explained = new Map();
  const unexplained = [];
  let count = 0;
  for (const { key, tries } of repeated)
    for (const [index, { at, worker, acknowledged }] of tries.slice(0, -1).entries()) {
      if (!acknowledged) continue;
      count += 1;
      const { at: again, worker: by } = tries[index + 1];
      // a member that was cut off is told of its loss after the others took over
      const loss = byWorker.get(worker)?.find((trouble) => trouble.at >= at - 5_000 && trouble.at <= again + lossMs);
      if (loss) explained.set(loss, (explained.get(loss) ?? 0) + 1);
      else
        unexplained.push(`${key} by ${worker} at ${new Date(at).toISOString()}, again ${again - at} ms later by ${by}`);
    }
  const tooMany = [...explained]
    .filter(([, number]) => number > inDoubt)
    .map(([{ name }, number]) => `${name} ${number}`);
  return { count, unexplained, tooMany, most: Math.max(0, ...explained.values()) };
}

// ---------------------------------------------------------------- pauses and ends

function late(records, { campaigns }) {
  return records.flatMap(({ key, campaignId, tries }) => {
    const { endedAt = Number.POSITIVE_INFINITY, pauses = [] } = campaigns.get(campaignId) ?? {};
    return tries.flatMap(({ at }) => {
      const pause = pauses.find(({ from, to }) => at > from + toleranceMs && at < to);
      if (pause) return [`${key} ${at - pause.from} ms into a pause`];
      return at > endedAt + toleranceMs ? [`${key} ${at - endedAt} ms after the end`] : [];
    });
  });
}

// ---------------------------------------------------------------- what was asked for

/** Stages that everybody gets, by flow; `ask` forks after the first. */
const everybody = { ask: ['intro'], once: ['first', 'second'], long: ['s0', 's1', 's2', 's3', 's4', 's5'] };

/** Campaigns and conversations that did not come to the end they had to come to. */
async function wrongEnds(db, { campaigns, replied = new Set() }, rows, provider, atMostOnce) {
  const statuses = new Map();
  const outcomes = new Map();
  const projection = { status: 1, outcome: 1 };
  for await (const { _id, status, outcome } of db.collection('conversation_states').find({}, { projection })) {
    statuses.set(_id, status);
    outcomes.set(_id, outcome);
  }
  const reached = (row) =>
    provider.record.has(row._id) || (row.status === 'uncertain' && atMostOnce.includes(row.channel));
  const missing = [];
  const unsent = [];
  const ends = [];
  const allowed = new Set();
  for (const [id, { flow, fate, conversations }] of campaigns) {
    const whole = fate === 'none' || fate === 'pause';
    const campaign = await db.collection('campaigns').findOne({ _id: id }, { projection: { status: 1, error: 1 } });
    if (whole && campaign?.status !== 'completed')
      ends.push(`${id} ${campaign?.status} ${campaign?.error?.code ?? ''}`);
    for (const conversation of conversations) {
      allowed.add(conversation);
      const status = statuses.get(conversation);
      if (status === undefined ? whole : !(status === 'completed' || (!whole && status === 'cancelled')))
        missing.push(`${conversation} ${status}`);
      if (!whole || status === undefined) continue;
      const own = (rows.byConversation.get(conversation) ?? []).filter(reached).map(({ stage }) => stage);
      const outcome = outcomes.get(conversation);
      const lacks = everybody[flow].filter((stage) => !own.includes(stage));
      // who answers may do so wherever he is by then: in a stage that leads nowhere from there it is the end
      if (flow === 'ask' && !replied.has(conversation) && !own.includes('tips')) lacks.push('tips');
      if (outcome === 'answered' && !own.includes('thanks')) lacks.push('thanks');
      if (lacks.length > 0) unsent.push(`${conversation} got no ${lacks.join(', ')}`);
    }
  }
  const letters = await db.collection('dead_letters').find({}, { limit: 5 }).toArray();
  const failed = [...rows.byId.values()]
    .filter(({ status }) => status === 'failed')
    .map(({ _id, reason }) => `${_id} ${reason}`);
  return {
    'campaigns that were to complete': some(ends),
    'conversations that are missing or ended as they should not': some(missing),
    'conversations of nobody': some([...statuses.keys()].filter((id) => !allowed.has(id))),
    'people who did not get a message': some(unsent),
    'messages that failed': some(failed),
    'dead letters': some(letters.map(({ reason, conversationId }) => `${reason} ${conversationId}`)),
  };
}

async function wrongEvents(db, { events }) {
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
    for (const id of ids.slice(from, from + 500)) {
      const { consumed = [], history = [] } = known.get(id) ?? {};
      for (const event of byConversation.get(id)) {
        const times = consumed.filter((one) => one === event).length;
        const told = history.filter(({ detail }) => detail?.id === event).length;
        if (times !== 1 || told !== 1) wrong.push(`${event} of ${id}: consumed ${times}, in the history ${told}`);
      }
    }
  }
  return wrong;
}
