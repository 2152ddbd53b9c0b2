/** What went wrong, by code: how often, and the newest message of each. Pure. */
import type { Metrics } from '../../domain/model.ts';
import { reasonWord } from '../../domain/words.ts';
import type { TroubleRow } from '../../mongo/progressReader.ts';
import { date, record } from '../loose.ts';
import { safe } from '../output.ts';

export interface Trouble {
  /** `reason` of rows that failed or were skipped; or what rows that wait for another try were answered. */
  kind: 'reason' | 'retry';
  code: string;
  /** Of a reason: exact. Of retries: among the rows that were looked at. */
  count: number;
  /** There are more than were looked at. */
  more: boolean;
  /** Newest message seen: the provider's, or ours. */
  message: string;
  /** A row that it happened to. */
  messageId?: string;
}

interface Seen {
  message: string;
  messageId: string;
  at: number;
}

/** Codes of one kind; more of them are nothing that a person reads. */
const keptCodes = 50;
/** Looks for a row with a reason that found none: one of skipped rows only, or of rows too long ago. */
const vainLooks = 3;

export class Troubles {
  private readonly seen = new Map<string, Seen>();
  private reasons: Record<string, number> = {};
  private retries = new Map<string, number>();
  private more = false;
  /** Looks in vain, by reason. */
  private readonly vain = new Map<string, number>();

  count({ reasons }: Metrics): void {
    this.reasons = reasons;
  }

  /** Rows that wait for another try now. */
  waiting(rows: readonly TroubleRow[], more: boolean): void {
    this.retries = new Map();
    this.more = more;
    for (const row of rows) {
      const code = this.note('retry', row);
      if (code !== undefined) this.retries.set(code, (this.retries.get(code) ?? 0) + 1);
    }
  }

  /** Rows that failed for good. */
  failed(rows: readonly TroubleRow[]): void {
    for (const row of rows) this.note('reason', row);
    for (const code of this.unseenReasons()) this.vain.set(code, (this.vain.get(code) ?? 0) + 1);
  }

  /** There are reasons whose message nobody has seen, and that are worth a look. */
  get unseen(): boolean {
    return this.unseenReasons().length > 0;
  }

  private unseenReasons(): string[] {
    return Object.keys(this.reasons).filter(
      (code) =>
        (this.reasons[code] ?? 0) > 0 &&
        !this.seen.has(`reason ${safe(code)}`) &&
        (this.vain.get(code) ?? 0) < vainLooks,
    );
  }

  /** Most first; retries first, since something may still be done about them, unless all is over. */
  list(over: boolean): Trouble[] {
    const most = (a: Trouble, b: Trouble): number => b.count - a.count;
    const retries = [...(over ? [] : this.retries)].map(([code, many]) => this.trouble('retry', code, many, this.more));
    const reasons = Object.entries(this.reasons)
      .filter(([, many]) => many > 0)
      .map(([code, many]) => this.trouble('reason', safe(code), many, false));
    return [...retries.sort(most), ...reasons.sort(most)].slice(0, keptCodes);
  }

  private trouble(kind: Trouble['kind'], code: string, many: number, more: boolean): Trouble {
    const seen = this.seen.get(`${kind} ${code}`);
    const message = seen?.message ?? (kind === 'reason' ? reasonWord(code) : '');
    return { kind, code, count: many, more, message, ...(seen === undefined ? {} : { messageId: seen.messageId }) };
  }

  private note(kind: Trouble['kind'], { _id, reason, error, at }: TroubleRow): string | undefined {
    const { code: errorCode, message } = record(error);
    const code = safe((kind === 'reason' ? reason : errorCode) ?? errorCode ?? 'unknown');
    if (kind === 'retry' && errorCode === undefined) return undefined;
    const key = `${kind} ${code}`;
    const when = date(at)?.getTime() ?? 0;
    const before = this.seen.get(key);
    if ((before === undefined && this.seen.size < 2 * keptCodes) || (before !== undefined && before.at <= when)) {
      const own = errorCode === undefined || errorCode === code ? '' : `${safe(errorCode)}: `;
      this.seen.set(key, { message: own + safe(message ?? ''), messageId: safe(_id), at: when });
    }
    return code;
  }
}
