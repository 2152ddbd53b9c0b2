/** What an operator reads of a conversation that waits for its send window. */
import { describe, expect, test } from '@jest/globals';
import type { Flow, Message } from '../../../src/domain/model.ts';
import { story } from '../../../src/domain/story.ts';
import { nextOf, type StoryContext } from '../../../src/domain/storyNext.ts';
import { whyOf } from '../../../src/domain/storyWhy.ts';
import { anna, type Story, seconds } from './given.ts';
import { given } from './timed.ts';

const hour = 3600;
const day = 24 * hour;
const stages = [{ id: 'a', type: 'message', channel: 'sms', content: { text: 'a' } }];
const office = { from: '09:00', to: '18:00', timezone: 'UTC' };
const busy = { kind: 'retry', code: 'busy', message: 'busy', counts: true, retryAfterMs: 60_000 } as const;

const rowsOf = ({ rows }: Story): Message[] => [...rows.values()];
function why(is: Story, second: number): string[] {
  const context: StoryContext = {
    ...{ conversation: is.conversation, rows: rowsOf(is), campaign: { status: 'running' }, sending: 'on' },
    run: { status: 'running', settled: false, flow: { stages } as Flow, startedAt: new Date(seconds(0)) },
    ...{ members: [{ _id: 'm1', channels: ['sms'] }], owner: 'm1', ownerAlive: true, now: seconds(second) },
  };
  return whyOf(context, nextOf(context)).map(({ code, text }) => `${code}: ${text}`);
}
const told = (is: Story): string[] => story(is.conversation, rowsOf(is)).map(({ what, text }) => `${what}: ${text}`);

describe('why the next message has not come', () => {
  test('its window is closed; once that opened it is due as any other', () => {
    const is = given(stages, { sendWindow: office }).due(9 * hour);
    expect(why(is, 10 * hour)).toEqual(['window: its send window is closed until 2026-01-06T09:00:00.000Z']);
    expect(why(is, day + 2)).toEqual(['due: it is due; a member will take it up (2 s late)']);
  });

  test('a holiday', () => {
    const is = given(stages, { sendWindow: { ...office, holidays: ['2026-01-05'] } });
    expect(why(is, 0)).toEqual(['holiday: it is a holiday in its send window until 2026-01-06T09:00:00.000Z']);
  });

  test('a time zone that nobody knows', () => {
    const sendWindow = { ...office, timezone: 'contact', onUnknownZone: 'hold' };
    const is = given(stages, { sendWindow }, { ...anna, timezone: 'Atlantis' }).due(0);
    expect(why(is, 1)).toEqual([expect.stringMatching(/^zone: .*; looked at again at 2026-01-12T09:00:00.000Z$/)]);
  });

  test('a row that waits for another try, and for the window; the story tells it', () => {
    const is = given(stages, { sendWindow: office })
      .due(9 * hour - 1)
      .answer(9 * hour - 1, busy);
    expect(why(is, 9 * hour)).toEqual(['window: its send window is closed until 2026-01-06T09:00:00.000Z']);
    expect(told(is)).toContain('held: message 1 was held back by its send window, until 2026-01-06T09:00:00.000Z');
  });
});
