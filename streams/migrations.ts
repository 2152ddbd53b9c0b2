import { backoffMs } from '../src/domain/backoff.ts';
import type { CampaignStore } from '../src/domain/campaignPorts.ts';
import type { ConversationStore } from '../src/domain/conversationPorts.ts';
import { isServiceError } from '../src/domain/errors.ts';
import type { Id, RunMigration } from '../src/domain/model.ts';
import type { Clock, Logger } from '../src/domain/systemPorts.ts';
import { type HintQueue, sweep } from './conversations.ts';
import type { KnownRun, Runs } from './runs.ts';
import { pause } from './waker.ts';

export interface MigrationsParams {
  campaignStore: Pick<CampaignStore, 'asked'>;
  conversations: Pick<ConversationStore, 'activeOf'>;
  runs: Pick<Runs, 'get' | 'reload'>;
  /** Partitions owned and not being released. */
  active: () => readonly number[];
  hints: HintQueue;
  clock: Pick<Clock, 'after'>;
  random: () => number;
  logger: Logger;
  signal: AbortSignal;
  /** The member is over. */
  fail: (error: unknown) => void;
}

/** As many conversations are hinted at together as take their turn in one round. */
const pageSize = 500;
/** Between two passes: who has a message on its way is asked with its answer. */
const rest = { baseMs: 200, capMs: 60_000 };

/**
 * Asks the conversations of this member's partitions to follow the version of a migration: by hints, page by page, so that rounds go
 * on between them and decide each like any other. A partition in which nobody is left to be asked is taken off the run's list; that
 * holds whoever finds it, so a take-over goes on where it was.
 */
export class Migrations {
  private readonly params: MigrationsParams;
  /** Campaigns, by key, that a walk is under way for. */
  private readonly walks = new Set<string>();

  constructor(params: MigrationsParams) {
    this.params = params;
  }

  /** Begins what is left to do here of a run's migration, unless it is under way. */
  look({ key, run }: KnownRun): void {
    if (this.walks.has(key) || this.left(run._id) === undefined) return;
    this.walks.add(key);
    void this.walk(key, run._id);
  }

  /** What of the last migration is this member's to do. */
  private left(id: Id): { number: number; partitions: readonly number[] } | undefined {
    const { run } = this.params.runs.get(id) ?? {};
    if (run?.migration === undefined || run.settled) return undefined;
    const { number, left }: RunMigration = run.migration;
    const active = new Set(this.params.active());
    const partitions = left.filter((partition) => active.has(partition));
    return partitions.length > 0 ? { number, partitions } : undefined;
  }

  private async walk(key: string, id: Id): Promise<void> {
    const { clock, random, logger, signal, fail } = this.params;
    for (let passes = 1; !signal.aborted; passes++) {
      const left = this.left(id);
      if (left === undefined) {
        // at once: whatever comes now is to begin anew
        this.walks.delete(key);
        return;
      }
      try {
        if (await this.isDone(id, left)) continue;
      } catch (error) {
        if (signal.aborted) return;
        if (isServiceError(error, 'fenced')) return fail(error);
        logger.warn('conversations cannot be asked to follow another version; it is tried again', {
          campaignId: id,
          error,
        });
      }
      await pause(clock, backoffMs(passes, random, rest), signal);
    }
  }

  /** True when nobody was left to be asked in these partitions, which is noted. */
  private async isDone(
    id: Id,
    { number, partitions }: { number: number; partitions: readonly number[] },
  ): Promise<boolean> {
    const { campaignStore, conversations, runs, hints, signal } = this.params;
    const page = (after: string | undefined) => conversations.activeOf(id, partitions, after, pageSize, number);
    if ((await sweep(page, hints, signal)) > 0 || signal.aborted) return false;
    await campaignStore.asked(id, number, partitions);
    await runs.reload(id);
    return true;
  }
}
