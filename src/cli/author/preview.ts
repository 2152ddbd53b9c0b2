/** `preview`: the messages of a campaign file for one contact, made as the worker makes them. Nothing is sent, nothing written. */

import { variantFor } from '../../domain/content.ts';
import type { FlowContext } from '../../domain/decision.ts';
import { ServiceError } from '../../domain/errors.ts';
import { type FlowMessage, flowMessages, letterAt, scopeFor } from '../../domain/flowMessages.ts';
import { hasValue } from '../../domain/knownNames.ts';
import { LeftOut } from '../../domain/leftOut.ts';
import { type Use, type Uses, writtenAs } from '../../domain/liquidUses.ts';
import { renderMessage } from '../../domain/mail.ts';
import type { Contact, RenderedContent } from '../../domain/model.ts';
import { type SmsLength, smsLength } from '../../domain/smsSegments.ts';
import { mark, StandIns, withoutMarks } from '../../domain/standIns.ts';
import { withValue } from '../../domain/withValue.ts';
import type { Context, ExitCode } from '../context.ts';
import { showId } from '../database.ts';
import { faultCount, faultValues, showFaults } from '../document/faults.ts';
import { type Output, safe } from '../output.ts';
import { WholeFile } from '../wholeFile.ts';
import { leftOutWords } from './leftOutText.ts';
import { showPreview } from './previewText.ts';
import { contactsOf, readTryout, type Tryout, type TryoutParams } from './tryout.ts';

export interface PreviewParams extends TryoutParams {
  contact?: string;
  stage?: string;
  step?: number;
  locale?: string;
  /** A file for the page, "-" for stdout. */
  html?: string;
  images?: boolean;
}

export interface PreviewedMessage {
  stage: string;
  step: number;
  channel: string;
  /** It is what the stage says where its own channel cannot deliver. */
  fallback?: true;
  /** Contact field that holds the address. */
  address: string;
  /** Absent: the contact has none, and the message is skipped. */
  to?: string;
  /** As it would leave; with `failure`: with marks in the place of what is missing, as far as it can be made at all. */
  content?: RenderedContent;
  /** Why it would not leave. */
  failure?: { reason: string; message: string };
  /** Variables that are missing, as templates write them. */
  missing: string[];
  /** Variables that are only known as the campaign runs; something stands in for them. */
  unknown: string[];
  /** Of a text to a phone. What is not known counts nothing. */
  sms?: SmsLength;
}

export interface Preview {
  campaign: unknown;
  contact: Contact;
  messages: PreviewedMessage[];
}

/** Prints them, or writes a page; 1 when the flow has faults or a message would not leave. */
export async function preview(params: PreviewParams, context: Context): Promise<ExitCode> {
  const { out } = context;
  const { html } = params;
  if (html === '-' && out.json)
    throw new ServiceError('usage', '--html - and --json both write to stdout: give --html a file');
  const read = await readTryout(params, context, Date.now());
  const { authored, faults, notes } = read;
  if (authored === undefined) {
    out.value({ previewed: false, faults: faultValues(faults) });
    showFaults(params.file, faults, out);
    out.line(`${faultCount(params.file, faults)}: nothing to preview`);
    return 1;
  }
  for (const note of notes) out.note(out.noteColor.yellow(`note: ${note}`));
  const found = await findContact(read, params, context);
  const contact = params.locale === undefined ? found : { ...found, locale: params.locale };
  const all = flowMessages(authored.flow, authored.path);
  const standIns = new StandIns(authored.context.flow, all);
  const messages = choose(all, params).map((message) => previewed(message, contact, authored.context, standIns));
  const made: Preview = { campaign: authored.run._id, contact, messages };
  out.value(made);
  if (html === undefined) showPreview(made, out);
  else await writePage(made, html, params.images === true, out);
  return messages.every(({ failure, to }) => failure === undefined && to !== undefined) ? 0 : 1;
}

/** @throws ServiceError `not_found` when there is no such contact. */
async function findContact(read: Tryout, params: PreviewParams, context: Context): Promise<Contact> {
  const { contact: id } = params;
  let seen = 0;
  const leftOut = new LeftOut();
  const noteLeftOut = (): void => {
    for (const line of leftOutWords(leftOut)) context.out.note(context.out.noteColor.yellow(`note: ${line}`));
  };
  for await (const contact of contactsOf(read, params, context, leftOut)) {
    if (id === undefined) noteLeftOut();
    if (id === undefined || showId(contact.id) === id) return contact;
    seen += 1;
  }
  noteLeftOut();
  const among = `among ${seen.toLocaleString('en-US')} that can be used`;
  throw new ServiceError(
    'not_found',
    id === undefined ? 'there is no contact' : `there is no contact ${safe(id)} ${among}`,
  );
}

/** @throws ServiceError `usage` when there is no such message. */
function choose(messages: readonly FlowMessage[], { stage, step }: PreviewParams): FlowMessage[] {
  const chosen = messages.filter(
    (message) => (stage === undefined || message.stage === stage) && (step === undefined || message.step === step),
  );
  if (chosen.length > 0) return chosen;
  const all = messages.map((message) => (message.step === 0 ? message.stage : `${message.stage} ${message.step}`));
  throw new ServiceError('usage', `the flow has no such message; its stages and steps: ${all.join(', ') || 'none'}`);
}

function previewed(message: FlowMessage, contact: Contact, context: FlowContext, standIns: StandIns): PreviewedMessage {
  const { stage, step, channel: name, templates, fallback } = message;
  const letter = letterAt(context.flow.stages.get(stage), step, fallback);
  const channel = context.channels.get(name);
  const place = { stage, step, channel: name, ...(fallback && { fallback }), address: channel?.address ?? '' };
  if (letter === undefined || channel === undefined) {
    const failure = { reason: 'channel_unknown', message: `channel ${name} is not configured here` };
    return { ...place, missing: [], unknown: [], failure };
  }
  const scope = standIns.over(scopeFor(context, contact, message), message);
  const conversationId = scope.conversation.id;
  const make = (values: typeof scope): Made => {
    const to = letter.to(channel.address, values);
    const rendered = renderMessage(letter.content, channel, context, { scope: values, conversationId });
    const failed = [to, rendered].find((one) => one?.kind === 'failed');
    return {
      ...(to?.kind === 'rendered' ? { to: to.text } : {}),
      ...(failed?.kind === 'failed' ? { failure: { reason: failed.reason, message: failed.message } } : {}),
      ...(rendered.kind === 'rendered' ? { content: rendered.content } : {}),
    };
  };
  const made = make(scope);
  const filled = made.failure && fillIn(scope, variantFor(templates, contact.locale), make);
  const { failure: _, ...marked } = filled?.made ?? made;
  const text = marked.content?.text;
  return {
    ...{ ...place, missing: filled?.missing ?? [], unknown: standIns.namedIn(message), ...marked },
    ...(channel.address === 'phone' && text !== undefined ? { sms: smsLength(withoutMarks(text)) } : {}),
    ...(made.failure === undefined ? {} : { failure: made.failure }),
  };
}

type Made = Pick<PreviewedMessage, 'to' | 'content' | 'failure'>;

/** Marks what is missing: first what is always printed, then what the engine stumbles over, for a condition may well ask for what is not there. */
function fillIn<S extends object>(
  scope: S,
  templates: readonly Uses[],
  make: (values: S) => Made,
): { made: Made; missing: string[] } {
  const missing: string[] = [];
  let values = scope;
  const lacks = ({ path }: Use): boolean => !hasValue(values, path);
  const fill = ({ path }: Use): void => {
    const name = writtenAs(path);
    missing.push(name);
    values = withValue(values, path, mark(name));
  };
  for (const use of templates.flatMap(({ required }) => required)) if (lacks(use)) fill(use);
  const all = templates.flatMap((uses) => uses.all);
  for (;;) {
    const made = make(values);
    const { reason, message } = made.failure ?? {};
    const use =
      reason === 'template_variable_missing'
        ? all.find((one) => message?.includes(`undefined variable: ${writtenAs(one.path)},`) === true && lacks(one))
        : undefined;
    if (use === undefined) return { made, missing };
    fill(use);
  }
}

async function writePage(made: Preview, html: string, images: boolean, out: Output): Promise<void> {
  const { previewPage } = await import('./previewHtml.ts');
  const page = previewPage(made, { images });
  if (html === '-') {
    await out.data(page);
    return;
  }
  await using file = await WholeFile.open(html, '--html');
  await file.write(page);
  await file.finish();
  out.line(`${out.color.green('wrote')} ${made.messages.length} messages to ${safe(html)}`);
}
