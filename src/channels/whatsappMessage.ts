/** From a message's content to the body of a Cloud API message. */
import { createHash } from 'node:crypto';
import type { OutboundMessage } from '../domain/channelPorts.ts';
import { withoutMarks } from './text.ts';

/** The types of a message whose object a flow may write itself, under its name in `content.body`. */
const types = [
  'template',
  'text',
  'image',
  'video',
  'audio',
  'document',
  'sticker',
  'location',
  'contacts',
  'interactive',
];
/** Of `biz_opaque_callback_data`. */
const maxCallbackData = 512;

type Plain = Record<string, unknown>;
const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Why a content is no message of WhatsApp. */
export class ContentFault extends Error {}

/** `language` may be the code alone: `en_US` for `{ code: 'en_US' }`. */
function templateObject(template: Plain): Plain {
  const { name, language, components } = template;
  if (typeof name !== 'string' || name === '') throw new ContentFault('body.template.name is missing');
  const code = isPlain(language) ? language['code'] : language;
  if (typeof code !== 'string' || code === '') throw new ContentFault('body.template.language is missing');
  if (components !== undefined && !Array.isArray(components)) {
    throw new ContentFault('body.template.components is no array');
  }
  return { ...template, language: isPlain(language) ? language : { code } };
}

/** `type` and its object: what `body` says, else `text`. */
function messageObject({ text, body, attachments = [] }: OutboundMessage['content']): {
  type: string;
  object: unknown;
} {
  if (attachments.length > 0) throw new ContentFault('attachments are none of WhatsApp: a file goes as body.document');
  if (isPlain(body)) {
    const [type, ...others] = Object.keys(body);
    if (type === undefined || others.length > 0 || !types.includes(type)) {
      throw new ContentFault(`body must have exactly one of ${types.join(', ')}`);
    }
    const object = body[type];
    if (type !== 'template') return { type, object };
    if (!isPlain(object)) throw new ContentFault('body.template is no object');
    return { type, object: templateObject(object) };
  }
  const said = body ?? text;
  if (typeof said !== 'string' || said.trim() === '') throw new ContentFault('there is neither text nor body');
  return { type: 'text', object: { body: said } };
}

/** What the status of a message tells of it: our id, or where that is too long its SHA-256 in hex. */
export const callbackData = (messageId: string): string =>
  messageId.length <= maxCallbackData ? messageId : createHash('sha256').update(messageId).digest('hex');

/** A telephone number as Meta takes it: `+`, digits and what people write between them. */
export const isNumber = (to: string): boolean => /^\+?[\d\s().-]{5,32}$/.test(to) && withoutMarks(to) === to;

/** The JSON of a message, the same at each try. Throws ContentFault. */
export function cloudApiBody(message: OutboundMessage): string {
  const { type, object } = messageObject(message.content);
  return JSON.stringify({
    messaging_product: 'whatsapp',
    recipient_type: 'individual',
    to: message.to,
    type,
    [type]: object,
    biz_opaque_callback_data: callbackData(message.messageId),
  });
}
