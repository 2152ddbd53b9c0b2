/** What a simulation is given and what it tells. */
import type { PaceFacts } from './channelPace.ts';
import type { FlowContext } from './decision.ts';
import type { Contact, Conversation, CounterDelta, Id, Message, Run } from './model.ts';
import type { Chance, SimulatedEvent } from './simulatedEvents.ts';

export interface SimulationInput {
  run: Pick<Run, '_id' | 'tenant' | 'variables'>;
  /** Messages a second of the campaign, over all channels. Absent: no limit. */
  perSecond?: number | undefined;
  context: FlowContext;
  contacts: readonly Contact[];
  /** ms since the epoch: when the audience enters. */
  startAt: number;
  /** ms since the epoch: whatever is open then is cancelled. */
  endAt?: number | undefined;
  /** ms since the epoch: nothing later is looked at. */
  until: number;
  /** By name; a channel without one takes everything at once. */
  paces: ReadonlyMap<string, PaceFacts>;
  events: readonly SimulatedEvent[];
  /** Messages whose first try comes to nothing, and is made again later. */
  retries: readonly Chance[];
  /** Messages that their channel refuses for good. */
  failures: readonly Chance[];
  /** What stages that keep their answers get, by their id; see `StandIns`. */
  answers?: Readonly<Record<string, Record<string, unknown>>>;
  seed: number;
}

/** A message that has come to its end. */
export interface SimulatedMessage {
  /** When it was sent, or was decided not to be. */
  at: Date;
  contactId: Id;
  stage: string;
  step: number;
  channel: string;
  status: Message['status'];
  reason?: NonNullable<Message['reason']>;
}

/** What an open conversation waited for when `endAt` came: room on its channel (`rate`), its flow, `delayed` of the document, an event. */
export type OpenBecause = 'rate' | 'flow' | 'event' | 'answer' | NonNullable<Conversation['delayed']>;

/** A message that a limit put off for the first time. */
export interface SimulatedDelay {
  because: 'cap' | 'warm_up';
  contactId: Id;
  until: Date;
}

export interface SimulationListener {
  delayed(delay: SimulatedDelay): void;
  message(message: SimulatedMessage): void;
  counted(delta: CounterDelta): void;
  ended(conversation: Conversation, at: number): void;
  /** An active conversation is cut off by `endAt`. */
  cutOff(because: OpenBecause): void;
}

/** What an active conversation waits for; `waitedMs`: how long it waited for room before. Dates in ms since the epoch. */
export function becauseOf(
  {
    conversation: { nextActionAt, delayed },
    isInFlight,
    waitsSince,
    waitedMs,
  }: {
    conversation: Pick<Conversation, 'nextActionAt' | 'delayed'>;
    isInFlight: boolean;
    waitsSince: number | undefined;
    waitedMs: number;
  },
  endAt: number,
): OpenBecause {
  if (waitsSince !== undefined) return 'rate';
  if (isInFlight) return 'answer';
  if (nextActionAt === undefined) return 'event';
  if (delayed !== undefined) return delayed;
  return waitedMs > 0 && nextActionAt.getTime() - waitedMs <= endAt ? 'rate' : 'flow';
}
