/** Asks the conversations of messages for another try of them, and reads from their rows what was decided. */
import { setTimeout as pause } from 'node:timers/promises';
import { isAnswered, type ReplayOptions, replayEvent } from '../../domain/replay.ts';
import { serverTime } from '../../mongo/client.ts';
import type { FailedRow } from '../../mongo/failedReader.ts';
import type { Database } from '../database.ts';

/** Without an answer for so long, somebody has to look whether a worker runs, ms. */
const patienceMs = 20_000;

/** What became of what was asked for, by word. */
export interface Outcome {
  queued: number;
  refused: Record<string, number>;
  /** Asked for, and not decided yet. */
  waiting: number;
}

export class Replay {
  readonly outcome: Outcome = { queued: 0, refused: {}, waiting: 0 };
  private readonly database: Database;
  private readonly options: ReplayOptions;
  /** What was tried again since then is behind us, whatever code it failed with this time. */
  private readonly began: Date;

  constructor(database: Database, { newKey = false, uncertain = false }: ReplayOptions, began: Date) {
    this.database = database;
    this.options = { newKey, uncertain };
    this.began = began;
  }

  get done(): number {
    return this.outcome.queued + Object.values(this.outcome.refused).reduce((sum, one) => sum + one, 0);
  }

  /** Each conversation is told at most once of each try, however often this is done. */
  async ask(page: readonly FailedRow[]): Promise<void> {
    const { conversations } = this.database.in;
    const fresh = page.filter(
      ({ replay, replayedAs }) => replayedAs === undefined && !(replay && replay.at >= this.began),
    );
    if (fresh.length === 0) return;
    const ids = [...new Set(fresh.map(({ conversationId }) => conversationId))];
    const there = new Set(
      (await conversations.find({ _id: { $in: ids } }, { projection: { _id: 1 } }).toArray()).map(({ _id }) => _id),
    );
    const asked = fresh.filter(({ conversationId }) => there.has(conversationId));
    for (let gone = fresh.length - asked.length; gone > 0; gone--) this.refuse('conversation_missing');
    const at = await serverTime(this.database.db);
    const pushes = asked.map((row) => {
      const event = replayEvent(row, this.options, at);
      const filter = { _id: row.conversationId, 'inbox.id': { $ne: event.id }, consumed: { $ne: event.id } };
      return { updateOne: { filter, update: { $push: { inbox: event } } } };
    });
    if (pushes.length > 0) await conversations.bulkWrite(pushes as never, { ordered: false });
    await this.answered(asked);
  }

  /** The rows themselves tell what was decided. */
  private async answered(asked: readonly FailedRow[]): Promise<void> {
    let open = new Map(asked.map((row) => [row._id, (row.replay?.count ?? 0) + 1]));
    let moved = performance.now();
    for (
      let waitMs = 20;
      open.size > 0 && performance.now() - moved < patienceMs;
      waitMs = Math.min(500, waitMs * 1.5)
    ) {
      await pause(waitMs);
      const left = await this.look(open);
      if (left.size < open.size) moved = performance.now();
      open = left;
    }
    this.outcome.waiting += open.size;
  }

  private async look(open: ReadonlyMap<string, number>): Promise<Map<string, number>> {
    const projection = { status: 1, replay: 1, deliveredAt: 1, openedAt: 1, clickedAt: 1 };
    const found = await this.database.in.messages.find({ _id: { $in: [...open.keys()] } }, { projection }).toArray();
    const left = new Map(open);
    const gone = new Set(open.keys());
    for (const row of found) {
      gone.delete(row._id);
      if (!isAnswered(row, open.get(row._id) ?? 0)) continue;
      left.delete(row._id);
      const { refused, count: times = 0 } = row.replay ?? {};
      if (times < (open.get(row._id) ?? 0)) this.refuse('not_needed');
      else if (refused === undefined) this.outcome.queued += 1;
      else this.refuse(refused);
    }
    for (const id of gone) {
      left.delete(id);
      this.refuse('message_missing');
    }
    return left;
  }

  private refuse(why: string): void {
    this.outcome.refused[why] = (this.outcome.refused[why] ?? 0) + 1;
  }
}
