// Which fault comes when, and what of them is remembered.
import { kinds } from './faults.mjs';

export const faultNames = Object.keys(kinds);

/** These stop everybody for a while: once in so many rounds of the bag. */
const rare = { 'positions fall off the oplog': 4, 'campaigns are dropped and put back': 4 };

/** At the end of each such span nothing begins for a while, ms: what works has to show then that it does. */
const calm = { everyMs: 180_000, lastsMs: 35_000 };
const isCalm = (at) => at % calm.everyMs > calm.everyMs - calm.lastsMs;

/**
 * The schedule of a seed: `[{ at, name, particulars }]`, `at` in ms from the start. Kinds come from a bag that is filled
 * again when it is empty, so each has its turn in a short run too.
 */
export function schedule(world, random, { totalMs, everyMs }) {
  const plan = [];
  let bag = [];
  let round = 0;
  const freeAt = {};
  for (let at = everyMs; at < totalMs; at += everyMs * (0.4 + 1.2 * random.next())) {
    if (isCalm(at)) continue;
    if (bag.length === 0) {
      bag = random.shuffled(faultNames.filter((name) => round % (rare[name] ?? 1) === 0));
      round += 1;
    }
    const index = bag.findIndex((name) => !(at < freeAt[kinds[name].alone]));
    if (index < 0) continue;
    const [name] = bag.splice(index, 1);
    const { alone, draw } = kinds[name];
    const particulars = draw(world, random.fork());
    const lastsMs = particulars.ms ?? (particulars.seconds ?? 8) * 1000;
    // time for a server that was away to catch up
    if (alone) freeAt[alone] = at + lastsMs + (alone === 'servers' ? 6000 : 2000);
    plan.push({ at, name, particulars });
  }
  return plan;
}

/** Does it, and keeps its span in `world.spans`: `{ name, kind, from, to }`, ms since the epoch. */
export async function perform(world, { name, particulars }) {
  const span = { name, kind: kinds[name], from: Date.now() };
  world.spans.push(span);
  try {
    return await kinds[name].run(world, particulars);
  } finally {
    span.to = Date.now();
  }
}
