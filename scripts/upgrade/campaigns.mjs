// What runs while releases change, and what has to come of it.

/** What campaigns of this proof use and an older release may not know, by the schema that names it. */
export const features = [
  { schema: 'campaigns', field: 'perSecond' },
  { schema: 'flow', field: 'fallback' },
];

const people = (name, count) => Array.from({ length: count }, (_, n) => ({ id: `${name}${n}`, name, phone: `+1${n}` }));
const message = (id, more = {}) => ({
  id,
  type: 'message',
  channel: 'phone',
  content: { text: `${id} {{ contact.name }}` },
  ...more,
});
const campaign = (_id, contacts, stages, expected, more = {}) => ({
  ...{ _id, status: 'pending', audience: { contacts }, flow: { stages }, expected, ...more },
});

/** Of one who answers the first message: nothing of the last stage. */
export const isReplier = (conversationId) => /:replies\d+$/.test(conversationId);
const repliers = 10;

/** Goes on through all phases. */
function steady() {
  const stages = Array.from({ length: 45 }, (_, n) => message(`s${n}`, { delay: 'PT2S' }));
  return campaign(
    'steady',
    people('s', 40),
    stages,
    stages.map(({ id }) => `${id}/0`),
  );
}

function talk(phase) {
  const followUps = ['Still there?', 'Last call'].map((text) => ({ after: 'PT3S', content: { text } }));
  const stages = [
    message('hello', { followUps, waitForReply: 'PT3S' }),
    { id: 'pause', type: 'wait', for: 'PT1S' },
    message('last'),
  ];
  const contacts = [...people('plain', 40), ...people('replies', repliers)];
  return campaign(`talk-${phase}`, contacts, stages, ['hello/0', 'hello/1', 'hello/2', 'last/0'], {
    replied: repliers,
  });
}

/** One that spans what comes after it, where its phase is the first. */
const rated = (phase) =>
  campaign(`rated-${phase}`, people('r', phase === 'old' ? 300 : 60), [message('one')], ['one/0'], {
    ...{ limits: { perSecond: 5 }, needs: 'perSecond' },
  });

/** Its own channel takes nothing, but at the very end. */
function fallen(phase) {
  const fallback = { channel: 'phone', after: 'PT2S' };
  const stages = [message('first', { channel: 'push', fallback }), message('second', { delay: 'PT2S' })];
  return campaign(`fallen-${phase}`, people('f', 40), stages, ['first/0', 'second/0'], { needs: 'fallback' });
}

export const campaignsFor = (phase) => [
  ...(phase === 'old' ? [steady()] : []),
  ...[talk(phase), rated(phase), fallen(phase)],
];

/** What is stored, without what only this proof knows. */
export const documentOf = ({ expected: _, replied: __, needs: ___, ...document }) => document;

/** Messages over what a span may have (`perSecond` a second, and what a second allows at once; two for the way), at most. */
export function burstsOver({ _id, limits: { perSecond } }, arrivals) {
  const times = arrivals.filter(({ campaignId }) => campaignId === _id).map(({ at }) => at);
  const over = [1, 5, 20].flatMap((seconds) =>
    times.map(
      (from) => times.filter((at) => at >= from && at < from + seconds * 1_000).length - perSecond * (seconds + 1) - 2,
    ),
  );
  return Math.max(0, ...over);
}

const sameSteps = (got, expected) => [...got].sort().join() === [...expected].sort().join();

/** Lost, repeated, not at its end, or counted otherwise than it was. */
export async function faultsOf(db, { _id, audience, expected, replied = 0 }, arrivals) {
  const found = [];
  const document = await db.collection('campaigns').findOne({ _id });
  if (document?.status !== 'completed') found.push(`its status is ${document?.status}`);
  const own = arrivals.filter(({ campaignId }) => campaignId === _id);
  const steps = grouped(own);
  for (const { id } of audience.contacts) {
    const conversationId = `${_id}:${id}`;
    const got = (steps.get(conversationId) ?? []).map(({ stage, step }) => `${stage}/${step}`);
    const conversation = await db.collection('conversation_states').findOne({ _id: conversationId });
    const isRight = isReplier(conversationId)
      ? got.includes('hello/0') && new Set(got).size === got.length && conversation?.outcome === 'replied'
      : sameSteps(got, expected);
    if (!isRight || conversation?.status !== 'completed')
      found.push(`${conversationId} got ${got}, and is ${conversation?.status} ${conversation?.outcome}`);
  }
  found.push(...(await miscounts(db, { _id, size: audience.contacts.length, replied }, own)));
  return found;
}

/** Of a message in doubt whose contact has answered nobody knows whether it left: its row says so, whether or not it came. */
async function miscounts(db, { _id, size, replied }, own) {
  const rows = await db.collection('messages').find({ campaignId: _id }).toArray();
  const idsOf = (isOne) => new Set(rows.filter(isOne).map((row) => row._id));
  const uncertain = idsOf(({ status }) => status === 'uncertain');
  const sent = idsOf(({ sentAt }) => sentAt !== undefined);
  const skipped = idsOf(({ status, reason }) => status === 'skipped' && reason === 'superseded');
  const came = new Set(own.map(({ messageId }) => messageId).filter((id) => !uncertain.has(id)));
  const document = await db.collection('campaigns').findOne({ _id });
  const { total, active, completed, messages = {}, replied: answered = 0 } = document?.metrics ?? {};
  const counts = [messages.sent, messages.skipped, messages.uncertain].map((count) => count ?? 0);
  const counted = JSON.stringify({ total, active, completed, answered, messages: counts });
  const sizes = [came, skipped, uncertain].map((ids) => ids.size);
  const wanted = JSON.stringify({ total: size, active: 0, completed: size, answered: replied, messages: sizes });
  const differ = [...new Set([...came, ...sent])].filter((id) => came.has(id) !== sent.has(id));
  const such = JSON.stringify(rows.find((row) => row._id === differ[0])) ?? differ[0];
  const strange = rows.filter((row) => uncertain.has(row._id) && !isReplier(row.conversationId));
  return [
    ...strange.map(({ _id: id }) => `${id} is uncertain, and its contact has not answered`),
    ...(counted === wanted ? [] : [`counted ${counted}, not ${wanted}`]),
    ...(differ.length === 0 ? [] : [`${differ.length} rows do not say what came, such as ${such}`]),
  ];
}

/** By conversation. */
function grouped(messages) {
  const found = new Map();
  for (const one of messages) found.set(one.conversationId, [...(found.get(one.conversationId) ?? []), one]);
  return found;
}

/** Whether an older release refused to start it, said so, and sent nothing. */
export async function isRefused(db, { _id }, arrivals) {
  const document = await db.collection('campaigns').findOne({ _id });
  const isSaid = JSON.stringify(document?.error ?? {}).includes('not_supported');
  return document?.status === 'failed' && isSaid && !arrivals.some(({ campaignId }) => campaignId === _id);
}

/** What stands open, for whoever looks for the reason. */
export async function stuck(db) {
  const lines = [];
  for (const { _id, status } of await db.collection('campaign_runs').find({ settled: false }).toArray()) {
    const open = await db.collection('conversation_states').find({ campaignId: _id, status: 'active' }).toArray();
    const rows = await db.collection('messages').find({ campaignId: _id, pending: true }).limit(2).toArray();
    lines.push(
      `${_id} is ${status}: ${open.length} open, such as ${JSON.stringify(open[0])}; rows ${JSON.stringify(rows)}`,
    );
  }
  return lines;
}
