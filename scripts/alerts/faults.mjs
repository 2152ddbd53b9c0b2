// Real faults, and the alerts that each has to make fire. `resolves`: those that have to end when the fault has.
import { setTimeout as sleep } from 'node:timers/promises';
import { rollOplog } from './world.mjs';

const people = (count) => Array.from({ length: count }, (_, n) => ({ id: `c${n}`, phone: `+4930${1_000_000 + n}` }));
export const stage = (channel, more = {}) => ({
  id: 'intro',
  type: 'message',
  channel,
  content: { text: 'Hello' },
  ...more,
});
export const campaign = (id, count, ...stages) => ({
  ...{ _id: id, name: id, type: 'sequence', status: 'pending', transactional: true },
  ...{ audience: { contacts: people(count) }, flow: { stages } },
});

/** Begun at one time. What they `resolve` is looked at in the end. */
export function faultsTogether({ client, db }) {
  const campaigns = db.collection('campaigns');
  return [
    {
      fault: 'a rate of 10/s for 2,500 people',
      alerts: ['MessagesLate', 'DueLagHigh'],
      begin: () => campaigns.insertOne(campaign('narrow', 2500, stage('narrow'))),
    },
    {
      fault: 'a provider whose port nobody listens on',
      alerts: ['CircuitOpen'],
      begin: () => campaigns.insertOne(campaign('dead', 100, stage('dead'))),
    },
    {
      fault: 'a provider that refuses all (400)',
      alerts: ['SendErrors'],
      begin: () => campaigns.insertOne(campaign('bad', 300, stage('bad'))),
    },
    {
      fault: 'a provider that never answers, at-most-once',
      alerts: ['Uncertain'],
      resolves: ['Uncertain'],
      begin: () => campaigns.insertOne(campaign('mute', 20, stage('mute'))),
    },
    {
      fault: 'a campaign whose flow leads to no stage',
      alerts: ['CampaignFailed'],
      resolves: ['CampaignFailed'],
      begin: () => campaigns.insertOne(campaign('invalid', 1, stage('phone', { on: { reply: 'nowhere' } }))),
    },
    {
      fault: 'an inbound event without type and address',
      alerts: ['Poisoned'],
      resolves: ['Poisoned'],
      begin: () => db.collection('inbound_events').insertOne({ _id: 'junk', type: 7, channel: [], at: 'never' }),
    },
    {
      fault: 'a conversation that somebody made due behind our back',
      alerts: ['Reconciled', 'Stuck'],
      begin: () =>
        db
          .collection('conversation_states')
          .updateOne({ campaignId: 'later' }, { $set: { nextActionAt: new Date(0) }, $inc: { version: 1 } }),
    },
    {
      fault: 'an oplog of 16 MB and somebody who writes 10 MB a second',
      alerts: ['OplogWindowShort'],
      begin: () => void rollOplog(client, 100_000).catch(() => {}),
    },
  ];
}

/** One begun when what the one before should make fire has, and what should end has. */
export function faultsOneByOne({ client, node, provider, run, workers }, watch) {
  return [
    {
      fault: 'every provider answers 503',
      alerts: ['NothingSent'],
      resolves: ['NothingSent'],
      begin: () => {
        for (const path of Object.keys(provider.answers)) provider.answers[path] = 503;
      },
      end: () => Object.assign(provider.answers, { phone: 200, bad: 200, mute: 200 }),
    },
    {
      fault: 'kill -9 of a worker, whose lease is long on this scale',
      alerts: ['WorkerDown', 'PartitionsUnowned'],
      resolves: ['WorkerDown', 'PartitionsUnowned'],
      begin: () => workers.kill(1),
      end: () => workers.start(1),
    },
    {
      fault: 'stop-all, and nobody thinks of start-all',
      alerts: ['SendingStopped'],
      begin: () => run('stop-all', '--reason', 'proof'),
      // it takes long: the next faults come meanwhile
      waits: 'with the next',
    },
    {
      fault: 'after the kill a worker freezes beyond its lease, twice',
      alerts: ['MembersFlapping'],
      async begin() {
        for (let times = 0; times < 2; times++) {
          await sleep(6_000);
          workers.signal(1, 'SIGSTOP');
          await sleep(14_000);
          workers.signal(1, 'SIGCONT');
        }
      },
    },
    {
      fault: 'mongod is killed',
      alerts: ['NothingCommitted', 'StreamSilent', 'WorkerNotReady', 'SendingStopped'],
      resolves: ['NothingCommitted', 'StreamSilent', 'WorkerNotReady', 'SendingStopped'],
      begin: () => node.kill(),
      async end() {
        await node.start();
        await run('start-all');
      },
    },
    {
      fault: 'both workers away until the oplog has rolled over',
      alerts: ['PositionLost', 'Gone'],
      resolves: ['Gone'],
      async begin(since) {
        await Promise.all([workers.kill(0), workers.kill(1)]);
        await rollOplog(client, 0);
        await watch.until([{ alert: 'Gone', since }], 60_000);
        for (const at of [0, 1]) workers.start(at);
      },
    },
  ];
}
