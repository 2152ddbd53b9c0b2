/** A collector for tests: takes spans over real OTLP/HTTP in JSON (OpenTelemetry Protocol, "OTLP/HTTP"), and keeps them. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TakenSpan {
  traceId: string;
  spanId: string;
  /** "" where there is none. */
  parentSpanId: string;
  name: string;
  /** As the protocol numbers them: 1 internal, 3 client, 5 consumer. */
  kind: number;
  startMs: number;
  endMs: number;
  attributes: Record<string, unknown>;
  links: { traceId: string; spanId: string }[];
  /** 2 is an error. */
  status: number;
  /** Process that exported it. */
  pid: unknown;
}

export interface Collector {
  readonly url: string;
  readonly spans: readonly TakenSpan[];
  /** Everything that came, as it came. */
  readonly raw: string;
  close(): Promise<void>;
}

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}
interface Export {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: Record<string, unknown>[] }[];
  }[];
}

/** Numbers of 64 bits come as strings. */
function plainOf(value: Record<string, unknown>): unknown {
  const [kind, held] = Object.entries(value)[0] ?? [];
  if (kind === 'intValue') return Number(held);
  if (kind !== 'arrayValue') return held;
  return ((held as { values?: Record<string, unknown>[] }).values ?? []).map(plainOf);
}

const record = (attributes: Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, plainOf(value)]));

const millis = (nanos: unknown): number => Number(BigInt(String(nanos)) / 1000n) / 1000;

function spansOf(exported: Export): TakenSpan[] {
  return exported.resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const pid = record(resource.attributes)['process.pid'];
    return scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: String(span['traceId']),
        spanId: String(span['spanId']),
        parentSpanId: String(span['parentSpanId'] ?? ''),
        name: String(span['name']),
        kind: Number(span['kind']),
        startMs: millis(span['startTimeUnixNano']),
        endMs: millis(span['endTimeUnixNano']),
        attributes: record(span['attributes'] as Attribute[]),
        links: (span['links'] as TakenSpan['links'] | undefined) ?? [],
        status: Number((span['status'] as { code?: number } | undefined)?.code ?? 0),
        pid,
      })),
    );
  });
}

/** Listens on 127.0.0.1. With `hangs`, whatever comes is never answered. */
export async function startCollector({ hangs = false } = {}): Promise<Collector> {
  const spans: TakenSpan[] = [];
  let raw = '';
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (hangs) return;
      const text = Buffer.concat(chunks).toString();
      raw += text;
      spans.push(...spansOf(JSON.parse(text) as Export));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    get raw() {
      return raw;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
