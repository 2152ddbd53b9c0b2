// Medians over the rounds, as people read them.
import { median, table } from '../table.mjs';

const whole = (value) => Math.round(value).toLocaleString('en-US');
const seconds = (value) => (Number.isFinite(value) ? value.toFixed(1) : '-');
const sum = (run) => run.workerMicros + run.databaseMicros;
const most = (values) => Math.max(...values);

const tableOf = (columns) => (results) =>
  table(
    ['', ...columns.map(([title]) => title)],
    results.map(({ candidate, runs }) => [candidate.name, ...columns.map(([, of]) => of(runs))]),
  );
const medianOf = (field) => (runs) => whole(median(runs.map(field)));

export const throughputTable = tableOf([
  ['messages/s', medianOf((run) => run.messagesPerSecond)],
  ['worker CPU us/message', medianOf((run) => run.workerMicros)],
  ['database CPU us/message', medianOf((run) => run.databaseMicros)],
  ['both', medianOf(sum)],
  ['peak RSS MB', (runs) => whole(most(runs.map((run) => run.rssMb)))],
  ['lost', (runs) => whole(most(runs.map((run) => run.lost)))],
  ['repeated', (runs) => whole(most(runs.map((run) => run.repeated)))],
]);

export const killTable = tableOf([
  ['first after s', (runs) => seconds(median(runs.map((run) => run.firstAfter)))],
  ['all after s', (runs) => seconds(median(runs.map((run) => run.allAfter)))],
  ['repeated', medianOf((run) => run.repeated)],
  ['most repeated', (runs) => whole(most(runs.map((run) => run.repeated)))],
  ['lost', (runs) => whole(most(runs.map((run) => run.lost)))],
]);

/** Beside the first of the candidates, within a round: the speed of the machine changes less there. */
export function ratioTable(results) {
  const [{ candidate: first, runs: base }] = results;
  const ratio = (runs, field) => {
    const ratios = runs.map((run, at) => field(run) / field(base[at]));
    const range = `${Math.min(...ratios).toFixed(2)} to ${most(ratios).toFixed(2)}`;
    return `${median(ratios).toFixed(2)} (${range})`;
  };
  return table(
    [`of ${first.name}`, 'messages/s', 'worker CPU', 'database CPU', 'both'],
    results
      .slice(1)
      .map(({ candidate, runs }) => [
        candidate.name,
        ratio(runs, (run) => run.messagesPerSecond),
        ratio(runs, (run) => run.workerMicros),
        ratio(runs, (run) => run.databaseMicros),
        ratio(runs, sum),
      ]),
  );
}
