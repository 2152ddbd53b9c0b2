// Worker processes as an operator runs them: started again whenever they end, their logs kept and watched.
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProgram } from '../bench/processes.mjs';

/** Lines after which a member has given up what it had, or cut off what was on the wire; kinds as in repeats.mjs. */
const told = {
  fenced: /"message":"the member was fenced; it rejoins/,
  failed: /"message":"(the member failed|a thread died)/,
  undrained:
    /"message":"(leaving before everything was drained|the member could not hand over|worker stopped before everything was handed over)/,
  'lease lost': /"message":"the lease ran out/,
};

/** What of a log is counted; all else stays in the files. */
const watched = {
  takeOvers: /"message":"a member was taken over"/,
  fenced: /"message":"the member was fenced; it rejoins"/,
  failed: /"message":"the member failed; it rejoins"/,
  positionsLost: /"code":"position_lost"/,
  reopened: /"message":"the change stream broke/,
  leasesLost: /"code":"lease_lost"/,
  undrained: told.undrained,
  unknownCommits: /nobody can say whether a round was committed/,
  reconciled: /"code":"reconciled"/,
  uncaught: /an exception nobody caught|a rejection nobody handled/,
};

export class Workers {
  #env;
  #folder;
  #slots = [];
  #over = false;
  counts = Object.fromEntries(Object.keys(watched).map((name) => [name, 0]));
  /**
   * What may make a process lose what it has in doubt: `{ name, member, kind }` with `at`, or `from` and `to` for what lasted;
   * ms since the epoch. `member`: the id as which it had joined by then.
   */
  troubles = [];
  #names = new Map();
  /** Lines of level error by message: how many, and the first. */
  errors = new Map();
  /** Processes that ended although nobody asked them to. */
  crashes = [];
  starts = 0;
  /** A worker that does not end on SIGTERM is killed so much later, and counts as a crash. */
  killAfterMs = 40_000;

  /** What is started from now on, where it is that of another release. */
  program;

  constructor({ count, env, folder, program }) {
    this.program = program;
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
      program: this.program,
      onLine: (line) => {
        log.write(`${line}\n`);
        this.#watch(slot, name, line);
      },
    });
    slot.process = child;
    void child.gone.then((end) => {
      log.end();
      slot.process = undefined;
      if (slot.expected || this.#over) return;
      this.crashes.push(`${name} ended with ${end}`);
      this.#trouble(slot, { kind: 'killed', name });
    });
  }

  #watch(slot, name, line) {
    for (const [kind, pattern] of Object.entries(told)) if (pattern.test(line)) this.#trouble(slot, { kind, name });
    for (const [what, pattern] of Object.entries(watched)) if (pattern.test(line)) this.counts[what] += 1;
    if (slot.port === undefined) slot.port = Number(/"port":(\d+)/.exec(line)?.[1]) || undefined;
    if (line.includes('"message":"member joined"')) {
      slot.member = JSON.parse(line).member;
      this.#names.set(slot.member, name);
    }
    if (watched.takeOvers.test(line)) {
      const { member } = JSON.parse(line);
      const lost = this.#names.get(member);
      if (lost !== undefined) this.troubles.push({ name: lost, member, kind: 'taken over', at: Date.now() });
    }
    if (!line.includes('"level":"error"')) return;
    const message = /"message":"([^"]*)"/.exec(line)?.[1] ?? line;
    const known = this.errors.get(message) ?? { count: 0, first: line.slice(0, 1500) };
    this.errors.set(message, { ...known, count: known.count + 1 });
  }

  #trouble(slot, { kind, name = this.name(slot.index), at = Date.now() }) {
    this.troubles.push({ name, member: slot.member, kind, at });
  }

  /** A fault that lasts begins for these; returns what ends it. `kind`: `frozen` or `cut off`. */
  begin(kind, indexes) {
    const from = Date.now();
    const hit = indexes.filter((index) => this.pid(index) !== undefined);
    const spans = hit.map((index) => ({ name: this.name(index), member: this.member(index), kind, from }));
    return () => {
      for (const span of spans) this.troubles.push({ ...span, to: Date.now() });
    };
  }

  /** Signals a worker that is to end; resolves when it did. False when there was none. */
  async end(index, signal) {
    const slot = this.#slots[index];
    const child = slot.process;
    if (!child) return false;
    slot.expected = true;
    if (signal === 'SIGKILL') this.#trouble(slot, { kind: 'killed' });
    child.kill(signal);
    if (signal === 'SIGTERM') {
      const late = sleep(this.killAfterMs, 'late', { ref: false });
      if ((await Promise.race([child.gone, late])) === 'late') {
        this.crashes.push(`${slot.name} did not end on SIGTERM`);
        this.#trouble(slot, { kind: 'killed' });
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
