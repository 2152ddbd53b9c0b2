/** The whole terminal: the alternate screen, painted frame by frame, given back as it was, whatever happens. */
import type { Sink } from './output.ts';

/** As much of `process.stdin` as is needed. */
export interface KeySource {
  isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (data: unknown) => void): unknown;
  off(event: 'data', listener: (data: unknown) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  /** Keys are heard: it was entered, and the keyboard is a terminal. */
  readonly hasKeys: boolean;
  /** Idempotent. Keys are told one at a time; Ctrl-C is one of them ("\u0003") where the keyboard is ours. */
  enter(listeners: { onKey(key: string): void; onResize(): void }): void;
  /** Lines narrower than the screen, at most as many as its rows. */
  paint(lines: readonly string[]): void;
  /** Idempotent; also called when the process ends. */
  leave(): void;
}

const csi = '\u001b[';
/** Alternate screen, no cursor; lines that are too long after all (fonts differ) are cut, not wrapped. */
const start = `${csi}?1049h${csi}?25l${csi}?7l${csi}2J`;
const end = `${csi}?7h${csi}?25h${csi}?1049l`;
/** Terminals that know it show what is between the two at once. */
const together = [`${csi}?2026h`, `${csi}?2026l`] as const;

/** A pty without a size says 0. */
const size = (value: number | undefined, otherwise: number): number =>
  value === undefined || value < 1 ? otherwise : value;

export function createScreen(stdout: Sink, stdin: (() => KeySource) | undefined): Screen {
  const keyboardOf = (source: KeySource | undefined): KeySource | undefined =>
    source?.isTTY === true && source.setRawMode !== undefined ? source : undefined;
  let keyboard: KeySource | undefined;
  let undo: (() => void) | undefined;
  return {
    get columns() {
      return size(stdout.columns, 80);
    },
    get rows() {
      return size(stdout.rows, 24);
    },
    get hasKeys() {
      return keyboard !== undefined;
    },
    enter({ onKey, onResize }) {
      if (undo) return;
      const listen = (data: unknown): void => {
        for (const key of String(data)) onKey(key);
      };
      const leave = (): void => this.leave();
      undo = () => {
        process.off('exit', leave);
        stdout.off?.('resize', onResize);
        keyboard?.off('data', listen);
        keyboard?.setRawMode?.(false);
        keyboard?.pause();
        stdout.write(end);
      };
      keyboard = keyboardOf(stdin?.());
      process.once('exit', leave);
      stdout.write(start);
      stdout.on?.('resize', onResize);
      keyboard?.setRawMode?.(true);
      keyboard?.on('data', listen);
      keyboard?.resume();
    },
    paint(lines) {
      if (undo) stdout.write(`${together[0]}${csi}H${lines.join(`${csi}K\r\n`)}${csi}K${csi}J${together[1]}`);
    },
    leave() {
      const pending = undo;
      undo = undefined;
      pending?.();
    },
  };
}
