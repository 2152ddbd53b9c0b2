/** The whole story of a conversation, in order of time, as its documents tell it. */
import { time } from './audit.ts';
import { sequenceOf } from './ids.ts';
import type { Conversation, HistoryEntry, InboxEvent, Message } from './model.ts';
import { isPlain, own } from './plain.ts';
import { endWords, errorWords, messageWords, reasonWord, replayWord } from './words.ts';

export type StoryWhat =
  | 'created'
  | 'entered'
  | 'event'
  | 'unreadable_event'
  | 'drawn'
  | 'answered'
  | 'escalated'
  | 'reopened'
  | 'replayed'
  | 'migrated'
  | 'stayed'
  | 'message_queued'
  | 'message_handed'
  | 'message_sent'
  | 'message_failed'
  | 'message_uncertain'
  | 'message_skipped'
  | 'message_delivered'
  | 'message_opened'
  | 'message_clicked'
  | 'message_bounced'
  | 'message_complained'
  | 'message_missing'
  | 'message_refused'
  | 'retry'
  | 'held'
  | 'fallback'
  | 'ended'
  | 'inbox';

export interface StoryEvent {
  /** Absent for an event in the inbox that does not say when it happened. */
  at?: Date;
  what: StoryWhat;
  stage?: string;
  /** Id of the row it is about. */
  message?: string;
  /** One sentence. It may quote what others wrote. */
  text: string;
}

/** Others' words in a sentence, at most. */
const longestQuote = 120;
const quote = (value: unknown): string => {
  const text = String(value);
  return text.length > longestQuote ? `${text.slice(0, longestQuote)}…` : text;
};

const date = (value: unknown): { at?: Date } => {
  const at = time(value);
  return at === undefined ? {} : { at: new Date(at) };
};

/** Where the history does not say when a row was skipped, it is where the conversation moved on next. */
export function story(conversation: Conversation, rows: readonly Message[]): StoryEvent[] {
  const history = Array.isArray(conversation.history) ? conversation.history : [];
  const byId = new Map(rows.map((row) => [row._id, row]));
  const told = [
    created(conversation, history),
    ...history.flatMap((entry, index) => ofHistory(entry, index, { conversation, history, byId })),
    ...rows.flatMap((row) => ofRow(row, history)),
  ];
  const last = Number.POSITIVE_INFINITY;
  const inOrder = told.toSorted((a, b) => (time(a.at) ?? last) - (time(b.at) ?? last) || rank(a) - rank(b));
  const inbox: unknown[] = Array.isArray(conversation.inbox) ? conversation.inbox : [];
  return [...inOrder, ...inbox.map(waiting)];
}

/** What is written at one instant: what happened, what was sent for it, the end. */
const rank = ({ what }: StoryEvent): number =>
  what === 'created' ? 0 : what === 'ended' ? 3 : what.startsWith('message') ? 2 : 1;

/** The history keeps the newest entries only. */
const historyLimit = 100;

function created({ createdAt }: Conversation, history: readonly HistoryEntry[]): StoryEvent {
  const more = history.length >= historyLimit ? `; of what happened, the newest ${historyLimit} entries are kept` : '';
  return { ...date(createdAt), what: 'created', text: `created from its audience${more}` };
}

interface Told {
  conversation: Conversation;
  history: readonly HistoryEntry[];
  byId: ReadonlyMap<string, Message>;
}

function ofHistory(entry: HistoryEntry, index: number, told: Told): StoryEvent[] {
  const { event, stage, detail = {} } = entry;
  const base = { ...date(entry.at), ...(stage === undefined ? {} : { stage }) };
  const has = (field: string): boolean => own(detail, field) !== undefined;
  if (event === 'message' && has('sequence')) return ofDecided(entry, base, told);
  const cause = causes.find((one) => one === event);
  if (cause !== undefined && has('messageId')) return [ofPostponed(entry, cause, index, base, told)];
  if (event === 'fallback' && has('messageId')) return [ofFallback(detail, base)];
  if (event === 'ended' && has('status'))
    return [{ ...base, what: 'ended', text: endedText(detail, told.conversation) }];
  if (event === 'entered') return [{ ...base, what: 'entered', text: `enters stage ${stage}` }];
  if (event === 'drawn' && has('variant'))
    return [{ ...base, what: 'drawn', text: `drawn into variant ${quote(detail['variant'])} of stage ${stage}` }];
  if (event === 'answered' && has('variable'))
    return [
      { ...base, what: 'answered', text: `what the webhook answered is kept as variables.${detail['variable']}` },
    ];
  if (event === 'escalated' && has('escalation'))
    return [
      {
        ...base,
        what: 'escalated',
        text: `handed over to ${quote(detail['to'])}, see ${detail['escalation']} in escalations`,
      },
    ];
  if (event === 'migrated' && has('migration')) {
    const version = has('version')
      ? `version ${detail['version']} of its template`
      : 'the version its campaign began with';
    return [{ ...base, what: 'migrated', text: `goes over to ${version}` }];
  }
  if (event === 'stayed' && has('migration'))
    return [{ ...base, what: 'stayed', text: 'stays with the version it follows: the new one has no place for it' }];
  if (event === 'reopened') return [{ ...base, what: 'reopened', text: 'given back: it goes on' }];
  if (event === 'replayed' && has('messageId')) {
    const message = String(detail['messageId']);
    return [
      {
        ...base,
        what: 'replayed',
        message,
        text: `message ${sequenceOf(message)} is to be tried again: somebody asked for it`,
      },
    ];
  }
  if (event === 'unreadable_event')
    return [{ ...base, what: 'unreadable_event', text: 'an event that cannot be read; it is in dead_letters' }];
  const id = has('id') ? ` ${quote(detail['id'])}` : '';
  const kind = has('machine') ? ', made by a machine' : has('auto') ? ', an automatic answer' : '';
  const said = has('text') ? `: ${quote(detail['text'])}` : '';
  return [{ ...base, what: 'event', text: `event ${quote(event)}${id} consumed${kind}${said}` }];
}

/** Its row says the same, unless that is gone. */
function ofDecided({ detail, stage = '' }: HistoryEntry, base: Partial<StoryEvent>, told: Told): StoryEvent[] {
  const sequence = Number(detail?.['sequence']);
  const message = `${told.conversation._id}/${sequence}`;
  if (told.byId.has(message)) return [];
  const words = messageWords(sequence, stage, Number(detail?.['step']));
  return [{ ...base, what: 'message_missing', message, text: `${words} was decided; its row is gone` }];
}

const causes = ['retry', 'held', 'window', 'holiday', 'zone', 'cap', 'warm_up', 'rate'] as const;
type Cause = (typeof causes)[number];
const heldWords = {
  window: 'by its send window',
  holiday: 'by a holiday in its send window',
  zone: 'for want of the time zone of its contact',
  cap: 'by the limit of messages for a contact',
  warm_up: 'by the ramp of its campaign',
  rate: 'by the rate of its domain',
} as const;

function ofPostponed(
  { detail }: HistoryEntry,
  event: Cause,
  index: number,
  base: Partial<StoryEvent>,
  { history, byId }: Told,
): StoryEvent {
  const message = String(detail?.['messageId']);
  const until = date(detail?.['until']).at?.toISOString() ?? '-';
  const name = `message ${sequenceOf(message)}`;
  if (event === 'held') return { ...base, what: 'held', message, text: `${name} was held back before it left` };
  if (event !== 'retry')
    return { ...base, what: 'held', message, text: `${name} was held back ${heldWords[event]}, until ${until}` };
  const last = history.findLastIndex((one) => one.event === 'retry' && one.detail?.['messageId'] === message) === index;
  // the row keeps the last error only
  const error = last ? byId.get(message)?.error : undefined;
  const why = error === undefined ? '' : ` (${quote(errorWords(error))})`;
  return { ...base, what: 'retry', message, text: `${name} was not taken${why}; it is tried again at ${until}` };
}

function ofFallback(detail: Record<string, unknown>, base: Partial<StoryEvent>): StoryEvent {
  const message = String(detail['messageId']);
  const why = detail['reason'] === 'superseded' ? 'was not sent in time' : 'cannot be delivered';
  const text = `message ${sequenceOf(message)} ${why}: the fallback takes its place, on channel ${quote(detail['channel'])}`;
  return { ...base, what: 'fallback', message, text };
}

const endedText = (detail: Record<string, unknown>, { error }: Conversation): string => {
  const words = endWords({
    outcome: String(detail['outcome']),
    ...(detail['reason'] === undefined ? {} : { reason: String(detail['reason']) }),
    ...(error === undefined ? {} : { error }),
  });
  return `ended as ${detail['status']}: ${words}`;
};

// ---------------------------------------------------------------- rows

function ofRow(row: Message, history: readonly HistoryEntry[]): StoryEvent[] {
  const { _id: message, stage, channel, to, handedAt, attempts, step } = row;
  const base = { stage, message };
  const name = `message ${sequenceOf(message)}`;
  const address = to === undefined ? '' : ` to ${quote(to)}`;
  const words = messageWords(sequenceOf(message), stage, step);
  const tries = attempts > 1 ? `, try ${attempts}` : '';
  return [
    { ...base, ...date(row.queuedAt), what: 'message_queued', text: `${words} decided, channel ${channel}${address}` },
    ...(handedAt === undefined
      ? []
      : [
          {
            ...base,
            ...date(handedAt),
            what: 'message_handed' as const,
            text: `${name} handed over to ${channel}${tries}`,
          },
        ]),
    ...ofReplay(row).map((event) => ({ ...base, ...event })),
    ...[...ofAnswer(row, history), ...ofReceipts(row)].map((event) => ({
      ...base,
      ...event,
      text: `${name} ${event.text}`,
    })),
  ];
}

/** That it is tried again the history tells; that it is not, its row alone. */
function ofReplay({ _id, replay }: Message): StoryEvent[] {
  if (replay?.refused === undefined) return [];
  const text = `message ${sequenceOf(_id)} is not tried again, though somebody asked for it: ${replayWord(replay.refused)}`;
  return [{ ...date(replay.at), what: 'message_refused', text }];
}

function ofAnswer(row: Message, history: readonly HistoryEntry[]): StoryEvent[] {
  const { status, reason, error, sentAt, handedAt, queuedAt, providerMessageId } = row;
  const provider = providerMessageId === undefined ? '' : `, ${quote(providerMessageId)} at the provider`;
  const sent: StoryEvent[] =
    sentAt === undefined ? [] : [{ ...date(sentAt), what: 'message_sent', text: `sent${provider}` }];
  const why = [
    ...(reason === undefined ? [] : [reasonWord(reason)]),
    ...(error === undefined ? [] : [quote(errorWords(error))]),
  ];
  const because = why.length > 0 ? `: ${why.join('; ')}` : '';
  switch (status) {
    case 'failed':
    case 'uncertain':
      return [{ ...date(handedAt ?? queuedAt), what: `message_${status}`, text: `${status}${because}` }];
    case 'skipped':
      return [{ ...skippedAt(row, history), what: 'message_skipped', text: `skipped${because}` }];
    default:
      return sent;
  }
}

/** What its provider told of it afterwards; of a status without its receipt it is only known that it is so. */
function ofReceipts(row: Message): StoryEvent[] {
  const { status, sentAt } = row;
  const receipts = [
    ['delivered', row.deliveredAt],
    ['opened', row.openedAt],
    ['clicked', row.clickedAt],
    ['bounced', row.bouncedAt],
    ['complained', row.complainedAt],
  ] as const;
  return receipts.flatMap(([text, at]): StoryEvent[] =>
    at === undefined && status !== text ? [] : [{ ...date(at ?? sentAt), what: `message_${text}`, text }],
  );
}

/** A row that never was on its way was skipped when it was decided; else it was where the conversation went on without it. */
function skippedAt({ _id, attempts, queuedAt }: Message, history: readonly HistoryEntry[]): { at?: Date } {
  const last = history.findLastIndex(({ detail }) => detail?.['messageId'] === _id);
  // what was held back before it left counts no attempt
  if (attempts === 0 && last < 0) return date(queuedAt);
  const superseded = history[last];
  if (superseded?.event === 'fallback') return date(superseded.at);
  const queued = time(queuedAt) ?? 0;
  const moved = history.find(
    ({ event, at }, index) => index > last && (event === 'ended' || event === 'entered') && (time(at) ?? 0) >= queued,
  );
  return date(moved?.at ?? queuedAt);
}

// ---------------------------------------------------------------- the inbox

function waiting(raw: unknown): StoryEvent {
  const event: Partial<InboxEvent> = isPlain(raw) ? raw : {};
  const { type = 'of no type', id, text } = event;
  const name = id === undefined ? '' : ` ${quote(id)}`;
  const said = text === undefined ? '' : `: ${quote(text)}`;
  return { ...date(event.at), what: 'inbox', text: `event ${quote(type)}${name} waits in the inbox${said}` };
}
