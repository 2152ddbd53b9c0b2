import { describe, expect, test } from '@jest/globals';
import { compileFlow } from '../../../src/domain/flow.ts';
import type { Flow } from '../../../src/domain/model.ts';
import { segmentsOf } from '../../../src/domain/smsSegments.ts';
import { contextOf, facts, Story } from './given.ts';

function rowOf(channel: ReturnType<typeof facts>, text: string) {
  const channels = new Map([['texts', channel]]);
  const stages = [{ id: 'intro', type: 'message', channel: 'texts', content: { text } }];
  const { flow } = compileFlow({ stages } as unknown as Flow, { channels, bulk: true, unsubscribe: true });
  if (flow === undefined) throw new Error('does not compile');
  const context = contextOf([{ id: 'x', type: 'end', outcome: 'x' }], { flow, channels });
  return [...new Story(context, { id: 'ada', name: 'Ада', phone: '+491511' }).due(0).rows.values()][0];
}

describe('given a channel that sends SMS, when a message is decided', () => {
  test.each([
    ['Hello', 1],
    [`${'a'.repeat(154)}{{ contact.name }}`, 3],
  ])('then its row has the parts of the text as it leaves: %j', (text, segments) => {
    expect(rowOf(facts('texts', 'phone', { isSms: true }), text)).toMatchObject({ status: 'sending', segments });
  });
});

test('other channels, and messages without a text, have none', () => {
  expect(rowOf(facts('texts', 'phone'), 'Hello')).not.toHaveProperty('segments');
  expect(segmentsOf({ isSms: true }, {})).toEqual({});
});
