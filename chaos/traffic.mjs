// What other services do all the while: campaigns, replies, pauses, cancels. Everything is written until it is acknowledged.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { flows } from './flows.mjs';
import { seeded } from './random.mjs';

const mostOpen = 12;
const peopleCount = 1500;

/** What happens to a campaign besides running. */
const fates = ['none', 'none', 'none', 'pause', 'pause', 'cancel', 'delete', 'endAt', 'moveEnd', 'moveEnd'];
const whole = new Set(['none', 'pause']);
const lateMoveMs = 3_000;
/** An `endAt` is stored only so long before it comes. */
const aheadMs = 500;
/** What is done to `endAt` of a campaign that runs. */
const moves = [['earlier'], ['earlier'], ['later'], ['later', 'earlier']];

export class Traffic {
  #db;
  #random;
  #over = false;
  #quiet = false;
  #replies = new Set();
  #jobs = new Set();
  /** Events that were pushed and acknowledged: id to conversation. */
  events = new Map();
  /** Of those that only stamp a row: by which field. */
  stamps = new Map();
  /** Conversations that were replied to. */
  replied = new Set();
  /**
   * Campaigns by id: `conversations` that there have to be in the end, `fate`, `insertedAt`, `endedAt` (nothing leaves later;
   * undefined: it was not ended), `endedFrom` (nothing is cancelled earlier), `pauses` as `{ from, to }` between which nothing
   * leaves; ms since the epoch.
   */
  campaigns = new Map();
  actions = { campaigns: 0, pauses: 0, cancels: 0, deletes: 0, endsEarlier: 0, endsLater: 0, events: 0 };

  #seed;
  /** Writes to `campaigns` that are under way; while `#held`, none begins. */
  #writing = new Set();
  #held;
  #fates = [];

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

  /** What is written to `campaigns`, and what is asked about it at once, is one thing to whoever holds the traffic. */
  async #onCampaigns(work) {
    while (this.#held) await this.#held;
    const writing = work(this.#db.collection('campaigns'));
    this.#writing.add(writing);
    try {
      return await writing;
    } finally {
      this.#writing.delete(writing);
    }
  }

  /** Nothing is written to `campaigns` by the traffic until this is done. */
  async exclusively(work) {
    while (this.#held) await this.#held;
    let release;
    this.#held = new Promise((resolve) => {
      release = resolve;
    });
    try {
      await Promise.allSettled(this.#writing);
      return await work();
    } finally {
      this.#held = undefined;
      release();
    }
  }

  async #campaign() {
    const random = this.#random.fork();
    // from a bag: each has its turn in a short run
    const id = `c${this.campaigns.size}`;
    if (this.#fates.length === 0) this.#fates = this.#random.shuffled(fates);
    const fate = this.#fates.pop();
    const flow = !whole.has(fate) && random.chance(0.4) ? 'slow' : random.pick(['ask', 'once', 'long']);
    const inline = random.chance(0.5);
    const contacts = Array.from({ length: random.int(20, 300) }, (_, n) => ({
      id: `x${n}`,
      name: `X ${n}`,
      phone: `+1${n}`,
    }));
    const audience = inline
      ? { contacts: [...contacts, contacts[0]] }
      : { collection: 'people', filter: { group: random.int(0, 4) } };
    const endsMs = flow === 'slow' ? random.int(30_000, 44_000) : random.int(2000, 15_000);
    const ends = fate === 'endAt' || fate === 'moveEnd';
    const endAt = Date.now() + endsMs + (fate === 'moveEnd' ? 6000 : 0);
    const schedule = ends ? { schedule: { endAt: new Date(endAt) } } : {};
    const priority = random.int(0, 9);
    const ids = inline
      ? contacts.map((contact) => contact.id)
      : Array.from({ length: peopleCount }, (_, n) => n)
          .filter((n) => n % 5 === audience.filter.group)
          .map((n) => (n % 2 ? `#${n}` : `p${n}`));
    const conversations = ids.map((contact) => `${id}:${contact}`);
    const known = { flow, fate, conversations, pauses: [], ...(ends ? { endedAt: endAt, endedFrom: endAt } : {}) };
    this.campaigns.set(id, known);
    const document = { _id: id, status: 'pending', templateId: flow, audience, priority, ...schedule };
    await this.#onCampaigns((campaigns) => this.#surely(() => campaigns.insertOne(document)));
    known.insertedAt = Date.now();
    this.actions.campaigns += 1;
    const actsMs = random.int(500, 8000);
    await sleep(flow === 'slow' && !ends ? endsMs : actsMs);
    if (fate === 'pause') for (let n = random.int(1, 3); n > 0; n--) await this.#pause(id, random);
    if (fate === 'moveEnd') for (const move of random.pick(moves)) await this.#moveEnd(id, move, random);
    if (fate === 'cancel') await this.#end(id, 'cancels', { $set: { status: 'cancelled' } });
    if (fate === 'delete') await this.#end(id, 'deletes');
  }

  async #pause(id, random) {
    const to = (campaigns, from, status) =>
      this.#surely(() => campaigns.updateOne({ _id: id, status: from }, { $set: { status } }));
    // asked for, for the answer to the write may have been lost: who does not find it written again would leave it paused
    const found = await this.#onCampaigns(async (campaigns) => {
      await to(campaigns, 'running', 'paused');
      return this.#surely(() => campaigns.findOne({ _id: id }, { projection: { status: 1 } }));
    });
    if (found?.status !== 'paused') return;
    this.actions.pauses += 1;
    const from = Date.now();
    await sleep(random.chance(0.35) ? random.int(4000, 10_000) : random.int(500, 4000));
    this.campaigns.get(id).pauses.push({ from, to: Date.now() });
    await this.#onCampaigns((campaigns) => to(campaigns, 'paused', 'running'));
    await sleep(random.int(500, 3000));
  }

  async #end(id, action, update) {
    const open = { _id: id, status: { $in: ['pending', 'running', 'paused'] } };
    const { from, found } = await this.#onCampaigns(async (campaigns) => {
      const from = Date.now();
      await this.#surely(() => (update ? campaigns.updateOne(open, update) : campaigns.deleteOne(open)));
      const found = await this.#surely(() => campaigns.findOne({ _id: id }, { projection: { status: 1 } }));
      return { from, found };
    });
    if (found !== null && found.status !== 'cancelled') return;
    this.actions[action] += 1;
    // an answer that was lost makes this later than it was, never earlier
    Object.assign(this.campaigns.get(id), { endedFrom: from, endedAt: Date.now() });
  }

  /** Another `endAt` for a campaign that is not ended yet: in a moment, or later than it was. */
  async #moveEnd(id, move, random) {
    const known = this.campaigns.get(id);
    const before = known.endedAt;
    const [soonMs, moreMs, waitMs] = [random.int(1000, 3000), random.int(4000, 12_000), random.int(1000, 4000)];
    const found = await this.#onCampaigns(async (campaigns) => {
      const endAt = move === 'later' ? before + moreMs : Date.now() + soonMs;
      if (move === 'earlier' && endAt >= before) return undefined;
      // one that is stored when it has passed proves nothing: what left before may have been in time
      const ahead = { $expr: { $lt: ['$$NOW', new Date(endAt - aheadMs)] } };
      const open = { _id: id, status: { $in: ['pending', 'running'] }, ...ahead };
      await this.#surely(() => campaigns.updateOne(open, { $set: { 'schedule.endAt': new Date(endAt) } }));
      const stored = await this.#surely(() => campaigns.findOne({ _id: id }, { projection: { schedule: 1 } }));
      return stored.schedule.endAt.getTime() === endAt ? { endAt, at: Date.now() } : undefined;
    });
    if (found === undefined) return;
    const { endAt, at } = found;
    this.actions[move === 'later' ? 'endsLater' : 'endsEarlier'] += 1;
    known.endedAt = Math.max(endAt, at);
    // moved late, the end that it had may have come: somebody may have read it just before
    known.endedFrom = at > known.endedFrom - lateMoveMs ? Math.min(known.endedFrom, endAt) : endAt;
    await sleep(waitMs);
  }

  async #reply(conversationId, stage, random) {
    await sleep(random.int(0, 3000));
    const id = `e${this.events.size}`;
    this.events.set(id, conversationId);
    const type = stage === 'intro' ? 'reply' : random.pick(['clicked', 'opened', 'custom']);
    if (type === 'reply') this.replied.add(conversationId);
    if (type === 'clicked' || type === 'opened') this.stamps.set(id, `${type}At`);
    const push = { $push: { inbox: { id, type, text: 'yes' } } };
    // some services say everything twice
    for (let n = random.chance(0.3) ? 2 : 1; n > 0; n--)
      await this.#surely(() => this.#db.collection('conversation_states').updateOne({ _id: conversationId }, push));
    this.actions.events += 1;
  }
}
