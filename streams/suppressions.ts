import { addressesOf, addressOn, suppressedAddress, suppressionsOf } from '../src/domain/addresses.ts';
import { createAddressFilter } from '../src/domain/addressFilter.ts';
import type { Change } from '../src/domain/changePorts.ts';
import type { FlowContext } from '../src/domain/decision.ts';
import type { SuppressionStore } from '../src/domain/inboundPorts.ts';
import type { Conversation, Id, Suppression, SuppressionChange } from '../src/domain/model.ts';
import {
  conversationAddresses,
  hasOnlyBounced,
  isUnkeyed,
  type Refusal,
  type Refusals,
} from '../src/domain/suppression.ts';
import type { Clock } from '../src/domain/systemPorts.ts';

/** Whose flow is meant: of a campaign alone, that of its start. */
type Subject = Pick<Conversation, 'campaignId' | 'flowVersion'>;

export interface SuppressionsParams {
  store: Pick<SuppressionStore, 'among' | 'page'>;
  /** Undefined where the run is not known. */
  contextOf: (conversation: Subject) => FlowContext | undefined;
  clock: Pick<Clock, 'now' | 'monotonic'>;
}

/** When something was asked, by both clocks: the monotonic one may stand still while the machine sleeps, the other may be set back. */
export interface Asked {
  monotonic: number;
  wall: number;
}

/** What is known of suppressions may be this old when a row leaves, ms. */
const freshMs = 1000;
const pageSize = 10_000;

/**
 * What one member knows of all suppressions: the addresses they name, in a filter of two bytes each that is filled at the start
 * and kept by the change stream. What the filter rules out costs neither a read nor a microsecond; what it does not is asked of
 * the database. It is as fresh as the change stream: where that is silent for a second, everything is asked.
 */
export class Suppressions {
  private readonly params: SuppressionsParams;
  private filter = createAddressFilter();
  /** The filter holds all that was stored before it was filled, and the stream tells the rest. */
  private loaded = false;
  /** What was stored before is in the filter. */
  private heardAt: Asked | undefined;
  /** There are some from before HASH_KEY was set. */
  private hasUnkeyed = false;
  private epoch = 0;

  constructor(params: SuppressionsParams) {
    this.params = params;
  }

  // ---------------------------------------------------------------- what is known

  /** A batch of the change stream; `asked` when nothing that was stored before is left behind it. */
  heard(changes: readonly Change[], asked: Asked | undefined): void {
    for (const change of changes) if (change.kind === 'suppression') this.add(change.id);
    if (asked !== undefined) this.heardAt = asked;
  }

  /** Written by ourselves: whoever comes next need not wait for the stream to tell. */
  wrote(changes: readonly SuppressionChange[]): void {
    for (const change of changes) if (change.kind === 'add') this.add(change.suppression._id);
  }

  /** Fills the filter anew, after a gap in the stream too: called once the stream is open. */
  async load(): Promise<void> {
    const epoch = ++this.epoch;
    this.loaded = false;
    const { store } = this.params;
    for (let after: string | undefined; ; ) {
      const ids = await store.page(after, pageSize);
      if (this.epoch !== epoch) return;
      for (const id of ids) this.add(id);
      after = ids.at(-1);
      if (ids.length < pageSize) break;
    }
    this.loaded = true;
  }

  private add(id: string): void {
    const address = suppressedAddress(id);
    if (isUnkeyed(address)) this.hasUnkeyed = true;
    if (!this.filter.mayHave(address)) this.filter.add(address);
  }

  isFresh(asked: Asked | undefined): boolean {
    if (asked === undefined) return false;
    const { clock } = this.params;
    return Math.max(clock.monotonic() - asked.monotonic, clock.now() - asked.wall) <= freshMs;
  }

  now(): Asked {
    const { clock } = this.params;
    return { monotonic: clock.monotonic(), wall: clock.now() };
  }

  /** The database has to be asked. */
  private mayHave(address: string): boolean {
    return !this.isKnown || this.filter.mayHave(address);
  }

  /** What is suppressed was read, and everything that came since was heard. */
  private get isKnown(): boolean {
    return this.loaded && this.isFresh(this.heardAt);
  }

  // ---------------------------------------------------------------- rounds

  /** By conversation: the channels that are refused. `clearAt`: those who are not and were asked for, and when. */
  async refusals(
    conversations: Iterable<Conversation>,
  ): Promise<{ refused: ReadonlyMap<string, Refusals>; clear: ReadonlySet<string>; askedAt: Asked }> {
    if (this.isKnown && this.filter.size === 0) return nothingAsked(this.now());
    const asked = new Map<string, string[]>();
    for (const conversation of conversations) {
      const named = this.readable(conversation).filter((address) => this.mayHave(address));
      if (named.length > 0) asked.set(conversation._id, this.idsOf(named, conversation.campaignId));
    }
    const askedAt = this.now();
    if (asked.size === 0) return nothingAsked(askedAt);
    const stored = await this.params.store.among([...new Set([...asked.values()].flat())]);
    const refused = new Map<string, Refusals>();
    const clear = new Set<string>();
    for (const [id, ids] of asked) {
      const found = ids.filter((one) => stored.has(one));
      if (found.length === 0) clear.add(id);
      else refused.set(id, refusalsOf(found, stored));
    }
    return { refused, clear, askedAt };
  }

  /** None of a document that is not as ours are: it is decided by itself, where what is wrong with it meets nobody else. */
  private readable(conversation: Conversation): readonly string[] {
    try {
      return this.addressesOf(conversation);
    } catch {
      return [];
    }
  }

  /** A contact's addresses in every hash that may be stored. */
  private addressesOf(conversation: Conversation): readonly string[] {
    const context = this.params.contextOf(conversation);
    if (context === undefined) return conversation.addresses ?? [];
    const own = conversationAddresses(conversation, context);
    const { addressBook, flow, channels } = context;
    const isAll = (this.isKnown && !this.hasUnkeyed) || own.every(isUnkeyed);
    if (isAll || addressBook === undefined) return own;
    const before = { ...addressBook, hash: (form: string) => addressBook.hashes(form).at(-1) ?? '' };
    return [...new Set([...own, ...addressesOf(conversation.contact, flow, channels, before)])];
  }

  private idsOf(addresses: readonly string[], campaignId: Id): string[] {
    const topic = this.params.contextOf({ campaignId })?.topic ?? 'default';
    return addresses.flatMap((address) => suppressionsOf(address, topic));
  }

  // ---------------------------------------------------------------- the gate

  /** Whether a message of this conversation may go to a channel: false when it has to be asked. What is refused is asked too. */
  isClear(conversation: Conversation | undefined, channel: string): boolean {
    if (conversation === undefined || !this.isKnown) return false;
    if (this.filter.size === 0) return true;
    const [address, ...others] = (conversation.addresses ?? []).filter(
      (one) => addressOn([one], channel) !== undefined,
    );
    if (address !== undefined && others.length === 0 && this.tellsAll(address, conversation))
      return !this.filter.mayHave(address);
    const names = this.namesOf(conversation, channel);
    return names.length > 0 && !names.some((one) => this.filter.mayHave(one));
  }

  /** An address is stored in no other hash than this one. */
  private tellsAll(address: string, conversation: Conversation): boolean {
    if (!isUnkeyed(address)) return !this.hasUnkeyed;
    return this.params.contextOf(conversation)?.addressBook?.isKeyed === false;
  }

  private namesOf(conversation: Conversation, channel: string): string[] {
    return this.addressesOf(conversation).filter((address) => addressOn([address], channel) !== undefined);
  }

  /** Those of the conversations' channels that are refused, as they are stored: the keys given. */
  async refused(
    waiting: ReadonlyMap<string, { conversation: Conversation; channel: string }>,
    signal: AbortSignal,
  ): Promise<Set<string>> {
    const { store, contextOf } = this.params;
    const ids = new Map<string, string[]>();
    for (const [key, { conversation, channel }] of waiting) {
      const all = this.idsOf(this.namesOf(conversation, channel), conversation.campaignId);
      const isTransactional = contextOf(conversation)?.transactional === true;
      ids.set(key, isTransactional ? all.filter(isOfEveryTopic) : all);
    }
    const stored = await store.among([...new Set([...ids.values()].flat())], signal);
    for (const id of stored.keys()) this.add(id);
    return new Set([...ids].filter(([, own]) => own.some((id) => stored.has(id))).map(([key]) => key));
  }
}

const nothingAsked = (askedAt: Asked) => ({ refused: new Map(), clear: new Set<string>(), askedAt });

const isOfEveryTopic = (id: string): boolean => id.slice(id.indexOf(':'), id.lastIndexOf(':')) === ':*';

type Stored = Pick<Suppression, 'reason' | 'willed'>;

/** A bounce is nobody's will: it says so only where nothing else speaks against the channel. */
function refusalsOf(ids: readonly string[], stored: ReadonlyMap<string, Stored>): Refusals {
  const refusals = new Map<string, Refusal>();
  for (const id of ids) {
    const channel = decodeURIComponent(id.slice(0, id.indexOf(':')));
    const before = refusals.get(channel);
    const found = stored.get(id);
    const isBounce = found !== undefined && hasOnlyBounced(found);
    const own = isOfEveryTopic(id) ? (isBounce ? 'bounced' : 'suppressed') : 'unsubscribed_topic';
    // of two that differ one is of every topic, and one may be a will of the contact
    refusals.set(channel, before === undefined || before === own ? own : 'suppressed');
  }
  return refusals;
}
