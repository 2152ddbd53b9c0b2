/** Chance that is the same for the same seed, whatever else is drawn: by name, not by turn. */
import { fnv1a32 } from './ids.ts';

/** Uniform in [0, 1) for a seed and a name. Close names are as far apart as any (finalizer of MurmurHash3). */
export function draw(seed: number, name: string): number {
  let word = fnv1a32(name) ^ Math.imul(seed | 0, 0x9e3779b1);
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return ((word ^ (word >>> 16)) >>> 0) / 2 ** 32;
}

/** Uniform in [0, 1), one after the other (mulberry32). */
export function draws(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}
