// At the end: what the documents say beside what the provider saw. Empty lists are what is hoped for.
import { startProgram } from '../bench/processes.mjs';

/** Handed over at most so long after a cancel was stored; the rest is the way to the provider and its clock. */
const cancelToleranceMs = 1_000 + 1_000;

const some = (found) => ({ count: found.length, examples: found.slice(0, 5) });

/** `communication-base audit --json`. */
export async function audit(env) {
  let text = '';
  const child = startProgram(['--json', 'audit'], env, {
    onLine: (line) => {
      text += `${line}\n`;
    },
  });
  const code = await child.gone;
  try {
    return { code, ...JSON.parse(text) };
  } catch {
    return { code, ok: false, findings: [{ kind: 'unreadable', text: text.slice(0, 500) }] };
  }
}

/** Everything that must not be. `bound`: repeats that what happened can explain. */
export async function judge({ db, provider, traffic, atMostOnce }) {
  const lost = [];
  const unknownKeys = new Set(provider.record.keys());
  const acknowledgedOnly = [];
  const rows = db.collection('messages').find(
    {},
    {
      projection: {
        status: 1,
        sentAt: 1,
        handedAt: 1,
        channel: 1,
        campaignId: 1,
        conversationId: 1,
        stage: 1,
        step: 1,
      },
    },
  );
  const statuses = {};
  const byStep = new Map();
  const doubled = [];
  for await (const row of rows) {
    statuses[row.status] = (statuses[row.status] ?? 0) + 1;
    const seen = provider.record.get(row._id);
    unknownKeys.delete(row._id);
    if (row.sentAt && !seen) lost.push(row._id);
    // the flows here have no loops: a step of a conversation is one message
    const step = `${row.conversationId} ${row.stage} ${row.step}`;
    if (byStep.has(step) && seen && provider.record.has(byStep.get(step))) doubled.push(row._id);
    else byStep.set(step, row._id);
    if (seen?.tries.some((one) => one.acknowledged) && !row.sentAt && row.status !== 'uncertain')
      acknowledgedOnly.push(`${row._id} ${row.status}`);
  }
  const records = [...provider.record.values()];
  const repeated = records.filter(({ times }) => times > 1);
  const afterEnd = records.flatMap(({ key, campaignId, tries }) => {
    const { endedAt } = traffic.campaigns.get(campaignId) ?? {};
    return endedAt === undefined
      ? []
      : tries.filter(({ at }) => at > endedAt + cancelToleranceMs).map(({ at }) => `${key} ${at - endedAt} ms late`);
  });
  return {
    figures: {
      rows: Object.values(statuses).reduce((sum, count) => sum + count, 0),
      statuses,
      taken: records.length,
      repeated: repeated.reduce((sum, { times }) => sum + times - 1, 0),
      /** Tries after one that the provider had not acknowledged: asked for, or in doubt. */
      /** A sender died before it could record the answer, and then the conversation ended. */
      takenAndSkipped: acknowledgedOnly.length,
      unasked: repeated.reduce((sum, { tries }) => sum + unasked(tries), 0),
    },
    faults: {
      'sent by the documents, never seen by the provider': some(lost),
      'seen by the provider, unknown to the documents': some([...unknownKeys]),
      'two messages for one step': some(doubled),
      'another text under the same key': some(records.filter(({ differs }) => differs).map(({ key }) => key)),
      'at-most-once, taken twice': some(
        repeated.filter(({ channel }) => atMostOnce.includes(channel)).map(({ key }) => key),
      ),
      'handed over after the end was stored': some(afterEnd),
      'events not consumed exactly once': some(await wrongEvents(db, traffic)),
    },
  };
}

/** Repeats of what had been acknowledged. */
const unasked = (tries) => tries.slice(1).filter((_, index) => tries[index].acknowledged).length;

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
