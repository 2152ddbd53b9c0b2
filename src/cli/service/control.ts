/** `stop-all`, `start-all`: the stop switch for all campaigns. */
import { hostname, userInfo } from 'node:os';
import { type StopSwitch, stopWords } from '../../domain/stopSwitch.ts';
import { inFlight, readStopSwitch, throwStopSwitch } from '../../mongo/control.ts';
import type { Context, ExitCode } from '../context.ts';
import { withDatabase } from '../database.ts';
import { distance, plural, safe } from '../output.ts';
import { flightLine } from '../stopNotice.ts';

export interface ControlParams {
  /** In the words of whoever throws the switch. */
  reason?: string;
}

/** Nothing is handed over later than a second after this was stored, whatever campaign it is of. */
export const stopAll = (params: ControlParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async ({ in: stored }): Promise<ExitCode> => {
    const { out } = context;
    const changed = await throwStopSwitch(stored, { sending: 'stopped', by: who(), ...params });
    const now = await readStopSwitch(stored);
    const flight = await inFlight(stored);
    out.value({ changed, ...now, inFlight: flight.count });
    out.line(out.color.red(out.color.bold(`sending is stopped for all campaigns${words(now, !changed)}`)));
    out.line(flightLine(flight));
    out.line('nothing else leaves later than a second from now; nobody is lost; `start-all` lets it go on');
    return 0;
  });

export const startAll = (params: ControlParams, context: Context): Promise<ExitCode> =>
  withDatabase(context, async ({ in: stored }): Promise<ExitCode> => {
    const { out } = context;
    const before = await readStopSwitch(stored);
    const changed = await throwStopSwitch(stored, { sending: 'on', by: who(), ...params });
    const now = await readStopSwitch(stored);
    const running = await stored.campaigns.countDocuments({ status: 'running' });
    const stoppedMs = changed && now.at && before.at ? now.at.getTime() - before.at.getTime() : undefined;
    out.value({ changed, ...now, ...(stoppedMs === undefined ? {} : { stoppedMs }), running });
    const after = stoppedMs === undefined ? '' : ` after ${distance(stoppedMs)}`;
    out.line(
      changed
        ? out.color.green(
            `sending goes on${after}: ${plural(running, 'campaign')} ${running === 1 ? 'is' : 'are'} running`,
          )
        : `sending is on already${words(now, true)}`,
    );
    return 0;
  });

const words = (found: StopSwitch, isOld: boolean): string => {
  if (isOld) return safe(stopWords(found));
  return found.reason === undefined ? '' : `: ${safe(found.reason)}`;
};

/** User and machine, as far as the system tells. */
function who(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // a container whose user has no name
    return `uid ${process.getuid?.() ?? '?'}@${hostname()}`;
  }
}
