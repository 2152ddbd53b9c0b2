/** Who of an audience enters a campaign: what can be wrong with its options, and what of them a run pins. */
import type { ChannelFacts } from './channelPorts.ts';
import type { Fault } from './errors.ts';
import { encodePart } from './ids.ts';
import type { Audience, Exclusion, Flow, Id, PinnedAudience } from './model.ts';
import { normalise } from './normalise.ts';
import { isPlain, own } from './plain.ts';
import { printable } from './printable.ts';

export interface AudienceContext {
  channels: ReadonlyMap<string, ChannelFacts>;
  /** Names of our own collections. */
  reservedCollections: readonly string[];
  /** What the database said of one of the audience's queries. */
  audienceFault?: Fault | undefined;
}

/** Faults of a campaign's audience beside those of its shape; `flow` as far as it is known. */
export function audienceFaults(audience: unknown, flow: unknown, context: AudienceContext): Fault[] {
  if (!isPlain(audience)) return [];
  const exclude = own(audience, 'exclude');
  const faults = [
    ...collectionFaults(audience, 'audience', context.reservedCollections),
    ...(isPlain(exclude) ? collectionFaults(exclude, 'audience.exclude', context.reservedCollections) : []),
    ...dedupeFaults(audience, flow, context.channels),
  ];
  return faults.length === 0 && context.audienceFault ? [context.audienceFault] : faults;
}

function collectionFaults(source: Record<string, unknown>, path: string, reserved: readonly string[]): Fault[] {
  const name = own(source, 'collection');
  if (typeof name !== 'string') return [];
  const fault = (message: string): Fault[] => [{ code: 'not_allowed', path: `${path}.collection`, message }];
  if (name.startsWith('system.') || reserved.includes(name)) {
    return fault(`${printable(name)} is one of the service's or the database's own collections`);
  }
  return /[$\0]|^\.|\.$|\.\./.test(name) ? fault(`${printable(name)} is no name of a collection`) : [];
}

/** A flow that does not compile, or a channel that is not there, has faults of its own. */
function dedupeFaults(
  audience: Record<string, unknown>,
  flow: unknown,
  channels: ReadonlyMap<string, ChannelFacts>,
): Fault[] {
  if (own(audience, 'dedupeBy') !== 'address' || !isPlain(flow)) return [];
  const channel = firstChannel(flow as Partial<Flow>);
  const fault = (message: string): Fault[] => [{ code: 'not_allowed', path: 'audience.dedupeBy', message }];
  if (channel === undefined) return fault('was "address"; the flow has no message, so there is no address to compare');
  const { address } = channels.get(channel) ?? { address: undefined };
  return address === '' ? fault(`was "address"; channel ${printable(channel)} has no address`) : [];
}

/** The channel of the first message in the order of the stages: its address is what `dedupeBy: "address"` compares. */
export function firstChannel({ stages }: Partial<Flow>): string | undefined {
  if (!Array.isArray(stages)) return undefined;
  const first: unknown = stages.find((stage: unknown) => isPlain(stage) && own(stage, 'type') === 'message');
  const channel = isPlain(first) ? own(first, 'channel') : undefined;
  return typeof channel === 'string' ? channel : undefined;
}

/** Filters go back to the database, where a Decimal128 is not the Double that looks like it: their numbers stay as they are. */
const filterOf = (source: unknown): Record<string, unknown> =>
  (normalise((source as { filter?: unknown }).filter, { numbers: false }) ?? {}) as Record<string, unknown>;

/** Pins an audience that passed its checks; `raw` is the same as it is stored. */
export function pinnedAudience(
  audience: Audience,
  raw: Record<string, unknown>,
  flow: Flow,
  channels: ReadonlyMap<string, ChannelFacts>,
): PinnedAudience {
  const field = audience.dedupeBy === 'address' ? channels.get(firstChannel(flow) ?? '')?.address : undefined;
  const options = {
    ...(field === undefined ? {} : { dedupeBy: field }),
    ...(audience.exclude === undefined ? {} : { exclude: exclusionOf(audience.exclude, raw['exclude']) }),
  };
  if (audience.collection === undefined) return { kind: 'inline', ...options };
  const { collection, map = {}, mode } = audience;
  const live = mode === 'live' ? ({ live: true } as const) : {};
  return { kind: 'collection', collection, filter: filterOf(raw), map, ...live, ...options };
}

const exclusionOf = ({ collection, map }: NonNullable<Audience['exclude']>, raw: unknown): Exclusion => ({
  collection,
  filter: filterOf(raw),
  idPath: map === undefined ? '_id' : map.id.slice(1),
});

/** Whatever a document has at `path` (dotted; lists on the way are gone through, as the database does), as ids. */
export function idsAt(document: unknown, path: string): unknown[] {
  let found: unknown[] = [document];
  for (const field of path.split('.')) {
    const next = found.flatMap((at) => (Array.isArray(at) ? (at as unknown[]) : [at]));
    found = next.flatMap((at) => (isPlain(at) ? [own(at, field)] : []));
  }
  return found.flat().map((id) => normalise(id));
}

/** `_id` in `campaign_addresses`; `hash` keeps the address itself out of it. */
export const addressKey = (campaignId: Id, field: string, address: string, hash: (text: string) => string): string =>
  `${encodePart(campaignId)}|${hash(`${field}:${address}`)}`;

/** All of a campaign's `campaign_addresses` lie in `[from, to)`. */
export function addressRange(campaignId: Id): { from: string; to: string } {
  const part = encodePart(campaignId);
  return { from: `${part}|`, to: `${part}}` };
}
