import type { Clock } from '../../../src/domain/systemPorts.ts';
import type { MemoryDatabase } from './database.ts';
import type { MemoryLedger } from './ledger.ts';

export interface MemoryStoreParams {
  database: MemoryDatabase;
  ledger: MemoryLedger;
  clock: Clock;
}

/** What the fakes of stores share: one database, the member's ledger, and reads that may be made to fail. */
export class MemoryStore {
  protected readonly database: MemoryDatabase;
  protected readonly ledger: MemoryLedger;
  protected readonly clock: Clock;

  constructor({ database, ledger, clock }: MemoryStoreParams) {
    this.database = database;
    this.ledger = ledger;
    this.clock = clock;
  }

  protected read<T>(operation: string, work: () => T): Promise<T> {
    return this.database.run(operation, this.ledger.memberId, work);
  }
}
