// Worker processes as an operator runs them: started again whenever they end, their logs kept and watched.
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProgram } from '../bench/processes.mjs';

/** What of a log is counted; all else stays in the files. */
const watched = {
  takeOvers: /"message":"a member was taken over"/,
  fenced: /"message":"the member was fenced; it rejoins"/,
  failed: /"message":"the member failed; it rejoins"/,
  positionsLost: /"code":"position_lost"/,
  reopened: /"message":"the change stream broke/,
  leasesLost: /"code":"lease_lost"/,
  undrained: /leaving before everything was drained|before everything was handed over/,
  unknownCommits: /nobody can say whether a round was committed/,
  reconciled: /"code":"reconciled"/,
  uncaught: /an exception nobody caught|a rejection nobody handled/,
};

/** Lines after which a process has given up what it had, or cut off what was on the wire. */
const trouble =
  /"message":"(the member was fenced; it rejoins|the member failed|leaving before everything was drained|the lease ran out)/;

export class Workers {
  #env;
  #folder;
  #slots = [];
  #over = false;
  counts = Object.fromEntries(Object.keys(watched).map((name) => [name, 0]));
  /** What may make a process lose what it has in doubt: `{ name, at }`, ms since the epoch. */
  troubles = [];
  /** Lines of level error by message: how many, and the first. */
  errors = new Map();
  /** Processes that ended although nobody asked them to. */
  crashes = [];
  starts = 0;

  constructor({ count, env, folder }) {
    this.#env = env;
    this.#folder = folder;
    for (let index = 0; index < count; index++) {
      this.#slots.push({ index, name: `w${index}`, generation: 0, process: undefined, expected: false });
      this.start(index);
    }
  }

  get count() {
    return this.#slots.length;
  }

  pid(index) {
    return this.#slots[index].process?.pid;
  }

  /** Name of the process: another one after each start. */
  name(index) {
    const { name, generation } = this.#slots[index];
    return `${name}.${generation}`;
  }

  /** Id of the member it joined as last. */
  member(index) {
    return this.#slots[index].member;
  }

  port(index) {
    return this.#slots[index].port;
  }

  start(index) {
    const slot = this.#slots[index];
    if (slot.process || this.#over) return;
    slot.generation += 1;
    this.starts += 1;
    slot.expected = false;
    slot.port = undefined;
    slot.member = undefined;
    const name = `${slot.name}.${slot.generation}`;
    const log = createWriteStream(join(this.#folder, `${name}.log`));
    const env = { ...this.#env };
    for (const key of Object.keys(env))
      if (/^CHANNEL_.*_URL$/.test(key)) env[key.replace(/_URL$/, '_HEADERS')] = JSON.stringify({ 'x-worker': name });
    const child = startProgram(['worker'], env, {
      onLine: (line) => {
        log.write(`${line}\n`);
        this.#watch(slot, name, line);
      },
    });
    slot.process = child;
    void child.gone.then((end) => {
      log.end();
      slot.process = undefined;
      if (!slot.expected && !this.#over) this.crashes.push(`${name} ended with ${end}`);
    });
  }

  #watch(slot, name, line) {
    if (trouble.test(line)) this.troubles.push({ name, at: Date.now() });
    for (const [what, pattern] of Object.entries(watched)) if (pattern.test(line)) this.counts[what] += 1;
    if (slot.port === undefined) slot.port = Number(/"port":(\d+)/.exec(line)?.[1]) || undefined;
    if (line.includes('"message":"member joined"')) slot.member = JSON.parse(line).member;
    if (!line.includes('"level":"error"')) return;
    const message = /"message":"([^"]*)"/.exec(line)?.[1] ?? line;
    const known = this.errors.get(message) ?? { count: 0, first: line.slice(0, 1500) };
    this.errors.set(message, { ...known, count: known.count + 1 });
  }

  /** Signals a worker that is to end; resolves when it did. False when there was none. */
  async end(index, signal) {
    const slot = this.#slots[index];
    const child = slot.process;
    if (!child) return false;
    slot.expected = true;
    if (signal === 'SIGKILL') this.troubles.push({ name: this.name(index), at: Date.now() });
    child.kill(signal);
    if (signal === 'SIGTERM') {
      const late = sleep(40_000, 'late', { ref: false });
      if ((await Promise.race([child.gone, late])) === 'late') {
        this.crashes.push(`${slot.name} did not end on SIGTERM`);
        this.troubles.push({ name: this.name(index), at: Date.now() });
        child.kill('SIGKILL');
      }
    }
    await child.gone;
    return true;
  }

  /** False when there is no process at the moment. */
  signal(index, signal) {
    return this.#slots[index].process?.kill(signal) ?? false;
  }

  async stop() {
    this.#over = true;
    await Promise.all(this.#slots.map((slot) => this.end(slot.index, 'SIGTERM')));
  }
}
