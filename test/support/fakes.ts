import type { Instruments, Logger } from '../../src/domain/systemPorts.ts';

export const silentLogger: Logger = { error() {}, warn() {}, info() {}, debug() {} };

export interface LogEntry {
  level: keyof Logger;
  message: string;
  fields: Record<string, unknown>;
}

/** Keeps what is logged; `of` filters by level. */
export function recordingLogger(): Logger & { entries: LogEntry[]; of(level: keyof Logger): LogEntry[] } {
  const entries: LogEntry[] = [];
  const at =
    (level: keyof Logger) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      entries.push({ level, message, fields });
    };
  return {
    entries,
    of: (level) => entries.filter((entry) => entry.level === level),
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
  };
}

export type InstrumentCall = {
  [Name in keyof Instruments]: { name: Name; args: Parameters<Instruments[Name]> };
}[keyof Instruments];

export interface RecordingInstruments extends Instruments {
  calls: InstrumentCall[];
  /** Arguments of every call of one instrument, oldest first. */
  of<Name extends keyof Instruments>(name: Name): Parameters<Instruments[Name]>[];
  /** How often `event(name)` was counted. */
  events(name: string): number;
}

/** Keeps every call, in order. */
export function recordingInstruments(): RecordingInstruments {
  const calls: InstrumentCall[] = [];
  const keep =
    <Name extends keyof Instruments>(name: Name) =>
    (...args: Parameters<Instruments[Name]>): void => {
      calls.push({ name, args } as InstrumentCall);
    };
  const of = <Name extends keyof Instruments>(name: Name): Parameters<Instruments[Name]>[] =>
    calls.filter((call) => call.name === name).map((call) => call.args as Parameters<Instruments[Name]>);
  return {
    calls,
    of,
    events: (name) => of('event').reduce((sum, [event, count = 1]) => sum + (event === name ? count : 0), 0),
    conversations: keep('conversations'),
    messages: keep('messages'),
    round: keep('round'),
    lateness: keep('lateness'),
    send: keep('send'),
    dueToSent: keep('dueToSent'),
    rateWait: keep('rateWait'),
    recovered: keep('recovered'),
    standing: keep('standing'),
    positionAge: keep('positionAge'),
    vitals: keep('vitals'),
    streamLag: keep('streamLag'),
    partitionsOwned: keep('partitionsOwned'),
    inDoubt: keep('inDoubt'),
    circuit: keep('circuit'),
    transaction: keep('transaction'),
    event: keep('event'),
  };
}
