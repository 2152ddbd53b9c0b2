import { isServiceError, ServiceError } from '../src/domain/errors.ts';
import { forgottenAfterMs, type Ledger, type MembershipStore } from '../src/domain/memberPorts.ts';
import type { Member, Partition, StreamPosition } from '../src/domain/model.ts';
import { shareOf } from '../src/domain/partitions.ts';
import type { Clock, Instruments, Logger } from '../src/domain/systemPorts.ts';
import { Drains } from './drains.ts';
import { ExpiryWatch } from './expiry.ts';

interface Looked {
  members: Member[];
  partitions: Partition[];
}

export interface MembershipParams {
  store: MembershipStore;
  ledger: Ledger;
  /** The document to join with; its `_id` is the ledger's `memberId`. */
  member: Member;
  leaseTtlMs: number;
  clock: Clock;
  /** Random in [0, 1): spreads the ticks. */
  random: () => number;
  logger: Logger;
  instruments: Instruments;
  /** Position up to which everything is done; left behind for the next owner. */
  position: () => StreamPosition | undefined;
  /** Stops claiming work of these partitions and resolves when nothing of them is in doubt. Called again after it failed. */
  drain: (partitions: readonly number[]) => Promise<void>;
  /** From here on nothing may be handed over: the next owner begins as soon as it is written that we are gone. */
  onLeaving?: () => void;
  /** These are ours now, each with the position its last owner left; the stream has to be read from the earliest on. */
  onGained: (partitions: readonly Partition[]) => void;
  /** These are ours no longer. */
  onLost: (partitions: readonly number[]) => void;
}

/** Longest time between two ticks, ms. */
const longestTickMs = 1_000;
/** From a wake to its tick, about, ms: several changes are one look, and all members do not look at the same moment. */
const wakeMs = 50;

/**
 * Keeps one member in the cluster: joins, beats when nothing else did, takes over who is gone, and holds its share of the
 * partitions. What it owns is what the documents say; ownership ends for good at the fence, never by a clock.
 */
export class Membership {
  readonly #params: MembershipParams;
  readonly #owned = new Set<number>();
  readonly #watch: ExpiryWatch;
  readonly #drains: Drains;
  #joined: boolean = false;
  #leaving: boolean = false;
  #left: boolean = false;
  /** Transactions left open are looked for. */
  #ending: boolean = false;
  /** Ends the wait for another look at them. */
  #cancelLook: (() => void) | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  /** Asked for since the last pause ended: what a tick under way has read may be older. */
  #woken: boolean = false;
  #hurry: (() => void) | undefined;

  constructor(params: MembershipParams) {
    this.#params = params;
    this.#watch = new ExpiryWatch(params);
    this.#drains = new Drains(params);
  }

  /** Partitions owned, those that are drained included. */
  get owned(): ReadonlySet<number> {
    return this.#owned;
  }

  /**
   * One step; at least one a second is needed, and four in a lease. Never waits for a drain.
   * @throws ServiceError `fenced` when the member was taken over; any other error asks for another tick.
   */
  tick(): Promise<void> {
    return this.#inTurn(async () => {
      try {
        await this.#step();
      } catch (error) {
        this.#watch.restart();
        if (isServiceError(error, 'fenced')) this.#lose([...this.#owned]);
        throw error;
      }
    });
  }

  /** Ownership changed somewhere: the next tick comes soon, so that what was freed has an owner again at once. */
  wake(): void {
    this.#woken = true;
    this.#hurry?.();
  }

  /** Ticks until `signal` ends it or `leave` is done. Go on ticking while leaving: the lease has to hold until the drain is over. */
  async run(signal: AbortSignal): Promise<void> {
    let failing = false;
    while (!signal.aborted && !this.#left) {
      try {
        await this.tick();
        failing = false;
      } catch (error) {
        if (isServiceError(error, 'fenced')) throw error;
        if (!failing) this.#params.logger.warn('membership is interrupted; it is tried again', { error });
        failing = true;
      }
      await this.#pause(signal);
    }
  }

  /** Claims nothing more, drains for at most `graceMs`, then frees everything and removes the member. */
  async leave(graceMs: number): Promise<void> {
    this.#leaving = true;
    // A tick under way may still claim.
    await this.#turn;
    if (this.#owned.size > 0) await this.#drainWithin(graceMs);
    this.#params.onLeaving?.();
    await this.#inTurn(async () => {
      if (this.#joined && !this.#left) await this.#params.store.leave(this.#params.position());
      this.#left = true;
      this.#lose([...this.#owned]);
    });
  }

  async #step(): Promise<void> {
    if (this.#left) return;
    await this.#join();
    // beside each other: our own beat may wait for a round, and that for locks which somebody who is gone has left
    const looking = Promise.allSettled(this.#leaving ? [] : [this.#lookAround()]);
    await this.#beat();
    const isReleased = await this.#releaseDrained();
    const [look] = await looking;
    if (look === undefined || this.#leaving) return;
    if (look.status === 'rejected') throw look.reason;
    let { members, partitions } = look.value;
    const expired = this.#watch.expired(members, look.value);
    if ((await this.#takeOver(expired)) || isReleased) ({ members, partitions } = await this.#look());
    this.#reconcile(partitions);
    await this.#balance(members, partitions);
  }

  /** Monotonic ms when the others were asked for, and when that was answered. */
  async #lookAround(): Promise<Looked & { asked: number; heard: number }> {
    const { clock } = this.#params;
    const asked = clock.monotonic();
    const looked = await this.#look();
    this.#endForgotten(looked.members);
    return { ...looked, asked, heard: clock.monotonic() };
  }

  async #join(): Promise<void> {
    if (this.#joined) return;
    await this.#params.store.join(this.#params.member);
    this.#joined = true;
  }

  async #beat(): Promise<void> {
    const { ledger, clock, leaseTtlMs } = this.#params;
    const { fencedAt } = ledger;
    if (fencedAt === undefined || clock.monotonic() - fencedAt >= leaseTtlMs / 4) await ledger.beat();
  }

  async #look(): Promise<Looked> {
    const { store, ledger } = this.#params;
    const [members, partitions] = await Promise.all([store.members(), store.partitions()]);
    if (!members.some(({ _id }) => _id === ledger.memberId))
      throw new ServiceError('fenced', `member ${ledger.memberId} was taken over`);
    return { members, partitions };
  }

  /** Beside the tick, which does not wait for it. What stands open is looked at again as soon as it can be told that it is forgotten. */
  #endForgotten(members: readonly Member[]): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    const { store, logger, clock } = this.#params;
    store
      .endForgotten(members)
      .then(({ ended, open }) => {
        if (ended > 0) logger.warn('transactions that nobody went on with were ended', { count: ended });
        if (open > 0 && !this.#leaving)
          this.#cancelLook = clock.after(forgottenAfterMs + 1, () => this.#endForgotten(members));
      })
      .catch((error: unknown) => logger.debug('nobody can say which transactions stand open', { error }))
      .finally(() => {
        this.#ending = false;
      });
  }

  async #takeOver(expired: readonly Member[]): Promise<boolean> {
    const { store, logger, instruments } = this.#params;
    for (const member of expired) {
      if (!(await store.takeOver(member))) continue;
      logger.warn('a member was taken over', { member: member._id, host: member.host, beat: member.beat });
      instruments.event('taken_over');
    }
    return expired.length > 0;
  }

  /** The documents are the truth: a claim may have been committed although its answer was lost. */
  #reconcile(partitions: readonly Partition[]): void {
    const mine = partitions.filter(({ owner }) => owner === this.#params.ledger.memberId);
    const ids = new Set(mine.map(({ _id }) => _id));
    this.#lose([...this.#owned].filter((id) => !ids.has(id)));
    this.#gain(mine.filter(({ _id }) => !this.#owned.has(_id)));
  }

  async #balance(members: readonly Member[], partitions: readonly Partition[]): Promise<void> {
    const { store, ledger } = this.#params;
    const ids = members.map(({ _id }) => _id);
    const share = shareOf(ledger.memberId, ids, partitions.length);
    const kept = [...this.#owned].filter((id) => !this.#drains.has(id));
    if (kept.length > share) this.#drains.start(kept.slice(share));
    if (kept.length >= share) return;
    const unowned = partitions.filter(({ owner }) => owner === undefined || !ids.includes(owner)).map(({ _id }) => _id);
    // Members that come at once begin at different places, so that their claims seldom meet.
    const start = Math.floor((unowned.length * ids.indexOf(ledger.memberId)) / ids.length);
    const wanted = [...unowned.slice(start), ...unowned.slice(0, start)].slice(0, share - kept.length);
    if (wanted.length > 0) this.#gain(await store.claim(wanted));
  }

  /** True when anything was given up. */
  async #releaseDrained(): Promise<boolean> {
    let isReleased = false;
    await this.#drains.release(async (drained) => {
      const partitions = drained.filter((id) => this.#owned.has(id));
      await this.#params.store.release(partitions, this.#params.position());
      isReleased = true;
      this.#lose(partitions);
    });
    return isReleased;
  }

  async #drainWithin(graceMs: number): Promise<void> {
    const { clock, drain, logger } = this.#params;
    const partitions = [...this.#owned];
    await new Promise<void>((resolve) => {
      const cancel = clock.after(graceMs, () => {
        logger.warn('leaving before everything was drained: what is in doubt is sent again with the same key', {
          graceMs,
        });
        resolve();
      });
      drain(partitions)
        .catch((error: unknown) => logger.warn('partitions could not be drained', { partitions, error }))
        .finally(() => {
          cancel();
          resolve();
        });
    });
  }

  #gain(partitions: readonly Partition[]): void {
    if (partitions.length === 0) return;
    for (const { _id } of partitions) this.#owned.add(_id);
    this.#params.instruments.event('partitions_gained', partitions.length);
    this.#params.instruments.partitionsOwned(this.#owned.size);
    this.#params.onGained(partitions);
  }

  #lose(partitions: readonly number[]): void {
    if (partitions.length === 0) return;
    for (const id of partitions) this.#owned.delete(id);
    this.#params.instruments.event('partitions_lost', partitions.length);
    this.#params.instruments.partitionsOwned(this.#owned.size);
    this.#params.onLost(partitions);
  }

  /** Steps never overlap, whoever asks for them. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(step);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #pause(signal: AbortSignal): Promise<void> {
    const { clock, leaseTtlMs, random } = this.#params;
    const regular = Math.min(longestTickMs, leaseTtlMs / 4) * (0.75 + random() / 4);
    // whoever has gone silent is not left alone for the rest of a tick; a millisecond more, for timers may be early
    const expiry = (this.#watch.nextIn ?? regular) + 1;
    const ms = expiry > 0 ? Math.min(regular, expiry) : regular;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        cancel();
        this.#hurry = undefined;
        this.#woken = false;
        signal.removeEventListener('abort', done);
        resolve();
      };
      let cancel = clock.after(ms, done);
      this.#hurry = () => {
        cancel();
        cancel = clock.after(wakeMs * (0.5 + random()), done);
        this.#hurry = undefined;
      };
      if (this.#woken) this.#hurry();
      signal.addEventListener('abort', done);
    });
  }
}
