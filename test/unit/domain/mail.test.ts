import { describe, expect, test } from '@jest/globals';
import { compileFlow } from '../../../src/domain/flow.ts';
import type { Contact, Flow } from '../../../src/domain/model.ts';
import { compileUnsubscribe } from '../../../src/domain/unsubscribe.ts';
import { contextOf, facts, Story } from './given.ts';

const mail = { from: 'Compass <news@a.test>', headers: { 'Reply-To': 'team@a.test' } };
const stages = [
  { id: 'intro', type: 'message', channel: 'mail', content: { subject: 'Hi {{ contact.name }}', text: 'Hello' } },
];
const ada: Contact = { id: 'ada', name: ' Ada Łovelace ', email: 'ada@a.test' };

function rowOf(channel: ReturnType<typeof facts>, more: object, contact = ada, given: unknown[] = stages) {
  const channels = new Map([['mail', channel]]);
  const { flow } = compileFlow({ stages: given } as unknown as Flow, { channels, bulk: true, unsubscribe: true });
  if (flow === undefined) throw new Error('does not compile');
  const context = contextOf([{ id: 'x', type: 'end', outcome: 'x' }], { flow, channels, ...more });
  return [...new Story(context, contact).due(0).rows.values()][0];
}

const leaving = {
  unsubscribe: compileUnsubscribe({ url: 'https://a.test/{{ token }}' }).compiled,
  unsubscribeToken: (id: string) => `t-${encodeURIComponent(id)}`,
};

describe('given a channel that writes mail, when a message is decided', () => {
  test('then its row settles sender, name and headers, so that every try is the same mail', () => {
    expect(rowOf(facts('mail', 'email', { mail }), leaving)?.content).toEqual({
      subject: 'Hi  Ada Łovelace ',
      text: 'Hello',
      from: 'Compass <news@a.test>',
      toName: 'Ada Łovelace',
      headers: {
        'Reply-To': 'team@a.test',
        'List-Unsubscribe': '<https://a.test/t-spring%3Aada>',
        'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
      },
    });
  });

  test('then a contact without a name has none, and a campaign without unsubscribe no headers of it', () => {
    const channel = facts('mail', 'email', { mail: { ...mail, headers: {} } });
    for (const name of ['  ', 7 as unknown as string])
      expect(rowOf(channel, {}, { ...ada, name })?.content).not.toHaveProperty('toName');
    expect(rowOf(channel, {})?.content).not.toHaveProperty('headers');
  });

  test('then one that cannot say how to leave fails: nothing half-filled leaves', () => {
    const row = rowOf(facts('mail', 'email', { mail }), { ...leaving, unsubscribeToken: undefined });
    expect(row).toMatchObject({ status: 'failed', reason: 'template_variable_missing' });
  });
});

test('given mail through somebody else, then the row has the headers alone; other channels have nothing of it', () => {
  const content = rowOf(facts('mail', 'email'), leaving)?.content;
  expect(Object.keys(content ?? {})).toEqual(['subject', 'text', 'headers']);
  const other = rowOf(facts('mail', 'phone'), leaving, { ...ada, phone: '+491' })?.content;
  expect(Object.keys(other ?? {})).toEqual(['subject', 'text']);
});

describe('given content that says how to leave, when a message is decided', () => {
  const text = 'Leave: {{ unsubscribe.url }} or {{ unsubscribe.mailto }}';
  const html = '<a href="{{ unsubscribe.url }}">Leave</a>';
  const saying = [{ id: 'intro', type: 'message', channel: 'mail', content: { text, html } }];
  const { compiled } = compileUnsubscribe({ url: 'https://a.test/{{ token }}?a=1&b=2', mailto: 'stop@a.test' });
  const both = { ...leaving, unsubscribe: compiled };

  test('then it prints the links of its headers, on any channel', () => {
    const url = 'https://a.test/t-spring%3Aada?a=1&b=2';
    const printed = {
      text: `Leave: ${url} or mailto:stop@a.test`,
      html: `<a href="${url.replace('&', '&amp;')}">Leave</a>`,
    };
    const content = rowOf(facts('mail', 'email', { mail }), both, ada, saying)?.content;
    expect(content).toMatchObject({
      ...printed,
      headers: { 'List-Unsubscribe': `<mailto:stop@a.test>, <${url}>` },
    });
    const other = rowOf(facts('mail', 'phone'), both, { ...ada, phone: '+491' }, saying)?.content;
    expect(other).toEqual(printed);
  });

  test.each([
    ['there is none', {}],
    ['there is none of that kind', leaving],
    ['it cannot be made', { ...both, unsubscribeToken: undefined }],
  ])('then it fails where %s', (_, more) => {
    for (const address of ['email', 'phone'])
      expect(rowOf(facts('mail', address, { mail }), more, { ...ada, phone: '+491' }, saying)).toMatchObject({
        ...{ status: 'failed', reason: 'template_variable_missing' },
      });
  });
});

test('given another channel and no link in the content, then one that cannot be made stops nothing', () => {
  const row = rowOf(facts('mail', 'phone'), { ...leaving, unsubscribeToken: undefined }, { ...ada, phone: '+491' });
  expect(row?.status).toBe('sending');
});
