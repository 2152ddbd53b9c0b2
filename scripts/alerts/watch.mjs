// What fires when: an alert counts for a fault only if what it asks for came true behind it.
import { setTimeout as sleep } from 'node:timers/promises';

const prefix = 'CommunicationBase';

export class Watch {
  /** Each that fired: { alert, since: when it came true, at: when it was seen }, in ms. */
  #seen = [];
  /** By alert, of those that fire now. */
  #now = new Set();
  #prometheus;
  #over = false;
  #loop;

  constructor(prometheus) {
    this.#prometheus = prometheus;
    this.#loop = this.#run();
  }

  async #run() {
    while (!this.#over) {
      // an answer that does not come says nothing, not even that all is well
      const firing = await this.#prometheus.firing().catch(() => undefined);
      if (firing !== undefined)
        this.#take(firing.map(({ name, since }) => ({ alert: name.replace(prefix, ''), since })));
      await sleep(500);
    }
  }

  #take(firing) {
    this.#now = new Set(firing.map(({ alert }) => alert));
    for (const { alert, since } of firing)
      if (!this.#seen.some((seen) => seen.alert === alert && seen.since === since))
        this.#seen.push({ alert, since, at: Date.now() });
  }

  /** Names of what fires now. */
  get now() {
    return [...this.#now];
  }

  /** Names of what fired within a time, by when it was seen. */
  seen(from, to = Date.now()) {
    return [...new Set(this.#seen.filter(({ at }) => at >= from && at <= to).map(({ alert }) => alert))];
  }

  /** When an alert fired first for what came true at `since` or later. */
  firedAt({ alert, since }) {
    return this.#seen.find((seen) => seen.alert === alert && seen.since >= since)?.at;
  }

  /** Waits until all have fired; returns those that have not. `wanted`: { alert, since }. */
  until(wanted, timeoutMs) {
    return none(() => wanted.filter((one) => this.firedAt(one) === undefined), timeoutMs);
  }

  /** Waits until none of them fires any more; returns those that do. */
  untilResolved(alerts, timeoutMs) {
    return none(() => alerts.filter((alert) => this.#now.has(alert)), timeoutMs);
  }

  stop() {
    this.#over = true;
    return this.#loop;
  }
}

async function none(open, timeoutMs) {
  for (const end = Date.now() + timeoutMs; Date.now() < end && open().length > 0; ) await sleep(250);
  return open();
}
