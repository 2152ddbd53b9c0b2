/** What one message says, and as mail beside its content. It is settled with the row: every try of it is the same mail. */
import type { ChannelFacts } from './channelPorts.ts';
import { type CompiledContent, type RenderResult, renderContent, type Scope } from './content.ts';
import type { FlowContext } from './decision.ts';
import type { RenderedContent } from './model.ts';
import { unsubscribeHeaders, unsubscribeLinks } from './unsubscribe.ts';

/**
 * Renders a content for its channel; it can print `unsubscribe.url` and `unsubscribe.mailto`. Mail also gets headers, sender
 * and the recipient's name, and is never without a way to leave that the campaign means to give.
 */
export function renderMessage(
  content: CompiledContent,
  channel: ChannelFacts,
  context: Pick<FlowContext, 'unsubscribe' | 'unsubscribeToken'>,
  { scope, conversationId }: { scope: Scope; conversationId: string },
): RenderResult {
  const isMail = channel.address === 'email';
  const { unsubscribe, unsubscribeToken } = context;
  const leave = unsubscribe && unsubscribeLinks(unsubscribe, scope, unsubscribeToken?.(conversationId));
  if (isMail && leave?.kind === 'failed') return leave;
  const links = leave?.kind === 'rendered' ? leave.links : undefined;
  const rendered = renderContent(content, links === undefined ? scope : { ...scope, unsubscribe: links });
  if (rendered.kind === 'failed' || !isMail) return rendered;
  return { kind: 'rendered', content: asMail(rendered.content, channel, scope, unsubscribeHeaders(links ?? {})) };
}

/** The `text` of a content alone, in one line: an address. */
export function renderText(
  content: CompiledContent,
  scope: Scope,
): { kind: 'rendered'; text: string } | Extract<RenderResult, { kind: 'failed' }> {
  const rendered = renderContent(content, scope);
  if (rendered.kind === 'failed') return rendered;
  return { kind: 'rendered', text: String(rendered.content.text).trim() };
}

function asMail(
  rendered: RenderedContent,
  { mail }: ChannelFacts,
  { contact }: Scope,
  leave: Record<string, string>,
): RenderedContent {
  const headers = { ...mail?.headers, ...leave };
  const content = { ...rendered };
  if (Object.keys(headers).length > 0) content.headers = headers;
  if (mail !== undefined) {
    content.from = mail.from;
    const { name } = contact;
    if (typeof name === 'string' && name.trim() !== '')
      content.toName = name.trim().slice(0, maxNameLength).toWellFormed();
  }
  return content;
}

const maxNameLength = 200;
