// Whether each repeat of an acknowledged message is explained by a loss of its sender. Pure: times are ms since the epoch.

/** All is stamped by the clock of one process; how late that process may come to it. */
const toleranceMs = 1_000;

/** After these a member is no more: what it had in doubt is another's, or its own in another life. */
const ends = new Set(['killed', 'taken over', 'fenced', 'failed', 'undrained']);
/** What a member says when it learns of it, which may be late. */
const told = new Set(['fenced', 'failed', 'undrained', 'lease lost']);

/**
 * What was acknowledged may come again only if its sender was lost before it could record the answer: after the first
 * hand-over and before the repeat. One loss explains as many as a member may have in doubt.
 * @param records `{ key, tries: [{ at, worker, acknowledged }] }` of what came more than once.
 * @param troubles see `Workers.troubles`; `stills`: spans `{ name?, from, to }` in which a worker (without name: any) was kept
 * from learning anything.
 */
export function judgeRepeats(records, { troubles, stills = [] }, { inDoubt, leaseTtlMs }) {
  const losses = lossesOf(troubles, stills, leaseTtlMs);
  const repeats = records.flatMap(repeatsOf);
  const unexplained = [];
  const beyond = new Map();
  for (const repeat of repeats.toSorted((a, b) => a.again - b.again)) {
    repeat.losses = losses.filter((loss) => explains(loss, repeat)).sort((a, b) => a.to - b.to);
    if (repeat.losses.length === 0) unexplained.push(describe(repeat));
    else if (!place(repeat, inDoubt, new Set())) beyond.set(repeat.worker, (beyond.get(repeat.worker) ?? 0) + 1);
  }
  const tooMany = [...beyond].map(([name, number]) => `${name}: ${number} more than its losses explain`);
  return { count: repeats.length, unexplained, tooMany, most: Math.max(0, ...losses.map(({ has }) => has.size)) };
}

const repeatsOf = ({ key, tries }) =>
  tries.slice(0, -1).flatMap(({ at, worker, acknowledged }, index) => {
    const { at: again, worker: by } = tries[index + 1];
    return acknowledged ? [{ key, worker, at, again, by }] : [];
  });

const describe = ({ key, worker, at, again, by }) =>
  `${key} by ${worker} at ${new Date(at).toISOString()}, again ${again - at} ms later by ${by}`;

/** Takes a place at the nearest loss; one that is full may give a place of its own away. */
function place(repeat, inDoubt, asked) {
  for (const loss of repeat.losses) {
    if (asked.has(loss)) continue;
    asked.add(loss);
    const leaves = loss.has.size < inDoubt ? undefined : [...loss.has].find((other) => place(other, inDoubt, asked));
    if (leaves === undefined && loss.has.size >= inDoubt) continue;
    loss.has.delete(leaves);
    loss.has.add(repeat);
    return true;
  }
  return false;
}

const explains = ({ worker, windows }, repeat) =>
  worker === repeat.worker &&
  windows.some(
    ({ from, to, byOthers }) =>
      to >= repeat.at - toleranceMs &&
      from <= repeat.again + toleranceMs &&
      // who froze and was not told that it lost anything goes on with what it has
      !(byOthers && repeat.by === repeat.worker),
  );

// ---------------------------------------------------------------- losses

/** One for each life of a member that ended, with all that was said of it, and one for whatever stands alone. */
function lossesOf(troubles, stills, leaseTtlMs) {
  const lives = new Map();
  const lossOf = (trouble) => ({ worker: trouble.name, windows: [], has: new Set() });
  const windows = troubles.map((trouble) => ({ trouble, window: windowOf(trouble, stills, leaseTtlMs) }));
  for (const { trouble, window } of windows.filter(({ trouble }) => ends.has(trouble.kind))) {
    const life = `${trouble.name} ${trouble.member}`;
    if (!lives.has(life)) lives.set(life, lossOf(trouble));
    lives.get(life).windows.push(window);
  }
  const alone = [];
  for (const { trouble, window } of windows.filter(({ trouble }) => !ends.has(trouble.kind))) {
    const life = lives.get(`${trouble.name} ${trouble.member}`);
    if (life?.windows.some((one) => overlap(one, window))) life.windows.push(window);
    else alone.push({ ...lossOf(trouble), windows: [window] });
  }
  const losses = [...lives.values(), ...alone];
  for (const loss of losses) loss.to = Math.min(...loss.windows.map(({ to }) => to));
  return losses;
}

const overlap = (one, other) => one.from <= other.to + toleranceMs && other.from <= one.to + toleranceMs;

/** When the loss may have happened. */
function windowOf({ kind, name, at, from = at, to = at }, stills, leaseTtlMs) {
  if (!told.has(kind)) return { from, to, byOthers: kind === 'frozen' || kind === 'cut off' };
  const own = stills.filter((still) => still.name === undefined || still.name === name);
  return { from: learnedSince(at, own, leaseTtlMs), to: at };
}

/** A lease before it was told, not counting the time in which nothing could be learned. */
function learnedSince(at, stills, leaseTtlMs) {
  for (let from = at - leaseTtlMs; ; ) {
    const earlier = at - leaseTtlMs - coveredMs(stills, from, at);
    if (earlier >= from) return from;
    from = earlier;
  }
}

/** How much of a span these spans cover together, ms. */
export function coveredMs(spans, from, to) {
  let covered = 0;
  let upTo = from;
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const begins = Math.max(upTo, span.from);
    const finishes = Math.min(to, span.to);
    if (finishes <= begins) continue;
    covered += finishes - begins;
    upTo = finishes;
  }
  return covered;
}
