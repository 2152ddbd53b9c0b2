/** What can be wrong with the stages that are no messages, and with the rules: every fault has its code and path. */
import { describe, expect, test } from '@jest/globals';
import { channelsOf } from '../../../src/domain/channelsOf.ts';
import { compileFlow } from '../../../src/domain/flow.ts';
import type { Flow, Stage } from '../../../src/domain/model.ts';
import { channels, facts } from './given.ts';

const end = { id: 'end', type: 'end', outcome: 'done' };
const say = { id: 'say', type: 'message', channel: 'sms', content: { text: 'x' } };
const all = new Map([...channels, ['mail', facts('mail', 'email')]]);

const faultsOf = (stages: unknown[], rules?: unknown): string[] => {
  const flow = { stages, ...(rules === undefined ? {} : { rules }) } as Flow;
  const { faults } = compileFlow(flow, { channels: all, bulk: false, unsubscribe: true });
  return faults.map(({ code, path }) => `${code} ${path}`);
};
const messagesOf = (stage: object): string[] =>
  compileFlow({ stages: [stage, end] } as Flow, { channels: all, bulk: false, unsubscribe: true }).faults.map(
    ({ message }) => message,
  );

const at = 'flow.stages[0]';

describe('wait', () => {
  const wait = (more: object) => ({ id: 'w', type: 'wait', ...more });
  test.each<[string, object, string[]]>([
    ['nothing to wait for', {}, [`stage_invalid ${at}`]],
    ['two things', { for: 'P1D', event: 'paid' }, [`stage_invalid ${at}`]],
    ['an event that is none', { event: 7 }, [`stage_invalid ${at}.event`]],
    ['a date that is none', { until: 7 }, [`until_invalid ${at}.until`]],
    ['an empty event', { event: '' }, [`stage_invalid ${at}.event`]],
    ['no date', { until: 'tomorrow' }, [`until_invalid ${at}.until`]],
    ['a path elsewhere', { until: 'campaign.x' }, [`until_invalid ${at}.until`]],
    ['no duration', { until: 'contact.attributes.x - 7D' }, [`until_invalid ${at}.until`]],
    ['a duration of nothing', { until: 'contact.attributes.x - P0D' }, [`until_invalid ${at}.until`]],
    ['a malformed duration', { until: 'contact.attributes.x - PX' }, [`until_invalid ${at}.until`]],
    ['a way without a time', { event: 'paid', onTimeout: 'end' }, [`stage_invalid ${at}.onTimeout`]],
    [
      'fields of another wait',
      { for: 'P1D', timeout: 'P1D', onMissing: 'end' },
      [`stage_invalid ${at}.onMissing`, `stage_invalid ${at}.timeout`],
    ],
    ['ways that are none', { until: '2026-05-01', onMissing: 7 }, [`stage_invalid ${at}.onMissing`]],
    [
      'ways to nowhere',
      { event: 'paid', timeout: 'P1D', onTimeout: 'x', on: { left: 'y' } },
      [`stage_missing ${at}.onTimeout`, `stage_missing ${at}.on.left`],
    ],
    ['a way to nowhere without a date', { until: '2026-05-01', onMissing: 'x' }, [`stage_missing ${at}.onMissing`]],
    ['ways that are no object', { for: 'P1D', on: 'x' }, [`stage_invalid ${at}.on`]],
  ])('%s', (_, more, faults) => {
    expect(faultsOf([wait(more), end])).toEqual(faults);
  });
  test('says what is allowed', () => {
    expect(messagesOf(wait({ until: 'tomorrow' }))[0]).toMatch(/was "tomorrow"; it has to be a date like/);
    expect(messagesOf(wait({ for: 'P1D', event: 'x' }))).toEqual([
      'has to have exactly one of for, businessDays, until and event, has for and event',
    ]);
  });
});

describe('branch and split', () => {
  test.each<[string, object, string[]]>([
    ['no branches', { type: 'branch' }, [`stage_invalid ${at}.branches`]],
    ['an empty list', { type: 'branch', branches: [] }, [`stage_invalid ${at}.branches`]],
    ['no object', { type: 'branch', branches: ['x'] }, [`stage_invalid ${at}.branches[0]`]],
    ['no target', { type: 'branch', branches: [{ when: {} }] }, [`stage_invalid ${at}.branches[0].goto`]],
    [
      'a target that is no stage',
      { type: 'branch', branches: [{ goto: 'x' }] },
      [`stage_missing ${at}.branches[0].goto`],
    ],
    [
      'a condition that is none',
      { type: 'branch', branches: [{ when: { 'contact.a': { $foo: 1 } }, goto: 'end' }] },
      [`query_invalid ${at}.branches[0].when["contact.a"].$foo`],
    ],
    [
      'without a condition before the last',
      { type: 'branch', branches: [{ goto: 'end' }, { goto: 'end' }] },
      [`stage_invalid ${at}.branches[0].when`],
    ],
    ['no variants', { type: 'split' }, [`stage_invalid ${at}.variants`]],
    [
      'no name, no weight',
      { type: 'split', variants: [{ goto: 'end' }] },
      [
        `stage_invalid ${at}.variants[0].variant`,
        `stage_invalid ${at}.variants[0].weight`,
        `stage_invalid ${at}.variants`,
      ],
    ],
    [
      'a weight below zero',
      {
        type: 'split',
        variants: [
          { variant: 'a', weight: -1 },
          { variant: 'b', weight: 1 },
        ],
      },
      [`stage_invalid ${at}.variants[0].weight`],
    ],
    [
      'twice the same',
      {
        type: 'split',
        variants: [
          { variant: 'a', weight: 1 },
          { variant: 'a', weight: 1 },
        ],
      },
      [`stage_invalid ${at}.variants[1].variant`],
    ],
    [
      'a way to nowhere',
      { type: 'split', variants: [{ variant: 'a', weight: 1, goto: 'x' }] },
      [`stage_missing ${at}.variants[0].goto`],
    ],
  ])('%s', (_, more, faults) => {
    expect(faultsOf([{ id: 's', ...more }, end])).toEqual(faults);
  });
});

describe('escalate and webhook', () => {
  const notify = { channel: 'sms', to: '+1', content: { text: 'x' } };
  test.each<[string, object, string[]]>([
    ['nobody', { type: 'escalate' }, [`stage_invalid ${at}.to`]],
    ['a way without a time', { type: 'escalate', to: 'x', onTimeout: 'end' }, [`stage_invalid ${at}.onTimeout`]],
    [
      'a way to nowhere',
      { type: 'escalate', to: 'x', after: 'P1D', onTimeout: 'y' },
      [`stage_missing ${at}.onTimeout`],
    ],
    ['a notification that is none', { type: 'escalate', to: 'x', notify: 'y' }, [`stage_invalid ${at}.notify`]],
    [
      'a notification without anything',
      { type: 'escalate', to: 'x', notify: {} },
      [
        `channel_unknown ${at}.notify.channel`,
        `template_invalid ${at}.notify.content`,
        `stage_invalid ${at}.notify.to`,
      ],
    ],
    [
      'a notification to nobody',
      { type: 'escalate', to: 'x', notify: { ...notify, to: '' } },
      [`stage_invalid ${at}.notify.to`],
    ],
    [
      'templates that do not parse',
      { type: 'escalate', to: 'x', notify: { ...notify, to: '{{ a' } },
      [`template_invalid ${at}.notify.to`],
    ],
    ['nothing to say', { type: 'webhook', channel: 'push' }, [`content_missing ${at}.body`]],
    ['an unknown channel', { type: 'webhook', body: {} }, [`channel_unknown ${at}.channel`]],
    ['a channel of mail', { type: 'webhook', channel: 'mail', body: { a: 1 } }, [`stage_invalid ${at}.channel`]],
    [
      'a body that does not parse',
      { type: 'webhook', channel: 'push', body: { a: '{{ x' } },
      [`template_invalid ${at}.body.a`],
    ],
    [
      'an address that does not parse',
      { type: 'webhook', channel: 'push', body: { a: 1 }, to: '{{ x' },
      [`template_invalid ${at}.to`],
    ],
    [
      'a way to nowhere',
      { type: 'webhook', channel: 'push', body: { a: 1 }, on: { failed: 'x' } },
      [`stage_missing ${at}.on.failed`],
    ],
  ])('%s', (_, more, faults) => {
    expect(faultsOf([{ id: 's', ...more }, end])).toEqual(faults);
  });
});

describe('rules', () => {
  const rule = (more: object, action?: unknown): object =>
    Object.fromEntries([
      ...Object.entries({ on: 'reply', ...more }),
      ...(action === undefined ? [] : [['then', action]]),
    ]);
  const where = 'flow.rules[0]';
  test.each<[string, unknown, string[]]>([
    ['no list', 'x', ['rule_invalid flow.rules']],
    ['no object', ['x'], [`rule_invalid ${where}`]],
    ['an event that is none', [rule({ on: 7 }, { end: 'x' })], [`rule_invalid ${where}.on`]],
    ['no event', [rule({ on: '' }, { end: 'x' })], [`rule_invalid ${where}.on`]],
    ['nothing to do', [rule({})], [`rule_invalid ${where}.then`]],
    ['two things to do', [rule({}, { end: 'x', suppress: true })], [`rule_invalid ${where}.then`]],
    ['no word', [rule({}, { end: 7 })], [`rule_invalid ${where}.then.end`]],
    ['not true', [rule({}, { suppress: 'yes' })], [`rule_invalid ${where}.then.suppress`]],
    ['nobody', [rule({}, { escalate: {} })], [`rule_invalid ${where}.then.escalate.to`]],
    ['no escalation', [rule({}, { escalate: 'x' })], [`rule_invalid ${where}.then.escalate`]],
    ['nowhere', [rule({}, { goto: 'x' })], [`stage_missing ${where}.then.goto`]],
    ['no stage', [rule({}, { goto: 7 })], [`stage_invalid ${where}.then.goto`]],
    ['no condition', [rule({ when: 'x' }, { end: 'x' })], [`query_invalid ${where}.when`]],
  ])('%s', (_, rules, faults) => {
    expect(faultsOf([say, end], rules)).toEqual(faults);
  });
});

describe('going round without a pause', () => {
  const branch = (goto: string) => ({ id: 'b', type: 'branch', branches: [{ when: {}, goto }] });
  test.each<[string, unknown[], string[]]>([
    ['a branch back', [say, branch('say'), end], ['flow.stages[1].branches[0].goto']],
    [
      'a split back',
      [say, { id: 's', type: 'split', variants: [{ variant: 'a', weight: 1, goto: 'say' }] }],
      ['flow.stages[1].variants[0].goto'],
    ],
    [
      'a date that may have passed',
      [say, { id: 'w', type: 'wait', until: '2026-01-01', onMissing: 'say' }, branch('say')],
      ['flow.stages[1].onMissing', 'flow.stages[2].branches[0].goto'],
    ],
    [
      'a webhook that fails',
      [{ id: 'h', type: 'webhook', channel: 'push', body: { a: 1 }, on: { failed: 'h' } }, end],
      ['flow.stages[0].on.failed'],
    ],
    [
      'a webhook',
      [{ id: 'h', type: 'webhook', channel: 'push', body: { a: 1 } }, branch('h')],
      ['flow.stages[1].branches[0].goto'],
    ],
    ['with a wait', [say, { id: 'w', type: 'wait', for: 'PT1H' }, branch('say'), end], []],
    ['with an event', [say, { id: 'w', type: 'wait', event: 'x', timeout: 'PT1H', onTimeout: 'say' }, end], []],
    ['with a person', [say, { id: 'p', type: 'escalate', to: 'x', after: 'PT1H', onTimeout: 'say' }, end], []],
  ])('%s', (_, stages, paths) => {
    expect(faultsOf(stages)).toEqual(paths.map((path) => `cycle_without_wait ${path}`));
  });
});

test('channels of a flow: of messages, follow-ups, webhooks and notifications, each once', () => {
  const stages = [
    { ...say, followUps: [{ after: 'P1D', channel: 'mail' }, { after: 'P1D' }] },
    { id: 'h', type: 'webhook', channel: 'push', body: {} },
    { id: 'p', type: 'escalate', to: 'x', notify: { channel: 'alert', to: 'y', content: {} } },
    { id: 'q', type: 'escalate', to: 'x' },
    { id: 'w', type: 'wait', for: 'P1D' },
    { id: 'b', type: 'branch', branches: [] },
    { id: 's', type: 'split', variants: [] },
    end,
  ] as unknown as Stage[];
  expect(channelsOf({ stages } as Flow)).toEqual(['sms', 'mail', 'push', 'alert']);
});
