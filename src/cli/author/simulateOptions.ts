/** What `simulate` is told, from the words of its options. */
import type { Config } from '../../config.ts';
import type { PaceFacts } from '../../domain/channelPace.ts';
import { ServiceError } from '../../domain/errors.ts';
import { type Chance, parseChance, type SimulatedEvent } from '../../domain/simulatedEvents.ts';
import { addDuration, parseDuration } from '../../domain/timing.ts';
import { safe } from '../output.ts';
import type { TryoutParams } from './tryout.ts';

export interface SimulateParams extends TryoutParams {
  start?: string;
  until?: string;
  replies?: string[];
  bounces?: string[];
  failures?: string[];
  retries?: string[];
  /** `email=50`: messages a second. */
  rate?: string[];
  /** ms that a channel takes to answer. */
  latency: number;
  seed: number;
}

const refuse = (message: string): never => {
  throw new ServiceError('usage', message);
};

const isoInstant = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** An instant with its zone, or a day: its begin in UTC. ms since the epoch. */
function readInstant(option: string, text: string): number {
  const at = isoInstant.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at) || new Date(Date.parse(text.slice(0, 10))).toISOString().slice(0, 10) !== text.slice(0, 10))
    refuse(
      `--${option} was "${safe(text)}"; it takes a day (2026-01-05) or an instant with its zone (2026-01-05T09:00:00Z)`,
    );
  return at;
}

/** `--start`, else now: when somebody would submit it. ms since the epoch. */
export const readStart = (start: string | undefined, now: number): number =>
  start === undefined ? now : readInstant('start', start);

const longest = 'P1Y';

/** `--until`: a duration from the start, or an instant. */
export function readUntil(until: string = longest, startAt: number): number {
  const duration = parseDuration(until);
  const at = duration === undefined ? readInstant('until', until) : addDuration(startAt, duration);
  if (at <= startAt) refuse(`--until was "${safe(until)}", which is not later than the start`);
  return at;
}

function readChances(option: string, texts: readonly string[] = [], stages: readonly string[]): Chance[] {
  return texts.map((text) => {
    const chance =
      parseChance(text) ??
      refuse(`--${option} was "${safe(text)}"; write "20% after P1D", or "intro: 20% after P1D" for a stage`);
    if (chance.stage !== undefined && !stages.includes(chance.stage))
      refuse(`--${option} was "${safe(text)}"; the flow has no stage ${chance.stage}, but ${stages.join(', ')}`);
    return chance;
  });
}

export function readEvents(params: SimulateParams, stages: readonly string[]): SimulatedEvent[] {
  const { replies, bounces } = params;
  return [
    ...readChances('replies', replies, stages).map((chance) => ({ type: 'reply' as const, ...chance })),
    ...readChances('bounces', bounces, stages).map((chance) => ({ type: 'bounce' as const, ...chance })),
  ];
}

export const readTroubles = (
  { failures, retries }: SimulateParams,
  stages: readonly string[],
): { failures: Chance[]; retries: Chance[] } => ({
  failures: readChances('failures', failures, stages),
  retries: readChances('retries', retries, stages),
});

/** Channels as they are configured (their rates too), one worker thread of them. */
export function readPaces({ rate = [], latency }: SimulateParams, { channels }: Config): Map<string, PaceFacts> {
  const paces = new Map<string, PaceFacts>(
    channels.map(({ name, concurrency, rate }) => [
      name,
      { concurrency, latencyMs: latency, ...(rate === undefined ? {} : { perSecond: rate.perSecond }) },
    ]),
  );
  for (const text of rate) {
    const [, name = '', number] = /^([a-z][a-z0-9_]*)=(\d+(?:\.\d+)?)(?:\/s)?$/.exec(text) ?? [];
    const perSecond = Number(number);
    if (!(perSecond > 0)) refuse(`--rate was "${safe(text)}"; write email=50 for 50 messages a second`);
    const known = paces.get(name) ?? refuse(`--rate was "${safe(text)}"; channels are ${[...paces.keys()].join(', ')}`);
    paces.set(name, { ...known, perSecond });
  }
  return paces;
}
