import type { ChannelCheck, OutboundMessage, SendResult } from '../domain/channelPorts.ts';

/** One request, as it is written. */
export interface HttpRequest {
  method: 'POST';
  /** Path and query, on the origin of the protocol. */
  path: string;
  /** Names in lower case and values, in turn. */
  headers: string[];
  body: string;
}

/** A question to the provider that changes nothing, and shows whether it knows us. */
export interface HttpLook {
  /** Path and query, on the origin of the protocol. */
  path: string;
  /** Names in lower case and values, in turn. */
  headers: readonly string[];
  /** What the answer says, in words without secrets. `body`: the first 64 KB of it as text. */
  judge: (status: number, body: string) => ChannelCheck;
}

/** An answer before its body. */
export interface HttpHead {
  status: number;
  /** Names in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** What `Retry-After` asks for; undefined when it asks for nothing that can be read. */
  retryAfterMs: number | undefined;
}

/**
 * What one provider understands by a message, and what its answers mean; knows no connection and no clock. The same message
 * is always the same request of one configuration: a try that comes again has the same bytes.
 */
export interface HttpProtocol {
  /** Scheme, host and port of all requests. */
  readonly origin: string;
  /** Absent: nothing can be asked without a message. */
  readonly look?: HttpLook;
  /** The request for a message, or the result where none can be made. What it throws is `message_invalid`. */
  request(message: OutboundMessage): HttpRequest | SendResult;
  /** What the answer stands for, should its body never come. */
  verdict(head: HttpHead): SendResult;
  /**
   * The verdict with what the body adds. `body`: the first 64 KB of it as text, of an answer that was cut what came; of a
   * message that was sent "" where there is more.
   */
  result(verdict: SendResult, body: string, head: HttpHead): SendResult;
}
