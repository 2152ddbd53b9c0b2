// What other services do all the while: campaigns, replies, pauses, cancels. Everything is written until it is acknowledged.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { seeded } from './random.mjs';

const text = (words) => ({ text: words });
const flows = {
  ask: {
    stages: [
      {
        ...{ id: 'intro', type: 'message', channel: 'phone', content: text('Hello {{ contact.name }}') },
        followUps: [
          { after: 'PT2S', content: text('Still there?') },
          { after: 'PT2S', content: text('Last call') },
        ],
        ...{ waitForReply: 'PT3S', on: { reply: 'thanks', noReply: 'tips' } },
      },
      { id: 'tips', type: 'message', channel: 'phone', delay: 'PT1S', content: text('Tips'), on: { noReply: 'quiet' } },
      { id: 'quiet', type: 'end', outcome: 'quiet' },
      { id: 'thanks', type: 'message', channel: 'phone', content: text('Thanks {{ contact.name }}') },
      { id: 'done', type: 'end', outcome: 'answered' },
    ],
  },
  once: {
    stages: [
      { id: 'first', type: 'message', channel: 'alert', content: text('One {{ contact.name }}') },
      { id: 'pause', type: 'wait', for: 'PT2S' },
      { id: 'second', type: 'message', channel: 'alert', content: text('Two') },
    ],
  },
  long: {
    stages: Array.from({ length: 6 }, (_, n) => ({
      ...{ id: `s${n}`, type: 'message', channel: n % 2 ? 'alert' : 'phone', content: text(`Number ${n}`) },
      delay: 'PT2S',
    })),
  },
};

const mostOpen = 12;
const peopleCount = 1500;

/** What happens to a campaign besides running. */
const fates = ['none', 'none', 'none', 'pause', 'pause', 'cancel', 'delete', 'endAt'];

export class Traffic {
  #db;
  #random;
  #over = false;
  #quiet = false;
  #replies = new Set();
  #jobs = new Set();
  /** Events that were pushed and acknowledged: id to conversation. */
  events = new Map();
  /** Conversations that were replied to. */
  replied = new Set();
  /**
   * Campaigns by id: `conversations` that there have to be in the end, `fate`, `endedAt` (nothing leaves later), `pauses` as
   * `{ from, to }` between which nothing leaves; ms since the epoch.
   */
  campaigns = new Map();
  actions = { campaigns: 0, pauses: 0, cancels: 0, deletes: 0, events: 0 };

  #seed;

  constructor({ db, random, seed, everyMs }) {
    this.#db = db;
    this.#seed = seed;
    this.#random = random;
    this.everyMs = everyMs;
  }

  async prepare() {
    await this.#db
      .collection('templates')
      .insertMany(Object.entries(flows).map(([id, flow]) => ({ _id: { id, version: 1 }, flow })));
    const people = Array.from({ length: peopleCount }, (_, n) => ({
      ...(n % 2 ? { _id: n } : { _id: `p${n}` }),
      ...{ name: `Person ${n}`, phone: `+4915${n}`, group: n % 5 },
    }));
    await this.#db.collection('people').insertMany(people);
  }

  /** Runs until `stop`. */
  async run() {
    const open = () => this.#db.collection('campaign_runs').countDocuments({ settled: false });
    while (!this.#over) {
      // a machine that is busy with faults gets no more than it can work off
      if ((await this.#surely(open)) < mostOpen) this.#job(this.#campaign());
      await sleep(this.everyMs * (0.5 + this.#random.next()));
    }
  }

  /** No new campaigns; resolves when what was begun is done. People go on answering. */
  async stop() {
    this.#over = true;
    while (this.#jobs.size > 0) await Promise.all(this.#jobs);
  }

  /** Nobody answers any more. */
  async hush() {
    this.#quiet = true;
    while (this.#replies.size > 0) await Promise.all(this.#replies);
  }

  /** The provider took a first try: some people answer. Who does follows from seed and message, in whatever order they come. */
  heard({ messageId, conversationId, stage, step }) {
    if (this.#quiet) return;
    const random = seeded(createHash('sha1').update(`${this.#seed} ${messageId}`).digest().readUInt32BE());
    if (random.chance(stage === 'intro' && step < 2 ? 0.25 : 0.02))
      this.#job(this.#reply(conversationId, stage, random), this.#replies);
  }

  #job(promise, jobs = this.#jobs) {
    const job = promise.finally(() => jobs.delete(job));
    jobs.add(job);
  }

  /** Until a majority has it, as a careful service would. */
  async #surely(write) {
    for (;;) {
      try {
        return await write();
      } catch (error) {
        if (error.code === 11_000) return undefined;
        await sleep(200);
      }
    }
  }

  async #campaign() {
    const random = this.#random.fork();
    const id = `c${this.campaigns.size}`;
    const flow = random.pick(Object.keys(flows));
    const inline = random.chance(0.5);
    const contacts = Array.from({ length: random.int(20, 300) }, (_, n) => ({
      id: `x${n}`,
      name: `X ${n}`,
      phone: `+1${n}`,
    }));
    const audience = inline
      ? { contacts: [...contacts, contacts[0]] }
      : { collection: 'people', filter: { group: random.int(0, 4) } };
    const fate = random.pick(fates);
    const schedule = fate === 'endAt' ? { schedule: { endAt: new Date(Date.now() + random.int(2000, 15_000)) } } : {};
    const priority = random.int(0, 9);
    const ids = inline
      ? contacts.map((contact) => contact.id)
      : Array.from({ length: peopleCount }, (_, n) => n)
          .filter((n) => n % 5 === audience.filter.group)
          .map((n) => (n % 2 ? `#${n}` : `p${n}`));
    const conversations = ids.map((contact) => `${id}:${contact}`);
    const known = { flow, fate, conversations, pauses: [], endedAt: schedule.schedule?.endAt.getTime() };
    this.campaigns.set(id, known);
    const document = { _id: id, status: 'pending', templateId: flow, audience, priority, ...schedule };
    await this.#surely(() => this.#db.collection('campaigns').insertOne(document));
    this.actions.campaigns += 1;
    await sleep(random.int(500, 8000));
    if (fate === 'pause') for (let n = random.int(1, 3); n > 0; n--) await this.#pause(id, random);
    if (fate === 'cancel') await this.#end(id, 'cancels', { $set: { status: 'cancelled' } });
    if (fate === 'delete') await this.#end(id, 'deletes');
  }

  async #pause(id, random) {
    const campaigns = this.#db.collection('campaigns');
    const to = (from, status) =>
      this.#surely(() => campaigns.updateOne({ _id: id, status: from }, { $set: { status } }));
    await to('running', 'paused');
    // asked for, for the answer to the write may have been lost: who does not find it written again would leave it paused
    const found = await this.#surely(() => campaigns.findOne({ _id: id }, { projection: { status: 1 } }));
    if (found?.status !== 'paused') return;
    this.actions.pauses += 1;
    const from = Date.now();
    await sleep(random.int(500, 4000));
    this.campaigns.get(id).pauses.push({ from, to: Date.now() });
    await to('paused', 'running');
    await sleep(random.int(500, 3000));
  }

  async #end(id, action, update) {
    const campaigns = this.#db.collection('campaigns');
    const open = { _id: id, status: { $in: ['pending', 'running', 'paused'] } };
    await this.#surely(() => (update ? campaigns.updateOne(open, update) : campaigns.deleteOne(open)));
    const found = await this.#surely(() => campaigns.findOne({ _id: id }, { projection: { status: 1 } }));
    if (found !== null && found.status !== 'cancelled') return;
    this.actions[action] += 1;
    // an answer that was lost makes this later than it was, never earlier
    const known = this.campaigns.get(id);
    known.endedAt = Date.now();
  }

  async #reply(conversationId, stage, random) {
    await sleep(random.int(0, 3000));
    const id = `e${this.events.size}`;
    this.events.set(id, conversationId);
    const type = stage === 'intro' ? 'reply' : random.pick(['clicked', 'opened', 'custom']);
    if (type === 'reply') this.replied.add(conversationId);
    const push = { $push: { inbox: { id, type, text: 'yes' } } };
    // some services say everything twice
    for (let n = random.chance(0.3) ? 2 : 1; n > 0; n--)
      await this.#surely(() => this.#db.collection('conversation_states').updateOne({ _id: conversationId }, push));
    this.actions.events += 1;
  }
}
