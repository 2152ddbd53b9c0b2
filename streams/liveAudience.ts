/** Between two looks past the last key of a live audience. */
const lookEveryMs = 30_000;
/** From the end of a pass over all of it to the next, at least. */
const passEveryMs = 300_000;
/** After a look or a pass, at least so many times as long as it took. */
const restShare = 10;

/**
 * Where a member is with a live audience. What is stored is the last key that was ever reached: behind it, contacts are read as in
 * any expansion. Who joins before it is found by passes over all of the audience, of which nothing is stored but who
 * enters: whoever takes over begins one anew. So it is with how far a look came where nobody fitted.
 */
export class LiveAudience {
  /** How long there is nothing more to read, ms. */
  restMs = lookEveryMs;
  /** Monotonic ms. */
  private passAt: number | undefined;
  private pass: { began: number; after: unknown } | undefined;
  /** `upTo`: the last key there was when it began. */
  private look: { began: number; upTo: unknown; isBusy?: boolean } | undefined;
  /** Everything before it was looked at. */
  private at: { after: unknown } | undefined;

  /** The next page is one of a pass over all. */
  get isPassing(): boolean {
    return this.pass !== undefined;
  }

  /** A look is to begin with the next page. */
  get begins(): boolean {
    return this.pass === undefined && this.look === undefined;
  }

  begin(upTo: unknown, monotonicMs: number): void {
    this.look = { began: monotonicMs, upTo };
  }

  /** What the next page comes behind. */
  from(stored: unknown): unknown {
    if (this.pass !== undefined) return this.pass.after;
    return this.at === undefined ? stored : this.at.after;
  }

  /** Somebody else went on from what is stored. */
  lost(): void {
    this.at = undefined;
  }

  /** Takes in a page that is done with. False: there is nothing more to read for `restMs`. */
  done({ reached, isLast, isEmpty }: { reached: unknown; isLast: boolean; isEmpty: boolean }, monotonicMs: number) {
    if (this.pass !== undefined) return this.passed(this.pass, reached, isLast, monotonicMs);
    if (!isLast) {
      if (this.look && !isEmpty) this.look.isBusy = true;
      this.at = { after: reached };
      return true;
    }
    const { began = monotonicMs, upTo, isBusy = !isEmpty } = this.look ?? {};
    this.look = undefined;
    if (!isEmpty) this.at = { after: reached };
    else if (upTo !== undefined) this.at = { after: upTo };
    // what takes long where people come in is their coming in
    this.restMs = isBusy || !isEmpty ? lookEveryMs : Math.max(lookEveryMs, restShare * (monotonicMs - began));
    this.passAt ??= monotonicMs + passEveryMs;
    if (monotonicMs < this.passAt) return false;
    this.pass = { began: monotonicMs, after: undefined };
    return true;
  }

  private passed(pass: { began: number; after: unknown }, reached: unknown, isLast: boolean, monotonicMs: number) {
    pass.after = reached;
    if (!isLast) return true;
    this.pass = undefined;
    this.restMs = lookEveryMs;
    this.passAt = monotonicMs + Math.max(passEveryMs, restShare * (monotonicMs - pass.began));
    return false;
  }
}
