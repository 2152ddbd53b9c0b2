import type { Dispatcher } from 'undici';
import type { SendResult } from '../domain/channelPorts.ts';
import type { Clock } from '../domain/systemPorts.ts';
import type { Handover, Wire } from './handover.ts';
import type { HttpHead, HttpProtocol } from './httpProtocol.ts';
import { retryAfterMs } from './retryAfter.ts';
import { describeError } from './text.ts';
import { type TroubleLog, trouble, troubleCodes } from './trouble.ts';

/** More of an answer is read off the connection and forgotten. */
const keptBytes = 65_536;
/** An answer longer than this costs more to read to its end than a new connection does. */
const drainedBytes = 1_048_576;

/** A certificate that cannot be trusted, as OpenSSL and Node name it. */
const certificate = /^(CERT_|DEPTH_ZERO_SELF|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT)/;

/** One request and its answer: writes what comes of it into its hand-over. */
export class HttpExchange implements Dispatcher.DispatchHandler, Wire {
  readonly #handover: Handover;
  readonly #protocol: HttpProtocol;
  readonly #clock: Clock;
  readonly #onTrouble: TroubleLog | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #head: HttpHead | undefined;
  #chunks: Buffer[] = [];
  #size = 0;

  /** `onTrouble` is told what stops the whole channel. */
  constructor(handover: Handover, protocol: HttpProtocol, clock: Clock, onTrouble?: TroubleLog) {
    this.#handover = handover;
    this.#protocol = protocol;
    this.#clock = clock;
    this.#onTrouble = onTrouble;
  }

  cut(): void {
    this.#controller?.abort(new Error('given up'));
  }

  /** A connection is there, nothing is written yet. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (!this.#handover.begin()) this.cut();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: HttpHead['headers']): void {
    // 1xx only announces an answer.
    if (status < 200) return;
    this.#head = { status, headers, retryAfterMs: retryAfterMs(headers['retry-after'], this.#clock.now()) };
    this.#handover.verdict = this.#protocol.verdict(this.#head);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size <= keptBytes) this.#chunks.push(chunk);
    if (this.#size <= drainedBytes) return;
    this.#finish();
    this.cut();
  }

  onResponseEnd(): void {
    this.#finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    const { verdict, begun } = this.#handover;
    const { code = '' } = error;
    const said = describeError(error);
    if (verdict !== undefined) this.#finish();
    else if (begun) this.#handover.lost('connection_lost', said);
    else if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') {
      this.#handover.settle({ kind: 'rejected', code: 'message_invalid', message: said });
    } else if (certificate.test(code)) this.#settle(trouble('tls_failed', said));
    else this.#handover.lost('connection_failed', said);
  }

  /** The status has decided; a body that is too long, or did not come whole, only adds less. */
  #finish(): void {
    const { verdict, settled } = this.#handover;
    if (verdict === undefined || settled || this.#head === undefined) return;
    const tooLong = this.#size > keptBytes && verdict.kind === 'sent';
    const body = tooLong || this.#size === 0 ? '' : Buffer.concat(this.#chunks).toString('utf8');
    this.#settle(this.#protocol.result(verdict, body, this.#head));
  }

  #settle(result: SendResult): void {
    if (result.kind === 'retry' && troubleCodes.has(result.code)) this.#onTrouble?.(result.code, result.message);
    this.#handover.settle(result);
  }
}
