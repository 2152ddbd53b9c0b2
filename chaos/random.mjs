/**
 * A small seeded generator (mulberry32): the same seed tells the same story. `fork` gives independent ones, so that what one
 * part draws does not shift the others.
 */
export function seeded(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (from, to) => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    /** A whole number in `[from, to]`. */
    int,
    chance: (share) => next() < share,
    pick: (list) => list[Math.floor(next() * list.length)],
    shuffled(list) {
      const copy = [...list];
      for (let last = copy.length - 1; last > 0; last--) {
        const other = int(0, last);
        [copy[last], copy[other]] = [copy[other], copy[last]];
      }
      return copy;
    },
    fork: () => seeded(Math.floor(next() * 2 ** 32)),
  };
}
