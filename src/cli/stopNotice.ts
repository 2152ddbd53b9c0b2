/** What is said of the stop switch wherever somebody looks at campaigns or workers, and of what is under way. */
import { type StopSwitch, stopWords } from '../domain/stopSwitch.ts';
import type { Collections } from '../mongo/collections.ts';
import { readStopSwitch } from '../mongo/control.ts';
import { count, type Output, plural, safe } from './output.ts';

/** Said before anything else, wherever somebody looks at campaigns or workers. */
export async function showStopped(stored: Collections, out: Output): Promise<StopSwitch> {
  const found = await readStopSwitch(stored);
  if (found.sending === 'stopped') out.line(out.color.red(out.color.bold(stoppedLine(found))));
  return found;
}

const stoppedLine = (found: StopSwitch): string =>
  `SENDING IS STOPPED for all campaigns${safe(stopWords(found))} (start-all lets it go on)`;

/** How many may be with their providers: what is there is answered, whatever is stopped. Some of them only wait for their turn, and are held. */
export function flightLine({ count: many, more }: { count: number; more: boolean }): string {
  if (many === 0) return 'no message is with a provider';
  if (more) return `${count(many)} messages or more may be with a provider: those are answered`;
  return `at most ${plural(many, 'message')} ${many === 1 ? 'is' : 'are'} with a provider: ${many === 1 ? 'that is' : 'those are'} answered`;
}
