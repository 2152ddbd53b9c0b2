/** How far a long command is: a bar on a terminal, a line every few seconds in a pipe. The only file that knows cli-progress. */
import cliProgress from 'cli-progress';
import { count, type Sink, span } from './output.ts';

export interface Figures {
  rows: number;
  bytes: number;
}

export interface Progress {
  update(figures: Figures): void;
  /** Clears the bar. Idempotent. */
  stop(): void;
}

export interface ProgressOptions {
  sink: Sink;
  /** What the rows are: "contacts". */
  what: string;
  /** Bytes, or rows where bytes are not known beforehand; absent when there is no telling. */
  total?: Partial<Figures>;
  /** ms, only differences matter. */
  now?: () => number;
}

export const silent: Progress = { update: () => {}, stop: () => {} };

const everyMs = 5000;
/** What is over by then needs no bar. */
const quietMs = 1000;
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

export function startProgress({ sink, what, total = {}, now = () => performance.now() }: ProgressOptions): Progress {
  const begun = now();
  const describe = ({ rows, bytes }: Figures): { done: number; text: string } => {
    const elapsed = Math.max(1, now() - begun);
    const done = shareOf({ rows, bytes }, total);
    const parts = [
      `${count(rows)} ${what}`,
      `${megabytes(bytes)}${total.bytes === undefined ? '' : `/${megabytes(total.bytes)}`} MB`,
      `${count(Math.round((rows * 1000) / elapsed))}/s`,
      // the first moments say little
      ...(done > 0.001 && elapsed > 1000 ? [`${leftOf((elapsed * (1 - done)) / done)} left`] : []),
    ];
    return { done, text: parts.join(' · ') };
  };
  return sink.isTTY === true ? bar(sink, describe, total, now) : lines(sink, describe, total, now);
}

/** Whole seconds: tenths would flicker. */
const leftOf = (ms: number): string => (ms < 60_000 ? `${Math.ceil(ms / 1000)} s` : span(ms));

const shareOf = ({ rows, bytes }: Figures, total: Partial<Figures>): number => {
  const share = total.bytes ? bytes / total.bytes : total.rows ? rows / total.rows : 0;
  return Math.min(1, share);
};

const isKnown = ({ rows, bytes }: Partial<Figures>): boolean => (rows ?? bytes ?? 0) > 0;

type Describe = (figures: Figures) => { done: number; text: string };

function bar(sink: Sink, describe: Describe, total: Partial<Figures>, now: () => number): Progress {
  const begun = now();
  let isDrawn = false;
  const format = isKnown(total) ? '{bar} {percentage}% {text}' : '{text}';
  const drawn = new cliProgress.SingleBar(
    {
      stream: sink as unknown as NodeJS.WritableStream,
      format,
      barsize: (sink.columns ?? 80) < 100 ? 12 : 30,
      hideCursor: false,
      clearOnComplete: true,
      gracefulExit: false,
      fps: 5,
    },
    cliProgress.Presets.shades_classic,
  );
  return {
    update(figures) {
      if (now() - begun < quietMs) return;
      const { done, text } = describe(figures);
      if (!isDrawn) drawn.start(1, Math.min(done, 0.999), { text });
      isDrawn = true;
      drawn.update(Math.min(done, 0.999), { text });
    },
    stop() {
      if (isDrawn) drawn.stop();
      isDrawn = false;
    },
  };
}

function lines(sink: Sink, describe: Describe, total: Partial<Figures>, now: () => number): Progress {
  let said = now();
  return {
    update(figures) {
      if (now() - said < everyMs) return;
      said = now();
      const { done, text } = describe(figures);
      sink.write(`${isKnown(total) ? `${Math.floor(done * 100)}% · ` : ''}${text}\n`);
    },
    stop: () => {},
  };
}
