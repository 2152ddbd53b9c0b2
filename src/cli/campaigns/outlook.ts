/** What would become of a paused campaign's conversations if it went on now, decided as a member would: nothing is written. */

import { readFresh } from '../../../streams/freshContacts.ts';
import { type PassLimits, readLimits } from '../../../streams/limits.ts';
import type { Candidates } from '../../../streams/load.ts';
import type { KnownRun } from '../../../streams/runs.ts';
import { Suppressions } from '../../../streams/suppressions.ts';
import { channelFacts } from '../../channels/facts.ts';
import type { CampaignStore } from '../../domain/campaignPorts.ts';
import type { ChannelFacts } from '../../domain/channelPorts.ts';
import { countriesIn, wantsHolidays } from '../../domain/compileSchedule.ts';
import { type DecideInput, decide } from '../../domain/conversation.ts';
import { channelsOfRun, pinnedAt, versionOf, versionsOf } from '../../domain/flowVersions.ts';
import { loadHolidays, warmHolidays } from '../../domain/holidays.ts';
import { campaignKey } from '../../domain/ids.ts';
import { roomIn } from '../../domain/limiting.ts';
import type { Conversation, Message, Run } from '../../domain/model.ts';
import { foresee, newOutlook, type Outlook, type Stratum, tally, together, withinRoom } from '../../domain/outlook.ts';
import { periodAt } from '../../domain/ramp.ts';
import { contextFor, contextsNow, type RunContexts, runContextsOf } from '../../domain/runContexts.ts';
import type { Logger } from '../../domain/systemPorts.ts';
import { subtractDuration } from '../../domain/timing.ts';
import { readSources } from '../../mongo/audience.ts';
import { readCluster } from '../../mongo/collections.ts';
import { type DuePart, DueReader } from '../../mongo/dueReader.ts';
import { MongoLimits } from '../../mongo/limits.ts';
import { MongoSuppressions } from '../../mongo/suppressions.ts';
import { addressBook } from '../../worker/addressBook.ts';
import type { Database } from '../database.ts';

/** Conversations that are looked at unless all of them are asked for: a second or two. */
export const sampleSize = 20_000;

export interface CampaignOutlook extends Omit<Outlook, 'ramped'> {
  /** Conversations that are due. */
  due: number;
  /** Of them were looked at; fewer than `due`: the figures are estimates from a sample. */
  looked: number;
  /** Channels of the flow that are not configured here: their addresses are taken by name. */
  unknownChannels: string[];
}

export interface OutlookParams {
  /** Looks at every one, however many there are. */
  exact?: boolean;
  /** ms since the epoch. */
  now: number;
  onLooked?: (looked: number, due: number) => void;
}

/** Undefined where this release cannot read the pinned flow, or one that it was migrated to. */
export async function outlookOf(
  run: Run,
  { db, config }: Database,
  { exact = false, now, onLooked }: OutlookParams,
): Promise<CampaignOutlook | undefined> {
  const { channels, unknown } = channelsFor(run, channelFacts(config.channels));
  const contexts = await contextsOf(run, channels, config.hashKey, now);
  const context = contexts?.get(versionOf(run));
  if (contexts === undefined || context === undefined) return undefined;
  const reader = new DueReader(db, run._id, (await readCluster(db)).partitions);
  const { late } = context.flow;
  const cut = late === undefined ? undefined : new Date(subtractDuration(now, late.after));
  const parts = await reader.parts(channelsOfRun(run), new Date(now), cut);
  const due = parts.reduce((sum, { count }) => sum + count, 0);
  const look = new Lookout(run, contexts, db, now);
  const strata: Stratum[] = [];
  let looked = 0;
  for (const part of parts) {
    const stratum: Stratum = { count: part.count, looked: 0, outlook: newOutlook() };
    for await (const page of reader.read(part, exact ? Number.POSITIVE_INFINITY : shareOf(part, due))) {
      await look.at(page, stratum.outlook);
      stratum.looked += page.length;
      looked += page.length;
      onLooked?.(looked, due);
    }
    // all of it: whatever was counted, or changed since
    strata.push(stratum.looked >= stratum.count || exact ? { ...stratum, count: stratum.looked } : stratum);
  }
  const all = strata.reduce((sum, { count }) => sum + count, 0);
  const { ramped, ...found } = together(strata);
  const { ramp } = context;
  if (ramp === undefined || looked >= all) return { due: all, looked, unknownChannels: unknown, ...found };
  const period = periodAt(ramp, now);
  const [stored] = await new MongoLimits({ db }).ramps([run._id]);
  const { ramped: _, ...clamped } = withinRoom({ ...found, ramped }, roomIn(period, stored), period.until);
  return { due: all, looked, unknownChannels: unknown, ...clamped };
}

/** All while they are not too many; else as large a part of the sample as of what is due, and enough to tell something. */
const shareOf = ({ count }: DuePart, due: number): number =>
  due <= sampleSize ? count : Math.max(500, Math.round((count / due) * sampleSize));

/** What is not configured here has the address its name tells: a worker knows better. */
function channelsFor(
  run: Run,
  configured: ReadonlyMap<string, ChannelFacts>,
): { channels: ReadonlyMap<string, ChannelFacts>; unknown: string[] } {
  const unknown = channelsOfRun(run).filter((name) => !configured.has(name));
  const address = (name: string): string =>
    /mail/.test(name) ? 'email' : name === 'whatsapp' || name === 'url' ? name : 'phone';
  const facts = (name: string): ChannelFacts => ({
    ...{ name, address: address(name), delivery: 'at-least-once', attempts: 1, giveUpMs: 0, needs: [] },
  });
  return { channels: new Map([...configured, ...unknown.map((name) => [name, facts(name)] as const)]), unknown };
}

async function contextsOf(
  run: Run,
  channels: ReadonlyMap<string, ChannelFacts>,
  hashKey: string | undefined,
  now: number,
): Promise<RunContexts | undefined> {
  const pinned = versionsOf(run).map((version) => pinnedAt(run, version));
  const holidays = wantsHolidays(...pinned) ? await loadHolidays() : undefined;
  if (holidays) warmHolidays(holidays, countriesIn(...pinned), now);
  // nothing leaves: whatever the token is, it is not read
  const options = {
    channels,
    worker: 'resume',
    holidays,
    unsubscribeToken: () => '-',
    addressBook: addressBook(hashKey),
  };
  const { contexts, faults } = runContextsOf(run, options);
  return faults.length > 0 ? undefined : contextsNow(contexts, run);
}

const silent: Logger = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

/** Decides page after page. */
class Lookout {
  private readonly known: KnownRun;
  private readonly contexts: RunContexts;
  private readonly db: Database['db'];
  private readonly now: number;
  private readonly suppressions: Suppressions;
  private readonly limits: MongoLimits;
  /** Of the page before: a ramp has room once. */
  private before: PassLimits | undefined;

  constructor(run: Run, contexts: RunContexts, db: Database['db'], now: number) {
    const isRead = { state: 'running', held: false, replays: false, seenEnd: undefined, askedAt: 0 } as const;
    this.known = { key: campaignKey(run._id), run, context: contexts.get(versionOf(run)), contexts, ...isRead };
    this.contexts = contexts;
    this.limits = new MongoLimits({ db });
    this.db = db;
    this.now = now;
    // never filled: everything is asked of the database
    this.suppressions = new Suppressions({
      store: new MongoSuppressions({ db }),
      contextOf: (conversation) => contextFor(contexts, conversation),
      clock: { now: () => now, monotonic: () => now },
    });
  }

  async at(page: readonly Conversation[], outlook: Outlook): Promise<void> {
    const candidates: Candidates = new Map(
      page.map((conversation) => [conversation._id, { conversation, results: [], slot: true }]),
    );
    const { refused } = await this.suppressions.refusals(page);
    const awaited = await this.awaited(page);
    const known = new Map([[this.known.key, this.known]]);
    await this.refresh(candidates, known);
    const limits = (await readLimits(candidates, known, this.limits))?.following(this.before);
    this.before = limits;
    for (const { conversation, fresh } of candidates.values()) {
      const facts = {
        awaited: awaited.get(conversation.awaiting ?? ''),
        refusals: refused.get(conversation._id),
        fresh,
      };
      tally(outlook, this.foresee(conversation, facts, limits));
    }
  }

  private foresee(
    conversation: Conversation,
    facts: Partial<DecideInput>,
    limits: PassLimits | undefined,
  ): ReturnType<typeof foresee> {
    const input = { conversation, results: [], slot: true, inFlight: false, hasRoom: () => true, ...facts };
    const context = contextFor(this.contexts, conversation);
    if (context === undefined) return { fate: 'unreadable', detail: 'stage_missing' };
    // what a migration asks first is no part of what is due
    const { asking: _, ...unasked } = context;
    try {
      const counted = limits?.factsOf(conversation, unasked, this.known, this.now);
      const decision = decide(unasked, { ...input, limits: counted }, this.now, () => 0.5);
      if (decision.unit) limits?.decided(decision.unit);
      return foresee(decision, this.now);
    } catch {
      return { fate: 'unreadable', detail: 'poisoned' };
    }
  }

  /** Rows that wait for another try. */
  private async awaited(page: readonly Conversation[]): Promise<Map<string, Message>> {
    const ids = page.flatMap(({ awaiting }) => awaiting ?? []);
    if (ids.length === 0) return new Map();
    const rows = await this.db
      .collection<Message>('messages')
      .find({ _id: { $in: ids } })
      .toArray();
    return new Map(rows.map((row) => [row._id, row]));
  }

  /** For `exitWhen`, contacts as they are now. */
  private async refresh(candidates: Candidates, known: ReadonlyMap<string, KnownRun>): Promise<void> {
    const { db } = this;
    const sources: CampaignStore['sources'] = (source, ids) => readSources(db, source, ids);
    // where it takes too long they are seen as they entered
    const schedule = { rest: () => {} };
    await readFresh(candidates, known, { campaigns: { sources }, schedule, logger: silent });
  }
}
