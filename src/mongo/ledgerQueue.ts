/** What can wait: it comes in slices, and nobody is late for it. */
const patient: ReadonlySet<string> = new Set(['expand', 'enroll', 'receipts']);

/** So many go ahead of what can wait, before it has its turn. */
const mostAhead = 3;

/** One at a time, in order; of what can wait, one goes when nothing else waits, or enough went ahead of it. */
export class LedgerQueue {
  private readonly waiting: { first: (() => Promise<void>)[]; patient: (() => Promise<void>)[] } = {
    first: [],
    patient: [],
  };
  /** Went ahead of what can wait. */
  private ahead = 0;
  private busy: Promise<void> | undefined;

  /** Starts `work` when its turn has come. */
  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const done = new Promise<T>((resolve, reject) => {
      const turn = (): Promise<void> => work().then(resolve, reject);
      this.waiting[patient.has(name) ? 'patient' : 'first'].push(turn);
    });
    this.busy ??= this.work();
    return done;
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.busy !== undefined) await this.busy;
  }

  private async work(): Promise<void> {
    // as a promise chain does: nothing begins before its caller goes on
    await Promise.resolve();
    for (let turn = this.next(); turn !== undefined; turn = this.next()) await turn();
    this.busy = undefined;
  }

  private next(): (() => Promise<void>) | undefined {
    const { first, patient: slices } = this.waiting;
    const isPatient = slices.length > 0 && (first.length === 0 || this.ahead === mostAhead);
    this.ahead = isPatient || slices.length === 0 ? 0 : this.ahead + 1;
    return isPatient ? slices.shift() : first.shift();
  }
}
