import type { CampaignHead, CampaignStore } from '../src/domain/campaignPorts.ts';
import type { EnrollmentStore } from '../src/domain/enrollmentPorts.ts';
import { campaignOf, type RawEnrollment } from '../src/domain/enrollments.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Id } from '../src/domain/model.ts';
import type { Runs } from './runs.ts';

export interface WaitingParams {
  store: Pick<EnrollmentStore, 'page'>;
  campaigns: Pick<CampaignStore, 'heads'>;
  runs: Pick<Runs, 'get' | 'load'>;
  isOurs: (raw: RawEnrollment) => boolean;
  /** Read at once, at most. */
  atOnce: number;
  signal: AbortSignal;
}

/** Goes through the enrollments that wait, past those that keep waiting. */
export class WaitingEnrollments {
  private readonly params: WaitingParams;

  constructor(params: WaitingParams) {
    this.params = params;
  }

  /** Heads of ours, but for those that keep waiting: there may be millions for one campaign, which are passed over at once. */
  async *pages(campaignId: Id | undefined, from?: unknown): AsyncGenerator<{ heads: RawEnrollment[]; after: unknown }> {
    const { store, signal, atOnce } = this.params;
    const waits = campaignId === undefined ? this.waiting() : async () => false;
    for (let after = from, done = false; !done && !signal.aborted; ) {
      const page = await store.page(campaignId, after, atOnce);
      const last = page.heads.at(-1);
      const isPassed = !page.done && last !== undefined && (this.rests(last) || (await waits(last, page.heads)));
      after = isPassed ? page.afterCampaign : page.after;
      done = page.done;
      const passed = isPassed ? keyOfCampaign(last) : undefined;
      const heads = page.heads.filter(
        (head) => this.params.isOurs(head) && !this.rests(head) && (!isPassed || keyOfCampaign(head) !== passed),
      );
      yield { heads, after };
    }
  }

  /** Those of these campaigns that no run is known of here and that begin no more, by key: they ended, or are not there (any more). */
  async over(ids: readonly Id[]): Promise<Map<string, { id: Id; isThere: boolean }>> {
    const strange = new Map(ids.map((id) => [campaignKey(id), id]));
    for (const [key, id] of strange) if (this.params.runs.get(id) !== undefined) strange.delete(key);
    if (strange.size === 0) return new Map();
    const heads = await this.params.campaigns.heads([...strange.values()]);
    const found = new Map<string, { id: Id; isThere: boolean }>();
    for (const [key, id] of strange) {
      const head = heads.get(key);
      if (head === undefined || isOver(head)) found.set(key, { id, isThere: head !== undefined });
    }
    return found;
  }

  private rests(head: RawEnrollment): boolean {
    const known = this.params.runs.get(campaignOf(head) ?? '');
    return known?.run.audience.kind === 'enrollments' && known.state === 'paused';
  }

  /** Whether the campaign of an enrollment has not begun, and all that wait for it were told what for. */
  private waiting(): (one: RawEnrollment, beside: readonly RawEnrollment[]) => Promise<boolean> {
    const known = new Map<string, Promise<'waits' | 'missing' | undefined>>();
    return async (one, beside) => {
      const id = campaignOf(one);
      if (id === undefined) return false;
      const key = campaignKey(id);
      const state = known.get(key) ?? this.withoutRunState(id);
      known.set(key, state);
      if ((await state) !== 'missing') return (await state) === 'waits';
      return beside.every((head) => keyOfCampaign(head) !== key || isTold(head));
    };
  }

  private async withoutRunState(id: Id): Promise<'waits' | 'missing' | undefined> {
    const { runs, campaigns } = this.params;
    if ((await runs.load([id])).size > 0) return undefined;
    const head = (await campaigns.heads([id])).get(campaignKey(id));
    if (head === undefined) return 'missing';
    return isOver(head) ? undefined : 'waits';
  }
}

export const isOver = ({ status }: CampaignHead): boolean =>
  ['cancelled', 'failed', 'completed'].includes(String(status));

/** It names a campaign that is not there, and says so. */
export const isTold = ({ error }: RawEnrollment): boolean =>
  (error as { code?: unknown } | null | undefined)?.code === 'campaign_missing';

function keyOfCampaign(raw: RawEnrollment): string | undefined {
  const id = campaignOf(raw);
  return id === undefined ? undefined : campaignKey(id);
}
