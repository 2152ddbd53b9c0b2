/** A preview on a terminal. */
import type { RenderedContent } from '../../domain/model.ts';
import type { SmsLength } from '../../domain/smsSegments.ts';
import { reasonWord } from '../../domain/words.ts';
import { showId } from '../database.ts';
import { type Output, plural, safe } from '../output.ts';
import type { Preview, PreviewedMessage } from './preview.ts';

export function showPreview({ campaign, contact, messages }: Preview, out: Output): void {
  const { bold, dim } = out.color;
  const name = contact.name === undefined ? '' : ` ${safe(contact.name)}`;
  const locale = contact.locale === undefined ? '' : `, ${safe(contact.locale)}`;
  out.line(
    `${bold(showId(campaign))}  ${plural(messages.length, 'message')} for ${showId(contact.id)}${name}${dim(locale)}`,
  );
  for (const message of messages) showMessage(message, out);
}

/** `welcome`, `welcome, follow-up 2`, `welcome, fallback`. */
export function placeWords({ stage, step, fallback }: Pick<PreviewedMessage, 'stage' | 'step' | 'fallback'>): string {
  if (fallback) return `${stage}, fallback`;
  return step === 0 ? stage : `${stage}, follow-up ${step}`;
}

function showMessage(message: PreviewedMessage, out: Output): void {
  const { bold, cyan, dim, red, yellow } = out.color;
  const { to, content, sms } = message;
  out.line();
  out.line(
    `${bold(safe(placeWords(message)))}  ${cyan(safe(message.channel))} to ${to === undefined ? '-' : safe(to)}`,
  );
  for (const line of troubles(message)) out.line(red(line));
  for (const line of notesOf(message)) out.line(dim(line));
  if (content !== undefined) showContent(content, out);
  if (sms !== undefined) out.line((sms.segments > 1 ? yellow : out.color.dim)(smsWords(sms)));
}

/** What stands in for what nobody knows yet. */
export const notesOf = ({ unknown }: Pick<PreviewedMessage, 'unknown'>): string[] =>
  unknown.length === 0 ? [] : [`known only as the campaign runs: ${unknown.map(safe).join(', ')}`];

/** Why it would not leave. */
export function troubles({ to, address, failure, missing }: PreviewedMessage): string[] {
  return [
    ...(to === undefined && failure === undefined
      ? [`would be skipped: the contact has no ${address} (address_missing)`]
      : []),
    ...(failure === undefined
      ? []
      : [`would not leave: ${reasonWord(failure.reason)} (${failure.reason}): ${safe(failure.message)}`]),
    ...(missing.length === 0 ? [] : [`missing, and without a default: ${missing.map(safe).join(', ')}`]),
  ];
}

/** Lines of a mail's head, in the order a mail has them. */
export function headLines({ from, toName, subject, headers = {} }: RenderedContent): [string, string][] {
  return [
    ...(from === undefined ? [] : [['From', from] as [string, string]]),
    ...(toName === undefined ? [] : [['To (name)', toName] as [string, string]]),
    ...(subject === undefined ? [] : [['Subject', subject] as [string, string]]),
    ...Object.entries(headers),
  ];
}

function showContent(content: RenderedContent, out: Output): void {
  const { dim } = out.color;
  for (const [name, value] of headLines(content)) out.line(`${dim(`${safe(name)}:`)} ${marked(value, out)}`);
  const { text, html, body, attachments } = content;
  const parts: [string, string][] = [
    ...(text === undefined ? [] : [['text', text] as [string, string]]),
    ...(html === undefined ? [] : [['html', html] as [string, string]]),
    ...(body === undefined ? [] : [['body', JSON.stringify(body, undefined, 2)] as [string, string]]),
    ...(attachments === undefined
      ? []
      : [['attachments', JSON.stringify(attachments, undefined, 2)] as [string, string]]),
  ];
  for (const [name, value] of parts) {
    out.line(dim(`${name}:`));
    for (const line of value.replace(/\n$/, '').split(/\r?\n/)) out.line(`  ${marked(line, out)}`);
  }
}

/** What is missing is seen. */
const marked = (line: string, { color }: Output): string =>
  safe(line).replace(/⟦[^⟧]*⟧/g, (missing) => color.bold(color.red(missing)));

/** `2 SMS: 170 of 306 characters of GSM-7`. */
export function smsWords({ encoding, units, segments, foreign }: SmsLength): string {
  const room = encoding === 'GSM-7' ? (segments === 1 ? 160 : 153 * segments) : segments === 1 ? 70 : 67 * segments;
  const because = foreign.length === 0 ? '' : `, because of ${foreign.map((one) => JSON.stringify(one)).join(' ')}`;
  return `${segments} SMS: ${units} of ${room} characters in ${encoding}${because}`;
}
