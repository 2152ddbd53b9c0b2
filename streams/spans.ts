/** What the pipelines tell of campaigns, conversations and messages as spans. Called only where traces are exported. */

import { campaignKey } from '../src/domain/ids.ts';
import type { Conversation, Message, Run } from '../src/domain/model.ts';
import type { RowOutcome } from '../src/domain/outbox.ts';
import { isSampled } from '../src/domain/trace.ts';
import type { Tracer } from '../src/domain/tracePorts.ts';

/** Our attributes; those with a name in OpenTelemetry's semantic conventions have that. */
export const attribute = {
  campaign: 'communication_base.campaign.id',
  conversation: 'messaging.message.conversation_id',
  stage: 'communication_base.stage',
  step: 'communication_base.step',
  status: 'communication_base.status',
  outcome: 'communication_base.outcome',
  reason: 'communication_base.reason',
} as const;

/**
 * The first spans of conversations. They are on their way before the documents that name them are committed, as rows are
 * committed before they leave: no worker that is killed leaves a conversation whose spans have no root.
 */
export function traceBeginnings(tracer: Tracer, conversations: readonly Conversation[], run: Run): void {
  let isAny = false;
  for (const conversation of conversations) {
    const { trace, createdAt, stage } = conversation;
    if (trace?.traceparent === undefined || !isSampled(trace)) continue;
    // the queue is bounded: what waits there leaves first, so that no root is dropped
    if (!isAny) tracer.flush();
    isAny = true;
    tracer.span({
      name: 'conversation',
      own: trace.traceparent,
      startMs: createdAt.getTime(),
      endMs: createdAt.getTime(),
      attributes: {
        [attribute.campaign]: campaignKey(conversation.campaignId),
        [attribute.conversation]: conversation._id,
        [attribute.stage]: stage,
      },
      links: [run.trace?.traceparent],
    });
  }
  if (isAny) tracer.flush();
}

/** The first span of a campaign, below the one its writer gave; before the run is committed, as with conversations. */
export function traceRun(tracer: Tracer, { _id, trace }: Run, now: number): void {
  if (trace?.traceparent === undefined || !isSampled(trace)) return;
  const attributes = { [attribute.campaign]: campaignKey(_id) };
  tracer.span({ name: 'campaign', own: trace.traceparent, parent: trace.parent, startMs: now, endMs: now, attributes });
  tracer.flush();
}

/** `event`: what was decided of it; `from` and `to` in ms since the epoch. */
export function traceCampaign(tracer: Tracer, run: Run, event: string, [from, to]: readonly [number, number]): void {
  if (!isSampled(run.trace)) return;
  const attributes = { [attribute.campaign]: campaignKey(run._id), [attribute.status]: run.status };
  tracer.span({ name: `campaign ${event}`, parent: run.trace?.traceparent, startMs: from, endMs: to, attributes });
}

/**
 * One try of a message, with the attributes of OpenTelemetry's messaging conventions: a client's span, for what the provider
 * continues is the conversation's context, the same at every try.
 */
export function traceSend(
  tracer: Tracer,
  row: Message,
  outcome: RowOutcome,
  [from, to]: readonly [number, number],
): void {
  const { channel, trace } = row;
  const code = 'code' in outcome ? outcome.code : undefined;
  tracer.span({
    name: `send ${channel}`,
    parent: trace?.traceparent,
    kind: 'client',
    startMs: from,
    endMs: to,
    attributes: {
      'messaging.system': 'communication_base',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': channel,
      'messaging.message.id': row._id,
      [attribute.conversation]: row.conversationId,
      'error.type': code,
      [attribute.stage]: row.stage,
      [attribute.step]: row.step,
      [attribute.outcome]: outcome.kind,
      'communication_base.attempt': row.attempts,
    },
    error: code,
  });
}
