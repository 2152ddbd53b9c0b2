/** What a message by mail says beside its content. It is settled with the row, so that every try of it is the same mail. */
import type { RenderResult, Scope } from './content.ts';
import type { FlowContext } from './draft.ts';
import type { Contact, RenderedContent } from './model.ts';
import type { ChannelFacts } from './ports.ts';
import { unsubscribeHeaders } from './unsubscribe.ts';

/** Adds headers, sender and the recipient's name; anything but mail stays as it is. */
export function asMail(
  rendered: RenderResult,
  channel: ChannelFacts,
  context: Pick<FlowContext, 'unsubscribe' | 'unsubscribeToken'>,
  message: { scope: Scope; conversationId: string; contact: Contact },
): RenderResult {
  if (rendered.kind === 'failed' || channel.address !== 'email') return rendered;
  const { unsubscribe, unsubscribeToken } = context;
  const leave =
    unsubscribe && unsubscribeHeaders(unsubscribe, message.scope, unsubscribeToken?.(message.conversationId));
  if (leave?.kind === 'failed') return leave;
  const headers = { ...channel.mail?.headers, ...leave?.headers };
  const content: RenderedContent = { ...rendered.content };
  if (Object.keys(headers).length > 0) content.headers = headers;
  if (channel.mail !== undefined) {
    content.from = channel.mail.from;
    const { name } = message.contact;
    if (typeof name === 'string' && name.trim() !== '')
      content.toName = name.trim().slice(0, maxNameLength).toWellFormed();
  }
  return { kind: 'rendered', content };
}

const maxNameLength = 200;
