import type { ConversationStore } from '../src/domain/conversationPorts.ts';
import type { Contact, Conversation, Message } from '../src/domain/model.ts';
import type { RowResult } from '../src/domain/outbox.ts';
import type { RateWait } from '../src/domain/ratePorts.ts';
import { namedRows } from '../src/domain/receipts.ts';
import { replayedRows } from '../src/domain/replay.ts';
import type { Clock } from '../src/domain/systemPorts.ts';
import type { Dispatch } from './dispatch.ts';
import { countByLane } from './lanes.ts';
import type { Quarantine } from './quarantine.ts';
import type { Schedule } from './schedule.ts';

/** A conversation that a round decides about. */
export interface Candidate {
  conversation: Conversation;
  results: RowResult[];
  /** It was taken from its lane: one message may leave. */
  slot: boolean;
  /** The rate that its lane stands behind, and since when. */
  behind?: RateWait | undefined;
  /** Its contact as the source has it now, where `exitWhen` is asked. */
  fresh?: Contact;
}

/** By conversation id. */
export type Candidates = Map<string, Candidate>;

export interface LoaderParams {
  store: Pick<ConversationStore, 'byIds' | 'messages'>;
  schedule: Schedule;
  dispatch: Dispatch;
  quarantine: Quarantine;
  /** Conversations that are due taken up in one round, at most. */
  batchSize: number;
  owns: (conversationId: string, partition: number) => boolean;
  clock: Clock;
}

/** What a round is about: reads the conversations of answers and hints, and takes up what is due. */
export class Loader {
  private readonly params: LoaderParams;

  constructor(params: LoaderParams) {
    this.params = params;
  }

  /** What is in doubt is known as we wrote it last, and read again only if its guard misses. */
  async load(results: readonly RowResult[], hints: ReadonlySet<string>): Promise<Candidates> {
    const candidates = await this.named(results, hints);
    await this.takeDue(candidates, this.ending(results));
    return candidates;
  }

  /** Those that missed, read again; answers that were recorded before are settled. */
  async again(candidates: Candidates, missed: ReadonlySet<string>): Promise<Candidates> {
    const found: Candidates = new Map();
    if (missed.size === 0) return found;
    const open = await this.unrecorded([...missed].flatMap((id) => candidates.get(id)?.results ?? []));
    const resultsOf = (id: string): RowResult[] => (candidates.get(id)?.results ?? []).filter((one) => open.has(one));
    for (const conversation of await this.params.store.byIds([...missed])) {
      const { _id } = conversation;
      const { slot = false, behind } = candidates.get(_id) ?? {};
      found.set(_id, { conversation, results: resultsOf(_id), slot, behind });
    }
    for (const id of missed) if (!found.has(id)) await this.params.quarantine.recordOrphans(id, resultsOf(id));
    return found;
  }

  /** The rows that candidates wait to send again, by id. */
  async awaitedRows(candidates: Candidates): Promise<Map<string, Message>> {
    const ids: string[] = [];
    for (const { conversation } of candidates.values())
      if (conversation.awaiting !== undefined) ids.push(conversation.awaiting);
    if (ids.length === 0) return new Map();
    return new Map((await this.params.store.messages(ids)).map((row) => [row._id, row]));
  }

  /** The rows that events of the candidates may name, by conversation. */
  async namedRows(candidates: Candidates): Promise<Map<string, Message[]>> {
    const { store } = this.params;
    const ids: string[] = [];
    const whole: string[] = [];
    for (const { conversation } of candidates.values()) {
      ids.push(...namedRows(conversation));
      whole.push(...replayedRows(conversation));
    }
    const found = new Map<string, Message[]>();
    if (ids.length === 0 && whole.length === 0) return found;
    const isWhole = new Set(whole);
    const heads = ids.filter((id) => !isWhole.has(id));
    const read = await Promise.all([
      heads.length > 0 ? store.messages(heads, true) : [],
      whole.length > 0 ? store.messages(whole) : [],
    ]);
    for (const row of read.flat()) found.set(row.conversationId, [...(found.get(row.conversationId) ?? []), row]);
    return found;
  }

  /** Answers to rows that are no longer `sending` were recorded before, by a try that failed after its commit. */
  private async unrecorded(results: readonly RowResult[]): Promise<Set<RowResult>> {
    const { store, dispatch } = this.params;
    if (results.length === 0) return new Set();
    const rows = await store.messages(results.map(({ row }) => row._id));
    const recorded = new Set(rows.filter(({ status }) => status !== 'sending').map(({ _id }) => _id));
    const open = new Set<RowResult>();
    for (const result of results) {
      if (recorded.has(result.row._id)) dispatch.settled(result.row);
      else open.add(result);
    }
    return open;
  }

  private async named(results: readonly RowResult[], hints: ReadonlySet<string>): Promise<Candidates> {
    const { dispatch, store, owns, quarantine } = this.params;
    const candidates: Candidates = new Map();
    const byConversation = new Map<string, RowResult[]>();
    const wanted = new Set(hints);
    for (const result of results) {
      const id = result.row.conversationId;
      byConversation.set(id, [...(byConversation.get(id) ?? []), result]);
      const known = dispatch.entry(id)?.conversation;
      if (known === undefined) wanted.add(id);
      else if (!wanted.has(id))
        candidates.set(id, { conversation: known, results: byConversation.get(id) ?? [], slot: false });
    }
    for (const id of wanted) if (quarantine.isUntouchable(id)) wanted.delete(id);
    if (wanted.size > 0) {
      for (const conversation of await store.byIds([...wanted])) {
        const own = byConversation.get(conversation._id) ?? [];
        if (own.length === 0 && !owns(conversation._id, conversation.partition)) continue;
        candidates.set(conversation._id, { conversation, results: own, slot: false });
      }
    }
    for (const [id, own] of byConversation) if (!candidates.has(id)) await quarantine.recordOrphans(id, own);
    return candidates;
  }

  /** By channel, below zero: rows with an answer make room for as many others. An estimate: which answers are recorded, and so how many may leave, shows when the round is decided. */
  private ending(results: readonly RowResult[]): Map<string, number> {
    const planned = new Map<string, number>();
    for (const { row } of results)
      if (this.params.dispatch.entry(row.conversationId)?.row === row)
        planned.set(row.channel, (planned.get(row.channel) ?? 0) - 1);
    return planned;
  }

  private async takeDue(candidates: Candidates, planned: ReadonlyMap<string, number>): Promise<void> {
    const { dispatch, schedule, quarantine, clock, batchSize } = this.params;
    const capacity = Math.min(batchSize, dispatch.room.left('-', planned));
    const inDoubt = [...dispatch.entries()].flatMap(({ conversation }) => (conversation ? [conversation] : []));
    const hidden = countByLane(inDoubt, clock.now());
    const skip = (id: string): boolean => dispatch.entry(id) !== undefined || quarantine.isUntouchable(id);
    const taken = await schedule.take(capacity, hidden, skip, planned);
    for (const conversation of taken.toSorted((a, b) => rankOf(a) - rankOf(b))) {
      const known = candidates.get(conversation._id);
      const behind = schedule.rateBefore(conversation);
      candidates.set(conversation._id, { conversation, results: known?.results ?? [], slot: true, behind });
    }
  }
}

/**
 * What comes from a pause was allotted no room on the channel it may need: it gets what the others leave. Unless its message waits for
 * another try: behind fresh ones it would give way to its fallback while its channel works.
 */
const rankOf = ({ nextChannel, awaiting }: Conversation): number =>
  nextChannel !== '-' ? 1 : awaiting === undefined ? 2 : 0;
