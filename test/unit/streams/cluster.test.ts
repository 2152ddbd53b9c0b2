/** Members that come, freeze, die and leave at random while they work; then all that ends, and everything has to add up. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Cluster } from './cluster/cluster.ts';
import { apply, type Command, commands } from './cluster/commands.ts';
import { faultsOf, unsettled } from './cluster/verdict.ts';

/** How many stories; a soak asks for more. */
const numRuns = Number(process.env['RUNS'] ?? 20);
/** `seed:path` as a failure told it: that story again, made as small as may be. */
const [, seed, path = ''] = /^(-?\d+):(.+)$/.exec(process.env['STORY'] ?? '') ?? [];
if (seed === undefined && process.env['STORY']) throw new Error('STORY is not seed:path');
const replay =
  seed === undefined ? { endOnFailure: true } : { seed: Number(seed), path, interruptAfterTimeLimit: 800_000 };
/** Virtual time until everything has to be settled: clocks were up to five minutes ahead. */
const patienceMs = 3_600_000;

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
function draws(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function story(members: number, script: readonly Command[], seed: number): Promise<Cluster> {
  const cluster = new Cluster(draws(seed));
  for (let n = 0; n < members; n++) cluster.join();
  for (const command of script) {
    apply(cluster, command);
    await cluster.clock.advanceAsync(command.then);
  }
  cluster.calm();
  for (let ms = 0; ms < patienceMs; ms += 5_000) {
    await cluster.clock.advanceAsync(5_000);
    if (ms >= 20_000 && unsettled(cluster).length === 0) break;
  }
  // figures are folded every second
  await cluster.clock.advanceAsync(3_000);
  return cluster;
}

test(
  'whatever befalls the members, nothing is lost, nothing leaves twice for nothing, and all is shared out in the end',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 4 }), commands, fc.nat(2 ** 31), async (members, script, seed) => {
        expect(faultsOf(await story(members, script, seed))).toEqual([]);
      }),
      { numRuns, ...replay },
    );
  },
  900_000 + numRuns * 10_000,
);
