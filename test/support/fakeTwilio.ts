/**
 * Twilio's Messages API as it is documented (twilio.com/docs/messaging/api/message-resource, twilio.com/docs/api/errors): who may
 * ask, what a form must have, and the answers. It dials nobody, and it knows no idempotency key.
 */
import { createHash } from 'node:crypto';
import type { Answer, Delivery } from './sink.ts';

export interface TwilioAccount {
  sid: string;
  authToken: string;
  /** API keys: SID and secret. */
  keys?: Readonly<Record<string, string>>;
  /** What may stand in `From`. */
  senders: readonly string[];
  services?: readonly string[];
  /** Messaging Services without a number. */
  emptyServices?: readonly string[];
  /** Who said STOP to it. */
  optedOut?: readonly string[];
  landlines?: readonly string[];
  /** Beginnings of numbers that it may write to. Default: all. */
  regions?: readonly string[];
  active?: boolean;
}

/** `{ code, message, more_info, status }`. */
export const twilioError = (status: number, code: number, message: string): Answer => ({
  status,
  body: JSON.stringify({ code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status }),
});

const refusal = (code: number, message: string): Answer => twilioError(400, code, message);

function loggedIn(account: TwilioAccount, authorization: string | undefined): boolean {
  const [scheme, encoded = ''] = (authorization ?? '').split(' ');
  const [user = '', password] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  const expected = user === account.sid ? account.authToken : account.keys?.[user];
  return scheme === 'Basic' && expected !== undefined && password === expected;
}

function wrongRecipient(account: TwilioAccount, to: string | null, from: string | null): Answer | undefined {
  if (to === null || to === '') return refusal(21604, "A 'To' phone number is required.");
  if (!/^\+[1-9]\d{6,14}$/.test(to)) return refusal(21211, `The 'To' number ${to} is not a valid phone number.`);
  if (to === from) return refusal(21266, "'To' and 'From' number cannot be the same");
  if (account.landlines?.includes(to)) return refusal(21635, `'To' number ${to} cannot be a landline`);
  if (account.regions?.every((region) => !to.startsWith(region))) {
    return refusal(21408, `Permission to send an SMS has not been enabled for the region of ${to}`);
  }
  if (account.optedOut?.includes(to)) return refusal(21610, 'Attempt to send to unsubscribed recipient');
  return undefined;
}

function wrongSender(account: TwilioAccount, form: URLSearchParams): Answer | undefined {
  const [from, service] = [form.get('From'), form.get('MessagingServiceSid')];
  if (from === null && service === null) {
    return refusal(21603, "A 'From' or 'MessagingServiceSid' parameter is required to send a message.");
  }
  if (service !== null) {
    if (account.services?.includes(service)) return undefined;
    return account.emptyServices?.includes(service)
      ? refusal(21704, 'The Messaging Service contains no phone numbers')
      : refusal(21701, 'The Messaging Service does not exist');
  }
  if (account.senders.includes(from ?? '')) return undefined;
  return refusal(21660, `Mismatch between the 'From' number ${from} and the account ${account.sid}`);
}

function wrongContent(form: URLSearchParams): Answer | undefined {
  const body = form.get('Body') ?? '';
  if (body === '') return refusal(21602, 'Message body is required.');
  if (body.length > 1600) return refusal(21617, 'The concatenated message body exceeds the 1600 character limit.');
  const callback = form.get('StatusCallback');
  if (callback === null) return undefined;
  const isUrl = URL.canParse(callback) && /^https?:$/.test(new URL(callback).protocol);
  return isUrl && !new URL(callback).hostname.includes('_') ? undefined : refusal(21609, 'Invalid StatusCallback');
}

/** The resource that was made. With a Messaging Service nobody sends it yet: `accepted`, no segments. */
function created(account: TwilioAccount, form: URLSearchParams, id: string): Answer {
  const service = form.get('MessagingServiceSid');
  const sid = `SM${createHash('md5').update(id).digest('hex')}`;
  const uri = `/2010-04-01/Accounts/${account.sid}/Messages/${sid}.json`;
  const body = {
    ...{ account_sid: account.sid, api_version: '2010-04-01', body: form.get('Body'), date_created: null },
    ...{ direction: 'outbound-api', error_code: null, error_message: null, from: form.get('From') },
    ...{ messaging_service_sid: service, num_media: '0', num_segments: service === null ? '1' : '0', price: null },
    ...{ sid, status: service === null ? 'queued' : 'accepted', to: form.get('To'), uri },
  };
  return { status: 201, body: JSON.stringify(body) };
}

/** The account; standard API keys may not look at it. */
function fetched({ sid, active }: TwilioAccount, authorization = ''): Answer {
  const [user = ''] = Buffer.from(authorization.split(' ')[1] ?? '', 'base64')
    .toString('utf8')
    .split(':');
  if (user !== sid) return twilioError(401, 20003, 'Authenticate');
  return {
    status: 200,
    body: JSON.stringify({ sid, status: active === false ? 'suspended' : 'active', type: 'Full' }),
  };
}

export function fakeTwilio(account: TwilioAccount): (delivery: Omit<Delivery, 'key'>) => Answer {
  let made = 0;
  return ({ method, path, headers, raw }) => {
    if (!loggedIn(account, headers.authorization)) return twilioError(401, 20003, 'Authenticate');
    if (method === 'GET' && path === `/2010-04-01/Accounts/${account.sid}.json`)
      return fetched(account, headers.authorization);
    if (method === 'GET' && path === `/2010-04-01/Accounts/${account.sid}/Messages.json?PageSize=1`)
      return { status: 200, body: JSON.stringify({ messages: [], page: 0, page_size: 1 }) };
    if (method !== 'POST' || path !== `/2010-04-01/Accounts/${account.sid}/Messages.json`) {
      return twilioError(404, 20404, `The requested resource ${path} was not found`);
    }
    if (account.active === false) return twilioError(403, 20005, 'Account not active');
    if (headers['content-type'] !== 'application/x-www-form-urlencoded') return refusal(21604, 'no form');
    const form = new URLSearchParams(raw.toString('utf8'));
    const wrong =
      wrongSender(account, form) ?? wrongRecipient(account, form.get('To'), form.get('From')) ?? wrongContent(form);
    if (wrong !== undefined) return wrong;
    made += 1;
    return created(account, form, `${made}`);
  };
}

/** Our id in the address of the status callback of a request. */
export function messageIdIn({ raw }: Pick<Delivery, 'raw'>): string {
  const callback = new URLSearchParams(raw.toString('utf8')).get('StatusCallback') ?? '';
  return URL.canParse(callback) ? (new URL(callback).searchParams.get('messageId') ?? '') : '';
}
