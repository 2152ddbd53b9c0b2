import {
  type CampaignDecision,
  type CampaignInput,
  decideCampaign,
  mayStart,
  runAfter,
} from '../src/domain/campaign.ts';
import { mayBeMigrated, versionAsked } from '../src/domain/campaignMigration.ts';
import type { CampaignStore } from '../src/domain/campaignPorts.ts';
import type { ChannelFacts } from '../src/domain/channelPorts.ts';
import { wantsHolidays } from '../src/domain/compileSchedule.ts';
import { type Fault, isServiceError } from '../src/domain/errors.ts';
import { loadHolidays } from '../src/domain/holidays.ts';
import type { Id, Run, Template } from '../src/domain/model.ts';
import { normalise } from '../src/domain/normalise.ts';
import type { Clock } from '../src/domain/systemPorts.ts';
import type { NewTraceparent } from '../src/domain/trace.ts';

export interface CampaignReaderParams {
  campaigns: CampaignStore;
  channels: ReadonlyMap<string, ChannelFacts>;
  /** Number of partitions of the cluster. */
  partitions: number;
  /** Our own collections: no audience reads from them. */
  reservedCollections: readonly string[];
  /** False: no HASH_KEY is set. */
  unsubscribeTokens?: boolean;
  clock: Clock;
  traceparent: NewTraceparent;
  /** Identity of the collection of campaigns, undefined when there is none. Default: always the same. */
  campaignsUuid?: () => Promise<string | undefined>;
}

/** Reads all that a campaign's decision depends on, and decides. */
export class CampaignReader {
  private readonly params: CampaignReaderParams;

  constructor(params: CampaignReaderParams) {
    this.params = params;
  }

  /** Writes nothing. */
  decide(input: CampaignInput): Promise<CampaignDecision> {
    return this.withAudience(input, decideCampaign(input));
  }

  /** What is stored of a campaign, as its decision needs it. */
  async read(id: Id): Promise<CampaignInput> {
    const { campaigns, channels, reservedCollections, partitions, clock, traceparent, unsubscribeTokens } = this.params;
    const [before, run] = await Promise.all([this.collection(), campaigns.run(id)]);
    const raw = await campaigns.campaign(id);
    // a document is in the collection of before it was found, or in a younger one, which is told by an event of its own;
    // one that is missing is missing in the collection of afterwards
    const collection = raw === undefined && run !== undefined ? await this.collection() : before;
    const template = raw && mayStart(run) ? await this.template(raw) : undefined;
    const versions = raw && run ? await this.versions(raw, run) : undefined;
    const sources = [versions?.to, ...(mayStart(run) ? [raw, template] : [])];
    const asked = wantsHolidays(...sources.map((one) => (one === 'missing' ? undefined : one)));
    const counted = mayBeMigrated(run) ? (await campaigns.counters(id)).metrics : undefined;
    return {
      id,
      raw,
      run,
      channels,
      reservedCollections,
      partitions,
      traceparent,
      template,
      ...(versions === undefined ? {} : { versions }),
      ...(counted === undefined ? {} : { counted }),
      ...(asked ? { holidays: await loadHolidays() } : {}),
      ...(collection === undefined ? {} : { collection }),
      ...(unsubscribeTokens === undefined ? {} : { unsubscribeTokens }),
      now: clock.now(),
    };
  }

  private async collection(): Promise<string | undefined> {
    const { campaignsUuid } = this.params;
    return campaignsUuid && ((await campaignsUuid()) ?? 'missing');
  }

  private async template(raw: Record<string, unknown>): Promise<Template | 'missing' | undefined> {
    const { campaigns } = this.params;
    const id = raw['templateId'];
    const version = normalise(raw['templateVersion'] ?? undefined);
    if (typeof id !== 'string') return undefined;
    if (version === undefined) return (await campaigns.latestTemplate(id)) ?? 'missing';
    return typeof version === 'number' ? ((await campaigns.template(id, version)) ?? 'missing') : undefined;
  }

  /** Of a campaign that asks for another version of its template. */
  private async versions(raw: Record<string, unknown>, { template }: Run): Promise<CampaignInput['versions']> {
    const { campaigns } = this.params;
    const to = versionAsked(raw);
    if (to === undefined || template?.id === undefined || template.version === undefined) return undefined;
    const { id, version } = template;
    const [stored, from] = await Promise.all([campaigns.template(id, to), campaigns.template(id, version)]);
    return { from, to: stored ?? 'missing' };
  }

  /** A query the database refuses would never come to an end: it is asked before the start. */
  private async withAudience(input: CampaignInput, decision: CampaignDecision): Promise<CampaignDecision> {
    if (decision.event !== 'started' && decision.event !== 'scheduled') return decision;
    const run = decision.write && runAfter(input.run, decision.write);
    if (run === undefined) return decision;
    const audienceFault = await this.ask(run);
    return audienceFault === undefined ? decision : decideCampaign({ ...input, audienceFault });
  }

  private async ask({ audience, exitWhen }: Run): Promise<Fault | undefined> {
    try {
      await this.params.campaigns.checkAudience(audience, exitWhen !== undefined);
      return undefined;
    } catch (error) {
      if (!isServiceError(error, 'document_invalid')) throw error;
      return audienceFault(error);
    }
  }
}

/** The store says first what it refuses: `audience.filter.$where: ...`. */
export function audienceFault({ message }: Error): Fault {
  const [, path = 'audience', why = message] = /^(audience[^:\s]*): (.*)$/s.exec(message) ?? [];
  return { code: 'not_allowed', path, message: why };
}
