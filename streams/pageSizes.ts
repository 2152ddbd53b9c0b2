/** How much of an audience is taken at once: less where little fits, or where something of it is refused. */

/** Most contacts of one slice: one transaction. */
export const sliceSize = 1000;
/** A page should take about so long, ms: more documents are looked at in the next where it took less. */
const quickMs = 250;
const slowMs = 1_000;
/** Documents looked at for one page. */
const fewest = 100;
const most = 1_000_000;
/** Contacts refused one after the other: it is not they who are to blame then. */
const mostRefused = 20;

export class PageSizes {
  /** Documents looked at for a page, at most; undefined while they fit that often that nothing has to be bounded. */
  looked: number | undefined;
  /** Contacts of a slice, at most. */
  slice = sliceSize;
  private refused = 0;

  /** Takes in a page that came. */
  pageCame(found: number, looked: number | undefined, tookMs: number): void {
    if (found >= sliceSize || (looked === undefined && this.looked === undefined)) this.looked = undefined;
    else if (looked !== undefined) {
      const factor = tookMs < quickMs ? 2 : tookMs > slowMs ? 0.5 : 1;
      this.looked = Math.min(most, Math.max(fewest, Math.ceil(looked * factor)));
    }
  }

  /** Something of a slice of so many cannot be written: half of it may. False when it is one alone. */
  halved(count: number): boolean {
    this.slice = Math.max(1, count >> 1);
    return count > 1;
  }

  /** A slice was written. */
  written(): void {
    this.refused = 0;
    this.slice = Math.min(sliceSize, 2 * this.slice);
  }

  /** One alone was left out. False when it was one of too many. */
  leftOut(): boolean {
    this.refused += 1;
    return this.refused < mostRefused;
  }
}
