/** What the tables of commands are written with. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Context, ExitCode } from './context.ts';

/** What a command returns after its parameters: a number, or never at all (it throws). */
export type Action = (context: Context) => Promise<ExitCode | number>;

/** Runs what a command does, and keeps its exit code. */
export type Run = (command: Command, action: Action) => Promise<void>;

export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };

/** Seconds from look to look. */
export function interval(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0.2 && value <= 3600))
    throw new InvalidArgumentError('It must be a number of seconds from 0.2 to 3600.');
  return value;
}

/** Several of one option. */
export const collect = (text: string, before: string[] = []): string[] => [...before, text];
