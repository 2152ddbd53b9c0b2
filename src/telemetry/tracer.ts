/** Our spans as those of the OpenTelemetry SDK: with the ids that our documents have. */
import {
  type Attributes,
  type ContextManager,
  type Link,
  ROOT_CONTEXT,
  type Tracer as SdkTracer,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { newSpanId, newTraceId, newTraceparent, traceContext } from '../domain/trace.ts';
import type { FinishedSpan, Tracer } from '../domain/tracePorts.ts';
import type { Sampling } from './sampling.ts';

/** Viewers take a span without any length for a mistake. */
const shortestMs = 0.001;

const kinds = { internal: SpanKind.INTERNAL, client: SpanKind.CLIENT, consumer: SpanKind.CONSUMER };

/** Ids as the next span is to have them. */
export class GivenIds {
  next: { traceId: string; spanId: string } | undefined;
  private readonly random: () => Uint8Array;

  constructor(random: () => Uint8Array) {
    this.random = random;
  }

  generateTraceId(): string {
    return this.next?.traceId ?? newTraceId(this.random);
  }

  generateSpanId(): string {
    return this.next?.spanId ?? newSpanId(this.random);
  }
}

/** What is given was sampled when its trace began. */
export const givenIsSampled = { shouldSample: () => ({ decision: 2 as const }), toString: () => 'GivenIsSampled' };

/** Nothing goes by what is under way: the usual one would follow every promise of the thread. */
export const noContext: ContextManager = {
  active: () => ROOT_CONTEXT,
  with: (_, run, self, ...args) => run.call(self as ThisParameterType<typeof run>, ...args),
  bind: (_, target) => target,
  enable: () => noContext,
  disable: () => noContext,
};

function contextOf(traceparent: string): SpanContext | undefined {
  const found = traceContext(traceparent);
  return found && { traceId: found.traceId, spanId: found.spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
}

/** `contextOf` that remembers the last one: spans of a conversation come together, those of a round link to it. */
function rememberingContexts(): typeof contextOf {
  let last: { traceparent: string; context: SpanContext | undefined } | undefined;
  return (traceparent) => {
    if (last?.traceparent !== traceparent) last = { traceparent, context: contextOf(traceparent) };
    return last.context;
  };
}
const contextOfParent = rememberingContexts();
const contextOfLink = rememberingContexts();

export function otelTracer(parts: {
  sdk: SdkTracer;
  ids: GivenIds;
  sampling: Sampling;
  random: () => Uint8Array;
  flush: () => Promise<void>;
}): Tracer {
  const { sdk, ids, sampling, random } = parts;
  return {
    newTraceparent(parent, how) {
      const from = traceContext(parent);
      // campaigns are few, and conversations link to them
      const isSampled = (traceId: string): boolean => sampling(how === undefined ? lowest : traceId, from?.sampled);
      return newTraceparent(random, isSampled, how === 'continued' ? from?.traceId : undefined);
    },
    sampledTraceparent: () => newTraceparent(random, () => true),
    span: (span) => {
      try {
        record(sdk, ids, span);
      } catch {
        // what cannot be told stops nothing
      } finally {
        ids.next = undefined;
      }
    },
    flush: () => void parts.flush().catch(() => {}),
  };
}

/** The id that is recorded if any is. */
const lowest = '0'.repeat(32);
const nothing: Link[] = [];

/** Thousands a second: no more objects than the SDK needs. Attributes that it is given at the start it copies three times. */
function record(sdk: SdkTracer, ids: GivenIds, span: FinishedSpan): void {
  const { name, kind = 'internal', startMs } = span;
  const parent = span.parent === undefined ? undefined : contextOfParent(span.parent);
  let links = nothing;
  for (const link of span.links ?? []) {
    const context = link === undefined ? undefined : contextOfLink(link);
    if (context !== undefined) links = [...links, { context }];
  }
  ids.next = span.own === undefined ? undefined : contextOf(span.own);
  const started = sdk.startSpan(
    name,
    { kind: kinds[kind], startTime: startMs, links },
    parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent),
  );
  ids.next = undefined;
  started.setAttributes(span.attributes as Attributes);
  if (span.error !== undefined) started.setStatus({ code: SpanStatusCode.ERROR, message: span.error });
  started.end(Math.max(startMs + shortestMs, span.endMs));
}
