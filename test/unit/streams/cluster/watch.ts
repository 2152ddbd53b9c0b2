/** Sees everything that is written and handed over, and keeps what must never happen. */

import type { Change } from '../../../../src/domain/changePorts.ts';
import type { OutboundMessage } from '../../../../src/domain/channelPorts.ts';
import type { StreamPosition } from '../../../../src/domain/model.ts';
import type { ManualClock } from '../../../support/clock.ts';
import type { MemoryLog } from '../../../support/memory/changeSource.ts';
import type { MemoryDatabase, Write } from '../../../support/memory/database.ts';
import { MemoryLedger, type MemoryLedgerParams } from '../../../support/memory/ledger.ts';
import type { Host } from './host.ts';
import type { Taken } from './provider.ts';
import type { HostChangeSource } from './source.ts';

/** One life of a member, from joining to its end. */
export interface Life {
  host: Host;
  ledger: MemoryLedger;
  source: HostChangeSource;
}

/** Tells what the transaction is that writes. */
export class ModelLedger extends MemoryLedger {
  private readonly onWork: (operation: string) => void;

  constructor(params: MemoryLedgerParams, onWork: (operation: string) => void) {
    super(params);
    this.onWork = onWork;
  }

  override transact<T>(name: string, work: () => T): Promise<T> {
    return super.transact(name, () => {
      this.onWork(name);
      return work();
    });
  }
}

export interface WatchParams {
  clock: ManualClock;
  database: MemoryDatabase;
  log: MemoryLog;
}

export class Watch {
  readonly violations: string[] = [];
  /** By the id of the member. */
  readonly lives = new Map<string, Life>();
  /** The transaction that writes right now. */
  writing = '';
  private readonly params: WatchParams;
  private readonly positions = new Map<string, StreamPosition>();

  constructor(params: WatchParams) {
    this.params = params;
    params.database.watch((write) => this.written(write));
  }

  /** Stored positions were removed: whatever follows is no step back. */
  forgetPositions(): void {
    this.positions.clear();
  }

  /** Nobody is left who could know what became of its messages. */
  isOver(memberId: string): boolean {
    return this.lives.get(memberId)?.host.isUp !== true || this.params.database.members.get(memberId) === undefined;
  }

  private violated(what: string): void {
    this.violations.push(`${Math.round(this.params.clock.monotonic())} ms: ${what}`);
  }

  /** A message leaves. */
  taken({ key, memberId }: Taken, { conversationId: id }: OutboundMessage): void {
    const { database } = this.params;
    const life = this.lives.get(memberId);
    if (life === undefined || life.ledger.leaseRemaining() <= 0)
      this.violated(`${memberId} hands over ${key} without a lease`);
    const partition = database.conversations.get(id)?.partition ?? -1;
    const owner = database.partitions.get(partition)?.owner;
    if (owner !== memberId && database.members.get(memberId) !== undefined)
      this.violated(`${memberId} hands over ${key}, which is ${owner}'s`);
    const row = database.messages.get(key);
    if (row?.status !== 'sending') this.violated(`${memberId} hands over ${key}, which is ${row?.status}`);
  }

  /** A contact is never twice at a time in a campaign. */
  private entered(id: string): void {
    const { conversations } = this.params.database;
    const entered = conversations.get(id);
    const others = conversations.find(
      ({ _id, campaignId, contact, status }) =>
        _id !== id && campaignId === entered?.campaignId && contact.id === entered?.contact.id && status === 'active',
    );
    for (const { _id } of others) this.violated(`${id} begins while ${_id} is active`);
  }

  private written({ collection, id, kind, fenced }: Write): void {
    const { campaigns } = this.params.database;
    const isOurs = fenced && !(collection === 'campaigns' && campaigns.get(id)?.status === 'failed');
    const change = changeOf(collection, id, kind, isOurs);
    if (change) this.params.log.append(change);
    if (collection === 'conversation_states' && kind === 'insert') this.entered(String(id));
    if (collection !== 'members' || !fenced) return;
    const memberId = String(id);
    if (kind === 'delete') {
      this.positions.delete(memberId);
      const life = this.lives.get(memberId);
      const lease = life?.ledger.leaseRemaining() ?? 0;
      if (this.writing === 'take_over' && life?.host.isUp && lease > 0)
        this.violated(`${memberId} is taken over with ${lease} ms of lease`);
      return;
    }
    const position = this.params.database.members.get(id)?.position;
    const before = this.positions.get(memberId);
    if (before && position && position.token < before.token && this.writing !== 'claim')
      this.violated(`the position of ${memberId} goes back from ${before.token} to ${position.token}`);
    if (position) this.positions.set(memberId, position);
  }
}

/** What the change stream tells of a write: see `src/mongo/watch.ts`. */
function changeOf(collection: string, id: unknown, kind: Write['kind'], isOurs: boolean): Change | undefined {
  const text = String(id);
  switch (collection) {
    case 'campaigns':
      return isOurs ? undefined : { kind: 'campaign', id: text, deleted: kind === 'delete' };
    case 'campaign_runs':
      return { kind: 'run', id: text };
    case 'conversation_states':
      return isOurs || kind !== 'update' ? undefined : { kind: 'conversation', id: text };
    case 'enrollments':
      return kind === 'insert' ? { kind: 'enrollment', id } : undefined;
    case 'inbound_events':
      return kind === 'insert' ? { kind: 'inbound', id: text } : undefined;
    case 'suppressions':
      return kind === 'insert' ? { kind: 'suppression', id: text } : undefined;
    case 'partitions':
      return { kind: 'partition', id: Number(id) };
    case 'members':
      return kind === 'delete' ? { kind: 'member', id: text } : undefined;
    default:
      return undefined;
  }
}
