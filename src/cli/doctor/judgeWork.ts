/** Who works, and what of the campaigns needs a person. Pure. */
import type { Member } from '../../domain/model.ts';
import { isAllOwned, ranges } from '../../domain/partitions.ts';
import { type StopSwitch, stopWords } from '../../domain/stopSwitch.ts';
import { shownTroubles, type Trouble } from '../../mongo/serverFacts.ts';
import { showId } from '../database.ts';
import { plural, safe, span } from '../output.ts';
import { failure, ok, type Result, type Verdict, warning } from './verdict.ts';

export interface Workers {
  members: readonly Pick<Member, '_id' | 'channels'>[];
  alive: ReadonlySet<string>;
  ownerless: { unowned: number[]; orphaned: number[]; silent: number[] };
}

const start = 'communication-base worker, with the same MONGODB_URI, MONGODB_DATABASE and CHANNEL_* as here';

function judgeMembers({ members, alive, ownerless }: Workers, leaseTtlMs: number): Verdict {
  if (members.length === 0) return warning('no worker runs on this database: nothing is sent', start);
  const watched = span(leaseTtlMs);
  if (alive.size === 0)
    return failure(
      `no worker is alive: of ${plural(members.length, 'member')} nobody gave a sign within ${watched}`,
      `start one (it takes over what the dead left): ${start}`,
    );
  if (isAllOwned(ownerless)) return ok(`${plural(alive.size, 'member')} alive, every partition has a live owner`);
  const numbers = [...ownerless.unowned, ...ownerless.orphaned, ...ownerless.silent];
  return failure(
    `partitions ${ranges(numbers)} have no live owner: nothing of their contacts moves`,
    'communication-base members shows who owns what; workers take over what stands still within a lease and a little',
    'a worker that is there and silent is frozen, or cannot write: look at its log and at /readyz',
  );
}

/** Channels that are set here and that nobody alive has: other settings than the workers'. */
function judgeTheirChannels({ members, alive }: Workers, configured: readonly string[]): Verdict | undefined {
  if (alive.size === 0 || configured.length === 0) return undefined;
  const theirs = new Set(members.filter(({ _id }) => alive.has(_id)).flatMap(({ channels }) => channels));
  const missing = configured.filter((name) => !theirs.has(name));
  if (missing.length === 0) return ok('the workers have every channel that is set here');
  return warning(
    `no worker has the channel ${missing.map(safe).join(', ')}, which is set here`,
    'give the workers the same CHANNEL_* variables and start them again',
  );
}

export function judgeWorkers(workers: Workers, leaseTtlMs: number, configured: readonly string[]): Result[] {
  const channels = judgeTheirChannels(workers, configured);
  return [
    { group: 'workers', check: 'members', ...judgeMembers(workers, leaseTtlMs) },
    ...(channels === undefined ? [] : [{ group: 'workers', check: 'channels', ...channels } as const]),
  ];
}

export interface Campaigns {
  stop: StopSwitch;
  failed: readonly Trouble[];
  paused: readonly Trouble[];
  /** Not taken up after they were looked at twice. */
  waiting: readonly Trouble[];
}

/** `spring-2026: guard_tripped, guard.errorRate: 12 of 100 …` */
const line = ({ _id, error }: Trouble): string => {
  const said = [error?.['code'], error?.['path'], error?.['message']].filter((part) => typeof part === 'string');
  return `${showId(_id)}${said.length === 0 ? '' : `: ${said.map(safe).join(', ')}`}`;
};

const many = (found: readonly Trouble[]): string =>
  found.length > shownTroubles ? `more than ${shownTroubles} campaigns` : plural(found.length, 'campaign');

function judged(found: readonly Trouble[], what: string, fine: string, ...mend: string[]): Verdict {
  if (found.length === 0) return ok(fine);
  return { ...warning(`${many(found)} ${what}`, ...mend), detail: found.slice(0, shownTroubles).map(line) };
}

export function judgeCampaigns({ stop, failed, paused, waiting }: Campaigns): Result[] {
  const verdicts: Record<string, Verdict> = {
    sending:
      stop.sending === 'on'
        ? ok('sending is on')
        : warning(`sending is stopped for all campaigns${safe(stopWords(stop))}`, 'communication-base start-all'),
    failed: judged(
      failed,
      'could not start as written',
      'no campaign failed',
      'correct what `error` names (communication-base validate FILE tells everything at once), and submit it under another id',
      'communication-base status CAMPAIGN shows it',
    ),
    paused: judged(
      paused,
      'paused by the service: a guard tripped, or it could not go on as written',
      'no campaign was paused by its guard or for a fault',
      'look into `error`, mend its cause, then: communication-base resume CAMPAIGN',
    ),
    waiting: judged(
      waiting,
      'should have started, and nobody took them up',
      'no campaign waits past its start',
      `does a worker run? ${start}`,
      'communication-base audit says what else is stuck',
    ),
  };
  return Object.entries(verdicts).map(([check, verdict]) => ({ group: 'campaigns', check, ...verdict }));
}
