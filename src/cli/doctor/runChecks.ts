/** Each look by itself, bounded in time: one that hangs or throws is a result like any other. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isServiceError } from '../../domain/errors.ts';
import { mongoErrorOf } from '../../mongo/values.ts';
import { safe, span } from '../output.ts';
import { failure, type Group, notChecked, type Result, type Verdict } from './verdict.ts';

export interface Look {
  group: Group;
  /** What the result is called when it hangs or throws. */
  check: string;
  limitMs: number;
  run(signal: AbortSignal): Promise<readonly Result[]>;
}

/** Takes secrets out of what others said. */
export type Clean = (text: string) => string;

const unauthorized = 13;

function ofError(error: unknown, clean: Clean): Verdict {
  // what the server says of it is the whole command
  if (mongoErrorOf(error)?.code === unauthorized) return notChecked('because the user has no right to it: see rights');
  const said = brief(clean(safe(error instanceof Error ? error.message : error)));
  const mend = isServiceError(error, 'config_invalid')
    ? 'correct that setting'
    : 'mend what stands above, and look again';
  return failure(`it could not be looked at: ${said}`, mend);
}

/** Whoever heeds the signal has so long to say what he waited for. */
const graceMs = 500;

async function tooLong({ group, check, limitMs }: Look, late: AbortController, over: AbortSignal): Promise<Result[]> {
  await sleep(limitMs, undefined, { signal: over });
  late.abort();
  await sleep(graceMs, undefined, { signal: over });
  const mend = 'something hangs: look at the servers and the network in between, and look again';
  return [{ group, check, ...failure(`no answer within ${span(limitMs)}`, mend) }];
}

const longestSaid = 300;
/** As much of what others say as a person reads. */
export const brief = (text: string): string => (text.length > longestSaid ? `${text.slice(0, longestSaid)}…` : text);

/** Never rejects, and resolves within the limit and half a second. */
export async function runLook(look: Look, clean: Clean): Promise<readonly Result[]> {
  const late = new AbortController();
  const over = new AbortController();
  try {
    // what was interrupted tells nothing
    const limit = tooLong(look, late, over.signal).catch(() => []);
    return await Promise.race([look.run(late.signal), limit]);
  } catch (error) {
    return [{ group: look.group, check: look.check, ...ofError(error, clean) }];
  } finally {
    over.abort();
  }
}
