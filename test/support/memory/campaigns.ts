import { addressRange, idsAt } from '../../../src/domain/audience.ts';
import { headOf } from '../../../src/domain/campaignPins.ts';
import type { AudiencePage, CampaignHead, CampaignStore, CampaignWrite } from '../../../src/domain/campaignPorts.ts';
import { isAsDecided } from '../../../src/domain/campaignWrites.ts';
import type { LastEntry } from '../../../src/domain/enrollments.ts';
import { ServiceError } from '../../../src/domain/errors.ts';
import type { ContactSource } from '../../../src/domain/exit.ts';
import { campaignKey, isObjectId } from '../../../src/domain/ids.ts';
import { foldAged, foldCounters, results } from '../../../src/domain/metrics.ts';
import type {
  CampaignDocument,
  Exclusion,
  ExpansionSlice,
  Id,
  Metrics,
  PinnedAudience,
  Run,
  Template,
} from '../../../src/domain/model.ts';
import { isId } from '../../../src/domain/normalise.ts';
import { type RunHead, runHeadFields } from '../../../src/domain/runHeads.ts';
import { compare, matches } from './bson.ts';
import { addCounters } from './counters.ts';
import { MemoryStore } from './store.ts';

const restingStatuses: unknown[] = ['cancelled', 'completed', 'draft', 'failed'];

export class MemoryCampaigns extends MemoryStore implements CampaignStore {
  private readonly seen = new Map<string, string>();

  campaign(id: Id): Promise<Record<string, unknown> | undefined> {
    return this.read('campaign', () => this.database.campaigns.get(id));
  }

  async template(id: string, version: number): Promise<Template | undefined> {
    return this.read(
      'template',
      () => this.database.templates.find(({ _id }) => _id.id === id && _id.version === version)[0],
    );
  }

  latestTemplate(id: string): Promise<Template | undefined> {
    return this.read('latestTemplate', () => {
      const found = this.database.templates.find(({ _id }) => _id.id === id && typeof _id.version === 'number');
      return found.sort((a, b) => b._id.version - a._id.version)[0];
    });
  }

  run(id: Id): Promise<Run | undefined> {
    return this.read('run', () => this.database.runs.get(id));
  }

  async runs(ids: readonly Id[]): Promise<Run[]> {
    return this.read('runs', () => ids.flatMap((id) => this.database.runs.get(id) ?? []));
  }

  openRuns(): Promise<Run[]> {
    return this.read('openRuns', () => this.database.runs.find(({ settled }) => !settled));
  }

  openRunHeads(): Promise<RunHead[]> {
    return this.read('openRunHeads', () =>
      this.database.runs
        .find(({ settled }) => !settled)
        .map((run) => {
          const fields = runHeadFields.flatMap((name) => (run[name] === undefined ? [] : [[name, run[name]] as const]));
          return { ...Object.fromEntries(fields), ...(run.child === undefined ? {} : { child: {} }) } as RunHead;
        }),
    );
  }

  async *needingAttention(): AsyncIterable<Id> {
    const open = await this.read('needingAttention', () =>
      this.database.campaigns.find(({ status }) => !restingStatuses.includes(status)),
    );
    for (const { _id } of open) if (typeof _id === 'string' || Number.isFinite(_id) || isObjectId(_id)) yield _id;
  }

  heads(ids: readonly Id[]): Promise<Map<string, CampaignHead>> {
    return this.read('heads', () => {
      const found = ids.flatMap((id) => this.database.campaigns.get(id) ?? []);
      return new Map(found.map((campaign) => [campaignKey(campaign._id), headOf(campaign)]));
    });
  }

  sending(): Promise<'on' | 'stopped'> {
    return this.read('sending', () => {
      const control = this.database.settings.get('control');
      return control?._id === 'control' && control.sending === 'stopped' ? 'stopped' : 'on';
    });
  }

  audiencePage(
    { collection, filter }: { collection: string; filter: Record<string, unknown> },
    after: unknown,
    limit: number,
    most = Number.POSITIVE_INFINITY,
  ): Promise<AudiencePage> {
    return this.read('audiencePage', () => {
      if ('$where' in filter) throw new ServiceError('document_invalid', 'audience.filter.$where is refused');
      const ahead = this.database
        .audience(collection)
        .find((document) => after === undefined || compare(document._id, after) > 0);
      const all = ahead.slice(0, most).filter((document) => matches(document, filter));
      const documents = all.slice(0, limit).map((raw) => ({ raw, after: raw._id }));
      const isSpan = ahead.length > most && all.length < limit;
      return {
        documents,
        done: !isSpan && all.length < limit,
        ...(isSpan ? { looked: { after: ahead[most - 1]?._id, count: most } } : {}),
      };
    });
  }

  checkAudience({ exclude, ...audience }: PinnedAudience): Promise<void> {
    return this.read('checkAudience', () => {
      if (audience.kind === 'collection' && '$where' in audience.filter)
        throw new ServiceError('document_invalid', 'audience.filter.$where: is refused');
      if (exclude && '$where' in exclude.filter)
        throw new ServiceError('document_invalid', 'audience.exclude.filter.$where: is refused');
    });
  }

  lastKey(collection: string): Promise<unknown> {
    return this.read('lastKey', () => this.database.audience(collection).find().at(-1)?._id);
  }

  existing(conversationIds: readonly string[]): Promise<Set<string>> {
    return this.read(
      'existing',
      () => new Set(conversationIds.filter((id) => this.database.conversations.get(id) !== undefined)),
    );
  }

  excluded({ collection, filter, idPath }: Exclusion, ids: readonly Id[]): Promise<Set<string>> {
    return this.read('excluded', () => {
      if ('$where' in filter) throw new ServiceError('document_invalid', 'audience.exclude.filter.$where: is refused');
      const wanted = new Set(ids.map(campaignKey));
      const found = this.database.audience(collection).find((document) => matches(document, filter));
      const there = found.flatMap((document) => idsAt(document, idPath)).map((id) => campaignKey(id as Id));
      return new Set(there.filter((key) => wanted.has(key)));
    });
  }

  sources(
    { collection, idPath, fields }: ContactSource,
    ids: readonly Id[],
  ): Promise<Record<string, unknown>[] | undefined> {
    return this.read('sources', () => {
      const wanted = new Set(ids.map(campaignKey));
      const found = this.database.audience(collection).find();
      return found
        .filter((document) => idsAt(document, idPath).some((id) => isId(id) && wanted.has(campaignKey(id))))
        .map((document) => Object.fromEntries(Object.entries(document).filter(([name]) => fields.includes(name))));
    });
  }

  takenAddresses(keys: readonly string[]): Promise<Set<string>> {
    const { addresses } = this.database;
    return this.read('takenAddresses', () => new Set(keys.filter((key) => addresses.get(key) !== undefined)));
  }

  forgetAddresses(campaignId: Id): Promise<void> {
    const { from, to } = addressRange(campaignId);
    const { addresses } = this.database;
    return this.read('forgetAddresses', () => {
      for (const { _id } of addresses.find(({ _id }) => _id >= from && _id < to)) addresses.delete(_id);
    });
  }

  lastEntries(firstIds: readonly string[]): Promise<Map<string, LastEntry>> {
    const { conversations } = this.database;
    return this.read('lastEntries', () => {
      const found = new Map<string, LastEntry>();
      for (const first of firstIds.flatMap((id) => conversations.get(id) ?? [])) {
        const entry = first.entries ?? 1;
        const { status, createdAt } = conversations.get(`${first._id}:${entry}`) ?? first;
        found.set(first._id, { entry, status, createdAt });
      }
      return found;
    });
  }

  commit(write: CampaignWrite): Promise<boolean> {
    const { campaignId, expectStatus, campaign, run, child } = write;
    const { campaigns, runs } = this.database;
    return this.ledger.transact('campaign', () => {
      const found = campaigns.get(campaignId);
      if (expectStatus === undefined ? found !== undefined : expectStatus !== '*' && found?.status !== expectStatus)
        return false;
      if (!isAsDecided(write, runs.get(campaignId))) return false;
      if (campaign && found) this.updateCampaign(found, campaign.set, campaign.unset);
      if (run && 'insert' in run) runs.insert(run.insert);
      else if (run) runs.update(campaignId, { ...run.set, updatedAt: this.now() }, run.unset);
      if (child && campaigns.get(child._id) === undefined) campaigns.insert(child as CampaignDocument);
      return true;
    });
  }

  expand(slice: ExpansionSlice): Promise<boolean> {
    const { campaignId, conversations, addresses = [], expansion, counters } = slice;
    const { database } = this;
    return this.ledger.transact('expand', () => {
      const run = database.runs.get(campaignId);
      if (run === undefined || !isExpandable(run, slice)) return false;
      if (conversations.some(({ _id }) => database.conversations.get(_id) !== undefined)) return false;
      if (addresses.some((_id) => database.addresses.get(_id) !== undefined)) return false;
      for (const _id of addresses) database.addresses.insert({ _id });
      for (const conversation of conversations) database.conversations.insert(conversation);
      const wake = conversations.length > 0 ? run.wake + 1 : run.wake;
      database.runs.update(campaignId, { expansion, wake, updatedAt: this.now() });
      addCounters(database, this.ledger.memberId, campaignId, counters);
      const found = database.campaigns.get(campaignId);
      if (found) this.updateCampaign(found, { expansion: copyOf(expansion) });
      return true;
    });
  }

  asked(campaignId: Id, migration: number, partitions: readonly number[]): Promise<void> {
    return this.ledger.transact('asked', () => {
      const { runs } = this.database;
      const known = runs.get(campaignId)?.migration;
      if (known?.number !== migration) return;
      const left = known.left.filter((partition) => !partitions.includes(partition));
      runs.update(campaignId, { migration: { ...known, left }, updatedAt: this.now() });
    });
  }

  counters(campaignId: Id): ReturnType<CampaignStore['counters']> {
    return this.read('counters', () => this.folded(campaignId));
  }

  changedCounters(): Promise<Id[]> {
    return this.read('changedCounters', () => {
      const changed = new Map<string, Id>();
      for (const document of this.database.counters.find()) {
        const said = JSON.stringify(document);
        if (this.seen.get(document._id) !== said) changed.set(campaignKey(document.campaignId), document.campaignId);
        this.seen.set(document._id, said);
      }
      return [...changed.values()];
    });
  }

  fold(campaignId: Id, metrics: Metrics): Promise<void> {
    const { runs, campaigns } = this.database;
    return this.ledger.transact('fold', () => {
      const run = runs.get(campaignId);
      if (run === undefined || run.settled) return;
      runs.update(campaignId, { metrics, updatedAt: this.now() });
      const found = campaigns.get(campaignId);
      if (found) this.updateCampaign(found, { metrics, expansion: copyOf(run.expansion) });
    });
  }

  foldLate(campaignId: Id): Promise<void> {
    const { runs, campaigns } = this.database;
    return this.ledger.transact('fold', () => {
      if (runs.get(campaignId)?.settled !== true) return;
      const { metrics } = this.folded(campaignId);
      this.takeFlags(campaignId);
      runs.update(campaignId, { metrics, updatedAt: this.now() });
      const found = campaigns.get(campaignId);
      if (found) this.updateCampaign(found, { metrics });
    });
  }

  unfolded(): Promise<Id[]> {
    return this.read('unfolded', () => {
      const flagged = this.database.counters.find(({ unfolded }) => unfolded === true);
      const ids = new Map(flagged.map(({ campaignId }) => [campaignKey(campaignId), campaignId]));
      return [...ids.values()].filter((id) => this.database.runs.get(id)?.settled === true);
    });
  }

  private takeFlags(campaignId: Id): void {
    const { counters } = this.database;
    for (const document of counters.find((one) => campaignKey(one.campaignId) === campaignKey(campaignId)))
      counters.update(document._id, {}, ['unfolded']);
  }

  settle(campaignId: Id): Promise<boolean> {
    const { runs, campaigns } = this.database;
    return this.ledger.transact('settle', () => {
      const run = runs.get(campaignId);
      const found = campaigns.get(campaignId);
      if (run === undefined || !maySettle(run, found?.status)) return false;
      const { metrics, pending } = this.folded(campaignId);
      if (metrics.active !== 0 || pending !== 0) return false;
      this.takeFlags(campaignId);
      const byAuthor = run.endReason !== 'campaign_ended' || found?.status === 'cancelled';
      const status = run.status === 'cancelled' && byAuthor ? 'cancelled' : 'completed';
      const ended = { status, completedAt: this.now(), metrics } as const;
      runs.update(campaignId, { ...ended, settled: true, updatedAt: this.now() });
      this.database.ramps.delete(campaignId);
      const copies = { expansion: copyOf(run.expansion), results: results(run, metrics, this.now()) };
      if (found) this.updateCampaign(found, { ...ended, ...copies });
      return true;
    });
  }

  private folded(campaignId: Id): Awaited<ReturnType<CampaignStore['counters']>> {
    const key = campaignKey(campaignId);
    const documents = this.database.counters.find((document) => campaignKey(document.campaignId) === key);
    return { ...foldCounters(documents, this.now()), aged: foldAged(documents) };
  }

  private updateCampaign(
    { _id, version }: CampaignDocument,
    set: Partial<CampaignDocument>,
    unset: readonly (keyof CampaignDocument)[] = [],
  ): void {
    const next = Number(version ?? 0) + 1;
    this.database.campaigns.update(_id, { ...set, version: Number.isSafeInteger(next) ? next : 1 }, unset);
  }

  private now(): Date {
    return new Date(this.clock.now());
  }
}

const copyOf = ({ expanded, skipped, done }: Run['expansion']): Record<string, unknown> => ({
  expanded,
  skipped,
  done,
});

const isExpandable = (
  { settled, status, endReason, expansion, migration: asked }: Run,
  { from, expectExpanded = expansion.expanded, migration }: ExpansionSlice,
): boolean =>
  !settled &&
  asked?.number === migration &&
  status !== 'cancelled' &&
  endReason === undefined &&
  expansion.expanded === expectExpanded &&
  (expansion.after === undefined) === (from === undefined) &&
  compare(expansion.after, from) === 0;

function maySettle({ settled, status, endReason, expansion, migration }: Run, campaignStatus: unknown): boolean {
  if (settled) return false;
  if (status === 'cancelled') return true;
  const isMigrating = migration !== undefined && migration.completedAt === undefined;
  const isDone = expansion.done && !isMigrating;
  if (campaignStatus === 'cancelled' || !(isDone || endReason !== undefined)) return false;
  return endReason !== undefined || (campaignStatus !== 'paused' && status !== 'paused');
}
