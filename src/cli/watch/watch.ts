/** `watch`: one campaign, live, until it has ended. */
import { ServiceError } from '../../domain/errors.ts';
import type { Id } from '../../domain/model.ts';
import { isNoFaultOfDocuments } from '../../mongo/away.ts';
import { ProgressReader } from '../../mongo/progressReader.ts';
import type { Context, ExitCode } from '../context.ts';
import { type Database, located, withDatabase } from '../database.ts';
import { findCampaignId } from '../findCampaign.ts';
import { Interrupted, pause, unlessAborted } from '../interrupt.ts';
import { safe } from '../output.ts';
import { Ending } from './watchEnding.ts';
import type { Snapshot } from './watchModel.ts';
import { WatchReads } from './watchReads.ts';
import { WatchState } from './watchSnapshot.ts';
import { createView, type View } from './watchView.ts';

export interface WatchParams {
  campaign: string;
  /** Seconds from look to look; absent: 1 on a terminal, 2 elsewhere. */
  interval?: number;
  /** Waits for a campaign that is not there yet. */
  wait?: boolean;
}

/** A read that takes longer says nothing of now. */
const maxTimeMs = 5_000;
/** A member that is alive beats within its lease; a look comes on top. */
const patienceMs = 2_500;

/** 0 when the campaign completed; 1 when it ended in another way, is not there, or the watch was stopped before. */
export const watch = (params: WatchParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async (database): Promise<ExitCode> => {
    const { out } = context;
    const stop = new AbortController();
    const signal = AbortSignal.any([context.signal, stop.signal]);
    const everyMs = 1000 * (params.interval ?? (out.screen === undefined ? 2 : 1));
    const off = out.onClosed(() => stop.abort());
    let view: View | undefined;
    try {
      const id = await find(params, database, everyMs, { ...context, signal });
      view = createView(out, id, everyMs, () => stop.abort());
      const last = await follow(id, database, everyMs, view, signal);
      view.end(last);
      return last.status === 'completed' ? 0 : 1;
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      view?.stopped();
      return 1;
    } finally {
      view?.close();
      off();
    }
  });

/** Its id. */
async function find(
  { campaign, wait }: WatchParams,
  database: Database,
  everyMs: number,
  { out, signal }: Context,
): Promise<Id> {
  let waits = false;
  for (;;) {
    const found = await unlessAborted(lookUp(campaign, database, waits), signal);
    if (found !== undefined) return found;
    if (wait !== true)
      throw new ServiceError(
        'not_found',
        `there is no campaign ${safe(campaign)}; --wait waits for it, \`communication-base status\` lists those there are`,
      );
    if (!waits) out.line(`there is no campaign ${safe(campaign)} yet; waiting for it`);
    if (!waits) out.record({ type: 'waiting', campaign });
    waits = true;
    await pause(everyMs, signal);
  }
}

/** @param again Then MongoDB may be away for a while. */
async function lookUp(typed: string, { in: stored }: Database, again: boolean): Promise<Id | undefined> {
  try {
    return await findCampaignId(stored, typed);
  } catch (error) {
    if (again && isNoFaultOfDocuments(error)) return undefined;
    throw error;
  }
}

async function follow(
  id: Id,
  { config, db }: Database,
  everyMs: number,
  view: View,
  signal: AbortSignal,
): Promise<Snapshot> {
  const clock = { monotonic: () => performance.now(), now: () => Date.now() };
  const state = new WatchState(id, config.leaseTtlMs + patienceMs);
  const reads = new WatchReads(new ProgressReader(db, id, maxTimeMs), state, clock);
  const watched = new Ending();
  for (let first = true, away = false; ; ) {
    const began = clock.monotonic();
    let restMs = 0;
    try {
      restMs = await unlessAborted(reads.look(), signal);
      if (away) view.back();
      first = away = false;
      const snapshot = state.snapshot(clock.now());
      if (watched.isOver(snapshot, clock.monotonic())) {
        // once more: what was read side by side belongs together now
        await unlessAborted(reads.look(), signal).catch(ignoreAway);
        return state.snapshot(clock.now());
      }
      view.show(snapshot);
    } catch (error) {
      if (first || !isNoFaultOfDocuments(error)) throw error;
      reads.forget();
      watched.forget();
      away = true;
      view.away((located(error, config.mongodbUri) as Error).message);
    }
    await pause(Math.max(everyMs - (clock.monotonic() - began), restMs, 50), signal);
  }
}

function ignoreAway(error: unknown): void {
  if (!isNoFaultOfDocuments(error)) throw error;
}
