// What is to be seen of the example campaign, in everything that docker-compose.yml starts, at the addresses that docs/image.md names.
import { readFileSync } from 'node:fs';
import { MongoClient } from 'mongodb';
import { parse } from 'yaml';
import { until } from './imageWorld.mjs';

const root = new URL('..', import.meta.url);
const file = (path) => readFileSync(new URL(path, root), 'utf8');
const people = file('examples/onboarding.csv').trim().split('\n').length - 1;
const welcome = /^(Welcome to|Willkommen bei) Compass, /;

async function get(url) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

/** A campaign that is over as soon as its messages have left. */
export const short = (_id, count) => ({
  _id,
  status: 'pending',
  type: 'broadcast',
  transactional: true,
  audience: { contacts: Array.from({ length: count }, (_, n) => ({ id: String(n), phone: `+493055550${100 + n}` })) },
  flow: { stages: [{ id: 'one', type: 'message', channel: 'sms', content: { text: 'Hello' } }] },
});

export async function lookAtMongo({ expect }) {
  const client = await MongoClient.connect('mongodb://127.0.0.1:27017/?directConnection=true');
  try {
    const db = client.db('communication_base');
    const campaigns = db.collection('campaigns');
    const example = await until('the mails of the example left', () =>
      campaigns.findOne({ _id: 'onboarding', 'metrics.messages.sent': people }),
    );
    expect(
      'example campaign in MongoDB',
      `${example.status}, ${example.metrics.messages.sent} sent`,
      `running, ${people} sent`,
    );
    await campaigns.insertOne(short('short', 5));
    const done = await until('a campaign of others completes', () =>
      campaigns.findOne({ _id: 'short', status: 'completed' }),
    );
    expect('another campaign in MongoDB', `${done.status}, ${done.metrics.messages.sent} sent`, 'completed, 5 sent');
  } finally {
    await client.close();
  }
}

export async function lookAtMailpit({ expect }) {
  const { total, messages } = await get('http://127.0.0.1:8025/api/v1/messages');
  expect('mails in Mailpit', total, people);
  expect(
    'of them as the example has them',
    messages.filter(({ Subject: subject }) => welcome.test(subject)).length,
    people,
  );
}

/** Exported in batches, so a while after the mails. */
export async function lookAtJaeger({ expect, say }) {
  const address = 'http://127.0.0.1:16686/api/traces?service=communication-base&limit=1000&lookback=1h';
  const conversations = await until('the traces are in Jaeger', async () => {
    const { data } = await get(address);
    const found = (data ?? []).filter(({ spans }) => spans.some((span) => span.operationName === 'send email'));
    return found.length >= people && found;
  });
  expect('conversations in Jaeger with a mail', conversations.length, people);
  const orphans = conversations.flatMap(({ spans }) => {
    const ids = new Set(spans.map(({ spanID }) => spanID));
    return spans.filter(({ references }) =>
      references.some((one) => one.refType === 'CHILD_OF' && !ids.has(one.spanID)),
    );
  });
  expect('spans without their parent', orphans.length, 0);
  say(`       one of them: ${conversations[0].spans.map((span) => span.operationName).join(', ')}`);
}

const prometheus = (path) => get(`http://127.0.0.1:9090/api/v1/${path}`).then(({ data }) => data);
const query = async (expr) => {
  const { result } = await prometheus(`query?query=${encodeURIComponent(expr)}`);
  return Number(result[0]?.value[1] ?? Number.NaN);
};

export async function lookAtPrometheus({ expect }, { workers, mails }) {
  await until('Prometheus reads every worker', async () => (await query('sum(up)')) === workers);
  await until(
    'Prometheus knows of the messages',
    async () => (await query('sum(communication_base_messages_total)')) > 0,
  );
  expect('workers that Prometheus reads', await query('count(up == 1)'), workers);
  if (mails)
    expect(
      'mails sent, says Prometheus',
      await query('sum(communication_base_messages_total{channel="email",status="sent"})'),
      mails,
    );
  const wanted = parse(file('helm/communication-base/files/alerts.yaml')).groups.flatMap(({ rules }) => rules).length;
  const rules = await until('the rules are evaluated', async () => {
    const all = (await prometheus('rules')).groups.flatMap((group) => group.rules);
    return all.every(({ health }) => health !== 'unknown') && all;
  });
  expect('rules in Prometheus, all well', rules.filter(({ health }) => health === 'ok').length, wanted);
  expect(
    'alerts that fire',
    rules
      .filter(({ state }) => state === 'firing')
      .map(({ name }) => name)
      .join(' '),
    '',
  );
}

/** The stand-in has a page for its health alone, and says so. */
export async function lookAtGrafana({ expect, say }) {
  const health = await get('http://127.0.0.1:3000/api/health');
  if (health.standIn) return say('       Grafana was NOT tried: a page stands in for it');
  expect('database of Grafana', health.database, 'ok');
  const { uid, title, panels } = JSON.parse(file('helm/communication-base/files/dashboard.json'));
  const { dashboard } = await get(`http://127.0.0.1:3000/api/dashboards/uid/${uid}`);
  expect(
    'dashboard in Grafana',
    `${dashboard.title}, ${dashboard.panels.length} panels`,
    `${title}, ${panels.length} panels`,
  );
}

export { people };
