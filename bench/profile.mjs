// The ten functions that took the most time by themselves, of the busiest thread of a folder of .cpuprofile files.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const idle = new Set(['(idle)', '(program)', '(root)']);

/** `[{ function, where, percent, ms }]`, by self time; `percent` is of the time the thread was busy. */
export function topTen(folder) {
  const profiles = readdirSync(folder)
    .filter((file) => file.endsWith('.cpuprofile'))
    .map((file) => selfTimes(JSON.parse(readFileSync(join(folder, file), 'utf8'))));
  const busiest = profiles.toSorted((a, b) => b.busyMs - a.busyMs)[0];
  if (!busiest) return [];
  return [...busiest.byFunction]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 10)
    .map(([key, ms]) => {
      const [name, where] = key.split('\n');
      return { function: name, where, percent: (100 * ms) / busiest.busyMs, ms };
    });
}

function selfTimes({ nodes, samples, timeDeltas }) {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const byFunction = new Map();
  let busyMs = 0;
  for (const [index, id] of samples.entries()) {
    const { functionName, url, lineNumber } = names.get(id);
    if (idle.has(functionName)) continue;
    const ms = timeDeltas[index] / 1000;
    busyMs += ms;
    const key = `${functionName || '(anonymous)'}\n${placeOf(url, lineNumber)}`;
    byFunction.set(key, (byFunction.get(key) ?? 0) + ms);
  }
  return { busyMs, byFunction };
}

function placeOf(url, lineNumber) {
  if (url === '') return 'native';
  const short = url
    .replace(/^file:\/\//, '')
    .replace(/^.*?\/(dist|node_modules)\//, (_all, part) => (part === 'dist' ? '' : ''));
  return `${short}:${lineNumber + 1}`;
}
