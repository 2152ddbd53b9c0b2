/** What a server that is there was found to be and to do. Pure. */
import type { ClockOffset } from '../../mongo/serverFacts.ts';
import { plural, span } from '../output.ts';
import { failure, ok, type Verdict, warning } from './verdict.ts';

/** What every change is tested with; older ones are not refused. */
const testedFrom = 6;

export function judgeVersion(version: string): Verdict {
  const major = Number.parseInt(version, 10);
  if (major >= testedFrom) return ok(`MongoDB ${version}`);
  return warning(
    `MongoDB ${version} is older than what this release is tested with (${testedFrom}.0)`,
    `upgrade MongoDB to ${testedFrom}.0 or later`,
  );
}

export function judgeSet({ setName, msg, hosts, arbiters }: Record<string, unknown>): Verdict {
  if (msg === 'isdbgrid')
    return warning(
      'a sharded cluster: the service is made for it, and tested with replica sets only',
      'name one mongos in MONGODB_URI, and try it out before you rely on it',
    );
  const members = Array.isArray(hosts) ? hosts.length : 0;
  const votes = Array.isArray(arbiters) && arbiters.length > 0 ? `, and ${arbiters.length} without data` : '';
  return ok(`${String(setName)}, ${plural(members, 'member')} with data${votes}`);
}

/** Nothing but a lucky moment stands behind what one copy alone has confirmed. */
export function judgeMajority(confirmed: boolean, seconds: number, { arbiters }: Record<string, unknown>): Verdict {
  if (confirmed) return ok('a majority of the replica set confirms writes');
  const hasArbiters = Array.isArray(arbiters) && arbiters.length > 0;
  return failure(
    `a majority of the replica set did not confirm within ${seconds} s: nothing that the service writes would stand`,
    'start the members with data that are down or far behind; rs.status() in mongosh tells which',
    ...(hasArbiters
      ? [
          'an arbiter votes and holds no data: with one copy of two down there is a primary, and no majority. Make it a member with data',
        ]
      : []),
  );
}

const warnFromMs = 1_000;
const failFromMs = 60_000;

/** By what is certain: the difference less what the way there and back may have made of it. */
export function judgeClock({ offsetMs, errorMs }: ClockOffset): Verdict {
  const certainMs = Math.max(0, Math.abs(offsetMs) - errorMs);
  const bar = `± ${span(Math.ceil(errorMs))}`;
  if (certainMs < warnFromMs) return ok(`this machine and MongoDB differ by ${span(Math.abs(offsetMs))} (${bar})`);
  const side = offsetMs > 0 ? 'behind' : 'ahead of';
  const say = certainMs < failFromMs ? warning : failure;
  return say(
    `the clock of this machine is ${span(Math.abs(offsetMs))} ${side} MongoDB's (${bar}): due times, send windows and endAt go by the clock of the worker`,
    'have both machines keep time by NTP (chrony, systemd-timesyncd); timedatectl tells whether they do',
  );
}

export const judgeStream = (refusal: string | undefined): Verdict =>
  refusal === undefined
    ? ok('a change stream opens')
    : failure(
        `a change stream cannot be opened (${refusal}): workers would hear of nothing`,
        'grant changeStream and find on the whole database, which readWrite has; behind a proxy, allow aggregate with $changeStream',
      );
