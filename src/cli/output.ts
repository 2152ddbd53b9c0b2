/** What a person, a pipe or a program gets to see. The only file that knows about terminals. */
import CliTable from 'cli-table3';
import picocolors from 'picocolors';
import stringWidth from 'string-width';
import { confirm } from './confirm.ts';
import { createScreen, type KeySource, type Screen } from './screen.ts';

export type Colors = ReturnType<typeof picocolors.createColors>;
export type Environment = Readonly<Record<string, string | undefined>>;

/** As much of a stream as is needed; `process.stdout` is one. */
export interface Sink {
  /** `done` is called when the text was taken, or with why it was not. */
  write(text: string, done?: (error?: Error | null) => void): unknown;
  isTTY?: boolean;
  columns?: number;
  rows?: number;
  on?(event: 'resize' | 'error', listener: () => void): unknown;
  off?(event: 'resize' | 'error', listener: () => void): unknown;
}

export interface Output {
  /** `--json` was given: human text goes nowhere. */
  readonly json: boolean;
  readonly tty: boolean;
  /** The same with `--json`. */
  readonly isTerminal: boolean;
  /** Columns of the terminal; 100 in a pipe, or where it does not know. */
  readonly width: number;
  readonly color: Colors;
  /** A line for people. */
  line(text?: string): void;
  /** Cells may carry colours. A pipe gets padded columns under a plain heading. */
  table(head: readonly string[], rows: readonly (readonly string[])[], align?: readonly Align[]): void;
  /** The answer as one JSON document; nothing without `--json`. */
  value(document: unknown): void;
  /** One line of a stream of JSON documents; nothing without `--json`. */
  record(document: unknown): void;
  /** The whole screen; undefined unless on a terminal that can be cleared. */
  readonly screen: Screen | undefined;
  /** Calls back once nobody reads any more: the pipe was closed, the terminal is gone. Gives the way out of it. */
  onClosed(closed: () => void): () => void;
  /** Asks a person, who answers with one key; true where there is none to ask: in a pipe, with `--json`. */
  confirm(question: string): Promise<boolean>;
  /** Redraws a panel in place; nothing unless on a terminal. */
  panel(lines: readonly string[]): void;
  /** Leaves the panel as it stands; later lines follow below. Idempotent. */
  endPanel(): void;
  /** A line beside the answer (a warning, how far it is): to stderr; nothing with `--json`. */
  note(text: string): void;
  /** Where notes go, for a progress bar. */
  readonly notes: Sink;
  /** Colours for notes. */
  readonly noteColor: Colors;
  /** An answer of another kind, or a part of one that streams, `--json` or not. Resolves when the reader took it; rejects when he is gone (EPIPE). */
  data(text: string): Promise<void>;
  /** What went wrong: to stderr, with `--json` as the document itself. */
  failure(failure: { code: string; message: string }): void;
}
export type Align = 'left' | 'right';

export interface OutputOptions {
  stdout: Sink;
  stderr: Sink;
  env: Environment;
  json: boolean;
  /** Keys, for commands that fill the screen. */
  stdin?: (() => KeySource) | undefined;
}

/** NO_COLOR (no-color.org) wins over FORCE_COLOR, both over the terminal. */
const wantsColor = (sink: Sink, env: Environment): boolean => {
  if (env['NO_COLOR']) return false;
  if (env['FORCE_COLOR']) return env['FORCE_COLOR'] !== '0';
  return sink.isTTY === true && env['TERM'] !== 'dumb';
};

const esc = '\u001b';
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const ansi = /\u001b\[[0-9;?]*[A-Za-z]/g;
const ansiPiece = new RegExp(`(${ansi.source})`);
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Text that others wrote, safe for a terminal and for one line: no control characters, no bidi overrides, no half characters. */
export const safe = (value: unknown): string => String(value).toWellFormed().replace(control, ' ');

/** Cells of a terminal: none for colours, two for wide characters. */
export const visibleLength = (text: string): number => stringWidth(text);

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Cuts a line with colours to `width` cells; no character is cut in half. */
export function fitTo(text: string, width: number): string {
  if (visibleLength(text) <= width) return text;
  let left = width - 1;
  let out = '';
  for (const piece of text.split(ansiPiece)) {
    if (piece.startsWith(esc)) {
      out += piece;
      continue;
    }
    for (const { segment } of graphemes.segment(left > 0 ? piece : '')) {
      const cells = visibleLength(segment);
      if (cells > left) left = 0;
      if (left <= 0) break;
      out += segment;
      left -= cells;
    }
  }
  return width > 0 ? `${out}…` : out;
}

export const pad = (text: string, width: number, align: Align = 'left'): string => {
  const fill = ' '.repeat(Math.max(0, width - visibleLength(text)));
  return align === 'left' ? text + fill : fill + text;
};

function plainTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly Align[] = [],
): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => visibleLength(row[column] ?? ''))));
  return all.map((row) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0, align[column]))
      .join('  ')
      .trimEnd(),
  );
}

const framedTable = (
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly Align[],
  color: Colors,
): string => {
  const table = new CliTable({
    head: head.map((cell) => color.bold(cell)),
    colAligns: head.map((_, column) => align[column] ?? 'left'),
    style: { head: [], border: [], compact: true },
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
};

export function createOutput({ stdout, stderr, env, json, stdin }: OutputOptions): Output {
  const tty = stdout.isTTY === true && !json;
  const color = picocolors.createColors(wantsColor(stdout, env) && !json);
  const warn = picocolors.createColors(wantsColor(stderr, env));
  let drawn = 0;
  let hidden = false;
  // a terminal that does not know its size says 0
  const width = (): number => stdout.columns || 100;
  const human = (text: string): void => {
    if (!json) stdout.write(`${text}\n`);
  };
  return {
    json,
    tty,
    isTerminal: stdout.isTTY === true,
    color,
    get width() {
      return width();
    },
    screen: tty && env['TERM'] !== 'dumb' ? createScreen(stdout, stdin) : undefined,
    onClosed(closed) {
      stdout.on?.('error', closed);
      return () => void stdout.off?.('error', closed);
    },
    line: (text = '') => human(text),
    table(head, rows, align = []) {
      if (json) return;
      if (tty) human(framedTable(head, rows, align, color));
      else for (const line of plainTable(head, rows, align)) human(line);
    },
    value(document) {
      if (json) stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
    },
    record(document) {
      if (json) stdout.write(`${JSON.stringify(document)}\n`);
    },
    confirm: (question) => (tty ? confirm(question, stdout, stdin?.()) : Promise.resolve(true)),
    panel(lines) {
      if (!tty || (lines.length === 0 && drawn === 0)) return;
      const up = drawn > 0 ? `${esc}[${drawn}A` : '';
      stdout.write(
        `${hidden ? '' : `${esc}[?25l`}${up}${esc}[J${lines.map((line) => `${fitTo(line, width() - 1)}\n`).join('')}`,
      );
      drawn = lines.length;
      hidden = true;
    },
    notes: stderr,
    noteColor: warn,
    note(text) {
      if (!json) stderr.write(`${text}\n`);
    },
    data: (text) =>
      new Promise((resolve, reject) => {
        stdout.write(text, (error) => (error ? reject(error) : resolve()));
      }),
    endPanel() {
      if (hidden) stdout.write(`${esc}[?25h`);
      drawn = 0;
      hidden = false;
    },
    failure({ code, message }) {
      if (json) stdout.write(`${JSON.stringify({ error: { code, message } }, undefined, 2)}\n`);
      else stderr.write(`${warn.red('error:')} ${message}\n`);
    },
  };
}

/** 12345 as 12,345. */
export const count = (value: number): string => value.toLocaleString('en-US');

/** "1 message", "2,000 messages". */
export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

/** 850 ms, 2.4 s, 3 min 5 s. */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return seconds % 60 === 0 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** A span as far as days reach: 2 d 3 h, 1 h 5 min; less as `span` says it. */
export function distance(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const hours = Math.floor(minutes / 60);
  if (hours >= 24) return `${count(Math.floor(hours / 24))} d ${hours % 24} h`;
  return hours >= 1 ? `${hours} h ${minutes % 60} min` : span(ms);
}
