/**
 * What a clock on the wall shows, read off Intl minute by minute, and what follows from it for windows: an account of its own of what
 * src/domain/zones.ts and sendWindow.ts compute. All times are full minutes since the epoch.
 */

export const minuteMs = 60_000;
const dayMinutes = 1440;

/** Minutes by which local time is ahead, from the words of Intl ("GMT+05:30"). */
export function offsetReader(zone: string): (minute: number) => number {
  const format = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset', year: 'numeric' });
  return (minute) => {
    const match = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(format.format(minute * minuteMs));
    if (match === null) throw new Error(`no offset of ${zone}`);
    return (match[1] === '-' ? -1 : 1) * (Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0));
  };
}

/** The minutes in `(from, until]` at which the offset changes: step by step, and each step with a change in smaller ones. */
export function changes(zone: string, from: number, until: number, step = 60): number[] {
  return within(offsetReader(zone), from, until, step);
}

function within(offset: (minute: number) => number, from: number, until: number, step: number): number[] {
  const found: number[] = [];
  let before = offset(from);
  for (let last = from; last < until; last += step) {
    const minute = Math.min(last + step, until);
    const now = offset(minute);
    if (now !== before) found.push(...(step === 1 ? [minute] : within(offset, last, minute, step > 60 ? 60 : 1)));
    before = now;
  }
  return found;
}

/** A clock that runs from one minute to another. */
export class WallClock {
  readonly from: number;
  private readonly shown: number[] = [];
  private readonly days: ReadonlySet<number>;

  constructor(zone: string, from: number, until: number) {
    const offset = offsetReader(zone);
    const turns = new Set(changes(zone, from, until));
    this.from = from;
    let ahead = offset(from);
    for (let minute = from; minute < until; minute++) {
      if (turns.has(minute)) ahead = offset(minute);
      this.shown.push(minute + ahead);
    }
    this.days = new Set(this.shown.map((each) => Math.floor(each / dayMinutes)));
  }

  /** The minute at which the clock first shows a time, or (skipped) would have come to show it had it gone on. */
  comesTo(wall: number): number | undefined {
    const at = this.reaches(wall);
    const shown = at === undefined ? undefined : this.shown[at - this.from];
    if (at === undefined || shown === wall) return at;
    return at - 1 + wall - (this.shown[at - 1 - this.from] ?? 0);
  }

  /** The minute from which on the clock has reached a time. */
  reaches(wall: number): number | undefined {
    // no clock is ahead, or behind, by more than a day and a bit
    for (let index = Math.max(1, wall - this.from - 2000); index < this.shown.length; index++)
      if ((this.shown[index] ?? 0) >= wall) return index === 1 ? undefined : this.from + index;
    return undefined;
  }

  /** Whether any minute of a local day (since 1970-01-01) is shown. */
  hasDay(day: number): boolean {
    return this.days.has(day);
  }

  /** For each minute of the clock, the first at or after it at which the window is open; undefined where the clock ends before. */
  openings(isDay: (day: number) => boolean, from: number, to: number): (number | undefined)[] {
    const open = new Array<boolean>(this.shown.length).fill(false);
    for (const day of this.days) {
      if (!isDay(day)) continue;
      const begin = this.comesTo(day * dayMinutes + from);
      const end = this.reaches((to > from ? day : day + 1) * dayMinutes + to) ?? this.from + open.length;
      if (begin !== undefined && begin < end) open.fill(true, begin - this.from, end - this.from);
    }
    const next: (number | undefined)[] = [];
    let coming: number | undefined;
    for (let index = open.length - 1; index >= 0; index--) {
      if (open[index]) coming = this.from + index;
      next[index] = coming;
    }
    return next;
  }
}
