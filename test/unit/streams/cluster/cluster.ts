/** Several members over one database in memory, each put together as the worker does it, and whatever may befall them. */

import { type Config, loadConfig } from '../../../../src/config.ts';
import { gaveUp, replayEvent } from '../../../../src/domain/replay.ts';
import { Generation } from '../../../../src/worker/generation.ts';
import { Member } from '../../../../src/worker/member.ts';
import type { Stores, StoresParams } from '../../../../src/worker/stores.ts';
import { manualClock } from '../../../support/clock.ts';
import { recordingInstruments, recordingLogger } from '../../../support/fakes.ts';
import { MemoryCampaigns } from '../../../support/memory/campaigns.ts';
import { MemoryLog } from '../../../support/memory/changeSource.ts';
import { MemoryConversations } from '../../../support/memory/conversations.ts';
import { MemoryDatabase } from '../../../support/memory/database.ts';
import { MemoryEnrollments } from '../../../support/memory/enrollments.ts';
import { MemoryInbound } from '../../../support/memory/inbound.ts';
import { MemoryLimits } from '../../../support/memory/limits.ts';
import { MemoryMembership } from '../../../support/memory/membership.ts';
import { MemoryRates } from '../../../support/memory/rates.ts';
import { MemoryReceipts } from '../../../support/memory/receipts.ts';
import { MemorySuppressions } from '../../../support/memory/suppressions.ts';
import { type FlowName, flowNames, flowOf, versions } from './flows.ts';
import { Host } from './host.ts';
import { Provider } from './provider.ts';
import { HostChangeSource } from './source.ts';
import { ModelLedger, Watch } from './watch.ts';

export const partitions = 6;
const config: Config = loadConfig({
  MONGODB_URI: 'mongodb://memory/?replicaSet=rs0',
  ...{ BATCH_SIZE: '10', PARTITIONS: String(partitions), SEND_CONCURRENCY: '6', SHUTDOWN_GRACE_MS: '8000' },
  ...{ CHANNEL_SMS_DRIVER: 'console', CHANNEL_SMS_CONCURRENCY: '2', CHANNEL_SMS_TIMEOUT_MS: '5000' },
  ...{ CHANNEL_PUSH_DRIVER: 'console', CHANNEL_PUSH_CONCURRENCY: '2', CHANNEL_PUSH_TIMEOUT_MS: '3000' },
  ...{ CHANNEL_PUSH_ADDRESS: 'url', CHANNEL_PUSH_DELIVERY: 'at-most-once' },
});

export type Policy = 'never' | 'afterEnd' | 'after';
/** A draft begins once it is `pending`, or fails then. */
export type Begins = 'now' | 'later' | 'never';

/** What others make of which status. */
const before = {
  paused: ['running', 'draft'],
  running: ['paused'],
  cancelled: ['draft', 'pending', 'running', 'paused'],
  pending: ['draft'],
};

/** A process with its member. */
interface Node {
  host: Host;
  member: Member;
  isLeaving: boolean;
}

export class Cluster {
  readonly clock = manualClock();
  readonly database = new MemoryDatabase({ clock: this.clock, partitions });
  readonly provider: Provider;
  readonly log = new MemoryLog();
  readonly watch: Watch;
  /** Pushed events by conversation: the ids. */
  readonly events = new Map<string, Set<string>>();
  /** Messages that were to be tried again, with how often that was asked for. */
  readonly replays = new Map<string, number>();
  nodes: Node[] = [];
  isAway = false;
  private readonly chance: () => number;
  /** Of each member that joined. */
  readonly instruments: ReturnType<typeof recordingInstruments>[] = [];
  private readonly everyLogger: ReturnType<typeof recordingLogger>[] = [];

  constructor(chance: () => number) {
    this.chance = chance;
    const { clock } = this;
    for (const id of flowNames)
      for (const version of versions)
        this.database.templates.insert({ _id: { id, version }, flow: flowOf(id, version) });
    this.watch = new Watch({ clock, database: this.database, log: this.log });
    this.provider = new Provider({ clock, chance, onTaken: (taken, message) => this.watch.taken(taken, message) });
    this.database.hooks = {
      before: (operation, memberId) => this.watch.lives.get(memberId)?.host.request(operation),
      after: (operation, memberId) => this.watch.lives.get(memberId)?.host.answer(operation),
    };
  }

  // ---------------------------------------------------------------- members

  join(): void {
    const host = new Host({ clock: this.clock, chance: this.chance, databaseIsAway: () => this.isAway });
    const logger = recordingLogger();
    this.everyLogger.push(logger);
    const instruments = recordingInstruments();
    this.instruments.push(instruments);
    const fieldLogger = { ...logger, child: () => fieldLogger };
    const deps = {
      config,
      clock: host.clock,
      random: this.chance,
      logger: fieldLogger,
      instruments,
    };
    const member = new Member(deps, {
      newGeneration: async () => {
        await host.request('prepare');
        await host.answer('prepare');
        return this.newGeneration(host, deps);
      },
      close: async () => {},
    });
    const node: Node = { host, member, isLeaving: false };
    this.nodes.push(node);
    void this.start(node);
  }

  /** As a supervisor does: what does not start is started again. */
  private async start({ host, member }: Node): Promise<void> {
    try {
      await member.start();
    } catch {
      await new Promise<void>((resolve) => void host.clock.after(1_000, resolve));
      this.nodes = this.nodes.filter((node) => node.host !== host);
      host.kill();
      this.join();
    }
  }

  private newGeneration(host: Host, deps: ConstructorParameters<typeof Member>[0]): Generation {
    const number = this.watch.lives.size + 1;
    const memberId = `${(number * 7919) % 1000}-${number}`;
    const channels = config.channels.map(
      (channel) => [channel.name, this.provider.channel(channel, memberId, host)] as const,
    );
    return new Generation({
      ...deps,
      ...{ channels: new Map(channels), partitions, memberId, thread: 0 },
      openStores: (params) => this.openStores(host, params),
    });
  }

  private openStores(host: Host, { memberId, clock, position, onClaim }: StoresParams): Stores {
    const { database, log } = this;
    const ledger = new ModelLedger(
      { database, memberId, clock, leaseTtlMs: config.leaseTtlMs, position },
      (operation) => {
        this.watch.writing = operation;
      },
    );
    const source = new HostChangeSource({ log, host });
    this.watch.lives.set(memberId, { host, ledger, source });
    const common = { database, ledger, clock };
    return {
      ...{ ledger, source, conversations: new MemoryConversations(common), campaigns: new MemoryCampaigns(common) },
      enrollments: new MemoryEnrollments(common),
      membership: new MemoryMembership({ ...common, onClaim }),
      inbound: new MemoryInbound({ database, memberId }),
      receipts: new MemoryReceipts({ database, ledger }),
      suppressions: new MemorySuppressions({ database, memberId }),
      limits: new MemoryLimits({ database, memberId }),
      rates: new MemoryRates({ database, memberId }),
      prepare: async () => {},
      campaignsUuid: async () => 'the one',
    };
  }

  /** Finishes what is in flight and hands over. */
  async leave(node: Node): Promise<void> {
    node.isLeaving = true;
    await node.member.stop();
    node.host.kill();
  }

  /** A kill leaves nothing behind but documents. */
  get living(): Node[] {
    return this.nodes.filter(({ host, isLeaving }) => host.isUp && !isLeaving);
  }

  breakStream({ host }: Node, isLost: boolean): void {
    for (const life of this.watch.lives.values()) if (life.host === host) life.source.break(isLost);
  }

  /** Nothing fails any more, and what was held back goes on. */
  calm(): void {
    this.isAway = false;
    this.provider.isHealthy = true;
    for (const { host } of this.nodes) host.heal();
    if (this.living.length === 0) this.join();
    for (const { _id, status } of this.database.campaigns.find())
      if (status === 'paused' || status === 'draft') this.database.campaigns.update(_id, { status: 'running' });
  }

  /** What a member logs as an error is a state that cannot be. */
  errors(): string[] {
    return this.everyLogger.flatMap((logger) =>
      logger.of('error').map(({ message, fields }) => `${message} ${String(fields['error'])}`),
    );
  }

  // ---------------------------------------------------------------- what others do

  insertCampaign(flow: FlowName, contacts: number, more: object = {}): void {
    const _id = `${flow}${this.database.campaigns.find().length}`;
    const people = Array.from({ length: contacts }, (_, n) => ({
      ...{ id: `k${n}`, name: `K${n}`, phone: `+49${n}` },
      // some have no address on one of the channels
      ...(n % 4 === 3 ? {} : { url: `https://k${n}.test/` }),
    }));
    this.database.campaigns.insert({
      _id,
      status: 'pending',
      audience: { contacts: people },
      templateId: flow,
      templateVersion: 1,
      ...more,
    });
  }

  insertTriggered({ flow, policy, begins }: { flow: FlowName; policy: Policy; begins: Begins }): void {
    const _id = `${flow}${this.database.campaigns.find().length}`;
    const reentry = { policy, ...(policy === 'after' ? { after: 'PT20S' } : {}) };
    const status = begins === 'now' ? 'pending' : 'draft';
    const templateId = begins === 'never' ? 'no such' : flow;
    this.database.campaigns.insert({ _id, type: 'triggered', status, reentry, templateId });
  }

  /** Into any campaign, also one that takes nobody, or one that is not there (yet). */
  enroll(campaign: number, contacts: readonly number[]): void {
    const { campaigns, enrollments } = this.database;
    const all = campaigns.find();
    const campaignId = all[campaign % (all.length + 1)]?._id ?? `one${all.length}`;
    for (const n of contacts)
      enrollments.insert({ _id: enrollments.find().length, campaignId, contact: { id: `k${n}`, phone: `+49${n}` } });
  }

  setStatus(campaign: number, status: 'paused' | 'running' | 'cancelled' | 'pending'): void {
    const all = this.database.campaigns.find();
    const found = all[campaign % Math.max(1, all.length)];
    if (found && before[status].includes(String(found.status))) this.database.campaigns.update(found._id, { status });
  }

  migrate(campaign: number, toVersion: number): void {
    const all = this.database.campaigns.find();
    const found = all[campaign % Math.max(1, all.length)];
    if (found && (found.status === 'running' || found.status === 'paused'))
      this.database.campaigns.update(found._id, { migrate: { toVersion } });
  }

  push(conversation: number, event: { id: string; type: string }): void {
    const all = this.database.conversations.find();
    const id = all[conversation % Math.max(1, all.length)]?._id;
    if (id === undefined || !this.database.push(id, event)) return;
    this.events.set(id, (this.events.get(id) ?? new Set()).add(event.id));
  }

  /** Of those that gave up one is to be tried again. */
  replay(message: number, { newKey, uncertain }: { newKey: boolean; uncertain: boolean }): void {
    const all = this.database.messages.find(gaveUp);
    const row = all[message % Math.max(1, all.length)];
    if (row === undefined) return;
    const event = replayEvent(row, { newKey, uncertain }, new Date(this.clock.now()));
    if (this.database.push(row.conversationId, event)) this.replays.set(row._id, (row.replay?.count ?? 0) + 1);
  }

  /** Somebody removed every stored position. */
  forgetPositions(): void {
    for (const { _id } of this.database.partitions.find()) this.database.partitions.update(_id, {}, ['position']);
    for (const { _id } of this.database.members.find()) this.database.members.update(_id, {}, ['position']);
    this.watch.forgetPositions();
  }
}
