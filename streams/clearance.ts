import type { Channel } from '../src/domain/channelPorts.ts';
import type { Conversation, Message } from '../src/domain/model.ts';
import { addressIn } from '../src/domain/stages.ts';
import type { Asked } from './gate.ts';
import type { InDoubt } from './inDoubt.ts';
import type { Suppressions } from './suppressions.ts';

export interface ClearanceParams {
  channels: ReadonlyMap<string, Channel>;
  /** Who must not be written to. Absent: nobody is asked for. */
  suppressions?: Pick<Suppressions, 'isClear' | 'isFresh' | 'refused'>;
}

/** Whether the contact of a row may still be written to when it leaves. */
export class Clearance {
  private readonly params: ClearanceParams;

  constructor(params: ClearanceParams) {
    this.params = params;
  }

  /** What is known of suppressions is a second old at most, and says nothing against it. */
  isClear({ row, conversation, clearAt }: InDoubt): boolean {
    const { suppressions } = this.params;
    if (suppressions === undefined || this.isForOthers(row, conversation)) return true;
    return suppressions.isFresh(clearAt) || suppressions.isClear(conversation, row.channel);
  }

  /** Asks for those of the rows that it has to ask for; what it resolves with notes the answer, and when it was asked for. */
  async ask(entries: readonly InDoubt[], signal: AbortSignal): Promise<(asked: Asked) => void> {
    const { suppressions } = this.params;
    const asked = new Map<string, InDoubt & { conversation: Conversation; channel: string }>();
    for (const entry of entries) {
      const { row, conversation, refused } = entry;
      const isKnown =
        suppressions === undefined ||
        this.isForOthers(row, conversation) ||
        suppressions.isClear(conversation, row.channel);
      if (!isKnown && !refused && conversation) asked.set(row._id, { ...entry, conversation, channel: row.channel });
    }
    const refused = asked.size === 0 ? undefined : await suppressions?.refused(asked, signal);
    return (at) => {
      for (const entry of entries)
        if (refused?.has(entry.row._id)) entry.refused = true;
        else if (asked.has(entry.row._id)) entry.clearAt = at;
    };
  }

  /** Whoever is asked in, or a webhook, has an address of its own: nobody suppresses those. */
  private isForOthers({ channel, to }: Message, conversation: Conversation | undefined): boolean {
    const field = this.params.channels.get(channel)?.address;
    return conversation !== undefined && field !== undefined && addressIn(conversation.contact, field) !== to;
  }
}
