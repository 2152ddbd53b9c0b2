/** A preview as one page that needs nothing but itself. What others wrote stands in frames that can do nothing. */
import { escapeHtml } from '../../domain/html.ts';
import type { RenderedContent } from '../../domain/model.ts';
import { showId } from '../database.ts';
import { Markup, markup } from '../page/markup.ts';
import { page } from '../page/page.ts';
import { style } from '../page/style.ts';
import type { Preview, PreviewedMessage } from './preview.ts';
import { headLines, notesOf, placeWords, smsWords, troubles } from './previewText.ts';

/**
 * The whole document. Its policy holds for the frames too: no script, no form, no font from elsewhere, and no picture unless
 * `images`: whoever looks would tell the sender's counters that the contact had opened the mail.
 */
export function previewPage({ campaign, contact, messages }: Preview, { images }: { images: boolean }): string {
  const pictures = images ? 'data: https: http:' : 'data:';
  const who = contact.name === undefined ? showId(contact.id) : `${contact.name} (${showId(contact.id)})`;
  return page({
    title: `${showId(campaign)} – preview`,
    style: style + ownStyle,
    policy: `style-src 'unsafe-inline'; img-src ${pictures}; font-src data:`,
    body: markup`<header>
<p class="eyebrow"><bdi>Campaign ${showId(campaign)}</bdi></p>
<h1>What <bdi>${who}</bdi> gets</h1>
<p class="meta">${messages.length} messages of the flow, each as it would leave.${images ? '' : ' Pictures from the web are not loaded (--images).'}</p>
</header>
${messages.map(section)}`,
  });
}

const ownStyle = `
section.message{padding:20px 22px}
.message h2 .channel{font-size:13px;font-weight:500;color:var(--muted);margin-left:8px}
.head{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:12px 0 0;font-size:14px}
.head dt{color:var(--muted)}
.head dd{margin:0;overflow-wrap:anywhere}
h3{color:var(--muted);font-weight:500}
iframe{display:block;width:100%;height:460px;border:1px solid var(--line);border-radius:8px;resize:vertical;overflow:auto}
pre{margin:0;padding:14px 16px;border:1px solid var(--line);border-radius:8px;background:var(--page);white-space:pre-wrap;overflow-wrap:anywhere;font:13.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
mark{background:var(--bad);color:var(--surface);border-radius:3px;padding:0 3px}
.alert{margin:12px 0 0}
@media print{iframe{height:600px}}
`;

function section(message: PreviewedMessage): Markup {
  const { to, channel, content, sms } = message;
  return markup`<section class="message">
<h2><bdi>${placeWords(message)}</bdi> <span class="channel">${channel}${to === undefined ? '' : markup` to <bdi>${to}</bdi>`}</span></h2>
${troubles(message).map((line) => markup`<p class="alert" role="note">${line}</p>`)}
${notesOf(message).map((line) => markup`<p class="note">${line}</p>`)}
${content === undefined ? undefined : contentOf(content, placeWords(message))}
${sms === undefined ? undefined : markup`<p class="note">${smsWords(sms)}</p>`}
</section>
`;
}

function contentOf(content: RenderedContent, place: string): Markup {
  const { text, html, body, attachments } = content;
  const head = headLines(content);
  return markup`${head.length === 0 ? undefined : markup`<dl class="head">${head.map(([name, value]) => markup`<dt>${name}</dt><dd><bdi>${asWritten(value)}</bdi></dd>`)}</dl>`}
${html === undefined ? undefined : markup`<h3>HTML</h3>${frame(html, place)}`}
${text === undefined ? undefined : markup`<h3>Text</h3><pre dir="auto">${asWritten(text)}</pre>`}
${body === undefined ? undefined : markup`<h3>Body</h3><pre>${asWritten(JSON.stringify(body, undefined, 2))}</pre>`}
${attachments === undefined ? undefined : markup`<h3>Attachments</h3><pre>${asWritten(JSON.stringify(attachments, undefined, 2))}</pre>`}`;
}

/** An empty sandbox: no script, no form, no window, an origin of its own. */
const frame = (html: string, place: string): Markup =>
  markup`<iframe sandbox title="${place}" srcdoc="${new Markup(escapeHtml(html.toWellFormed()))}"></iframe>`;

/** With its line ends; what is missing is seen. */
const asWritten = (text: string): Markup =>
  new Markup(escapeHtml(text.toWellFormed().replaceAll('\0', ' ')).replace(/⟦[^⟧]*⟧/g, '<mark>$&</mark>'));
