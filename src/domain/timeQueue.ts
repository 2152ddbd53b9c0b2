/** What happens when, earliest first; at one time in the order it was put in. A binary heap. */

interface Entry<T> {
  at: number;
  order: number;
  item: T;
}

/** More than there ever are entries. */
const urgency = 2 ** 52;

const before = <T>(a: Entry<T>, b: Entry<T>): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

export class TimeQueue<T> {
  private readonly heap: Entry<T>[] = [];
  private count = 0;

  /** `isUrgent`: comes before all else of its time but what is urgent too. */
  put(at: number, item: T, isUrgent = false): void {
    const entry = { at, order: this.count++ - (isUrgent ? urgency : 0), item };
    let hole = this.heap.length;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      const above = this.heap[parent] as Entry<T>;
      if (!before(entry, above)) break;
      this.heap[hole] = above;
      hole = parent;
    }
    this.heap[hole] = entry;
  }

  take(): { at: number; item: T } | undefined {
    const first = this.heap[0];
    const last = this.heap.pop();
    if (first === undefined || last === undefined) return undefined;
    if (this.heap.length > 0) this.sink(last);
    return first;
  }

  private sink(entry: Entry<T>): void {
    const { length } = this.heap;
    let hole = 0;
    for (;;) {
      const left = 2 * hole + 1;
      if (left >= length) break;
      const right = left + 1;
      const isRight = right < length && before(this.heap[right] as Entry<T>, this.heap[left] as Entry<T>);
      const child = isRight ? right : left;
      const below = this.heap[child] as Entry<T>;
      if (!before(below, entry)) break;
      this.heap[hole] = below;
      hole = child;
    }
    this.heap[hole] = entry;
  }
}
