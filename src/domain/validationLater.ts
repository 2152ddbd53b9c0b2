/** What the data contract knows and this release does not run yet: it is refused, for ignoring it would be a silent lie. */
import type { Fault } from './errors.ts';

/** Fields by the title of their schema. */
export const unsupportedFields: ReadonlyMap<string, readonly string[]> = new Map([['Template', ['senders']]]);

export function notSupported(path: string, what: string): Fault {
  return { code: 'not_supported', path, message: `${what} is not supported by this release; leave it out` };
}
