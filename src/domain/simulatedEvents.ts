/** What contacts and providers do in a simulation: `20% after P1D`, `intro:5%`. */
import { draw } from './draws.ts';
import { type Duration, parseDuration } from './timing.ts';

/** `[stage:]share% [after duration]`. */
export interface Chance {
  /** Absent: counts for the first message of a conversation. */
  stage?: string;
  /** 0 to 1. */
  share: number;
  after: Duration;
}

/** An event that some send after a message. */
export interface SimulatedEvent extends Chance {
  type: 'reply' | 'bounce';
}

const pattern = /^\s*(?:([A-Za-z][A-Za-z0-9_-]{0,63})\s*:\s*)?(\d+(?:\.\d+)?)\s*%\s*(?:after\s+(\S+)\s*)?$/;
const atOnce: Duration = { months: 0, ms: 0 };

/** Undefined when it is written in another way, its share is over 100 %, or the duration is none. */
export function parseChance(text: string): Chance | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, stage, percent, written] = match;
  const share = Number(percent) / 100;
  const after = written === undefined ? atOnce : parseDuration(written);
  if (after === undefined || share > 1) return undefined;
  return { ...(stage === undefined ? {} : { stage }), share, after };
}

/** The message that a chance is drawn for: the first of the stage, or of the whole conversation. */
export const counts = ({ stage }: Chance, message: { stage: string; step: number; sequence: number }): boolean =>
  stage === undefined ? message.sequence === 1 : message.stage === stage && message.step === 0;

/** Whether it happens; the same for the same seed, message and `kind`, whatever else is simulated. */
export const happens = ({ share }: Chance, seed: number, kind: string, messageId: string): boolean =>
  share > 0 && draw(seed, `${kind} ${messageId}`) < share;
