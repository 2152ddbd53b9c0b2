import type { CampaignStore } from '../domain/campaignPorts.ts';
import type { ChangeSource } from '../domain/changePorts.ts';
import type { ConversationStore } from '../domain/conversationPorts.ts';
import type { EnrollmentStore } from '../domain/enrollmentPorts.ts';
import type { InboundStore, ReceiptStore, SuppressionStore } from '../domain/inboundPorts.ts';
import type { LimitStore } from '../domain/limitPorts.ts';
import type { Ledger, MembershipStore } from '../domain/memberPorts.ts';
import type { ChannelState, StreamPosition } from '../domain/model.ts';
import type { RateStore } from '../domain/ratePorts.ts';
import type { Clock, Instruments, Logger } from '../domain/systemPorts.ts';
import type { VitalsStore } from '../domain/vitalPorts.ts';
import { MongoCampaigns } from '../mongo/campaigns.ts';
import { MongoChangeSource } from '../mongo/changeSource.ts';
import { initDatabase, uuidOf } from '../mongo/collections.ts';
import { MongoConversations } from '../mongo/conversations.ts';
import { MongoEnrollments } from '../mongo/enrollments.ts';
import { MongoInbound } from '../mongo/inbound.ts';
import { MongoLedger } from '../mongo/ledger.ts';
import { MongoLimits } from '../mongo/limits.ts';
import { MongoMembership } from '../mongo/membership.ts';
import { MongoRates } from '../mongo/rates.ts';
import { MongoReceipts } from '../mongo/receipts.ts';
import { MongoSuppressions } from '../mongo/suppressions.ts';
import type { Db, MongoClient } from '../mongo/values.ts';
import { MongoVitals } from '../mongo/vitals.ts';

/** The adapters of one life of a member. */
export interface Stores {
  ledger: Ledger;
  /** Of the ledger, as `members.sessionId` tells it to whoever takes over; absent where there is nothing to end. */
  sessionId?: unknown;
  conversations: ConversationStore;
  campaigns: CampaignStore;
  enrollments: EnrollmentStore;
  membership: MembershipStore;
  source: ChangeSource;
  inbound: InboundStore;
  receipts: ReceiptStore;
  suppressions: SuppressionStore;
  limits: LimitStore;
  rates: RateStore;
  /** For metrics alone; absent where there is no server to ask. */
  vitals?: VitalsStore;
  /** Makes what is missing of collections, validators and indexes. */
  prepare(): Promise<void>;
  /** Identity of the collection of campaigns: another one after it was dropped and made again. Undefined when there is none. */
  campaignsUuid(): Promise<string | undefined>;
}

/** What the adapters have to know of the life they are for. */
export interface StoresParams {
  memberId: string;
  clock: Clock;
  random: () => number;
  logger: Logger;
  instruments: Instruments;
  /** Stored with every fence. */
  position: () => StreamPosition | undefined;
  /** Stored with the next fence where it is another object than before. */
  channelStates: () => Readonly<Record<string, ChannelState>>;
  /** Told inside a claim from where the stream has to be read again. */
  onClaim: (from: StreamPosition | undefined) => void;
}
export type OpenStores = (params: StoresParams) => Stores;

export interface MongoStoresParams {
  client: MongoClient;
  db: Db;
  replicaSet: string;
  leaseTtlMs: number;
  partitions: number;
}

/** The stores on MongoDB. */
export const mongoStores =
  ({ client, db, replicaSet, leaseTtlMs, partitions }: MongoStoresParams): OpenStores =>
  ({ position, channelStates, onClaim, ...common }) => {
    const ledger = new MongoLedger({ client, db, leaseTtlMs, position, channelStates, ...common });
    return {
      ledger,
      sessionId: ledger.sessionId,
      conversations: new MongoConversations({ db, ledger, ...common }),
      campaigns: new MongoCampaigns({ db, ledger, ...common }),
      enrollments: new MongoEnrollments({ db, ledger, ...common }),
      membership: new MongoMembership({ db, ledger, maxTimeMs: leaseTtlMs, onClaim, clock: common.clock }),
      source: new MongoChangeSource({ db, replicaSet, clock: common.clock }),
      inbound: new MongoInbound({ db }),
      receipts: new MongoReceipts({ db, ledger }),
      suppressions: new MongoSuppressions({ db }),
      limits: new MongoLimits({ db }),
      rates: new MongoRates({ db }),
      vitals: new MongoVitals({ client, db }),
      async prepare() {
        const { changes, problems } = await initDatabase(db, { partitions });
        common.logger.warn('the database was prepared again', { code: 'prepared_again', changes, problems });
      },
      campaignsUuid: () => uuidOf(db, 'campaigns'),
    };
  };
