/** An opt-out at any moment: whole members over one database in memory, on a clock that moves when told. */
import { describe, expect, test } from '@jest/globals';
import { normalAddress, suppressionId } from '../../../src/domain/addresses.ts';
import { draws } from '../../../src/domain/draws.ts';
import { campaignPartition } from '../../../src/domain/ids.ts';
import { addressBook } from '../../../src/worker/addressBook.ts';
import { Cluster, partitions } from './cluster/cluster.ts';

const book = addressBook(undefined);
const boundMs = 2_000;
/** How many moments are tried, evenly spread. */
const numRuns = Number(process.env['RUNS'] ?? 15);
const longestMs = numRuns > 100 ? 3_600_000 : 120_000;
/** Of the first contact of a campaign of the model. */
const phone = '+490';
const smsOf = (address: string): string => suppressionId('sms', '*', book.hash(normalAddress(address)));

interface Moments {
  /** Timers of the cluster that were called so far: whatever waits for a database, a provider or a while waits for one. */
  timers: number;
  storedAt?: number;
  suppressedAt?: number;
}

interface Life {
  members: number;
  /** Its provider refuses, puts off, answers late or not at all. */
  isTroubled?: boolean;
}

/**
 * A life of a campaign; once what the n-th timer set going after its start has come to rest, `then` happens. Nobody sees what is
 * stored between two timers, so that these are all the moments there are.
 */
async function live(
  { members, isTroubled = false }: Life,
  at: number,
  then: (cluster: Cluster) => void,
): Promise<{ cluster: Cluster } & Moments> {
  const cluster = new Cluster(isTroubled ? draws(3) : () => 0.5);
  const { clock, database } = cluster;
  const moments: Moments = { timers: 0 };
  cluster.provider.isHealthy = true;
  for (let n = 0; n < members; n++) cluster.join();
  await clock.advanceAsync(3_000);
  cluster.provider.isHealthy = !isTroubled;
  database.watch(({ collection, kind }) => {
    if (collection === 'suppressions' && kind === 'insert') moments.suppressedAt ??= clock.monotonic();
  });
  const happen = (): void => {
    moments.storedAt = clock.monotonic();
    then(cluster);
  };
  const { after } = clock;
  clock.after = (ms, callback) =>
    after(ms, () => {
      callback();
      if (moments.timers++ === at) setImmediate(happen);
    });
  cluster.insertCampaign('reply', 4);
  for (let ms = 0; ms < 25_000; ms += 250) await clock.advanceAsync(250);
  return { cluster, ...moments };
}

const stop = ({ database, clock }: Cluster): void =>
  database.inbound.insert({
    ...{ _id: 'e1', type: 'reply', channel: 'sms', address: '0049 0', text: 'Stop please', at: new Date(clock.now()) },
  });
/** When messages left for the address. */
const leftFor = ({ provider, database }: Cluster, channel = 'sms'): number[] =>
  [...provider.taken.values()].flat().flatMap(({ key, at, channel: by }) => {
    const row = database.messages.get(key);
    return by === channel && row?.to === phone ? [at] : [];
  });

const suppress = ({ database, clock }: Cluster): void =>
  database.suppressions.insert({ _id: smsOf(phone), reason: 'manual', at: new Date(clock.now()) });

/** `check` sees every life in which something is stored at one of its moments; RUNS=10000 takes each in turn. */
async function atEachMoment(
  life: Life,
  then: (cluster: Cluster) => void,
  check: (found: { cluster: Cluster } & Moments, where: string) => void,
): Promise<void> {
  const { timers } = await live(life, Number.POSITIVE_INFINITY, () => {});
  expect(timers).toBeGreaterThan(400);
  const step = Math.max(1, Math.floor(timers / numRuns));
  let lives = 0;
  for (let at = 0; at < timers; at += step, lives++) {
    const found = await live(life, at, then);
    const where = `after timer ${at} of ${timers}`;
    check(found, where);
    const { cluster, suppressedAt = Number.POSITIVE_INFINITY } = found;
    const late = leftFor(cluster).filter((left) => left > suppressedAt + boundMs);
    expect([where, late, cluster.errors(), cluster.watch.violations]).toEqual([where, [], [], []]);
    expect([where, cluster.database.suppressions.find().map(({ _id }) => _id)]).toEqual([where, [smsOf(phone)]]);
  }
  if (numRuns > timers) process.stderr.write(`${lives} lives, ${JSON.stringify(life)}\n`);
}

describe('stored at any moment of the life of a conversation', () => {
  test.each([1, 2])(
    'STOP, with %i members: it is heeded within two seconds, whatever was on its way',
    async (members) => {
      await atEachMoment({ members }, stop, ({ cluster, storedAt = 0, suppressedAt = Number.NaN }, where) => {
        expect([where, suppressedAt - storedAt <= boundMs]).toEqual([where, true]);
        const [event] = cluster.database.inbound.find();
        expect([where, event?.handledAt !== undefined, event?.status]).toEqual([where, true, undefined]);
      });
    },
    longestMs,
  );

  test.each<Life>([{ members: 1 }, { members: 2 }, { members: 2, isTroubled: true }])(
    'a suppression, %j: nothing leaves later than two seconds after it',
    async (life) => {
      await atEachMoment(life, suppress, ({ storedAt, suppressedAt }, where) => {
        expect([where, suppressedAt]).toEqual([where, storedAt]);
      });
    },
    longestMs,
  );

  test('the owner of the event dies with it: another one heeds it all the same, and takes it where it goes', async () => {
    const {
      cluster,
      storedAt = 0,
      suppressedAt = Number.POSITIVE_INFINITY,
    } = await live({ members: 2 }, 300, (dying) => {
      stop(dying);
      const owner = dying.database.partitions.get(campaignPartition('e1', partitions))?.owner;
      dying.watch.lives.get(owner ?? '')?.host.kill();
    });
    expect(suppressedAt - storedAt).toBeLessThanOrEqual(boundMs);
    expect(cluster.database.inbound.get('e1')?.handledAt?.getTime()).toBeDefined();
    expect(leftFor(cluster).filter((left) => left > suppressedAt + boundMs)).toEqual([]);
  });

  test('the change stream stands still: what is not told is asked for', async () => {
    const { cluster, suppressedAt = 0 } = await live({ members: 1 }, 100, ({ database, watch, clock }) => {
      for (const { source } of watch.lives.values()) source.read = () => new Promise(() => {});
      database.suppressions.insert({ _id: smsOf(phone), reason: 'manual', at: new Date(clock.now()) });
    });
    const others = [...cluster.provider.taken.values()].flat().filter(({ at }) => at > suppressedAt + boundMs);
    expect(others.length).toBeGreaterThan(0);
    expect(leftFor(cluster).filter((left) => left > suppressedAt + boundMs)).toEqual([]);
  });
});

describe('who is suppressed before a campaign', () => {
  test('gets nothing by that channel, and what the flow has by another', async () => {
    const cluster = new Cluster(() => 0.5);
    cluster.provider.isHealthy = true;
    cluster.database.suppressions.insert({ _id: smsOf(phone), reason: 'bounce', at: new Date(0) });
    cluster.join();
    await cluster.clock.advanceAsync(3_000);
    cluster.insertCampaign('channels', 4);
    for (let ms = 0; ms < 30_000; ms += 500) await cluster.clock.advanceAsync(500);
    expect(leftFor(cluster)).toEqual([]);
    const of = (contact: string) =>
      cluster.database.messages
        .find(({ conversationId }) => conversationId === `channels0:${contact}`)
        .map(({ channel, status, reason }) => [channel, status, reason]);
    expect(of('k0')).toEqual([
      ['sms', 'skipped', 'suppressed'],
      ['push', 'sent', undefined],
      ['sms', 'skipped', 'suppressed'],
    ]);
    expect(of('k1').map(([channel, status]) => [channel, status])).toEqual([
      ['sms', 'sent'],
      ['push', 'sent'],
      ['sms', 'sent'],
    ]);
    expect(cluster.database.campaigns.find()[0]).toMatchObject({ status: 'completed' });
  });
});

describe('receipts', () => {
  test('one that comes before its message is known to us waits, and is kept on the message', async () => {
    const cluster = new Cluster(() => 0.5);
    const { clock, database } = cluster;
    cluster.provider.isHealthy = true;
    cluster.join();
    await clock.advanceAsync(3_000);
    database.inbound.insert({ _id: 'early', type: 'delivered', providerMessageId: 'p-1' });
    database.inbound.insert({ _id: 'never', type: 'delivered', providerMessageId: 'p-2' });
    cluster.insertCampaign('long', 1);
    await clock.advanceAsync(20_000);
    expect(database.inbound.get('early')?.handledAt).toBeUndefined();
    database.messages.update('long0:k0/1', { providerMessageId: 'p-1' });
    await clock.advanceAsync(5_000);
    expect(database.inbound.get('early')).toMatchObject({ conversations: ['long0:k0'] });
    expect(database.messages.get('long0:k0/1')).toMatchObject({ status: 'delivered' });
    expect(database.inbound.get('never')?.handledAt).toBeUndefined();
    await clock.advanceAsync(60_000);
    expect(database.inbound.get('never')).toMatchObject({ unmatched: true });
  });

  test('what cannot be used is marked where its author looks, and holds up nothing', async () => {
    const cluster = new Cluster(() => 0.5);
    const { clock, database } = cluster;
    cluster.join();
    await clock.advanceAsync(3_000);
    database.inbound.insert({ _id: 'bad', type: 5, address: '+490', channel: 'sms' } as never);
    database.inbound.insert({ _id: 'nobody', type: 'reply', address: '+4999', channel: 'sms', text: 'Hi' });
    stop(cluster);
    await clock.advanceAsync(3_000);
    expect(database.inbound.get('bad')).toMatchObject({ status: 'failed', error: { path: 'type' } });
    expect(database.inbound.get('nobody')).toMatchObject({ unmatched: true });
    expect(database.inbound.get('e1')).toMatchObject({ unmatched: true });
    expect(database.suppressions.find().map(({ _id }) => _id)).toEqual([smsOf(phone)]);
  });
});
