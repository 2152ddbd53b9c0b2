import type { ConversationStore } from '../src/domain/conversationPorts.ts';
import { campaignKey } from '../src/domain/ids.ts';
import type { Id, Partition } from '../src/domain/model.ts';
import type { Logger } from '../src/domain/systemPorts.ts';
import type { Dispatch } from './dispatch.ts';

export interface OwnershipParams {
  store: Pick<ConversationStore, 'pendingMessages'>;
  dispatch: Dispatch;
  logger: Logger;
  /** Partitions became workable: whatever waits in them is to be looked at. */
  onActive: (partitions: readonly number[]) => void;
  /** In these campaigns conversations that have ended wait for another try of a message. */
  onReplays?: (campaignIds: readonly Id[]) => Promise<void>;
}

const page = 500;

/**
 * Which of the owned partitions this member works on. A gained partition becomes active once the rows its last owner left
 * behind are adopted; one that is to be released is drained first.
 */
export class Ownership {
  private readonly params: OwnershipParams;
  private readonly activeSet = new Set<number>();
  /** Owned, and to be active once they are taken up. */
  private readonly gaining = new Set<number>();
  /** What was read of them may still be on its way: no drain of theirs ends before it came. */
  private readonly takingUp = new Set<number>();
  private rounding = false;
  private activeList: readonly number[] = [];
  private draining: { partitions: ReadonlySet<number>; done: () => void }[] = [];

  constructor(params: OwnershipParams) {
    this.params = params;
  }

  get active(): readonly number[] {
    return this.activeList;
  }

  isActive(partition: number): boolean {
    return this.activeSet.has(partition);
  }

  /** These are owned now. `takeUp` makes them active, but for those that are given up before it is done. */
  gained(partitions: readonly Partition[]): void {
    for (const { _id } of partitions) {
      this.gaining.add(_id);
      this.takingUp.add(_id);
    }
  }

  /** Adopts what is pending in gained partitions, then works on them. Called again after it failed. */
  async takeUp(partitions: readonly Partition[], signal: AbortSignal): Promise<void> {
    const ids = partitions.map(({ _id }) => _id);
    await this.adoptPending(ids, signal);
    if (signal.aborted) return;
    // some may have been given up meanwhile
    const still = ids.filter((id) => this.gaining.delete(id));
    for (const id of ids) this.takingUp.delete(id);
    for (const id of still) this.activeSet.add(id);
    this.changed();
    this.params.onActive(still);
    this.check();
  }

  /** Rows in status sending that are not in doubt here: their sender is lost. */
  private async adoptPending(partitions: readonly number[], signal: AbortSignal): Promise<void> {
    const { store, dispatch, logger } = this.params;
    const replays = new Map<string, Id>();
    let adopted = 0;
    for (let after: string | undefined; !signal.aborted; ) {
      const rows = await store.pendingMessages(partitions, after, page);
      const last = rows.at(-1);
      if (last === undefined) break;
      const sending = rows.filter(
        ({ status, partition, conversationId }) =>
          status === 'sending' && this.gaining.has(partition) && dispatch.entry(conversationId) === undefined,
      );
      dispatch.adopt(sending, 'lost');
      adopted += sending.length;
      for (const { campaignId, replay } of rows)
        if (replay?.alone === true) replays.set(campaignKey(campaignId), campaignId);
      after = last._id;
    }
    if (replays.size > 0) await this.params.onReplays?.([...replays.values()]);
    if (adopted > 0) logger.info('pending messages were adopted', { count: adopted });
  }

  lost(partitions: readonly number[]): void {
    for (const id of partitions) {
      this.activeSet.delete(id);
      this.gaining.delete(id);
    }
    this.changed();
  }

  /** No new work of these partitions; resolves when nothing of them is in doubt. */
  drain(partitions: readonly number[]): Promise<void> {
    this.lost(partitions);
    return new Promise((done) => {
      this.draining.push({ partitions: new Set(partitions), done });
      this.check();
    });
  }

  /** A round may hold conversations whose rows are not in doubt yet: no drain ends in the middle of one. */
  async during<T>(round: () => Promise<T>): Promise<T> {
    this.rounding = true;
    try {
      return await round();
    } finally {
      this.rounding = false;
      this.check();
    }
  }

  private check(): void {
    if (this.rounding || this.draining.length === 0) return;
    const busy = new Set(this.takingUp);
    for (const { row } of this.params.dispatch.entries()) busy.add(row.partition);
    this.draining = this.draining.filter(({ partitions, done }) => {
      if ([...partitions].some((partition) => busy.has(partition))) return true;
      done();
      return false;
    });
  }

  private changed(): void {
    this.activeList = [...this.activeSet].sort((a, b) => a - b);
  }
}
