import type { StreamPosition } from '../domain/model.ts';
import type {
  CampaignStore,
  ChangeSource,
  Clock,
  ConversationStore,
  Instruments,
  Ledger,
  Logger,
  MembershipStore,
} from '../domain/ports.ts';
import { MongoCampaigns } from '../mongo/campaigns.ts';
import { MongoChangeSource } from '../mongo/changeSource.ts';
import { initDatabase, uuidOf } from '../mongo/collections.ts';
import { MongoConversations } from '../mongo/conversations.ts';
import { MongoLedger } from '../mongo/ledger.ts';
import { MongoMembership } from '../mongo/membership.ts';
import type { Db, MongoClient } from '../mongo/values.ts';

/** The adapters of one life of a member. */
export interface Stores {
  ledger: Ledger;
  /** Of the ledger, as `members.sessionId` tells it to whoever takes over; absent where there is nothing to end. */
  sessionId?: unknown;
  conversations: ConversationStore;
  campaigns: CampaignStore;
  membership: MembershipStore;
  source: ChangeSource;
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
  ({ position, onClaim, ...common }) => {
    const ledger = new MongoLedger({ client, db, leaseTtlMs, position, ...common });
    return {
      ledger,
      sessionId: ledger.sessionId,
      conversations: new MongoConversations({ db, ledger, ...common }),
      campaigns: new MongoCampaigns({ db, ledger, ...common }),
      membership: new MongoMembership({ db, ledger, maxTimeMs: leaseTtlMs, onClaim }),
      source: new MongoChangeSource({ db, replicaSet, clock: common.clock }),
      async prepare() {
        const { changes, problems } = await initDatabase(db, { partitions });
        common.logger.warn('the database was prepared again', { code: 'prepared_again', changes, problems });
      },
      campaignsUuid: () => uuidOf(db, 'campaigns'),
    };
  };
