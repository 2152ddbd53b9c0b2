import type { OutboundMessage } from '../src/domain/channelPorts.ts';
import type { Message } from '../src/domain/model.ts';
import { absent } from '../src/domain/shape.ts';

/** A row as its channel is given it: the same at every try. */
export function outboundOf(row: Message): OutboundMessage {
  return {
    messageId: row._id,
    campaignId: row.campaignId,
    conversationId: row.conversationId,
    channel: row.channel,
    to: row.to ?? '',
    content: row.content ?? {},
    stage: row.stage,
    step: row.step,
    queuedAt: row.queuedAt,
    traceparent: row.trace?.traceparent ?? absent,
  };
}
