import { spawn } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ObjectId } from 'mongodb';
import { ServiceError } from '../../../src/domain/errors.ts';
import { createLogger, type LoggerOptions, streamSink } from '../../../src/telemetry/logger.ts';

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', now: () => 0, sink: (line) => lines.push(line), ...options });
  const last = (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? 'null');
  return { logger, lines, last };
}

describe('logger', () => {
  it('writes level, time and message first, then the fields', () => {
    const { logger, lines } = capture({ fields: { thread: 2 } });
    logger.child({ member: 'm1' }).info('hello', { campaignId: 'c', conversationId: 'c:1', messageId: 'c:1/1' });
    expect(lines).toEqual([
      '{"level":"info","time":"1970-01-01T00:00:00.000Z","message":"hello","thread":2,"member":"m1","campaignId":"c","conversationId":"c:1","messageId":"c:1/1"}',
    ]);
  });

  it('leaves out what is below the level', () => {
    const { logger, lines } = capture({ level: 'warn' });
    logger.info('no');
    logger.debug('no');
    logger.warn('yes');
    logger.error('yes');
    expect(lines).toHaveLength(2);
  });

  it('serialises errors with stack, code and cause, and lifts the code', () => {
    const { logger, last } = capture();
    const cause = Object.assign(new Error('no'), { code: 112, codeName: 'WriteConflict', errorLabels: ['Transient'] });
    logger.error('failed', { error: new ServiceError('fenced', 'taken over', { cause }) });
    expect(last()).toMatchObject({
      code: 'fenced',
      error: {
        name: 'ServiceError',
        message: 'taken over',
        code: 'fenced',
        stack: expect.stringContaining('logger.test'),
        cause: { code: 112, codeName: 'WriteConflict', errorLabels: ['Transient'] },
      },
    });
  });

  it('writes ObjectIds as hex, dates as ISO, big and odd values as text', () => {
    const { logger, last } = capture();
    const id = new ObjectId();
    logger.info('x', {
      campaignId: id,
      at: new Date(0),
      never: new Date(Number.NaN),
      big: 5n,
      nan: Number.NaN,
      set: new Set([1]),
    });
    expect(last()).toMatchObject({
      campaignId: id.toHexString(),
      at: '1970-01-01T00:00:00.000Z',
      never: 'Invalid Date',
      big: '5',
      nan: 'NaN',
      set: [1],
    });
  });

  it('shows no contact data, content or secrets', () => {
    const { logger, lines } = capture();
    logger.warn('refused by anna@example.org', {
      to: '+4915112345678',
      contact: { email: 'anna@example.org' },
      nested: [{ Phone: '+4915112345678', text: 'Hi Anna' }],
      error: new Error('550 <anna@example.org> unknown; mongodb://app:secret@host/'),
    });
    expect(lines[0]).not.toMatch(/anna|4915112345678|secret/i);
    expect(lines[0]).toContain('550 <***@***> unknown');
  });

  it('keeps ids that hold an "@"', () => {
    const { logger, last } = capture();
    logger.info('x', { campaignId: 'news@acme' });
    expect(last()['campaignId']).toBe('news@acme');
  });

  it('lets no field take the place of level, time or message', () => {
    const { logger, last } = capture();
    logger.info('mine', { message: 'theirs', level: 'error', time: 'never' });
    expect(last()).toMatchObject({
      message: 'mine',
      level: 'info',
      _message: 'theirs',
      _level: 'error',
      _time: 'never',
    });
  });

  it('bounds what it writes', () => {
    const { logger, lines } = capture();
    const deep: Record<string, unknown> = {};
    deep['self'] = deep;
    logger.info('x'.repeat(100_000), {
      deep,
      list: Array.from({ length: 1000 }, (_, at) => at),
      long: '@'.repeat(1e6),
    });
    expect(lines[0]?.length).toBeLessThan(40_000);
  });

  it('never throws, and always writes one line of JSON', () => {
    const { logger, lines } = capture();
    const hostile = {
      get trap(): never {
        throw new Error('no');
      },
      toJSON: () => {
        throw new Error('no');
      },
      proxy: new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('no');
          },
        },
      ),
      fn: () => 1,
      symbol: Symbol('s'),
      bare: Object.create(null),
      bson: { _bsontype: 'ObjectId' },
    };
    logger.error('x', { hostile, ...hostile.bare });
    expect(lines).toHaveLength(1);
    fc.assert(
      fc.property(
        fc.string(),
        fc.dictionary(fc.string(), fc.anything({ withDate: true, withBigInt: true })),
        (message, fields) => {
          const before = lines.length;
          logger.info(message, fields);
          expect(lines.length).toBe(before + 1);
          expect(() => JSON.parse(lines.at(-1) ?? '')).not.toThrow();
          expect(lines.at(-1)).not.toContain('\n');
        },
      ),
      { numRuns: 200 },
    );
  });

  it('a sink that throws does not stop the work', () => {
    const { logger } = capture({
      sink: () => {
        throw new Error('no');
      },
    });
    expect(() => logger.info('x')).not.toThrow();
  });

  it('goes on when the reader of its output went away', async () => {
    const script = "require('fs').closeSync(0); console.log('closed'); setInterval(() => {}, 1000)";
    const reader = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    const { logger } = capture({ sink: streamSink(reader.stdin) });
    const broken = new Promise((resolve) => reader.stdin.on('error', resolve));
    await new Promise((resolve) => reader.stdout.once('data', resolve));
    logger.info('x');
    expect(await broken).toMatchObject({ code: 'EPIPE' });
    expect(() => logger.info('y')).not.toThrow();
    reader.kill();
  });
});
