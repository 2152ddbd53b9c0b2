export interface Block {
  path: string;
  /** Of its fence, from 1. */
  line: number;
  at: number;
  language: string;
  code: string;
  note?: { kind: string; text: string };
  pageNote?: string;
}
export function blocksOf(text: string, path: string): Block[];
export function wordsOf(line: string): string[];
export function partOf(language: string, text: string): unknown;
export function campaignWith(value: unknown): Record<string, unknown> | undefined;
