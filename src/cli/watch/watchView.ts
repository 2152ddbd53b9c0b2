/** Where the figures go: the whole screen of a terminal, lines in a pipe, JSON lines. */
import type { Id } from '../../domain/model.ts';
import { showId } from '../database.ts';
import { distance, type Output, safe } from '../output.ts';
import type { Screen } from '../screen.ts';
import { finalLines, frame } from './watchFrame.ts';
import { changeKey, endSentence, progressLine } from './watchLine.ts';
import type { Snapshot } from './watchModel.ts';

export interface View {
  show(snapshot: Snapshot): void;
  /** MongoDB does not answer, and why. */
  away(message: string): void;
  back(): void;
  /** The campaign has ended, or is not waited for any more. */
  end(snapshot: Snapshot): void;
  /** Somebody asked to stop. */
  stopped(): void;
  /** Gives the terminal back. Idempotent. */
  close(): void;
}

/** @param quit Called when a key asks for it. */
export const createView = (out: Output, id: Id, everyMs: number, quit: () => void): View =>
  out.screen === undefined ? new LineView(out, id) : new ScreenView(out, out.screen, id, everyMs, quit);

function tellEnd(snapshot: Snapshot, out: Output): void {
  const sentence = endSentence(snapshot);
  out.record({ type: 'end', ok: snapshot.status === 'completed', sentence, ...shown(snapshot) });
  if (out.json) return;
  for (const line of finalLines(snapshot, out.width, out.color)) out.line(line);
  out.line();
  out.line(snapshot.status === 'completed' ? out.color.green(sentence) : out.color.red(sentence));
}

/** Without what is for drawing only. */
function shown({ sentRates: _, ...snapshot }: Snapshot): Omit<Snapshot, 'sentRates'> {
  return snapshot;
}

class LineView implements View {
  private readonly out: Output;
  private readonly id: Id;
  private said = '';
  private status = 'not read yet';
  private seenAt = performance.now();
  private isAway = false;

  constructor(out: Output, id: Id) {
    this.out = out;
    this.id = id;
  }

  show(snapshot: Snapshot): void {
    this.status = snapshot.status;
    this.seenAt = performance.now();
    const key = changeKey(snapshot);
    if (key === this.said) return;
    this.said = key;
    this.out.line(progressLine(snapshot));
    this.out.record({ type: 'progress', ...shown(snapshot) });
  }

  away(message: string): void {
    if (this.isAway) return;
    this.isAway = true;
    this.out.line(`MongoDB is away, waiting for it: ${safe(message)}`);
    this.out.record({ type: 'away', message: safe(message) });
  }

  back(): void {
    const ms = performance.now() - this.seenAt;
    this.isAway = false;
    this.out.line(`MongoDB is back, ${distance(ms)} after the last look`);
    this.out.record({ type: 'back', afterMs: Math.round(ms) });
  }

  end(snapshot: Snapshot): void {
    if (!this.out.json) this.out.line(progressLine(snapshot));
    tellEnd(snapshot, this.out);
  }

  stopped(): void {
    this.out.line(`stopped watching; ${showId(this.id)} was ${this.status} when last seen, and goes on by itself`);
    this.out.record({ type: 'stopped', status: this.status });
  }

  close(): void {}
}

/** A look that takes longer than this is worth a word. */
const slowMs = 3_000;

class ScreenView implements View {
  private readonly out: Output;
  private readonly screen: Screen;
  private readonly id: Id;
  private readonly everyMs: number;
  private readonly ticker: NodeJS.Timeout;
  private snapshot: Snapshot | undefined;
  private seenAt = performance.now();
  private problem: string | undefined;

  constructor(out: Output, screen: Screen, id: Id, everyMs: number, quit: () => void) {
    this.out = out;
    this.screen = screen;
    this.id = id;
    this.everyMs = everyMs;
    screen.enter({
      onKey: (key) => {
        if (['q', 'Q', '\u0003', '\u0004'].includes(key)) quit();
      },
      onResize: () => this.paint(),
    });
    // while a look hangs, the screen says for how long
    this.ticker = setInterval(() => this.paint(), Math.min(1000, everyMs));
    this.paint();
  }

  show(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    this.seenAt = performance.now();
    this.paint();
  }

  away(message: string): void {
    this.problem = safe(message);
    this.paint();
  }

  back(): void {
    this.problem = undefined;
  }

  end(snapshot: Snapshot): void {
    this.close();
    tellEnd(snapshot, this.out);
  }

  stopped(): void {
    this.close();
    const status = this.snapshot?.status ?? 'not read yet';
    this.out.line(`stopped watching; ${showId(this.id)} was ${status} when last seen, and goes on by itself`);
  }

  close(): void {
    clearInterval(this.ticker);
    this.screen.leave();
  }

  private paint(): void {
    const { snapshot, screen, out } = this;
    const { columns, rows } = screen;
    const ageMs = performance.now() - this.seenAt;
    const slow = ageMs > slowMs + this.everyMs * 2;
    const keys = screen.hasKeys ? 'q quits' : 'Ctrl-C quits';
    const stale = this.problem !== undefined || slow;
    const problem = `no answer from MongoDB for ${distance(ageMs)}, these are the figures of then${this.problem === undefined ? '' : `: ${this.problem}`}`;
    const seen = snapshot === undefined ? 'looking …' : `seen ${snapshot.at.toISOString().slice(11, 19)} UTC`;
    const footer = stale ? `${keys} · ${out.color.red(problem)}` : out.color.dim(`${keys} · ${seen}`);
    if (snapshot === undefined) screen.paint(['', ` ${showId(this.id)}: ${footer}`].slice(-rows));
    else screen.paint(frame({ snapshot, columns, rows, color: out.color, footer, stale }));
  }
}
