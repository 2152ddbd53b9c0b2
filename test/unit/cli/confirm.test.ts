import { EventEmitter } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { confirm } from '../../../src/cli/confirm.ts';
import type { KeySource } from '../../../src/cli/screen.ts';
import { Recorder } from './host.ts';

class Keyboard extends EventEmitter {
  isTTY = true;
  raw: boolean[] = [];
  setRawMode(raw: boolean): void {
    this.raw.push(raw);
  }
  resume(): void {}
  pause(): void {}
}

describe('a question', () => {
  test.each([
    ['y', true],
    ['Y', true],
    ['yes', true],
    ['n', false],
    ['\r', false],
    ['\u0003', false],
    ['', false],
  ])('%j means %s, and the keyboard is given back', async (key, expected) => {
    const keyboard = new Keyboard();
    const stdout = new Recorder(true);
    const answer = confirm('resume spring?', stdout, keyboard as unknown as KeySource);
    keyboard.emit('data', Buffer.from(key));
    expect(await answer).toBe(expected);
    expect(stdout.text).toBe(`resume spring? [y/N] ${expected ? 'y' : 'n'}\n`);
    expect([keyboard.raw, keyboard.listenerCount('data')]).toEqual([[true, false], 0]);
  });

  test('that nobody is there to answer is not asked', async () => {
    const stdout = new Recorder(true);
    const pipe = Object.assign(new Keyboard(), { isTTY: false });
    expect(await confirm('?', stdout, undefined)).toBe(true);
    expect(await confirm('?', stdout, pipe as unknown as KeySource)).toBe(true);
    expect(stdout.text).toBe('');
  });
});
