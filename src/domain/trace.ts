import { isPlain, own } from './plain.ts';

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** All zeroes is the invalid id (W3C Trace Context, 3.2.2.3 and 3.2.2.4): the last digit becomes 1 then. */
function hexId(bytes: Uint8Array, from: number, length: number): string {
  let id = '';
  let bits = 0;
  for (let at = from; at < from + length; at += 1) {
    const byte = Number(bytes[at]);
    bits |= byte;
    id += hex[byte];
  }
  return bits === 0 ? `${id.slice(0, -1)}1` : id;
}

/**
 * Gives out a new `traceparent`. `parent` is one that somebody else wrote: `continued` makes a span in the trace of it, `linked`
 * a trace of its own that may be recorded only because that one is. Neither: of a campaign, which is recorded wherever anything may be.
 */
export type NewTraceparent = (parent?: string, how?: 'continued' | 'linked') => string;

/**
 * A new `traceparent` of version 00 (W3C Trace Context). `random` returns at least 24 random bytes: 16 for the trace, 8 for the
 * span; it is called once. `isSampled` says of the trace's id whether its spans are recorded: the flag by which everybody goes
 * who meets the trace later. `traceId`: of a trace that there is already.
 */
export function newTraceparent(
  random: () => Uint8Array,
  isSampled: (traceId: string) => boolean,
  traceId?: string,
): string {
  const bytes = random();
  const ofTrace = traceId ?? hexId(bytes, 0, 16);
  return `00-${ofTrace}-${hexId(bytes, 16, 8)}-${isSampled(ofTrace) ? '01' : '00'}`;
}

/** A new id of a trace, 32 hexadecimal digits; `random` as of `newTraceparent`. */
export const newTraceId = (random: () => Uint8Array): string => hexId(random(), 0, 16);

/** A new id of a span, 16 hexadecimal digits; `random` as of `newTraceparent`. */
export const newSpanId = (random: () => Uint8Array): string => hexId(random(), 16, 8);

export interface TraceContext {
  traceId: string;
  spanId: string;
  /** Its spans are recorded. */
  sampled: boolean;
}

/** Of version 00; what comes behind it in a later one is passed over (W3C Trace Context, 3.2.4 and 4.3). */
const wellFormed = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:-.*)?$/;

/** What a `traceparent` says; undefined when it is none. */
export function traceContext(traceparent: unknown): TraceContext | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const [, traceId, spanId, flags] = wellFormed.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Whether spans of it are recorded; asked of every message while traces are exported. */
export function isSampled(trace: { traceparent?: unknown } | undefined): boolean {
  const traceparent = trace?.traceparent;
  // documents may be written by others; the one that we write ends with 1 or 0
  return typeof traceparent === 'string' && traceparent.length === 55 && traceparent.charCodeAt(54) === 0x31;
}

/** Fields of a log line that is about it, by the names that log viewers know (OpenTelemetry, "Trace Context in non-OTLP Log Formats"). */
export function traceFields(trace: { traceparent?: string } | undefined): { trace_id?: string; span_id?: string } {
  const context = traceContext(trace?.traceparent);
  return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId };
}

/** Of a new run: it goes on with the trace that the writer of its campaign gave, if that is one. */
export function traceOfRun(
  campaign: Record<string, unknown>,
  create: NewTraceparent,
): { traceparent: string; parent?: string } {
  const given = own(campaign, 'trace');
  const parent = isPlain(given) ? own(given, 'traceparent') : undefined;
  if (typeof parent !== 'string' || traceContext(parent) === undefined) return { traceparent: create() };
  return { traceparent: create(parent, 'continued'), parent };
}
