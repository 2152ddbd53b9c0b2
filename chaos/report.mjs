// What a run tells at its end, and what of it is a failure.

/** At least so many messages a minute, or next to nothing was tried. */
/** Minutes of a run with so many calms that a campaign is ended in one of them. */
const leastForCalm = 10;
const leastMessages = 100;

/** One a minute is tried; some meet a database that is away. */
export const leastAudits = (minutes) => Math.floor(minutes / 3);

export function reportOf(run) {
  const { seed, minutes, faults, settledAfterMs, audited, verdict, meanwhile, world, workers, traffic } = run;
  return {
    ...{
      seed,
      minutes,
      faults,
      injected: Object.values(faults).reduce((sum, n) => sum + n, 0),
      notDone: world.notDone,
    },
    ...{ traffic: traffic.actions, messages: verdict.figures, settledAfterMs },
    ...{ workerStarts: workers.starts, seen: workers.counts, errors: Object.fromEntries(workers.errors) },
    audit: {
      ok: audited.ok,
      conversations: audited.conversations,
      messages: audited.messages,
      unknown: audited.unknown,
      timesMeanwhile: meanwhile.times,
    },
    problems: Object.fromEntries(problemsOf(run)),
  };
}

function problemsOf({ minutes, faults, stuck, audited, verdict, meanwhile, world, workers }) {
  const { crashes, counts } = workers;
  const examples = (found) => ({ count: found.length, examples: found.slice(0, 10) });
  return [
    ...Object.entries(verdict.faults).filter(([, { count }]) => count > 0),
    ...(stuck.length > 0 ? [['stuck', examples(stuck)]] : []),
    ...(audited.ok && audited.code === 0
      ? []
      : [['audit', { code: audited.code, ...examples(audited.findings ?? []) }]]),
    ...(meanwhile.wrong.length > 0 ? [['audit, while everything failed', examples(meanwhile.wrong)]] : []),
    ...(crashes.length > 0 ? [['worker processes that ended by themselves', crashes]] : []),
    ...(counts.uncaught > 0 ? [['exceptions that nobody caught', counts.uncaught]] : []),
    ...(counts.reconciled > 0 ? [['reconcile had to repair something', counts.reconciled]] : []),
    ...Object.entries(tooLittle({ minutes, faults, verdict, meanwhile, world, counts })),
  ];
}

/** A run in which little went wrong proves little. */
function tooLittle({ minutes, faults, verdict, meanwhile, world, counts }) {
  const injected = Object.values(faults).reduce((sum, n) => sum + n, 0);
  const kills = faults['kill a worker'] ?? 0;
  const gaps = faults['positions fall off the oplog'] ?? 0;
  return {
    ...(world.notDone.length > injected / 4 ? { 'faults that could not be injected': world.notDone } : {}),
    ...(kills > 1 && counts.takeOvers === 0 ? { 'workers were killed, and nobody was taken over': kills } : {}),
    ...(gaps > 2 && counts.positionsLost === 0 ? { 'positions fell off, and nobody noticed': gaps } : {}),
    ...(meanwhile.times < leastAudits(minutes) ? { 'hardly any audit while everything failed': meanwhile.times } : {}),
    ...(minutes >= leastForCalm && verdict.figures.endedAlive === 0 ? { 'no campaign was ended in a calm': 0 } : {}),
    ...(verdict.figures.taken < leastMessages * minutes ? { 'hardly any messages': verdict.figures.taken } : {}),
  };
}
