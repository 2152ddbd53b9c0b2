/** The closed lists of the contract, as an operator reads them at night. */
import type { Conversation, Message, SkipReason } from './model.ts';

/** Why a message did not go out, or failed. */
const reasonWords: Readonly<Record<SkipReason, string>> = {
  suppressed: 'the address must not be written to',
  unsubscribed_topic: 'the contact left this topic',
  provider_opted_out: 'the provider says that the contact opted out',
  address_missing: 'the contact has no address on that channel',
  address_invalid: 'the address is none of that channel',
  not_allowed: 'the channel is limited to other recipients (_ALLOW, WEBHOOK_ALLOWED_HOSTS)',
  contact_invalid: 'the contact cannot be used',
  duplicate_contact: 'the contact is in the campaign already',
  duplicate_address: 'the address is in the campaign already',
  hold_out: 'the contact is held out',
  frequency_cap: 'the contact has had enough messages',
  window_expired: 'its send window had closed',
  late_skipped: 'it came too late to be of use',
  campaign_ended: 'the campaign came to its end (endAt)',
  campaign_cancelled: 'the campaign was cancelled',
  stopped: 'the conversation ended before it left',
  superseded: 'another message took its place',
  replied: 'an event led on before it left',
  exit_condition: 'the contact left by exitWhen',
  session_closed: 'the session with the contact is closed',
  template_variable_missing: 'a variable of its content is missing',
  template_error: 'its content could not be rendered',
  content_empty: 'its content is empty',
  provider_rejected: 'the provider refused it for good',
  retries_exhausted: 'it was tried as often, or as long, as its channel allows',
  uncertain: 'it may have left, and its channel never repeats',
};

/** Why a contact did not enter is of the same list, and of this. */
const everyReason: Readonly<Record<string, string>> = {
  ...reasonWords,
  excluded: 'the contact is in the collection to be left out',
};

export const reasonWord = (reason: string): string =>
  Object.hasOwn(everyReason, reason) ? String(everyReason[reason]) : reason;

/** Why a message that gave up gets no other try. */
export const replayWords: Readonly<Record<NonNullable<NonNullable<Message['replay']>['refused']>, string>> = {
  campaign_cancelled: 'its campaign was cancelled, or is gone',
  campaign_ended: 'its campaign came to its end (endAt)',
  moved_on: 'its conversation goes on without it; it can be tried again when that has ended',
  busy: 'another message of its conversation is on its way; ask again when that has arrived',
  sent_anew: 'it was sent anew before',
  never_written: 'it was never written (a template, or an address): there is nothing to send again',
  may_have_left: 'it may have arrived, on a channel that delivers at most once',
};
export const replayWord = (refused: string): string =>
  Object.hasOwn(replayWords, refused) ? replayWords[refused as keyof typeof replayWords] : refused;

const outcomeWords: Readonly<Record<string, string>> = {
  finished: 'the last stage went by',
  escalated: 'a person was asked in',
  hold_out: 'the contact is held out',
  replied: 'a reply came',
  exit_condition: 'the contact left by exitWhen',
  bounced: 'the address bounced',
  complained: 'the contact complained',
  unsubscribed: 'the contact unsubscribed',
  suppressed: 'no channel of the flow was left on which the contact may be written to',
  expired: 'its message came too late to be of use',
  failed: 'a message failed for good, and the flow leads nowhere from there',
};

/** Why a conversation ended; an outcome of its author is quoted. */
export function endWords({
  outcome,
  reason,
  error,
}: Partial<Pick<Conversation, 'outcome' | 'reason' | 'error'>>): string {
  const text = outcome === undefined || !Object.hasOwn(outcomeWords, outcome) ? undefined : outcomeWords[outcome];
  const because =
    outcome === 'cancelled' ? reasonWord(reason ?? 'campaign_cancelled') : (text ?? `the flow ended it as ${outcome}`);
  const more = outcome === 'failed' && reason !== undefined ? `: ${reasonWord(reason)}` : '';
  return `${because}${more}${error === undefined ? '' : ` (${errorWords(error)})`}`;
}

export const errorWords = ({ code, message }: { code: string; message: string }): string => `${code}: ${message}`;

/** "message 3 (follow-up 1 of stage intro)". */
export const messageWords = (sequence: number | string, stage: string, step: number): string =>
  `message ${sequence} (${placeWords(stage, step)})`;

export const placeWords = (stage: string, step: number): string =>
  step === 0 ? `of stage ${stage}` : `follow-up ${step} of stage ${stage}`;
