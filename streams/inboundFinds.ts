import type { AddressBook } from '../src/domain/addresses.ts';
import { behindKeys, type Found, lookUpKeys, type ReadInbound, type RoutingContext } from '../src/domain/inbound.ts';
import type { ConversationHead, InboundStore, RowHead } from '../src/domain/inboundPorts.ts';
import type { Id } from '../src/domain/model.ts';
import type { Clock } from '../src/domain/systemPorts.ts';

export interface FindsParams {
  store: Pick<InboundStore, 'openAt' | 'conversations' | 'rowsOf'>;
  book: AddressBook;
  /** Reads the runs of these campaigns, for their topics. */
  topicsOf: (campaignIds: readonly Id[]) => Promise<RoutingContext['topicOf']>;
  fieldOf: RoutingContext['fieldOf'];
  clock: Clock;
}

/** What was found of events, and the topics of the campaigns they are about. */
export interface Finds {
  of: (event: ReadInbound) => Found;
  topicOf: RoutingContext['topicOf'];
}

export const contextOf = ({ topicOf }: Finds, { book, fieldOf, clock }: FindsParams): RoutingContext => ({
  ...{ book, fieldOf, topicOf, now: clock.now() },
});

/** Reads the messages and conversations that events name, in one question of each kind for all of them. */
export async function findNamed(events: readonly ReadInbound[], params: FindsParams): Promise<Finds> {
  const { store, topicsOf } = params;
  const [named, rows] = await Promise.all([
    store.conversations(events.flatMap(({ conversationId }) => conversationId ?? [])),
    store.rowsOf(events.flatMap(({ providerMessageId }) => providerMessageId ?? [])),
  ]);
  const byId = new Map(named.map((head) => [head._id, head]));
  const byProvider = groupBy(rows, ({ providerMessageId }) => [providerMessageId ?? '']);
  return {
    of: (event) => ({
      byAddress: [],
      byId: byId.get(event.conversationId ?? ''),
      row: rowFor(event, byProvider.get(event.providerMessageId ?? '') ?? []),
    }),
    topicOf: await topicsOf([...named, ...rows].map(({ campaignId }) => campaignId)),
  };
}

/** And the open conversations of their addresses; of opt-outs also of the addresses behind what they name. */
export async function findFor(events: readonly ReadInbound[], params: FindsParams): Promise<Finds> {
  const { store, book } = params;
  const named = await findNamed(events, params);
  const context = contextOf(named, params);
  const keysOf = new Map(
    events.map((event) => [event, [...lookUpKeys(event, book), ...behindKeys(event, named.of(event), context)]]),
  );
  const heads = await store.openAt([...new Set([...keysOf.values()].flat())]);
  const byAddress = groupBy(heads, ({ addresses = [] }) => addresses);
  const at = (event: ReadInbound): ConversationHead[] => {
    const found = (keysOf.get(event) ?? []).flatMap((key) => byAddress.get(key) ?? []);
    return [...new Map(found.map((head) => [head._id, head])).values()];
  };
  return { ...named, of: (event) => ({ ...named.of(event), byAddress: at(event) }) };
}

/** Ids of two providers may be the same: the event's channel tells them apart, where it says one. */
const rowFor = ({ channel }: ReadInbound, rows: readonly RowHead[]): RowHead | undefined =>
  rows.find((row) => channel === undefined || row.channel === channel);

function groupBy<T>(items: readonly T[], keys: (item: T) => readonly string[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items)
    for (const key of keys(item)) {
      const group = groups.get(key);
      if (group) group.push(item);
      else groups.set(key, [item]);
    }
  return groups;
}
