/** What the data contract knows and this release does not run yet: it is refused, for ignoring it would be a silent lie. */
import type { Fault } from './errors.ts';

/** Fields by the title of their schema; those of the campaign's own objects by their path. */
export const unsupportedFields: ReadonlyMap<string, readonly string[]> = new Map([
  ['CampaignDocument', ['limits', 'guard', 'reentry', 'exitWhen']],
  ['Template', ['schedule', 'senders']],
  ['schedule', ['recurrence', 'sendWindow', 'late']],
  ['audience', ['mode', 'dedupeBy', 'exclude']],
  ['Flow', ['rules']],
  ['MessageStage', ['fallback', 'sendWindow']],
  ['WaitStage', ['until', 'event', 'timeout', 'onTimeout', 'businessDays']],
]);

/** Words by the path's last field. */
const words: ReadonlyMap<string, readonly string[]> = new Map([
  ['type', ['recurring', 'triggered', 'branch', 'split', 'escalate', 'webhook']],
]);

export const isUnsupportedWord = (path: string, value: unknown): boolean =>
  (words.get(path.slice(path.lastIndexOf('.') + 1)) ?? []).some((word) => word === value);

export function notSupported(path: string, what: string, instead?: string): Fault {
  const message = `${what} is not supported by this release; ${instead ?? 'leave it out'}`;
  return { code: 'not_supported', path, message };
}
