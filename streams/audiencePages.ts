import type { CampaignStore } from '../src/domain/campaignPorts.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Id, Run } from '../src/domain/model.ts';
import { roughSize } from '../src/domain/roughSize.ts';
import type { Clock, Logger } from '../src/domain/systemPorts.ts';
import type { SourceItem } from './expansionSlice.ts';
import { type PageSizes, sliceSize } from './pageSizes.ts';

export interface AudiencePagesParams {
  campaigns: Pick<CampaignStore, 'audiencePage' | 'campaign'>;
  clock: Clock;
  logger: Logger;
  /** Inline contacts that are kept, in rough bytes, before another campaign's are read: they take several times as much. Default 32 MB. */
  mostInlineBytes?: number | undefined;
}

export interface Page {
  items: SourceItem[];
  /** Of a collection's audience. */
  map?: Record<string, unknown>;
  done: boolean;
  /** Where it ended, behind its last item. */
  looked?: { after: unknown };
}

/** The contacts of audiences, page by page: of a collection, or of a list, which is read once and kept. */
export class AudiencePages {
  private readonly params: AudiencePagesParams;
  private readonly lists = new Map<string, { contacts: readonly unknown[]; bytes: number }>();

  constructor(params: AudiencePagesParams) {
    this.params = params;
  }

  /** No more lists are read until some are forgotten. */
  get isFull(): boolean {
    const { mostInlineBytes = 32_000_000 } = this.params;
    let bytes = 0;
    for (const list of this.lists.values()) bytes += list.bytes;
    return bytes >= mostInlineBytes;
  }

  forget(key: string): void {
    this.lists.delete(key);
  }

  /** `full`: other campaigns' lists have to be through first. */
  async next({ _id, audience, expansion }: Run, after: unknown, sizes: PageSizes): Promise<Page | 'full'> {
    const { campaigns, clock } = this.params;
    if (audience.kind === 'collection') {
      const began = clock.monotonic();
      const { documents, done, looked } = await campaigns.audiencePage(audience, after, sliceSize, sizes.looked);
      sizes.pageCame(documents.length, looked?.count, clock.monotonic() - began);
      return { items: documents, map: audience.map, done, ...(looked === undefined ? {} : { looked }) };
    }
    const contacts = this.lists.get(campaignKey(_id))?.contacts ?? (this.isFull ? undefined : await this.read(_id));
    if (contacts === undefined) return 'full';
    const from = typeof expansion.after === 'number' ? expansion.after : 0;
    const items = contacts
      .slice(from, from + sliceSize)
      .map((raw, index): SourceItem => ({ raw, after: from + index + 1 }));
    return { items, done: from + items.length >= contacts.length };
  }

  private async read(id: Id): Promise<readonly unknown[]> {
    const raw = await this.params.campaigns.campaign(id);
    // deleted, or gone with its collection for a while: that is decided elsewhere, and says nothing of the audience
    if (raw === undefined) throw new Error('the document of the campaign, which holds its contacts, is missing');
    const found = (raw['audience'] as { contacts?: unknown } | null | undefined)?.contacts;
    if (!Array.isArray(found))
      this.params.logger.warn('the contacts of a campaign are gone from its document; none follow', { campaignId: id });
    const contacts: readonly unknown[] = Array.isArray(found) ? found : [];
    this.lists.set(campaignKey(id), { contacts, bytes: roughSize(contacts) });
    return contacts;
  }
}
