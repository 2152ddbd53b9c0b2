/** Where spans go. There is none where nobody asked for traces: then a pipeline has one null check, and no more. */
import type { NewTraceparent } from './trace.ts';

export interface FinishedSpan {
  /** Of few different values. */
  name: string;
  /** Its context, where that is stored: the first span of a trace. Absent: it gets a new id below `parent`. */
  own?: string;
  /** `traceparent` of the span it belongs to. */
  parent?: string | undefined;
  /** Default `internal`. */
  kind?: 'internal' | 'client' | 'consumer';
  /** ms since the epoch, with fractions. */
  startMs: number;
  endMs: number;
  /** No addresses and no content. What is undefined is left out. */
  attributes: Record<string, string | number | boolean | readonly string[] | undefined>;
  /** `traceparent`s of spans in other traces that this one has to do with. */
  links?: readonly (string | undefined)[];
  /** A code: the span failed. */
  error?: string | undefined;
}

/** Only spans whose trace is sampled are to be given; nothing here ever waits, throws or stops the work. */
export interface Tracer {
  /** Whether the new trace is sampled follows the settings. */
  readonly newTraceparent: NewTraceparent;
  /** Of a trace that is recorded whatever the settings: what links to it is. */
  sampledTraceparent(): string;
  span(span: FinishedSpan): void;
  /** What was given leaves now, not with the next batch. */
  flush(): void;
}
