import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  isSampled,
  newSpanId,
  newTraceId,
  newTraceparent,
  traceContext,
  traceFields,
  traceOfRun,
} from '../../../src/domain/trace.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const given = `00-${traceId}-${spanId}-01`;
const yes = (): boolean => true;

describe('newTraceparent', () => {
  const bytes = Uint8Array.from({ length: 24 }, (_, at) => at + 1);

  it('is the hex of the bytes, version 00, sampled as it is told', () => {
    expect(newTraceparent(() => bytes, yes)).toBe('00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01');
    const asked: string[] = [];
    const no = (id: string): boolean => asked.push(id) === 0;
    expect(newTraceparent(() => bytes, no)).toBe('00-0102030405060708090a0b0c0d0e0f10-1112131415161718-00');
    expect(asked).toEqual(['0102030405060708090a0b0c0d0e0f10']);
  });

  it('goes on with a trace that there is', () => {
    expect(
      newTraceparent(
        () => bytes,
        (id) => id === traceId,
        traceId,
      ),
    ).toBe(`00-${traceId}-1112131415161718-01`);
  });

  it('is valid whatever the bytes, all zeroes too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 24 }), fc.boolean(), (random, sampled) => {
        expect(
          traceContext(
            newTraceparent(
              () => random,
              () => sampled,
            ),
          ),
        ).toMatchObject({ sampled });
      }),
    );
    expect(newTraceparent(() => new Uint8Array(24), yes)).toBe(`00-${'0'.repeat(31)}1-${'0'.repeat(15)}1-01`);
  });
});

it('gives out ids by themselves, never the invalid one', () => {
  const bytes = Uint8Array.from({ length: 24 }, (_, at) => at + 1);
  expect(newTraceId(() => bytes)).toBe('0102030405060708090a0b0c0d0e0f10');
  expect(newSpanId(() => bytes)).toBe('1112131415161718');
  expect(newSpanId(() => new Uint8Array(24))).toBe(`${'0'.repeat(15)}1`);
});

describe('traceContext', () => {
  it.each([
    [given, true],
    [`00-${traceId}-${spanId}-00`, false],
    [`00-${traceId}-${spanId}-02`, false],
    [`00-${traceId}-${spanId}-03`, true],
    [`cc-${traceId}-${spanId}-01-what-will-be`, true],
  ])('%s', (traceparent, sampled) => {
    expect(traceContext(traceparent)).toEqual({ traceId, spanId, sampled });
  });

  it.each([
    undefined,
    7,
    '',
    't',
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId}-${spanId}-1`,
    ` ${given}`,
  ])('%j is none', (traceparent) => {
    expect(traceContext(traceparent)).toBeUndefined();
  });
});

it('ours are sampled by their flag', () => {
  expect([{ traceparent: given }, { traceparent: given.replace(/1$/, '0') }, {}, undefined].map(isSampled)).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

it('log lines carry the ids, where there are any', () => {
  expect(traceFields({ traceparent: given })).toEqual({ trace_id: traceId, span_id: spanId });
  expect([traceFields(undefined), traceFields({ traceparent: 't' })]).toEqual([{}, {}]);
});

it('a run goes on with the trace that the writer gave, if it is one', () => {
  const create = (parent?: string, how?: string): string => `${how ?? 'new'} ${parent ?? ''}`;
  expect(traceOfRun({ trace: { traceparent: given } }, create)).toEqual({
    traceparent: `continued ${given}`,
    parent: given,
  });
  for (const campaign of [
    {},
    { trace: 'x' },
    { trace: {} },
    { trace: { traceparent: 7 } },
    { trace: { traceparent: 'x' } },
  ])
    expect(traceOfRun(campaign, create)).toEqual({ traceparent: 'new ' });
});
