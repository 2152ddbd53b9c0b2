/** `members`: who works on what, and who is alive. */
import type { Member } from '../../domain/model.ts';
import { isAllOwned, positionSeconds, ranges, shareOf } from '../../domain/partitions.ts';
import { circuitWords } from '../../domain/storyWhy.ts';
import { serverTime } from '../../mongo/client.ts';
import { readCluster } from '../../mongo/collections.ts';
import type { Context, ExitCode } from '../context.ts';
import { withDatabase } from '../database.ts';
import { type Cluster, watchMembers } from '../memberWatch.ts';
import { count, type Output, safe, span } from '../output.ts';
import { showStopped } from '../stopNotice.ts';

/** Prints a row a member, then the partitions nobody works on; 1 when there are any. Takes up to a lease when a member is silent. */
export const members = (_: unknown, context: Context): Promise<ExitCode> =>
  withDatabase(context, async ({ config, db, in: stored }): Promise<ExitCode> => {
    await readCluster(db);
    const cluster = await watchMembers(stored, config.leaseTtlMs);
    const rows = rowsOf(cluster, await serverTime(db));
    const ok = isAllOwned(cluster.ownerless);
    const { out } = context;
    const stop = await showStopped(stored, out);
    out.value({
      ok,
      ...(stop.sending === 'stopped' ? { stopped: stop } : {}),
      members: rows,
      partitions: { count: cluster.partitions.length, ...cluster.ownerless },
    });
    if (rows.length > 0) showMembers(rows, cluster, out);
    showResting(rows, out);
    showOwnerless(cluster, out);
    return ok ? 0 : 1;
  });

interface Row
  extends Pick<Member, 'host' | 'thread' | 'version' | 'channels' | 'startedAt' | 'beat' | 'channelStates'> {
  id: string;
  alive: boolean;
  /** Partitions owned. */
  partitions: number[];
  share: number;
  /** Up to when everything in the change stream is done; absent before the first batch. */
  position?: { at: Date; lagSeconds: number };
}

function rowsOf({ members, partitions, alive }: Cluster, now: Date): Row[] {
  const ids = members.map(({ _id }) => _id);
  return members.map((member) => {
    const seconds = positionSeconds(member.position);
    return {
      id: member._id,
      host: member.host,
      thread: member.thread,
      version: member.version,
      channels: member.channels,
      startedAt: member.startedAt,
      beat: member.beat,
      ...(member.channelStates === undefined ? {} : { channelStates: member.channelStates }),
      alive: alive.has(member._id),
      partitions: partitions.filter(({ owner }) => owner === member._id).map(({ _id }) => _id),
      share: shareOf(member._id, ids, partitions.length),
      ...(seconds === undefined ? {} : { position: positionAt(seconds, now) }),
    };
  });
}

/** A token tells whole seconds, so less than one is no lag. */
const positionAt = (seconds: number, now: Date): NonNullable<Row['position']> => ({
  at: new Date(seconds * 1000),
  lagSeconds: Math.max(0, Math.floor(now.getTime() / 1000) - seconds),
});

const instant = (date: unknown): string => (date instanceof Date ? date.toISOString().replace(/\.\d+Z$/, 'Z') : '-');

function showMembers(rows: readonly Row[], { partitions }: Cluster, out: Output): void {
  const { color } = out;
  out.table(
    ['member', 'state', 'host', 'thread', 'version', 'channels', 'started', 'beat', 'partitions', 'position', 'lag'],
    rows.map((row) => [
      safe(out.tty ? row.id.slice(0, 8) : row.id),
      row.alive ? color.green('alive') : color.red('silent'),
      safe(row.host),
      String(row.thread),
      safe(row.version),
      safe(row.channels.join(',')),
      instant(row.startedAt),
      count(row.beat),
      `${row.partitions.length}/${row.share}`,
      instant(row.position?.at),
      row.position === undefined ? '-' : span(row.position.lagSeconds * 1000),
    ]),
    ['left', 'left', 'left', 'right', 'left', 'left', 'left', 'right', 'right', 'left', 'right'],
  );
  out.line(
    color.dim(`partitions: owned/share, ${partitions.length} in all; position: up to when the changes are read`),
  );
}

/** Channels that members leave alone, the longest first. */
function showResting(rows: readonly Row[], out: Output): void {
  const all = rows.flatMap(({ id, channelStates = {} }) =>
    Object.entries(channelStates).map(([channel, state]) => ({ id, channel, state })),
  );
  for (const { id, channel, state } of all.toSorted((a, b) => Number(a.state.since) - Number(b.state.since)))
    out.line(
      out.color.yellow(
        `${safe(out.tty ? id.slice(0, 8) : id)} leaves a channel alone: ${safe(circuitWords(channel, state))}`,
      ),
    );
}

function showOwnerless({ members, ownerless }: Cluster, out: Output): void {
  const { color } = out;
  if (members.length === 0) {
    out.line(color.red('no worker runs: there are no members'));
    return;
  }
  const say = (numbers: readonly number[], why: string): void => {
    if (numbers.length > 0) out.line(color.red(`${why}: ${ranges(numbers)}`));
  };
  say(ownerless.unowned, 'partitions without an owner');
  say(ownerless.orphaned, 'partitions whose owner is no member any more');
  say(ownerless.silent, 'partitions whose owner is silent');
  if (isAllOwned(ownerless)) out.line(color.green('every partition has a live owner'));
}
