/** How far the templates of a message may go: what they do is counted, so that the same message always ends the same way. */
import { isPlain } from './plain.ts';

/** Nodes a message may render, loops counted each time: far over any newsletter, and done in some 20 ms. */
const maxRenders = 20_000;
/** Outputs and tags of one template. More could not be rendered anyway, and parsing time grows with their square. */
export const maxParts = maxRenders / 2;
/** Characters of its outputs and tags: parsed they take hundreds of times as much memory. */
export const maxWritten = 200_000;
/** Characters and list items that filters, ranges and outputs of a message may produce. */
const maxMemory = 2_000_000;
/** Values that filters and conditions of a message may look at: a second of work at the very most. */
const maxWork = 2_000_000;
/** Characters that cost as much to look at as one value. */
const charactersAValue = 16;
/** Well inside a lease. Only asked of templates that did a fair amount of work: neither a process that was stopped for a while nor a machine that is short of time is to fail a message. */
const maxRenderMs = 2_000;
const rendersBeforeClock = 200;
/** Characters of outputs and tags, each node counted with all of its template: what a node does without data is bounded by them. */
const charactersBeforeClock = 4_000_000;

/** Bounds the work of one message by what it does. */
export class Budget {
  #renders = 0;
  #memory = 0;
  #work = 0;
  #startedAt: number | undefined;
  #beforeClock = rendersBeforeClock;

  /** A template follows that has so many characters in its outputs and tags. */
  begin(characters: number): void {
    this.#beforeClock = Math.min(this.#beforeClock, charactersBeforeClock / characters);
  }

  /** Called by liquidjs before each node, with its monotonic clock. */
  check(now: number): void {
    this.#startedAt ??= now;
    this.#renders += 1;
    if (this.#renders > maxRenders) throw new Error(`more than ${maxRenders} parts to render`);
    if (this.#renders > this.#beforeClock && now - this.#startedAt > maxRenderMs) {
      throw new Error(`rendering takes longer than ${maxRenderMs} ms`);
    }
  }

  /** What was rendered without the engine. */
  spend(renders: number, characters: number): void {
    this.#renders += renders;
    if (this.#renders > maxRenders) throw new Error(`more than ${maxRenders} parts to render`);
    this.use(characters);
  }

  /** Called by filters, ranges and outputs with what they are about to produce. */
  use(count: number): void {
    if (count > 0) this.#memory += count;
    if (this.#memory > maxMemory) throw new Error(`more than ${maxMemory} characters or items to produce`);
  }

  /** What is about to be done, in values that are looked at. */
  work(count: number): void {
    this.#work += count;
    if (this.#work > maxWork) throw new Error(`more than ${maxWork} values to look at`);
  }

  /**
   * Counts all that is in a value, and says how much that is. It ends as soon as that is too much: a list that a template puts
   * into itself doubles each time, and so does whatever is done with it.
   */
  look(value: unknown, charactersEach = charactersAValue): number {
    let weight = 1 + (typeof value === 'string' ? Math.floor(value.length / charactersEach) : 0);
    this.work(weight);
    const items = Array.isArray(value) ? value : isPlain(value) ? Object.values(value) : [];
    for (const item of items) weight += this.look(item, charactersEach);
    return weight;
  }
}
