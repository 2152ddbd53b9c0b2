/**
 * What the error codes of the Cloud API stand for. Source: Meta, "Cloud API error codes"
 * (developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes), which asks to go by `code`, not by the HTTP status: that
 * is 400 for a limit as for a wrong message. What is not listed is final with a 4xx, and tried again with a 5xx.
 */
import type { SendResult } from '../domain/channelPorts.ts';
import { troubleMs } from './trouble.ts';

const second = 1000;
const minute = 60 * second;

/** Not the message's fault: it is tried again, and no attempt is counted. Without `waitMs` the usual back-off. */
const waits = (code: string, waitMs?: number) => ({ kind: 'waits', code, waitMs }) as const;
/** Tried again, and counted. */
const again = { kind: 'again' } as const;
/** Final. Without `code`: `whatsapp_<number>`. */
const final = (code?: string) => ({ kind: 'final', code }) as const;

type Meaning = ReturnType<typeof waits> | typeof again | ReturnType<typeof final>;

const login = waits('login_failed', troubleMs);
const account = waits('account_blocked', troubleMs);

const meanings: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  // authorization: the token is missing, expired or lacks a permission (200 to 299 are permissions, too)
  ...[0, 3, 10, 190, 131005].map((code): [number, Meaning] => [code, login]),
  // the account, its number or its payments: blocked for a violation, locked, unpaid, not registered, being moved, deleted
  ...[33, 368, 131031, 131037, 131042, 131045, 131057, 133010].map((code): [number, Meaning] => [code, account]),
  // throttling: calls of the app (4, 613), of its user (17) and of the account (80007, 80008) in an hour, messages in a second
  // (130429), spam (131048)
  ...[4, 17, 613, 80007, 80008].map((code): [number, Meaning] => [code, waits('rate_limited', minute)]),
  [130429, waits('rate_limited')],
  [131048, waits('rate_limited', 10 * minute)],
  // one message in 6 s from a number to a person: it says nothing of all the others
  [131056, waits('recipient_limited', 6 * second)],
  // the service: unknown, down, overloaded
  ...[1, 2, 131000, 131016, 133004].map((code): [number, Meaning] => [code, again]),
  // the recipient: not on WhatsApp, with too old a version, or in reach of nothing for another reason that Meta does not tell, so that
  // it is no hard bounce; has stopped marketing messages; window of 24 h is closed
  [131026, final('address_invalid')],
  [131050, final('opted_out')],
  [131047, final('session_closed')],
  // only with a test number: not among the five it may write to
  [131030, final('not_allowed')],
]);

/** The `error` of a Graph API answer. */
export interface GraphError {
  code: number;
  /** Deprecated, and told all the same where an object does not exist. */
  subcode?: number;
  /** Whether Meta itself says that another try may succeed. */
  isTransient?: boolean;
  said: string;
}

/** 100 with 33: there is no such number, or the token may not see it. */
const isUnknownSender = ({ code, subcode }: GraphError): boolean => code === 100 && subcode === 33;

function meaningOf(error: GraphError, status: number): Meaning {
  if (isUnknownSender(error) || (error.code >= 200 && error.code <= 299)) return login;
  return meanings.get(error.code) ?? (status >= 500 || error.isTransient === true ? again : final());
}

/** What an error stands for; `retryAfterMs`: what the answer's `Retry-After` asks for, over the wait of ours. */
export function graphVerdict(error: GraphError, status: number, retryAfterMs: number | undefined): SendResult {
  const meaning = meaningOf(error, status);
  const own = `whatsapp_${error.code}`;
  if (meaning.kind === 'final') {
    return { kind: 'rejected', code: meaning.code ?? own, message: error.said };
  }
  const waitMs = retryAfterMs ?? (meaning.kind === 'waits' ? meaning.waitMs : undefined);
  return {
    ...{ kind: 'retry', code: meaning.kind === 'waits' ? meaning.code : own, message: error.said },
    ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
    counts: meaning.kind === 'again',
  };
}
