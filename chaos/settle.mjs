// When it is over, and when it never will be.
import { setTimeout as sleep } from 'node:timers/promises';

/** Nothing moves for so long: it is stuck. */
const standstillMs = 60_000;

/**
 * Until every run is settled and every inbox read. Stuck is what is open when nothing moved for a while although something is
 * overdue; a row may wait minutes for another try, and that is no standstill.
 */
export async function settled({ db, traffic, provider, mostMs = 15 * 60_000 }) {
  const giveUpAt = Date.now() + mostMs;
  let moved = { at: Date.now(), what: '' };
  for (;;) {
    const open = await openCampaigns(db, traffic);
    const unread = await db.collection('conversation_states').countDocuments({ 'inbox.0': { $exists: true } });
    if (open.length === 0 && unread === 0) return [];
    const what = `${open.length} ${unread} ${provider.record.size}`;
    const overdue = { status: 'active', nextActionAt: { $gte: new Date(Date.now() - 5_000) } };
    const waits = unread === 0 && (await db.collection('conversation_states').findOne(overdue)) !== null;
    if (what !== moved.what || waits) moved = { at: Date.now(), what };
    if (Date.now() - moved.at > standstillMs || Date.now() > giveUpAt)
      return [...open, ...(unread ? [`${unread} inboxes`] : [])];
    await sleep(1000);
  }
}

async function openCampaigns(db, traffic) {
  const runs = await db
    .collection('campaign_runs')
    .find({}, { projection: { settled: 1 } })
    .toArray();
  const known = new Map(runs.map(({ _id, settled }) => [_id, settled]));
  const open = [];
  for (const id of traffic.campaigns.keys()) {
    if (known.get(id) === true) continue;
    // one that ended before it was ever looked at has no run
    const campaign = known.has(id)
      ? undefined
      : await db.collection('campaigns').findOne({ _id: id }, { projection: { status: 1 } });
    if (known.has(id) || ['pending', 'running', 'paused', 'scheduled'].includes(campaign?.status)) open.push(id);
  }
  return open;
}
