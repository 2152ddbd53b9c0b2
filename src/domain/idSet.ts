/** Which ids there were, in some 16 to 32 bytes each, however long they are. */

const lanes = 3;
const smallest = 1 << 10;

export interface IdSet {
  readonly size: number;
  /** False when it was there before. */
  add(id: string): boolean;
  has(id: string): boolean;
}

/**
 * Remembers 96 bits of a hash of each id (open addressing, at most three quarters full): among ten million ids two are
 * taken for one with a probability of 10⁻¹⁵. `hash` gives at least 12 bytes and spreads them evenly.
 */
export function createIdSet(hash: (id: string) => Uint8Array): IdSet {
  let capacity = smallest;
  let slots = new Uint32Array(capacity * lanes);
  let size = 0;

  /** Where these three words are, or the free slot they belong in. The first is never 0: that is a free slot. */
  const slotOf = (a: number, b: number, c: number): number => {
    let slot = b & (capacity - 1);
    for (;;) {
      const at = slot * lanes;
      if (slots[at] === 0 || (slots[at] === a && slots[at + 1] === b && slots[at + 2] === c)) return at;
      slot = (slot + 1) & (capacity - 1);
    }
  };
  const put = (at: number, a: number, b: number, c: number): void => {
    slots[at] = a;
    slots[at + 1] = b;
    slots[at + 2] = c;
  };
  const grow = (): void => {
    const old = slots;
    capacity *= 2;
    slots = new Uint32Array(capacity * lanes);
    for (let at = 0; at < old.length; at += lanes) {
      const [a, b, c] = old.subarray(at, at + lanes) as unknown as [number, number, number];
      if (a !== 0) put(slotOf(a, b, c), a, b, c);
    }
  };
  const wordsOf = (id: string): [number, number, number] => {
    const bytes = hash(id);
    const view = new DataView(bytes.buffer, bytes.byteOffset, lanes * 4);
    return [view.getUint32(0) || 1, view.getUint32(4), view.getUint32(8)];
  };
  return {
    get size() {
      return size;
    },
    has: (id) => slots[slotOf(...wordsOf(id))] !== 0,
    add(id) {
      const [a, b, c] = wordsOf(id);
      const at = slotOf(a, b, c);
      if (slots[at] !== 0) return false;
      put(at, a, b, c);
      size += 1;
      if (size * 4 > capacity * 3) grow();
      return true;
    },
  };
}
