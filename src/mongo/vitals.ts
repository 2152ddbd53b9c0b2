import type { Db, MongoClient, Timestamp } from 'mongodb';
import { MongoServerError } from 'mongodb';
import type { OplogSpan, VitalsStore } from '../domain/vitalPorts.ts';
import { collections } from './collections.ts';
import { readStopSwitch } from './control.ts';

/** Unauthorized; AtlasError, by which Atlas and others that keep `local` to themselves answer instead. Source: error_codes.yml of the server. */
const refusals: ReadonlySet<unknown> = new Set([13, 8000]);
const maxTimeMS = 5_000;

/** Reads of a document or two by their place: no index is scanned. */
export class MongoVitals implements VitalsStore {
  private readonly params: { client: MongoClient; db: Db };

  constructor(params: { client: MongoClient; db: Db }) {
    this.params = params;
  }

  async sendingStopped(): Promise<boolean> {
    return (await readStopSwitch(collections(this.params.db))).sending === 'stopped';
  }

  /** The oplog's ends, as `rs.printReplicationInfo()` reads them; needs `find` on `local.oplog.rs`. Undefined where that is refused. */
  async oplog(): Promise<OplogSpan | undefined> {
    try {
      const [first, last] = await Promise.all([this.end(1), this.end(-1)]);
      return first === undefined || last === undefined ? undefined : { firstMs: first, lastMs: last };
    } catch (error) {
      if (error instanceof MongoServerError && refusals.has(error.code)) return undefined;
      throw error;
    }
  }

  private async end($natural: 1 | -1): Promise<number | undefined> {
    const entry = await this.params.client
      .db('local')
      .collection<{ ts: Timestamp }>('oplog.rs')
      .findOne({}, { sort: { $natural }, projection: { ts: 1 }, maxTimeMS });
    return entry ? entry.ts.t * 1000 : undefined;
  }
}
