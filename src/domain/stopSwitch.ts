/** The stop switch for all campaigns: `{ _id: "control" }` in `settings`. Anybody may write it. */
import { isDate } from './normalise.ts';
import { isPlain, own } from './plain.ts';

export interface StopSwitch {
  sending: 'on' | 'stopped';
  /** Since when; who said so, and why: as far as whoever wrote it says. */
  at?: Date;
  by?: string;
  reason?: string;
}

/** Only `stopped` stops: what is written wrongly is refused by the collection, and what is not there sends. */
export function stopSwitchOf(raw: unknown): StopSwitch {
  const document = isPlain(raw) ? raw : {};
  const at = own(document, 'at');
  const text = (field: 'by' | 'reason'): Partial<StopSwitch> => {
    const value = own(document, field);
    return typeof value === 'string' && value !== '' ? { [field]: value } : {};
  };
  return {
    sending: own(document, 'sending') === 'stopped' ? 'stopped' : 'on',
    ...(isDate(at) && !Number.isNaN(at.getTime()) ? { at } : {}),
    ...text('by'),
    ...text('reason'),
  };
}

/** What is known beside the bare fact, to follow a sentence that says it: ` since … by …: why`. */
export function stopWords({ at, by, reason }: Partial<StopSwitch>): string {
  const since = at === undefined ? '' : ` since ${at.toISOString()}`;
  return `${since}${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : `: ${reason}`}`;
}
