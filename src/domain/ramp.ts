/**
 * The warm-up of a sender: how many messages of a campaign may leave in each period from its start on. The entries follow each
 * other, each for one day (24 hours) or hour; the last holds, period by period, from then on. A sender that ended its warm-up
 * would else get all at once what waited.
 */

export interface RampStep {
  readonly limit: number;
  readonly periodMs: number;
  /** Since the start, ms. */
  readonly offsetMs: number;
}

export interface Ramp {
  /** At least one. */
  readonly steps: readonly RampStep[];
  /** ms since the epoch. */
  readonly startedAt: number;
}

/** `[from, until)`, ms since the epoch. */
export interface Period {
  from: number;
  until: number;
  limit: number;
}

export function rampSteps(entries: readonly Pick<RampStep, 'limit' | 'periodMs'>[]): RampStep[] {
  let offsetMs = 0;
  return entries.map((one) => {
    const step = { ...one, offsetMs };
    offsetMs += one.periodMs;
    return step;
  });
}

/** The period of an instant; what is before the start belongs to the first. */
export function periodAt({ steps, startedAt }: Ramp, at: number): Period {
  const sinceMs = Math.max(0, at - startedAt);
  const { limit, periodMs, offsetMs } = steps.findLast((step) => step.offsetMs <= sinceMs) as RampStep;
  const from = startedAt + offsetMs + Math.floor((sinceMs - offsetMs) / periodMs) * periodMs;
  return { from, until: from + periodMs, limit };
}

/** As many as are looked at anew in a period cost next to nothing. */
const fewest = 10_000;
/** Of those looked at in a period, one is to leave: the others are there for those who need no message any more. */
const candidates = 4;

/**
 * When somebody for whom there is no room is looked at again, ms: with the next period, unless far more wait than it could
 * take. Then they are spread over as many as will look at `candidates` times what they take each: a million that wait are not
 * written anew every day. `waiting`: how many wait.
 */
export function nextTurn(ramp: Ramp, now: number, waiting: number, random: () => number): number {
  let period = periodAt(ramp, periodAt(ramp, now).until);
  const last = ramp.startedAt + (ramp.steps.at(-1) as RampStep).offsetMs;
  for (let rank = random() * waiting; ; period = periodAt(ramp, period.until)) {
    const looked = Math.max(fewest, candidates * period.limit);
    if (period.from >= last) return period.from + Math.floor(rank / looked) * (period.until - period.from);
    if (rank < looked) return period.from;
    rank -= looked;
  }
}
