import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { context, diag, trace } from '@opentelemetry/api';
import { type NewTraceparent, newTraceparent } from '../../../src/domain/trace.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { samplingOf } from '../../../src/telemetry/sampling.ts';
import { GivenIds, otelTracer } from '../../../src/telemetry/tracer.ts';
import { startTracing, traceRandom, tracingWanted } from '../../../src/telemetry/tracing.ts';
import { waitFor } from '../../support/waitFor.ts';

describe('newTraceparent', () => {
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
      context.disable();
      collector.closeAllConnections();
      await new Promise((resolve) => collector.close(resolve));
    }
  });

  it('neither waits for a collector that does not answer nor keeps all for it, and tells of it in few lines', async () => {
    const held: ServerResponse[] = [];
    let released = false;
    const collector = createServer((request, response) => {
      request.resume().on('end', () => (released ? response.end() : held.push(response)));
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const lines: { code?: string; message: string }[] = [];
    const logger = createLogger({ level: 'warn', sink: (line) => lines.push(JSON.parse(line)) });
    const variables = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      ...{ OTEL_BSP_MAX_QUEUE_SIZE: '4', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2' },
    };
    Object.assign(process.env, variables);
    try {
      const { tracer, stop } = await startTracing(process.env, logger);
      const some = (count: number): void => {
        for (let n = 0; n < count; n++)
          tracer?.span({ name: 'n', startMs: 1, endMs: 2, attributes: {}, parent: tracer.sampledTraceparent() });
        tracer?.flush();
      };
      some(50);
      await waitFor(() => held.length > 0, { what: 'the collector to be asked' });
      some(50);
      some(1);
      await stop(50);
      expect(lines.map(({ message }) => message)).toEqual([
        'traces cannot all be exported',
        'the last traces could not be exported',
      ]);
      expect(lines[0]).toMatchObject({ code: 'traces_dropped', detail: expect.stringContaining('Dropped') });
      released = true;
      for (const response of held) response.end();
      await stop();
    } finally {
      for (const name of Object.keys(variables)) delete process.env[name];
      trace.disable();
      context.disable();
      diag.disable();
      collector.closeAllConnections();
      await new Promise((resolve) => collector.close(resolve));
    }
  });
});

describe('a new trace', () => {
  const tracer = (env: NodeJS.ProcessEnv) =>
    otelTracer({
      sdk: trace.getTracer('test'),
      ids: new GivenIds(traceRandom()),
      sampling: samplingOf(env, () => undefined),
      random: traceRandom(),
      flush: async () => undefined,
    });
  const sampled = (env: NodeJS.ProcessEnv, ...as: Parameters<NewTraceparent>): number => {
    const { newTraceparent: create } = tracer(env);
    return Array.from({ length: 200 }, () => create(...as)).filter((one) => one.endsWith('-01')).length;
  };
  const tenth = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' };
  const parent = (flags: string): string => `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-${flags}`;

  it('of a campaign is recorded wherever any is, so that what links to it finds it', () => {
    expect(sampled(tenth)).toBe(200);
    expect(sampled({ ...tenth, OTEL_TRACES_SAMPLER_ARG: '0' })).toBe(0);
    expect(sampled({ OTEL_TRACES_SAMPLER: 'always_off' })).toBe(0);
  });

  it('of a conversation goes by its id, or by what the writer of its campaign asked for', () => {
    const some = sampled(tenth, undefined, 'linked');
    expect([some > 0, some < 100]).toEqual([true, true]);
    expect(sampled(tenth, parent('00'), 'linked')).toBe(0);
    expect(sampled(tenth, parent('03'), 'linked')).toBe(200);
  });
});

describe('sampling', () => {
  const low = `${'f'.repeat(19)}${'0'.repeat(13)}`;
  const high = 'f'.repeat(32);
  const ask = (env: NodeJS.ProcessEnv, warnings: string[] = []): string => {
    const sampling = samplingOf(env, (message) => warnings.push(message));
    const answers = [sampling(low), sampling(high), sampling(low, false), sampling(high, true)];
    return answers.map((answer) => (answer ? 'y' : 'n')).join('');
  };

  it.each([
    [undefined, undefined, 'yyny'],
    ['always_on', undefined, 'yyyy'],
    ['always_off', undefined, 'nnnn'],
    ['parentbased_always_on', undefined, 'yyny'],
    ['parentbased_always_off', undefined, 'nnny'],
    ['traceidratio', '0.1', 'ynyn'],
    ['traceidratio', '0', 'nnnn'],
    ['traceidratio', undefined, 'yyyy'],
    ['parentbased_traceidratio', '0.1', 'ynny'],
  ])('%s %s: a low id, a high one, one whose parent is not recorded, one whose parent is', (name, arg, expected) => {
    const warnings: string[] = [];
    expect(ask({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: arg }, warnings)).toBe(expected);
    expect(warnings).toEqual([]);
  });

  it.each([
    [{ OTEL_TRACES_SAMPLER: 'jaeger_remote' }, 'yyny'],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '10 %' }, 'yyyy'],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '1.5' }, 'yyyy'],
  ])('%j is told', (env, expected) => {
    const warnings: string[] = [];
    expect(ask(env, warnings)).toBe(expected);
    expect(warnings).toHaveLength(1);
  });

  it('takes the share that is asked for', () => {
    const random = traceRandom();
    const sampling = samplingOf(
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' },
      () => undefined,
    );
    const taken = Array.from({ length: 20_000 }, () => newTraceparent(random, sampling)).filter((one) =>
      one.endsWith('1'),
    );
    expect(taken.length / 20_000).toBeCloseTo(0.1, 1);
  });
});
