import type { CampaignDocument, CounterDelta, Id, Member, Run } from '../../../src/domain/model.ts';
import { Campaigns, type CampaignsParams } from '../../../streams/campaigns.ts';
import { manualClock } from '../../support/clock.ts';
import { recordingInstruments, recordingLogger } from '../../support/fakes.ts';
import { MemoryCampaigns } from '../../support/memory/campaigns.ts';
import { addCounters } from '../../support/memory/counters.ts';
import { MemoryDatabase } from '../../support/memory/database.ts';
import { MemoryLedger } from '../../support/memory/ledger.ts';
import { channels } from '../domain/given.ts';

export const partitions = 64;

/** The campaigns of one or more members over the in-memory store. */
export function world() {
  const clock = manualClock();
  const database = new MemoryDatabase({ clock });
  const operations: string[] = [];
  database.hooks.before = (operation) => void operations.push(operation);
  const member = (memberId: string, more: Partial<CampaignsParams> = {}) => {
    database.members.put({ _id: memberId, beat: 0 } as Member);
    const abort = new AbortController();
    const logger = recordingLogger();
    const instruments = recordingInstruments();
    const changed: Run[] = [];
    const store = new MemoryCampaigns({ database, ledger: new MemoryLedger({ database, memberId, clock }), clock });
    const campaigns = new Campaigns({
      campaigns: store,
      channels,
      partitions,
      owns: () => true,
      reservedCollections: ['campaigns'],
      addressHash: (text) => text,
      isNoFaultOfDocuments: (error) => (error as { fault?: boolean }).fault !== true,
      clock,
      random: () => 0.5,
      traceparent: () => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      logger,
      instruments,
      signal: abort.signal,
      onRunChanged: (run) => void changed.push(run),
      ...more,
    });
    const expandAll = async (): Promise<number> => {
      let slices = 0;
      while (campaigns.expansion.size > 0 && (await campaigns.expandTick())) slices += 1;
      return slices;
    };
    return { campaigns, store, logger, instruments, changed, abort, expandAll };
  };
  const submit = (id: Id, more: object = {}): void =>
    database.campaigns.put({
      _id: id,
      status: 'pending',
      audience: { contacts: contacts(3) },
      flow: { stages: [{ id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hi' } }] },
      ...more,
    } as CampaignDocument);
  const write = (id: Id, more: object): void => void database.campaigns.update(id, more as Partial<CampaignDocument>);
  const people = (name: string, count: number, document: (n: number) => object = () => ({})): void => {
    for (let n = 0; n < count; n++)
      database.audience(name).put({ _id: n, phone: `+49${n}`, ...document(n) } as { _id: number });
  };
  const count = (id: Id, delta: CounterDelta): void =>
    database.atomically(() => addCounters(database, 'm1', id, delta));
  return { clock, database, operations, member, submit, write, people, count };
}

export const contacts = (count: number): unknown[] =>
  Array.from({ length: count }, (_, n) => ({ id: `c${n}`, phone: `+49${n}` }));
