import type { Conversation, Message, Unit } from './model.ts';
import type { SimulationListener } from './simulationModel.ts';

/** Of a row that something is still to come of. */
const pending: ReadonlySet<unknown> = new Set([undefined, 'sending', 'queued']);

/** The messages of a simulation that something is still to come of; tells of each how it ended. */
export class SimulatedOutbox {
  private readonly listener: SimulationListener;
  /** By id. */
  private readonly rows = new Map<string, Message>();

  constructor(listener: SimulationListener) {
    this.listener = listener;
  }

  row(id: string): Message | undefined {
    return this.rows.get(id);
  }

  /** What a decision writes of messages. `now`: ms since the epoch. */
  commit(conversation: Conversation, unit: Unit, now: number): void {
    const { inserts, rows, counters } = unit;
    this.listener.counted(counters);
    this.tellDelay(conversation, unit);
    for (const row of inserts) {
      if (pending.has(row.status)) this.rows.set(row._id, row);
      else this.tell(conversation, row, row, now);
    }
    for (const { id, set } of rows) {
      const row = this.rows.get(id);
      // what is told of a message after its end leaves that as it was
      if (row === undefined) continue;
      if (pending.has(set.status)) this.rows.set(id, { ...row, ...set });
      else {
        this.rows.delete(id);
        this.tell(conversation, row, { status: set.status as Message['status'], reason: set.reason }, now);
      }
    }
  }

  /** It was to leave, and a limit put it off. */
  private tellDelay({ contact, nextActionAt }: Conversation, { change }: Unit): void {
    const because = change?.set.delayed;
    // not told anew while it lasts
    if (because === 'cap' || because === 'warm_up')
      this.listener.delayed({ because, contactId: contact.id, until: nextActionAt as Date });
  }

  /** How a message ended. */
  private tell(
    { contact }: Conversation,
    { stage, step, channel }: Message,
    { status, reason }: { status: Message['status']; reason?: Message['reason'] },
    now: number,
  ): void {
    const what = { stage, step, channel, status, ...(reason === undefined ? {} : { reason }) };
    this.listener.message({ at: new Date(now), contactId: contact.id, ...what });
  }
}
