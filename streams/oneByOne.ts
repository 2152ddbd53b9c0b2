/** Work under the same key runs one after the other, work under different keys side by side. */
export class OneByOne {
  readonly #last = new Map<string, Promise<void>>();

  /** Something of this key is under way. */
  has(key: string): boolean {
    return this.#last.has(key);
  }

  /** Starts `work` when everything that was asked for under this key before is over, however it ended. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const over: Promise<void> = result.then(
      () => this.#forget(key, over),
      () => this.#forget(key, over),
    );
    this.#last.set(key, over);
    return result;
  }

  #forget(key: string, over: Promise<void>): void {
    if (this.#last.get(key) === over) this.#last.delete(key);
  }
}
