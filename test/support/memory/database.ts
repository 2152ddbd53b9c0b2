import type { RawEnrollment } from '../../../src/domain/enrollments.ts';
import type {
  CampaignAddress,
  CampaignDocument,
  CampaignRamp,
  ContactPressure,
  Conversation,
  Counters,
  DeadLetter,
  Escalation,
  InboundEvent,
  Member,
  Message,
  Partition,
  RateLimitDocument,
  Run,
  Setting,
  Suppression,
  Template,
} from '../../../src/domain/model.ts';
import type { Clock } from '../../../src/domain/systemPorts.ts';
import { compare, copy, idKey } from './bson.ts';

export interface Write {
  collection: string;
  id: unknown;
  kind: 'insert' | 'update' | 'delete';
  /** Written by a member in a fenced transaction, not by somebody else. */
  fenced: boolean;
}

/** Where a test steps in. `operation` is the port's method or the ledger's transaction (`round`, `beat`, `expand` and so on). */
export interface Hooks {
  /** Awaited at the entry of every operation: another writer may come in between, a throw is a failure before anything was written. */
  before?: (operation: string, memberId: string) => void | Promise<void>;
  /** Awaited after something was read or written, before its caller hears of it: a throw is an answer that got lost. */
  after?: (operation: string, memberId: string) => void | Promise<void>;
}

/** Documents by id. What goes in and what comes out are copies; every change can be undone until the transaction ends. */
export class MemoryCollection<T extends { _id: unknown }> {
  private readonly name: string;
  private readonly database: MemoryDatabase;
  private readonly documents = new Map<string, T>();

  constructor(name: string, database: MemoryDatabase) {
    this.name = name;
    this.database = database;
  }

  get(id: unknown): T | undefined {
    const found = this.documents.get(idKey(id));
    return found && copy(found);
  }

  /** In order of `_id`. The predicate sees the stored documents and must not change them. */
  find(predicate: (document: T) => boolean = () => true): T[] {
    const found = [...this.documents.values()].filter(predicate);
    return found.sort((a, b) => compare(a._id, b._id)).map(copy);
  }

  /** Throws with code 11000 when the id is taken. */
  insert(document: T): void {
    if (this.documents.has(idKey(document._id)))
      throw Object.assign(new Error(`duplicate key in ${this.name}: ${String(document._id)}`), { code: 11_000 });
    this.put(document);
  }

  put(document: T): void {
    this.set(document._id, copy(document));
  }

  /** Sets and unsets fields of a document; false when there is none. */
  update(id: unknown, set: Partial<T>, unset: readonly (keyof T)[] = []): boolean {
    const found = this.get(id);
    if (found === undefined) return false;
    Object.assign(found, set);
    for (const field of unset) delete found[field];
    this.put(found);
    return true;
  }

  delete(id: unknown): boolean {
    const there = this.documents.has(idKey(id));
    if (there) this.set(id, undefined);
    return there;
  }

  private set(id: unknown, document: T | undefined): void {
    const key = idKey(id);
    const old = this.documents.get(key);
    const restore = (value: T | undefined): void => {
      if (value === undefined) this.documents.delete(key);
      else this.documents.set(key, value);
    };
    restore(document);
    const kind = document === undefined ? 'delete' : old === undefined ? 'insert' : 'update';
    this.database.wrote({ collection: this.name, id, kind }, () => restore(old));
  }
}

/** The collections of the service in memory, shared by the fakes of all members. */
export class MemoryDatabase {
  readonly campaigns = new MemoryCollection<CampaignDocument>('campaigns', this);
  readonly templates = new MemoryCollection<Template>('templates', this);
  readonly runs = new MemoryCollection<Run>('campaign_runs', this);
  readonly conversations = new MemoryCollection<Conversation>('conversation_states', this);
  readonly messages = new MemoryCollection<Message>('messages', this);
  readonly addresses = new MemoryCollection<CampaignAddress>('campaign_addresses', this);
  readonly enrollments = new MemoryCollection<RawEnrollment & { _id: unknown }>('enrollments', this);
  readonly counters = new MemoryCollection<Counters>('campaign_counters', this);
  readonly deadLetters = new MemoryCollection<DeadLetter & { _id: unknown }>('dead_letters', this);
  readonly escalations = new MemoryCollection<Escalation>('escalations', this);
  readonly members = new MemoryCollection<Member>('members', this);
  readonly partitions = new MemoryCollection<Partition>('partitions', this);
  readonly settings = new MemoryCollection<Setting>('settings', this);
  readonly inbound = new MemoryCollection<InboundEvent>('inbound_events', this);
  readonly suppressions = new MemoryCollection<Suppression>('suppressions', this);
  readonly pressures = new MemoryCollection<ContactPressure>('contact_pressure', this);
  readonly ramps = new MemoryCollection<CampaignRamp>('campaign_ramps', this);
  readonly rates = new MemoryCollection<RateLimitDocument>('rate_limits', this);
  /** Wall clock of the "server". */
  readonly clock: Clock;
  hooks: Hooks = {};
  private readonly audiences = new Map<string, MemoryCollection<{ _id: unknown }>>();
  private readonly listeners = new Set<(write: Write) => void>();
  private journal: { write: Omit<Write, 'fenced'>; undo: () => void }[] | undefined;
  private letters = 0;

  constructor({ clock, partitions = 0 }: { clock: Clock; partitions?: number }) {
    this.clock = clock;
    for (let _id = 0; _id < partitions; _id++) this.partitions.insert({ _id });
  }

  /** A collection that others fill, such as an audience's. */
  audience(name: string): MemoryCollection<{ _id: unknown }> {
    const found = this.audiences.get(name) ?? new MemoryCollection<{ _id: unknown }>(name, this);
    this.audiences.set(name, found);
    return found;
  }

  /** As a take-over does: from here on nothing of this member is written. */
  fence(memberId: string): void {
    this.members.delete(memberId);
  }

  /** As another service does at any time: `version` stays. */
  push(conversationId: string, event: Conversation['inbox'][number]): boolean {
    const found = this.conversations.get(conversationId);
    return found !== undefined && this.conversations.update(conversationId, { inbox: [...found.inbox, event] });
  }

  letter(letter: DeadLetter): void {
    this.letters += 1;
    this.deadLetters.insert({ ...letter, _id: this.letters });
  }

  /** Tells of every committed write, in order; returns a function that stops it. */
  watch(listener: (write: Write) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** One operation of a member: on its way others get a turn and the test's hooks are called, `work` itself is one step. */
  async run<T>(operation: string, memberId: string, work: () => T): Promise<T> {
    await Promise.resolve();
    await this.hooks.before?.(operation, memberId);
    const result = work();
    await this.hooks.after?.(operation, memberId);
    return result;
  }

  /** All of what `work` writes, or, when it throws, nothing. Nested calls are savepoints. */
  atomically<T>(work: () => T): T {
    const outer = this.journal;
    const journal: NonNullable<typeof outer> = [];
    this.journal = journal;
    try {
      const result = work();
      this.journal = outer;
      if (outer) outer.push(...journal);
      else for (const { write } of journal) this.tell({ ...write, fenced: true });
      return result;
    } catch (error) {
      this.journal = outer;
      for (const { undo } of journal.reverse()) undo();
      throw error;
    }
  }

  wrote(write: Omit<Write, 'fenced'>, undo: () => void): void {
    if (this.journal) this.journal.push({ write, undo });
    else this.tell({ ...write, fenced: false });
  }

  private tell(write: Write): void {
    for (const listener of this.listeners) listener(write);
  }
}
