import { Writable } from 'node:stream';
import winston from 'winston';
import type { Logger } from '../domain/systemPorts.ts';
import { scrubFields, scrubText } from './scrub.ts';

/** Takes one finished line, without its line feed. Must not throw. */
export type LineSink = (line: string) => void;

export interface FieldLogger extends Logger {
  /** A logger whose lines all carry these fields (`member`, `thread`, `campaignId`, ...). */
  child(fields: Record<string, unknown>): FieldLogger;
}

export interface LoggerOptions {
  level: 'error' | 'warn' | 'info' | 'debug';
  /** Default: standard output. */
  sink?: LineSink;
  fields?: Record<string, unknown>;
  /** Wall clock, ms. */
  now?: () => number;
}

const levels = { error: 0, warn: 1, info: 2, debug: 3 } as const;
type Level = keyof typeof levels;
const own = new Set(['level', 'time', 'message']);

let lineOut: LineSink | undefined;

/** Lines to a stream. A reader that went away (EPIPE) ends the output, not the service. */
export function streamSink(stream: NodeJS.WritableStream): LineSink {
  stream.on('error', () => undefined);
  return (line) => void stream.write(`${line}\n`);
}

/** Lines to standard output; one sink for the whole thread. */
export function stdoutSink(): LineSink {
  lineOut ??= streamSink(process.stdout);
  return lineOut;
}

/** A code of the line itself, so that alerts need not look inside `error`. */
function codeOf(fields: Record<string, unknown>): Record<string, unknown> {
  const { error } = fields;
  if ('code' in fields || typeof error !== 'object' || error === null) return {};
  const code: unknown = (error as { code?: unknown }).code;
  return typeof code === 'string' || typeof code === 'number' ? { code } : {};
}

/** Our three keys cannot be overwritten: such fields get a `_` in front. */
function compose(level: Level, message: string, fields: Record<string, unknown>, now: number): string {
  const rest = Object.entries(scrubFields({ ...codeOf(fields), ...fields }));
  return JSON.stringify({
    level,
    time: new Date(now).toISOString(),
    message: scrubText(message),
    ...Object.fromEntries(rest.map(([key, value]) => [own.has(key) ? `_${key}` : key, value])),
  });
}

function createWinston(options: LoggerOptions, now: () => number): winston.Logger {
  const sink = options.sink ?? stdoutSink();
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      sink(chunk.endsWith('\n') ? chunk.slice(0, -1) : chunk);
      done();
    },
  });
  const line = winston.format.printf((info) =>
    compose(info.level as Level, String(info.message), info['fields'] as Record<string, unknown>, now()),
  );
  return winston.createLogger({
    levels,
    level: options.level,
    format: line,
    transports: [new winston.transports.Stream({ stream, eol: '\n' })],
    exitOnError: false,
  });
}

/**
 * JSON lines: `level`, `time` (ISO 8601, UTC), `message`, then the fields. Errors become `{ name, message, code, stack }`,
 * ObjectIds hex; contact data, content and secrets are hidden by the name of their field, mail addresses and credentials
 * wherever they stand in a text. Logging never throws.
 */
export function createLogger(options: LoggerOptions): FieldLogger {
  const now = options.now ?? Date.now;
  const root = createWinston(options, now);
  const threshold = levels[options.level];

  function build(bound: Record<string, unknown>): FieldLogger {
    const log = (level: Level, message: string, fields: Record<string, unknown> | undefined): void => {
      if (levels[level] > threshold) return;
      try {
        root.log({ level, message: String(message), fields: { ...bound, ...fields } });
      } catch {
        // A line that cannot be written must not stop the work it tells of.
      }
    };
    return {
      error: (message, fields) => log('error', message, fields),
      warn: (message, fields) => log('warn', message, fields),
      info: (message, fields) => log('info', message, fields),
      debug: (message, fields) => log('debug', message, fields),
      child: (fields) => build({ ...bound, ...fields }),
    };
  }
  return build(options.fields ?? {});
}
