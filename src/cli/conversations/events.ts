/** `event`: what any other service does to tell a conversation something. */
import { randomUUID } from 'node:crypto';
import { ServiceError } from '../../domain/errors.ts';
import type { InboxEvent } from '../../domain/model.ts';
import type { Context, ExitCode } from '../context.ts';
import { withDatabase } from '../database.ts';
import { safe } from '../output.ts';

export interface EventParams {
  conversation: string;
  type: string;
  id?: string;
  channel?: string;
  text?: string;
  /** JSON text of an object. */
  data?: string;
  auto?: boolean;
  machine?: boolean;
}

function parseData(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ServiceError('usage', `--data was ${safe(text)}; it must be a JSON object, such as '{"score": 5}'`);
  return value as Record<string, unknown>;
}

function eventOf(params: EventParams): InboxEvent {
  if (params.type.trim() === '')
    throw new ServiceError('usage', '--type is empty; it must be reply, bounce, complaint, … or a word of your own');
  return {
    id: params.id ?? randomUUID(),
    type: params.type,
    ...(params.channel === undefined ? {} : { channel: params.channel }),
    ...(params.text === undefined ? {} : { text: params.text }),
    at: new Date(),
    ...(params.data === undefined ? {} : { data: parseData(params.data) }),
    ...(params.auto ? { auto: true } : {}),
    ...(params.machine ? { machine: true } : {}),
  };
}

/** Pushes one event to the inbox; 1 when there is no such conversation. The same `--id` twice counts once. */
export function event(params: EventParams, context: Context): Promise<ExitCode> {
  const pushed = eventOf(params);
  return withDatabase(context, async ({ in: { conversations } }): Promise<ExitCode> => {
    const before = await conversations.findOneAndUpdate(
      { _id: params.conversation },
      { $push: { inbox: pushed } },
      { projection: { status: 1, stage: 1, outcome: 1 } },
    );
    if (!before)
      throw new ServiceError(
        'not_found',
        `there is no conversation ${safe(params.conversation)}; its id is <campaign id>:<contact id>, both percent-encoded`,
      );
    const { out } = context;
    out.value({ conversation: params.conversation, event: pushed, status: before.status, stage: before.stage });
    out.line(`pushed ${safe(pushed.type)} ${safe(pushed.id)} to ${safe(params.conversation)}`);
    if (before.status !== 'active')
      out.line(
        out.color.yellow(
          `the conversation had ended already (${safe(before.status)}, ${safe(before.outcome ?? '-')}): the event moves nothing`,
        ),
      );
    return 0;
  });
}
