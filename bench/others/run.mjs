// One run of one candidate on a fresh database and a fresh sink.
import { setTimeout as sleep } from 'node:timers/promises';
import { meter, peakRssMb, startRole } from '../processes.mjs';

/** The sink counted nothing new for so long: the run is over, and what is missing is lost. */
const patienceMs = 60_000;
/** For the records of the last messages, before the processor time is read. */
const settleMs = 1_000;
/** What arrives later than this after the kill was not on its way any more. */
const onTheWayMs = 250;

const ask = async (sinkUrl, path) => (await fetch(`${sinkUrl}${path}`)).json();

/** Resolves with the sink's counts when it has `count` messages, or nothing new came for `patience` ms. */
async function reached(sinkUrl, count, { patience, everyMs = 100 }) {
  const startedAt = Date.now();
  for (;;) {
    const stats = await ask(sinkUrl, '/stats');
    if (stats.unique >= count) return stats;
    if (Date.now() - Math.max(startedAt, stats.lastNewAt) > patience) return stats;
    await sleep(everyMs);
  }
}

async function onStage(candidate, options, body) {
  const library = await candidate.install();
  const database = await candidate.startDatabase();
  const { child: sink, first } = await startRole('sink.mjs');
  const settings = { ...options, ...database.where, library, sinkUrl: first.url };
  try {
    await candidate.prepare?.(settings);
    return await body(settings, database);
  } finally {
    sink.disconnect();
    await database.stop();
  }
}

/** `{ messagesPerSecond, workerMicros, databaseMicros, rssMb, lost, repeated }`; microseconds of processor time, per message. */
export const throughputRun = (candidate, options) =>
  onStage(candidate, options, async (settings, database) => {
    const messages = 2 * options.contacts;
    const worker = await candidate.startWorker(settings);
    const producer = await candidate.startProducer(settings);
    const pids = [worker.pid, ...producer.pids];
    const cpu = { worker: meter(pids), database: meter([database.pid]) };
    const startedAt = Date.now();
    await producer.begin();
    const { unique, lastNewAt } = await reached(settings.sinkUrl, messages, { patience: patienceMs });
    await sleep(settleMs);
    const { repeated } = await ask(settings.sinkUrl, '/stats');
    const figures = {
      messagesPerSecond: (unique / (lastNewAt - startedAt)) * 1000,
      workerMicros: (cpu.worker() / unique) * 1e6,
      databaseMicros: (cpu.database() / unique) * 1e6,
      rssMb: pids.reduce((sum, pid) => sum + peakRssMb(pid), 0),
      lost: messages - unique,
      repeated,
    };
    producer.stop();
    worker.kill('SIGKILL');
    await worker.gone;
    return figures;
  });

/**
 * The worker is killed when half of the messages are at the sink, and another one started at once.
 * `{ firstAfter, allAfter, lost, repeated }`; seconds from the kill to the first and the last message that came by the other.
 */
export const killRun = (candidate, options) =>
  onStage(candidate, options, async (settings) => {
    const messages = 2 * options.contacts;
    const first = await candidate.startWorker(settings);
    const producer = await candidate.startProducer(settings);
    await producer.begin();
    await reached(settings.sinkUrl, options.contacts, { patience: patienceMs, everyMs: 10 });
    first.kill('SIGKILL');
    const killedAt = Date.now();
    await first.gone;
    const second = await candidate.startWorker({ ...settings, again: true });
    const patience = candidate.heldMs + patienceMs;
    await reached(settings.sinkUrl, messages, { patience });
    // what was sent and not recorded comes again when its lock is over, which may be after all are there
    await sleep(Math.max(0, killedAt + candidate.heldMs - Date.now()));
    const { unique, repeated, lastNewAt } = await ask(settings.sinkUrl, '/stats');
    const times = (await ask(settings.sinkUrl, '/arrivals')).map(([, time]) => time);
    const next = Math.min(...times.filter((time) => time > killedAt + onTheWayMs));
    producer.stop();
    second.kill('SIGKILL');
    await second.gone;
    return {
      firstAfter: (next - killedAt) / 1000,
      allAfter: (lastNewAt - killedAt) / 1000,
      lost: messages - unique,
      repeated,
    };
  });
