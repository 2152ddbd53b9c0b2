import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { trace } from '@opentelemetry/api';
import fc from 'fast-check';
import { newTraceparent } from '../../../src/domain/trace.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { startTracing, traceRandom, tracingWanted } from '../../../src/telemetry/tracing.ts';

describe('newTraceparent', () => {
  it('is the hex of the bytes, version 00, sampled', () => {
    const bytes = Uint8Array.from({ length: 24 }, (_, at) => at + 1);
    expect(
      newTraceparent(
        () => bytes,
        () => true,
      ),
    ).toBe('00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01');
  });

  it('is valid whatever the bytes, all zeroes too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 24 }), (bytes) => {
        expect(
          newTraceparent(
            () => bytes,
            () => true,
          ),
        ).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01$/);
      }),
    );
    expect(
      newTraceparent(
        () => new Uint8Array(24),
        () => true,
      ),
    ).toBe(`00-${'0'.repeat(31)}1-${'0'.repeat(15)}1-01`);
  });

  it('does not repeat over the refills of its source', () => {
    const random = traceRandom();
    const seen = new Set(Array.from({ length: 2000 }, () => newTraceparent(random, () => true)));
    expect(seen.size).toBe(2000);
  });
});

describe('tracing', () => {
  it.each([
    [{}, false],
    [{ OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' }, false],
    [{ OTEL_SDK_DISABLED: 'true', OTEL_TRACES_EXPORTER: 'otlp' }, false],
    [{ OTEL_TRACES_EXPORTER: 'otlp' }, true],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' }, true],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://x' }, true],
  ])('%j asks for traces: %s', (env, wanted) => {
    expect(tracingWanted(env)).toBe(wanted);
  });

  it('exports spans to the endpoint the standard variables name', async () => {
    const paths: string[] = [];
    const collector = createServer((request, response) => {
      paths.push(request.url ?? '');
      request.resume().on('end', () => response.end());
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = endpoint;
    try {
      const tracing = await startTracing(process.env, createLogger({ level: 'error', sink: () => undefined }));
      trace.getTracer('test').startSpan('span').end();
      await tracing.stop();
      expect(paths).toEqual(['/v1/traces']);
    } finally {
      delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT'];
      trace.disable();
      collector.closeAllConnections();
      await new Promise((resolve) => collector.close(resolve));
    }
  });
});
