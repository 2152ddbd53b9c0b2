// Figures as people read them.

const whole = (value) => (value === undefined ? '-' : Math.round(value).toLocaleString('en-US'));
const fixed = (digits) => (value) => (value === undefined ? '-' : value.toFixed(digits));

const columns = [
  ['', (run) => run.name],
  ['messages/s', (run) => whole(run.messagesPerSecond)],
  ['worker CPU s/1,000', (run) => fixed(3)(run.workerCpuPer1000)],
  ['mongod CPU s/1,000', (run) => fixed(3)(run.mongodCpuPer1000)],
  ['peak RSS MB', (run) => whole(run.peakRssMb)],
  ['seconds', (run) => fixed(1)(run.seconds)],
  ['lost', (run) => whole(run.lost)],
  ['repeated', (run) => whole(run.repeated)],
];

export function throughputTable(runs) {
  return table(
    columns.map(([title]) => title),
    runs.map((run) => columns.map(([, of]) => of(run))),
  );
}

export function latencyTable(rows) {
  return table(
    ['due to', 'message', 'count', 'p50 ms', 'p99 ms', 'max ms'],
    rows.map((row) => [row.to, row.message, whole(row.count), whole(row.p50), whole(row.p99), whole(row.max)]),
  );
}

export function profileTable(rows) {
  return table(
    ['%', 'ms', 'function', 'where'],
    rows.map((row) => [fixed(1)(row.percent), whole(row.ms), row.function, row.where]),
  );
}

export function table(head, rows) {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  const line = (cells) =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  ');
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

/** Of an even number: between the two in the middle. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
