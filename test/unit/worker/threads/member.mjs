// A thread with the protocol of a member and none of its work. What it does is in the query of its address:
// die=N: the first N threads of this seat die at once; final: it cannot ever start; stop=never: it does not drain;
// after=N.2: the others answer for metrics when the second thread of the seat N is there; dieAfterMetrics=N: the first thread of the seat N dies with its answer.
import { existsSync, writeFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const query = new URL(import.meta.url).searchParams;
const { thread, config } = workerData;
const log = (message, fields) =>
  parentPort.postMessage({ type: 'log', line: JSON.stringify({ message, thread, ...fields }) });

/** How many threads this seat has had, this one included; counted in files, for threads share nothing. */
function incarnation() {
  let number = 1;
  while (existsSync(`${query.get('dir')}/${thread}.${number}`)) number += 1;
  writeFileSync(`${query.get('dir')}/${thread}.${number}`, '');
  return number;
}
const number = incarnation();

if (query.has('final')) {
  parentPort.postMessage({ type: 'final', code: 'not_initialised', message: 'run init' });
  process.exit(1);
}
if (number <= Number(query.get('die') ?? 0)) {
  log('dying', { number });
  if (query.has('throw')) throw new Error('nobody catches this');
  process.exit(3);
}

function whenThere(file, then) {
  if (existsSync(file)) then();
  else setTimeout(whenThere, 10, file, then);
}

const counter = {
  name: 'test_total',
  help: 'h',
  type: 'counter',
  aggregator: 'sum',
  values: [{ value: 10, labels: {} }],
};
parentPort.on('message', (message) => {
  if (message.type === 'metrics') {
    const answer = () => parentPort.postMessage({ type: 'metrics', id: message.id, snapshot: [counter] });
    const awaited = query.get('after');
    if (awaited === null || awaited.startsWith(`${thread}.`)) answer();
    else whenThere(`${query.get('dir')}/${awaited}`, answer);
    if (Number(query.get('dieAfterMetrics') ?? -1) === thread && number === 1) setImmediate(() => process.exit(4));
  }
  if (message.type === 'stop') {
    log('stopping', { database: config.mongodbDatabase });
    if (query.get('stop') !== 'never') process.exit(0);
  }
});
parentPort.postMessage({
  type: 'status',
  status: {
    memberId: `m${number}`,
    joined: true,
    streamOpen: true,
    leaseValid: true,
    partitions: 1,
    inDoubt: 0,
    pipelinesRunning: true,
  },
});
