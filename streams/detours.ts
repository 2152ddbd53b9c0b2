import type { ConversationStore } from '../src/domain/conversationPorts.ts';
import type { ChannelState, Conversation, Lane } from '../src/domain/model.ts';
import type { Clock } from '../src/domain/systemPorts.ts';
import { atMostMs } from '../src/domain/timing.ts';
import type { KnownRun } from './runs.ts';
import { Turns } from './turns.ts';

/** Stages of a lane whose message goes by their fallback when it was not sent so long after it was due. */
export interface WayOut {
  stages: readonly string[];
  /** Not before, ms since the epoch. */
  from: number;
  afterMs: number;
}

const none: readonly WayOut[] = [];

/**
 * Of a lane whose channel is left alone: what is due there for longer than `fallback.after` of its stage gives way. Neither the time before
 * the channel was left alone nor a pause of the campaign is held against it; while one message is tried (half-open) all the others wait.
 */
export function waysOut(
  { channel }: Lane,
  run: () => KnownRun | undefined,
  states: Readonly<Record<string, ChannelState>>,
): readonly WayOut[] {
  const state = Object.hasOwn(states, channel) ? states[channel] : undefined;
  const known = state?.state === 'open' ? run() : undefined;
  if (state === undefined || known === undefined) return none;
  const found = new Map<number, Set<string>>();
  let since = state.since.getTime();
  for (const { flow, resumedAt } of known.contexts.values()) {
    since = Math.max(since, resumedAt ?? 0);
    for (const stage of flow.stages.values()) {
      if (stage.type !== 'message' || stage.channel !== channel || stage.fallback?.after === undefined) continue;
      const afterMs = atMostMs(stage.fallback.after);
      found.set(afterMs, (found.get(afterMs) ?? new Set()).add(stage.id));
    }
  }
  return [...found].map(([afterMs, stages]) => ({ stages: [...stages], from: since + afterMs, afterMs }));
}

export interface DetoursParams {
  store: Pick<ConversationStore, 'due'>;
  clock: Pick<Clock, 'now'>;
  partitions: () => readonly number[];
  waysOut?: (lane: Lane) => readonly WayOut[];
}

/** Lanes looked at in a round. */
const lanesAtOnce = 8;
/** Of a lane, at most in a round. */
const lateAtOnce = 200;
/** When a lane is looked at again of which nothing went, ms, twice as long each time: what has no way out is passed over by the server. */
const [shortestPauseMs, longestPauseMs] = [2_000, 30_000];

/** A lane, and when its first one is due, ms since the epoch. */
export interface DueLane {
  readonly key: string;
  readonly lane: Lane;
  readonly due: { readonly next: number | undefined };
}

interface Look {
  /** ms since the epoch. */
  notBefore: number;
  /** To the next one, if that brings nothing, ms. */
  pauseMs: number;
  /** Partition to begin with, by its place among ours. */
  from: number;
  /** What the last one found, with versions. */
  seen: ReadonlySet<string>;
}

/** Finds the conversations that are late behind a channel that is left alone, and go another way. */
export class Detours {
  private readonly params: DetoursParams;
  /** By key of the lane. */
  private readonly looks = new Map<string, Look>();
  private readonly turns = new Turns();

  constructor(params: DetoursParams) {
    this.params = params;
  }

  /** When a lane is worth a look, ms since the epoch; endless where its channel is used, or nothing of it has another way. */
  nextLook({ lane, key, due: { next: first } }: DueLane): number {
    const ways = first === undefined ? none : (this.params.waysOut?.(lane) ?? none);
    if (first === undefined || ways.length === 0) return Number.POSITIVE_INFINITY;
    const earliest = Math.min(...ways.map(({ from, afterMs }) => Math.max(from, first + afterMs)));
    return Math.max(this.looks.get(key)?.notBefore ?? 0, earliest);
  }

  /** Of a few of these lanes by turns, at most `capacity`; it takes no room on their channels. `skip` says which are in hand. */
  async takeFrom(lanes: readonly DueLane[], capacity: number, skip: (id: string) => boolean): Promise<Conversation[]> {
    const now = this.params.clock.now();
    const late = lanes.filter((lane) => this.nextLook(lane) <= now);
    if (capacity <= 0 || late.length === 0) return [];
    const chosen = this.turns.order(late, ({ key }) => key).slice(0, lanesAtOnce);
    for (const { key } of chosen) this.turns.reached(key);
    this.turns.next();
    const most = Math.ceil(capacity / chosen.length);
    const found = await Promise.all(chosen.map((lane) => this.take(lane, most, skip)));
    return found.flat().slice(0, capacity);
  }

  /** A lane is no more. */
  forget(key: string): void {
    this.looks.delete(key);
  }

  private async take({ lane, key }: DueLane, most: number, skip: (id: string) => boolean): Promise<Conversation[]> {
    const { store, clock, partitions, waysOut: of } = this.params;
    const limit = Math.min(lateAtOnce, most);
    const now = clock.now();
    const before = this.looks.get(key) ?? { notBefore: 0, pauseMs: shortestPauseMs, from: 0, seen: new Set() };
    const own = partitions();
    const order = [...own.slice(before.from % own.length), ...own.slice(0, before.from % own.length)];
    const found: Conversation[] = [];
    for (const { stages, afterMs, from } of of?.(lane) ?? none) {
      if (from > now || found.length >= limit || own.length === 0) continue;
      const late = await store.due(lane, order, new Date(now - afterMs), limit - found.length, stages);
      found.push(...late.filter(({ _id }) => !skip(_id)));
    }
    const seen = new Set(found.map(({ _id, version }) => `${_id} ${version}`));
    const isNews = [...seen].some((one) => !before.seen.has(one));
    // some did not go after all (their version of the flow has another time): the others may be behind them
    const next = isNews
      ? { pauseMs: shortestPauseMs, from: before.from, notBefore: found.length >= limit ? 0 : now + shortestPauseMs }
      : {
          pauseMs: Math.min(longestPauseMs, 2 * before.pauseMs),
          from: before.from + 1,
          notBefore: now + before.pauseMs,
        };
    this.looks.set(key, { ...next, seen });
    return found;
  }
}
