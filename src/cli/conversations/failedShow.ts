/** `failed show`: one of what gave up, whole, with its story. */
import type { Conversation, Message } from '../../domain/model.ts';
import type { Context, ExitCode } from '../context.ts';
import { candidates, type Database, withDatabase } from '../database.ts';
import { type Output, safe } from '../output.ts';
import { showTale, type Tale, taleOf } from './explain.ts';

type Kind = 'message' | 'conversation' | 'inbound_event' | 'dead_letter';
interface Found {
  kind: Kind;
  document: object;
  conversationId?: string | undefined;
}

/** 1 when nothing has that id. */
export const failedShow = ({ id }: { id: string }, context: Context): Promise<ExitCode> =>
  withDatabase(context, async (database): Promise<ExitCode> => {
    const { out } = context;
    const found = await find(database, id);
    if (found === undefined) {
      out.value({ id, found: false });
      out.line(`there is no message, conversation, inbound event or dead letter ${safe(id)}`);
      return 1;
    }
    const { kind, document, conversationId: _id } = found;
    const conversation = _id === undefined ? null : await database.in.conversations.findOne({ _id });
    const tale = conversation === null ? undefined : await taleOf(database, conversation);
    out.value({ kind, document, ...(tale === undefined ? {} : { story: tale.document }) });
    show(found, tale, out);
    return 0;
  });

async function find({ in: stored }: Database, typed: string): Promise<Found | undefined> {
  const message: Message | null = await stored.messages.findOne({ _id: typed });
  if (message) return { kind: 'message', document: message, conversationId: message.conversationId };
  const conversation: Conversation | null = await stored.conversations.findOne({ _id: typed });
  if (conversation) return { kind: 'conversation', document: conversation, conversationId: typed };
  for (const _id of candidates(typed)) {
    const letter = await stored.deadLetters.findOne({ _id } as never);
    if (letter) return { kind: 'dead_letter', document: letter, conversationId: letter.conversationId };
    const event = await stored.inbound.findOne({ _id } as never);
    if (event) return { kind: 'inbound_event', document: event, conversationId: event.conversations?.[0] };
  }
  return undefined;
}

/** What somebody wrote, or what is kept whole, is cut for a terminal; `--json` has all of it. */
function show({ kind, document }: Found, tale: Tale | undefined, out: Output): void {
  out.line(out.color.bold(kind.replace('_', ' ')));
  for (const [name, value] of Object.entries(document))
    if (kind !== 'conversation' || name === 'error' || name === '_id') out.line(`  ${safe(name)}: ${shown(value)}`);
  if (tale === undefined) return;
  out.line();
  showTale(tale, out);
}

const mostShown = 2_000;

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '-');
  return safe(text.length > mostShown ? `${text.slice(0, mostShown)}… (${text.length} characters)` : text);
}
