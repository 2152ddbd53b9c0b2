/** How fast a campaign goes, and what may honestly be said of its end. Pure: figures and times come in. */

/** What was counted at a moment. */
export interface Sample {
  /** ms of a monotonic clock. */
  at: number;
  sent: number;
  /** Conversations that have ended. */
  ended: number;
  entered: number;
}
export type Counted = 'sent' | 'ended' | 'entered';

/** Samples are kept for as long as this, ms; and no more than so many of them. */
const keptMs = 600_000;
const keptSamples = 1_000;

export class RateMeter {
  private samples: Sample[] = [];

  /** A sample later than all before. A count that fell begins a new story. */
  see(sample: Sample): void {
    const last = this.samples.at(-1);
    if (last && (sample.sent < last.sent || sample.ended < last.ended || sample.entered < last.entered)) this.forget();
    this.samples.push(sample);
    if (this.samples.length > keptSamples) this.samples.shift();
    this.samples = this.samples.filter(({ at }) => at >= sample.at - keptMs);
  }

  /** Per second over the last `overMs`, or the shortest longer span that was looked at; undefined before two samples. */
  rate(name: Counted, overMs: number): number | undefined {
    const last = this.samples.at(-1);
    const first = this.samples.findLast((sample) => last !== undefined && sample.at <= last.at - overMs);
    return between(first ?? this.samples[0], last, name);
  }

  /** Rates between the samples, oldest first, at most `many`. */
  rates(name: Counted, many: number): number[] {
    const shown = this.samples.slice(-many - 1);
    return shown.slice(1).map((sample, index) => between(shown[index], sample, name) ?? 0);
  }

  /** ms since a look at which the figures were the same as at all after it; 0 unless two looks after that found no movement. */
  stillMs(): number {
    const last = this.samples.at(-1);
    if (last === undefined) return 0;
    const moved = this.samples.findLastIndex(
      ({ sent, ended, entered }) => sent !== last.sent || ended !== last.ended || entered !== last.entered,
    );
    const still = this.samples.slice(moved + 1);
    return still.length > 2 ? last.at - (still[0] as Sample).at : 0;
  }

  /** Nothing was seen for a while: what lies before it says nothing of what comes after. */
  forget(): void {
    this.samples = [];
  }
}

function between(first: Sample | undefined, last: Sample | undefined, name: Counted): number | undefined {
  if (first === undefined || last === undefined || last.at <= first.at) return undefined;
  return ((last[name] - first[name]) * 1000) / (last.at - first.at);
}

/** A number that was counted up to a bound: `more` says that there are more. */
export interface Count {
  count: number;
  more: boolean;
}

/** When active conversations have something due. */
export interface DueCounts {
  /** Due by now. */
  now: Count;
  /** Due later, in spans that follow one another, the nearest first; `withinMs` from now, absent in the last one: any time after. */
  later: readonly (Count & { withinMs?: number })[];
  /** The earliest due time ahead; with `nextIsBound` it may be earlier. */
  next?: Date;
  nextIsBound?: boolean;
}

/** Everybody whose time is still ahead. */
export const waiting = ({ later }: DueCounts): Count => ({
  count: later.reduce((sum, { count }) => sum + count, 0),
  more: later.some(({ more }) => more),
});

export interface EstimateInput {
  /** Campaign and run are running, and sending is on. */
  running: boolean;
  expansionDone: boolean;
  active: number;
  /** Undefined: not known. */
  due: DueCounts | undefined;
  /** Per second; undefined: not known yet. */
  sentRate: number | undefined;
  endedRate: number | undefined;
}

/** What can be said of the end. Anything but `in` is a reason to say nothing. */
export type Estimate =
  | { kind: 'in'; ms: number }
  | {
      kind: 'none';
      why: 'not_running' | 'reading_audience' | 'not_measured' | 'waiting' | 'going_on' | 'standing_still';
    };

/** So many of the active ones may wait for their time before the rest says nothing of the end. */
const waitingShare = 0.05;
/** Fewer endings than this for each message: those who got one go on in the flow. */
const endingShare = 0.5;

/** The time to the end at the present rate; none where the present rate tells nothing of it. */
export function estimate(input: EstimateInput): Estimate {
  const { active, due, endedRate, sentRate } = input;
  if (!input.running) return { kind: 'none', why: 'not_running' };
  if (!input.expansionDone) return { kind: 'none', why: 'reading_audience' };
  if (due === undefined || endedRate === undefined || sentRate === undefined)
    return { kind: 'none', why: 'not_measured' };
  if (Math.min(active, waiting(due).count) > active * waitingShare) return { kind: 'none', why: 'waiting' };
  if (endedRate <= 0) return { kind: 'none', why: sentRate > 0 ? 'going_on' : 'standing_still' };
  if (endedRate < sentRate * endingShare) return { kind: 'none', why: 'going_on' };
  return { kind: 'in', ms: (active / endedRate) * 1000 };
}

/** ms until what is due now has left, at the present rate; undefined where there is none to speak of. */
export function drainMs(due: DueCounts | undefined, sentRate: number | undefined): number | undefined {
  if (due === undefined || sentRate === undefined || sentRate <= 0 || due.now.count < sentRate * 2) return undefined;
  return (due.now.count / sentRate) * 1000;
}
