import { headOf } from '../../../src/domain/campaignPins.ts';
import { isAsDecided } from '../../../src/domain/campaignWrites.ts';
import { ServiceError } from '../../../src/domain/errors.ts';
import { campaignKey, isObjectId } from '../../../src/domain/ids.ts';
import { foldCounters, results } from '../../../src/domain/metrics.ts';
import type { CampaignDocument, ExpansionSlice, Id, Metrics, Run, Template } from '../../../src/domain/model.ts';
import type { AudiencePage, CampaignHead, CampaignStore, CampaignWrite, Clock } from '../../../src/domain/ports.ts';
import { compare, matches } from './bson.ts';
import type { MemoryStoreParams } from './conversations.ts';
import { addCounters } from './counters.ts';
import type { MemoryDatabase } from './database.ts';
import type { MemoryLedger } from './ledger.ts';

const restingStatuses: unknown[] = ['cancelled', 'completed', 'draft', 'failed'];

export class MemoryCampaigns implements CampaignStore {
  private readonly database: MemoryDatabase;
  private readonly ledger: MemoryLedger;
  private readonly clock: Clock;
  private readonly seen = new Map<string, string>();

  constructor({ database, ledger, clock }: MemoryStoreParams) {
    this.database = database;
    this.ledger = ledger;
    this.clock = clock;
  }

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
  ): Promise<AudiencePage> {
    return this.read('audiencePage', () => {
      if ('$where' in filter) throw new ServiceError('document_invalid', 'audience.filter.$where is refused');
      const found = this.database
        .audience(collection)
        .find((document) => (after === undefined || compare(document._id, after) > 0) && matches(document, filter))
        .slice(0, limit);
      return { documents: found.map((raw) => ({ raw, after: raw._id })), done: found.length < limit };
    });
  }

  existing(conversationIds: readonly string[]): Promise<Set<string>> {
    return this.read(
      'existing',
      () => new Set(conversationIds.filter((id) => this.database.conversations.get(id) !== undefined)),
    );
  }

  commit(write: CampaignWrite): Promise<boolean> {
    const { campaignId, expectStatus, campaign, run } = write;
    const { campaigns, runs } = this.database;
    return this.ledger.transact('campaign', () => {
      const found = campaigns.get(campaignId);
      if (expectStatus === undefined ? found !== undefined : expectStatus !== '*' && found?.status !== expectStatus)
        return false;
      if (!isAsDecided(write, runs.get(campaignId))) return false;
      if (campaign && found) this.updateCampaign(found, campaign.set, campaign.unset);
      if (run && 'insert' in run) runs.insert(run.insert);
      else if (run) runs.update(campaignId, { ...run.set, updatedAt: this.now() }, run.unset);
      return true;
    });
  }

  expand(slice: ExpansionSlice): Promise<boolean> {
    const { campaignId, conversations, expansion, counters } = slice;
    const { database } = this;
    return this.ledger.transact('expand', () => {
      const run = database.runs.get(campaignId);
      if (run === undefined || !isExpandable(run, slice.from)) return false;
      if (conversations.some(({ _id }) => database.conversations.get(_id) !== undefined)) return false;
      for (const conversation of conversations) database.conversations.insert(conversation);
      const wake = conversations.length > 0 ? run.wake + 1 : run.wake;
      database.runs.update(campaignId, { expansion, wake, updatedAt: this.now() });
      addCounters(database, this.ledger.memberId, campaignId, counters);
      const found = database.campaigns.get(campaignId);
      if (found) this.updateCampaign(found, { expansion: copyOf(expansion) });
      return true;
    });
  }

  counters(campaignId: Id): Promise<{ metrics: Metrics; pending: number }> {
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
      if (run === undefined) return;
      runs.update(campaignId, { metrics, updatedAt: this.now() });
      const found = campaigns.get(campaignId);
      if (found) this.updateCampaign(found, { metrics, expansion: copyOf(run.expansion) });
    });
  }

  settle(campaignId: Id): Promise<boolean> {
    const { runs, campaigns } = this.database;
    return this.ledger.transact('settle', () => {
      const run = runs.get(campaignId);
      const found = campaigns.get(campaignId);
      if (run === undefined || !maySettle(run, found?.status)) return false;
      const { metrics, pending } = this.folded(campaignId);
      if (metrics.active !== 0 || pending !== 0) return false;
      const byAuthor = run.endReason !== 'campaign_ended' || found?.status === 'cancelled';
      const status = run.status === 'cancelled' && byAuthor ? 'cancelled' : 'completed';
      const ended = { status, completedAt: this.now(), metrics } as const;
      runs.update(campaignId, { ...ended, settled: true, updatedAt: this.now() });
      const copies = { expansion: copyOf(run.expansion), results: results(run, metrics, this.now()) };
      if (found) this.updateCampaign(found, { ...ended, ...copies });
      return true;
    });
  }

  private folded(campaignId: Id): { metrics: Metrics; pending: number } {
    const key = campaignKey(campaignId);
    return foldCounters(
      this.database.counters.find((document) => campaignKey(document.campaignId) === key),
      this.now(),
    );
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

  private read<T>(operation: string, work: () => T): Promise<T> {
    return this.database.run(operation, this.ledger.memberId, work);
  }
}

const copyOf = ({ expanded, skipped, done }: Run['expansion']): Record<string, unknown> => ({
  expanded,
  skipped,
  done,
});

const isExpandable = ({ settled, status, endReason, expansion }: Run, from: unknown): boolean =>
  !settled &&
  status !== 'cancelled' &&
  endReason === undefined &&
  (expansion.after === undefined) === (from === undefined) &&
  compare(expansion.after, from) === 0;

function maySettle({ settled, status, endReason, expansion }: Run, campaignStatus: unknown): boolean {
  if (settled) return false;
  if (status === 'cancelled') return true;
  if (campaignStatus === 'cancelled' || !(expansion.done || endReason !== undefined)) return false;
  return endReason !== undefined || (campaignStatus !== 'paused' && status !== 'paused');
}
