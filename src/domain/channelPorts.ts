/** What a channel is to the pipelines, and what it is given. */
import type { Id, RenderedContent } from './model.ts';
import type { DomainRates, RateLimit } from './rates.ts';

/** What a channel hands over. Every try of a `messageId` carries the same bytes. */
export interface OutboundMessage {
  messageId: string;
  campaignId: Id;
  conversationId: string;
  channel: string;
  to: string;
  content: RenderedContent;
  stage: string;
  step: number;
  /** When it was decided: the date of a mail, the same for every try. */
  queuedAt: Date;
  traceparent?: string;
}

export type SendResult =
  /** `answer`: the JSON object it was answered with, where that is small (16 KB). */
  | { kind: 'sent'; providerMessageId?: string; answer?: Record<string, unknown> }
  /**
   * May be tried again. `counts` false: no attempt was made (429, refused before anything left). `mayHaveLeft`: nobody knows whether this
   * one was taken (time-out, connection lost), and the same key goes again. `ofRecipient`: it is the recipient that makes it wait; the
   * provider works.
   */
  | {
      kind: 'retry';
      code: string;
      message: string;
      retryAfterMs?: number;
      counts: boolean;
      mayHaveLeft?: true;
      ofRecipient?: true;
    }
  /** May have left, nobody knows (time-out, connection lost after the request was written). */
  | { kind: 'unknown'; code: string; message: string }
  /**
   * Final. `code` `opted_out`: the provider has it that the recipient left, which suppresses the address. `bounce`: the address
   * does not exist or takes nothing any more: what the flow does at a hard bounce.
   */
  | { kind: 'rejected'; code: string; message: string; bounce?: true };

/**
 * What is wrong with the way to a provider: its name is not known (`dns`), nobody listens (`refused`), nothing comes back
 * (`unreachable`), no answer when the look was ended (`late`), encryption or certificate (`tls`), user, password or token
 * (`login`), a file that cannot be written (`path`), any other answer than yes (`answer`).
 */
export type ChannelTrouble =
  | 'dns'
  | 'refused'
  | 'unreachable'
  | 'late'
  | 'tls'
  | 'login'
  | 'account'
  | 'path'
  | 'answer';

/** What a look at the way of a channel found, in words without secrets. */
export type ChannelCheck =
  /** `left`: what only a message would show. */
  | { kind: 'ready'; found: string; left?: string }
  | { kind: 'failed'; trouble: ChannelTrouble; found: string }
  /** Its driver has no way to look. */
  | { kind: 'unknown'; found: string };

export interface Channel {
  readonly name: string;
  /** Contact field that holds the address (`email`, `phone`, ...). */
  readonly address: string;
  /** Concurrent sends. */
  readonly concurrency: number;
  /** Over all replicas together. Absent: no limit by the environment. */
  readonly rate?: RateLimit;
  /** Of mail: over all replicas together, by domain of the recipient. Absent: no limits by the environment. */
  readonly domainRates?: DomainRates;
  readonly delivery: 'at-least-once' | 'at-most-once';
  readonly attempts: number;
  readonly giveUpMs: number;
  /** Content fields of which at least one must be there. */
  readonly needs: readonly (keyof RenderedContent)[];
  /** Each recipient has a host of its own: what one of them answers says nothing of the others. */
  readonly manyHosts?: true;
  /** What every mail of the channel says, settled in its rows. Absent where the channel does not write mail itself. */
  readonly mail?: { readonly from: string; readonly headers: Readonly<Record<string, string>> };
  /** Present where a text goes out as SMS: its rows keep of how many parts. */
  readonly isSms?: true;
  /**
   * Never throws: whatever happens is a result. `signal` aborts what is on the wire. `mayBegin` is asked just before the first
   * byte can leave; when it says no, nothing leaves, and it is a retry that counts as no attempt. With `last` false it is asked
   * again before the message is complete.
   */
  send(message: OutboundMessage, signal: AbortSignal, mayBegin?: (last?: boolean) => boolean): Promise<SendResult>;
  /** Looks whether its provider can be reached and lets us in, as far as that shows without a message: nothing is sent. Never throws. */
  check?(signal: AbortSignal): Promise<ChannelCheck>;
  close(): Promise<void>;
}

/** What the domain has to know of a channel. */
export type ChannelFacts = Pick<
  Channel,
  'name' | 'address' | 'delivery' | 'attempts' | 'giveUpMs' | 'needs' | 'mail' | 'isSms'
>;
