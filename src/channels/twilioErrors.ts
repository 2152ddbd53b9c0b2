/**
 * What Twilio's error codes stand for. Source: its error and warning dictionary, twilio.com/docs/api/errors/<code>, and for the
 * answers themselves twilio.com/docs/usage/twilios-response. What is not listed goes by its HTTP status.
 */
import type { SendResult } from '../domain/channelPorts.ts';

const second = 1000;
const minute = 60 * second;

/** Not the message's fault: it is tried again, and no attempt is counted. Without `waitMs` the usual back-off. */
const waits = (code: string, waitMs?: number) => ({ kind: 'waits', code, waitMs }) as const;
/** Final. Without `code`: `twilio_<number>`. */
const final = (code?: string, bounce?: true) => ({ kind: 'final', code, bounce }) as const;

export type Meaning = ReturnType<typeof waits> | ReturnType<typeof final>;

const login = waits('login_failed', minute);
const account = waits('account_blocked', minute);
const sender = waits('sender_refused', minute);
/** The number itself is wrong, or out of reach, or what sends to it: nothing is suppressed, for a fault of the account looks the same. */
const invalid = final('address_invalid');
/** There is no phone that could take it. */
const dead = final('address_invalid', true);

/** By error code: what it means to a message, and Twilio's words for it. */
export const twilioErrors: ReadonlyMap<number, readonly [Meaning, string]> = new Map<
  number,
  readonly [Meaning, string]
>([
  [10001, [account, 'account is not active']],
  [14107, [waits('recipient_limited', 30 * second), 'send rate limit between two numbers']],
  [20003, [login, 'authenticate; permission denied']],
  [20005, [account, 'account not active']],
  [20403, [account, 'forbidden: suspended or closed']],
  [20404, [account, 'not found: no such account']],
  [20429, [waits('rate_limited'), 'too many requests']],
  [21211, [invalid, "invalid 'To' phone number"]],
  [21212, [sender, "invalid 'From' number"]],
  [21217, [invalid, 'phone number does not appear to be valid']],
  [21265, [invalid, "'To' number cannot be a short code"]],
  [21266, [invalid, "'To' and 'From' cannot be the same"]],
  [21408, [final(), 'no permission for the region of the number']],
  [21601, [sender, "'From' is not an SMS-capable number"]],
  [21603, [sender, "'From' or 'MessagingServiceSid' is required"]],
  [21606, [final(), "'From' cannot send to this destination"]],
  [21608, [final('not_allowed'), "'To' is not verified (trial account)"]],
  [21609, [waits('callback_refused', minute), 'invalid StatusCallback']],
  [21610, [final('opted_out'), 'recipient is unsubscribed (STOP)']],
  [21611, [waits('rate_limited', minute), "queue of the 'From' number is full"]],
  [21612, [final(), "no way from this 'From' to this 'To'"]],
  [21614, [dead, "'To' is not a valid mobile number"]],
  [21617, [final('content_too_long'), 'body exceeds 1600 characters']],
  [21635, [dead, "'To' number is a landline"]],
  [21659, [sender, "'From' is not a Twilio number"]],
  [21660, [sender, "'From' belongs to another account"]],
  [21701, [sender, 'Messaging Service does not exist']],
  [21702, [sender, 'Messaging Service is not available to the account']],
  [21703, [final(), "Messaging Service has no number for this 'To'"]],
  [21704, [sender, 'Messaging Service has no numbers']],
  [21705, [sender, 'Messaging Service is invalid']],
  [30001, [waits('rate_limited', minute), 'queue overflow']],
  [30002, [account, 'account suspended']],
  [30005, [invalid, 'unknown destination handset']],
  [30006, [invalid, 'landline or unreachable carrier']],
  [63038, [waits('rate_limited', 15 * minute), 'daily limit of messages']],
]);

/** The body of an answer of 4xx and 5xx. */
export interface TwilioError {
  code: number;
  said: string;
}

/** What an error stands for; undefined where the status has to say it. `retryAfterMs` goes over the wait of ours. */
export function twilioVerdict({ code, said }: TwilioError, retryAfterMs: number | undefined): SendResult | undefined {
  const [meaning] = twilioErrors.get(code) ?? [];
  if (meaning === undefined) return undefined;
  if (meaning.kind === 'final') {
    const bounce = meaning.bounce === undefined ? {} : { bounce: meaning.bounce };
    return { kind: 'rejected', code: meaning.code ?? `twilio_${code}`, message: said, ...bounce };
  }
  const waitMs = retryAfterMs ?? meaning.waitMs;
  const wait = waitMs === undefined ? {} : { retryAfterMs: waitMs };
  return { kind: 'retry', code: meaning.code, message: said, ...wait, counts: false };
}
