import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ChannelFacts } from '../../../src/domain/channelPorts.ts';
import { type CompiledFlow, type CompiledMessage, compileFlow } from '../../../src/domain/flow.ts';
import type { Flow } from '../../../src/domain/model.ts';

const channel = (name: string, address: string, needs: ChannelFacts['needs']): ChannelFacts => ({
  name,
  address,
  needs,
  delivery: 'at-least-once',
  attempts: 8,
  giveUpMs: 86_400_000,
});
const channels = new Map(
  [
    channel('sms', 'phone', ['text']),
    channel('mail', 'email', ['text', 'html']),
    channel('hook', 'url', ['body']),
    channel('any', 'url', []),
  ].map((facts) => [facts.name, facts]),
);
const options = { channels, bulk: true, unsubscribe: true };

const say = { text: 'Hi {{ contact.name }}' };
const message = (id: string, more: object = {}) => ({ id, type: 'message', channel: 'sms', content: say, ...more });
const wait = (id: string, time: unknown = 'P1D') => ({ id, type: 'wait', for: time });
const end = (id: string) => ({ id, type: 'end', outcome: 'done' });

const compile = (stages: unknown, over: Partial<Parameters<typeof compileFlow>[1]> = {}) =>
  compileFlow({ stages } as Flow, { ...options, ...over });
function accepted(stages: unknown[], over: Partial<typeof options> = {}): CompiledFlow {
  const { flow, faults } = compile(stages, over);
  expect(faults).toEqual([]);
  if (flow === undefined) throw new Error('the flow does not compile');
  return flow;
}
/** `code path` of every fault. */
const faultsOf = (stages: unknown, over: Parameters<typeof compile>[1] = {}): string[] =>
  compile(stages, over).faults.map(({ code, path }) => `${code} ${path}`);
const messagesOf = (stages: unknown, over: Partial<typeof options> = {}): string[] =>
  compile(stages, over).faults.map((fault) => fault.message);

describe('a flow that is right', () => {
  const flow = accepted([
    message('intro', {
      delay: 'PT1H',
      followUps: [
        { after: 'P1D' },
        { after: 'P2D', channel: 'mail', content: { html: '<p>x</p>' } },
        { after: 'P3D', channel: 'mail' },
      ],
      waitForReply: 'P1M',
      on: { reply: 'thanks', noReply: 'pause', bounce: 'bye', 'any word': 'bye' },
    }),
    wait('pause', 'P1W'),
    message('thanks', { channel: 'hook', content: { body: { a: 1 } }, on: null }),
    end('bye'),
  ]);

  test('begins at its first stage and knows the channels it uses', () => {
    expect(flow.entry).toBe('intro');
    expect([...flow.stages.keys()]).toEqual(['intro', 'pause', 'thanks', 'bye']);
    expect(flow.channels).toEqual(['hook', 'mail', 'sms']);
  });

  test('a message has its times, targets and what follows it', () => {
    expect(flow.stages.get('intro')).toMatchObject({
      type: 'message',
      id: 'intro',
      index: 0,
      channel: 'sms',
      delay: { months: 0, ms: 3_600_000 },
      waitForReply: { months: 1, ms: 0 },
      next: 'pause',
    });
    expect({ ...(flow.stages.get('intro') as CompiledMessage).on }).toEqual({
      reply: 'thanks',
      noReply: 'pause',
      bounce: 'bye',
      'any word': 'bye',
    });
  });

  test('a follow-up says and goes where its stage does, unless it says otherwise', () => {
    const { content, followUps } = flow.stages.get('intro') as CompiledMessage;
    expect(followUps.map((followUp) => followUp.channel)).toEqual(['sms', 'mail', 'mail']);
    expect(followUps.map((followUp) => followUp.content === content)).toEqual([true, false, true]);
    expect(followUps.map((followUp) => followUp.after.ms / 86_400_000)).toEqual([1, 2, 3]);
  });

  test('wait and end', () => {
    expect(flow.stages.get('pause')).toEqual({
      type: 'wait',
      id: 'pause',
      index: 1,
      waitFor: { kind: 'time', duration: { months: 0, ms: 604_800_000 } },
      on: {},
      next: 'thanks',
    });
    expect(flow.stages.get('bye')).toEqual({ type: 'end', id: 'bye', index: 3, outcome: 'done' });
  });

  test('what is not said is absent', () => {
    const only = accepted([message('only')]).stages.get('only');
    expect(Object.keys(only ?? {}).sort()).toEqual(['channel', 'content', 'followUps', 'id', 'index', 'on', 'type']);
  });

  test('stages nobody reaches are left alone', () => {
    expect(faultsOf([end('a'), message('b'), wait('c')])).toEqual([]);
  });
});

describe('names', () => {
  test('such as constructor are names like any other', () => {
    const flow = accepted([
      message('constructor', { on: JSON.parse('{ "__proto__": "toString", "reply": "constructor" }') }),
      end('toString'),
    ]);
    const stage = flow.stages.get('constructor') as CompiledMessage;
    expect(Object.entries(stage.on)).toEqual([
      ['__proto__', 'toString'],
      ['reply', 'constructor'],
    ]);
    expect(stage.on['hasOwnProperty']).toBeUndefined();
    expect(({} as Record<string, unknown>)['reply']).toBeUndefined();
  });

  test.each(['__proto__', 'constructor', 'toString'])('%s is no channel and no stage by itself', (name) => {
    expect(faultsOf([message('a', { channel: name, on: { reply: name } })])).toEqual([
      'channel_unknown flow.stages[0].channel',
      'stage_missing flow.stages[0].on.reply',
    ]);
  });

  test.each(['', '1a', '_a', 'a b', 'a.b', '$a', '__proto__', `a${'b'.repeat(64)}`, 7, null, undefined])(
    '%j is no stage id',
    (id) => {
      expect(faultsOf([{ ...end('x'), id }])).toEqual(['stage_id_invalid flow.stages[0].id']);
    },
  );

  test('64 characters are allowed', () => {
    expect(faultsOf([end(`a${'b'.repeat(63)}`)])).toEqual([]);
  });

  test('an id is used once', () => {
    expect(faultsOf([end('a'), end('b'), wait('a'), end('b'), end('b')])).toEqual([
      'stage_duplicate flow.stages[2].id',
      'stage_duplicate flow.stages[3].id',
      'stage_duplicate flow.stages[4].id',
    ]);
    expect(messagesOf([end('a'), end('a')])).toEqual(['"a" is the id of stages[0]']);
  });
});

describe('missing stages', () => {
  test('the message names the stage, the nearest and all there are', () => {
    expect(messagesOf([message('intro', { on: { reply: 'thnaks' } }), end('thanks')])).toEqual([
      'there is no stage "thnaks". Did you mean "thanks"? Stages: "intro", "thanks"',
    ]);
    expect(messagesOf([message('intro', { on: { reply: 'Intr' } })])).toEqual([
      'there is no stage "Intr". Did you mean "intro"? Stages: "intro"',
    ]);
    expect(messagesOf([message('intro', { on: { reply: 'elsewhere' } })])).toEqual([
      'there is no stage "elsewhere". Stages: "intro"',
    ]);
  });

  test('the nearest of several is suggested', () => {
    expect(
      messagesOf([message('reminder1', { on: { reply: 'reminder22' } }), end('reminder2'), end('remainder')])[0],
    ).toContain('Did you mean "reminder2"?');
  });

  test('a long list is cut', () => {
    const many = Array.from({ length: 30 }, (_, index) => end(`s${index}`));
    expect(messagesOf([message('a', { on: { reply: 'zzzzzzzz' } }), ...many])[0]).toMatch(/"s18" and 11 more$/);
  });

  test('events of any name have a path', () => {
    expect(faultsOf([message('a', { on: { 'x.y': 'b', noReply: 'c' } })])).toEqual([
      'stage_missing flow.stages[0].on["x.y"]',
      'stage_missing flow.stages[0].on.noReply',
    ]);
  });

  test('a stage with a fault of its own is not missing', () => {
    expect(
      faultsOf([
        message('a', { on: { reply: 'b', failed: 'c' } }),
        { id: 'b', type: 'what' },
        { id: 'c', type: 'end' },
      ]),
    ).toEqual(['stage_invalid flow.stages[1].type', 'stage_invalid flow.stages[2].outcome']);
  });
});

describe('cycles', () => {
  test.each<[string, unknown[], string[]]>([
    ['silence back to itself', [message('a', { on: { noReply: 'a' } })], ['flow.stages[0].on.noReply']],
    [
      'silence back to an earlier stage',
      [message('a'), message('b'), message('c', { on: { noReply: 'a' } })],
      ['flow.stages[2].on.noReply'],
    ],
    ['a failure that tries itself again', [message('a', { on: { failed: 'a' } })], ['flow.stages[0].on.failed']],
    [
      'a failure, whatever the reply is waited for',
      [message('a', { waitForReply: 'P1D', on: { failed: 'a' } })],
      ['flow.stages[0].on.failed'],
    ],
    [
      'forth by a failure, back by silence',
      [message('a', { waitForReply: 'P1D', on: { failed: 'c' } }), end('b'), message('c', { on: { noReply: 'a' } })],
      ['flow.stages[2].on.noReply'],
    ],
    [
      'two of them',
      [message('a', { on: { noReply: 'a', failed: 'a' } }), message('b', { on: { noReply: 'b' } })],
      ['flow.stages[0].on.failed', 'flow.stages[0].on.noReply', 'flow.stages[1].on.noReply'],
    ],
    [
      'one nobody reaches',
      [end('z'), message('a'), message('b', { on: { noReply: 'a' } })],
      ['flow.stages[2].on.noReply'],
    ],
    [
      'not at the entry',
      [message('z'), message('a'), message('b', { on: { noReply: 'a' } })],
      ['flow.stages[2].on.noReply'],
    ],
  ])('%s', (_name, stages, paths) => {
    expect(faultsOf(stages)).toEqual(paths.map((path) => `cycle_without_wait ${path}`));
  });

  test('the message tells the way round', () => {
    expect(messagesOf([message('z'), message('a'), message('b', { on: { noReply: 'a' } })])).toEqual([
      '"a" -> "b" -> "a" goes round without a pause; put a wait, a delay, a follow-up or waitForReply into it',
    ]);
  });

  test.each<[string, unknown[]]>([
    ['a wait', [wait('a'), message('b', { on: { noReply: 'a' } })]],
    ['a delay', [message('a', { delay: 'PT1S', on: { noReply: 'a', failed: 'a' } })]],
    ['a follow-up', [message('a', { followUps: [{ after: 'PT1S' }], on: { noReply: 'a' } })]],
    ['waitForReply', [message('a', { waitForReply: 'PT1S', on: { noReply: 'a' } })]],
    ['a pause of another stage', [message('a'), message('b', { waitForReply: 'P1D', on: { noReply: 'a' } })]],
    ['a reply, which comes from outside', [message('a', { on: { reply: 'a', bounce: 'a', clicked: 'a' } })]],
    ['an end', [message('a', { on: { failed: 'c' } }), message('b', { on: { noReply: 'c', failed: 'c' } }), end('c')]],
  ])('%s breaks it', (_name, stages) => {
    expect(faultsOf(stages).filter((fault) => fault.startsWith('cycle'))).toEqual([]);
  });

  test('many stages are no problem', () => {
    const chain = Array.from({ length: 5_000 }, (_, index) => message(`s${index}`));
    expect(faultsOf([...chain, message('last', { on: { noReply: 's0' } })])).toEqual([
      'cycle_without_wait flow.stages[5000].on.noReply',
    ]);
  });

  test('are found exactly where some way without a pause leads back', () => {
    const count = 6;
    const target = fc.option(fc.nat(count - 1), { nil: undefined });
    const stage = fc.record({ paused: fc.boolean(), delayed: fc.boolean(), noReply: target, failed: target });
    fc.assert(
      fc.property(fc.array(stage, { minLength: count, maxLength: count }), (drawn) => {
        const stages = drawn.map(({ paused, delayed, noReply, failed }, index) =>
          message(`s${index}`, {
            ...(paused ? { waitForReply: 'P1D' } : {}),
            ...(delayed ? { delay: 'P1D' } : {}),
            on: {
              ...(noReply === undefined ? {} : { noReply: `s${noReply}` }),
              ...(failed === undefined ? {} : { failed: `s${failed}` }),
            },
          }),
        );
        const ways = drawn.map(({ paused, delayed, noReply, failed }, index) =>
          delayed
            ? []
            : [failed, ...(paused ? [] : [noReply ?? index + 1])].filter((to) => to !== undefined && to < count),
        );
        const reached = ways.map((direct) => new Set(direct));
        for (let round = 0; round < count; round += 1) {
          for (const set of reached) for (const to of [...set]) for (const on of reached[to ?? 0] ?? []) set.add(on);
        }
        const cyclic = reached.some((set, index) => set.has(index));
        expect(faultsOf(stages).length > 0).toBe(cyclic);
      }),
    );
  });
});

describe('channels and content', () => {
  test('an unknown channel: which there are', () => {
    expect(messagesOf([message('a', { channel: 'sns' })])).toEqual([
      'there is no channel "sns". Did you mean "sms"? Configured: "any", "hook", "mail", "sms"',
    ]);
    expect(messagesOf([message('a', { channel: 'x'.repeat(100_000) })])[0]?.length).toBeLessThan(200);
    expect(compile([message('a')], { channels: new Map() }).faults[0]?.message).toBe(
      'there is no channel "sms". None is configured.',
    );
  });

  test('follow-ups are checked alike', () => {
    const followUps = [
      { after: 'P1D', channel: 'fax' },
      { after: 'P1D', channel: 5 },
      { after: 'P1D', channel: 'hook', content: { text: 'x' } },
      { after: 'P1D', channel: 'hook' },
      { after: 'P1D', content: { subject: 'x' } },
    ];
    expect(faultsOf([message('a', { followUps })])).toEqual([
      'channel_unknown flow.stages[0].followUps[0].channel',
      'channel_unknown flow.stages[0].followUps[1].channel',
      'content_missing flow.stages[0].followUps[2].content',
      'content_missing flow.stages[0].followUps[3].channel',
      'content_missing flow.stages[0].followUps[4].content',
    ]);
  });

  test('content has one of the fields its channel needs', () => {
    expect(
      faultsOf([
        message('a', { channel: 'mail', content: { html: 'x' } }),
        message('b', { channel: 'mail', content: { text: 'x' } }),
      ]),
    ).toEqual([]);
    expect(faultsOf([message('a', { channel: 'any', content: {} })])).toEqual([]);
    expect(messagesOf([message('a', { channel: 'mail', content: { subject: 's', body: 1 } })])).toEqual([
      'channel "mail" needs text or html; the content has subject, body',
    ]);
    expect(messagesOf([message('a', { content: { text: '  ' } })])).toEqual([
      'channel "sms" needs text; the content has nothing',
    ]);
  });

  test('and so has each of its locales', () => {
    const content = { text: 'x', locales: { de: { html: '<p>x</p>' }, fr: { subject: 'x' } } };
    expect(faultsOf([message('a', { content })])).toEqual(['content_missing flow.stages[0].content.locales.de']);
    const only = { locales: { de: { text: 'x' }, fr: {} } };
    expect(faultsOf([message('a', { content: only })])).toEqual(['content_missing flow.stages[0].content']);
  });

  test('templates that do not parse, wherever they are', () => {
    const bad = { text: '{{', locales: { de: { text: '{% if %}' } } };
    expect(faultsOf([wait('w'), message('a', { content: bad, followUps: [{ after: 'P1D', content: bad }] })])).toEqual([
      'template_invalid flow.stages[1].content.text',
      'template_invalid flow.stages[1].content.locales.de.text',
      'template_invalid flow.stages[1].followUps[0].content.text',
      'template_invalid flow.stages[1].followUps[0].content.locales.de.text',
    ]);
  });

  test('bulk mail says how to unsubscribe', () => {
    const stages = [
      message('a', {
        followUps: [
          { after: 'P1D', channel: 'mail' },
          { after: 'P1D', channel: 'mail' },
        ],
      }),
    ];
    expect(faultsOf(stages, { unsubscribe: false })).toEqual(['unsubscribe_missing unsubscribe']);
    expect(faultsOf(stages, { unsubscribe: false, bulk: false })).toEqual([]);
    expect(faultsOf(stages)).toEqual([]);
    expect(faultsOf([message('a')], { unsubscribe: false })).toEqual([]);
  });

  test('content prints no link that the campaign lacks', () => {
    const stages = [message('a', { content: { text: '{{ unsubscribe.url }} {{ unsubscribe.mailto }}' } })];
    expect(faultsOf(stages)).toEqual([]);
    expect(faultsOf(stages, { lackingLinks: ['mailto'] })).toEqual(['unsubscribe_missing flow.stages[0].content.text']);
  });
});

describe('durations', () => {
  test.each(['PT0S', 'P0D', '3 days', '-P1D', '', 7, {}])('%j is refused wherever it stands', (time) => {
    expect(
      faultsOf([wait('w', time), message('a', { delay: time, followUps: [{ after: time }], waitForReply: time })]),
    ).toEqual([
      'duration_invalid flow.stages[0].for',
      'duration_invalid flow.stages[1].delay',
      'duration_invalid flow.stages[1].followUps[0].after',
      'duration_invalid flow.stages[1].waitForReply',
    ]);
  });

  test('the message says what is wrong and what is right', () => {
    expect(messagesOf([wait('w', 'PT0S'), wait('v', '3 days'), wait('u', 7)])).toEqual([
      '"PT0S" is not longer than zero; write P3D for three days, PT90M for 90 minutes',
      '"3 days" is no ISO 8601 duration; write P3D for three days, PT90M for 90 minutes',
      'is no ISO 8601 duration; write P3D for three days, PT90M for 90 minutes',
    ]);
  });

  test('a wrong one is still a pause', () => {
    expect(faultsOf([message('a', { delay: 'soon', on: { noReply: 'a' } })])).toEqual([
      'duration_invalid flow.stages[0].delay',
    ]);
  });
});

describe('everything at once', () => {
  test('each fault of a thoroughly wrong flow is told, below the path that was given', () => {
    const stages = [
      message('a', { channel: 'fax', content: { text: '{{' }, delay: 'PT0S', on: { reply: 'nowhere', failed: 7 } }),
      message('a', { channel: 'mail', followUps: [{ after: 'x' }, 'y'] }),
      wait('2'),
      message('loop', { content: {}, on: { noReply: 'loop' } }),
      message('more', { followUps: 'none', on: [] }),
      'nothing',
      end('z'),
    ];
    expect(
      compile(stages, { unsubscribe: false, path: 'template.flow' }).faults.map(({ code, path }) => `${code} ${path}`),
    ).toEqual([
      'channel_unknown template.flow.stages[0].channel',
      'template_invalid template.flow.stages[0].content.text',
      'duration_invalid template.flow.stages[0].delay',
      'stage_invalid template.flow.stages[0].on.failed',
      'stage_duplicate template.flow.stages[1].id',
      'duration_invalid template.flow.stages[1].followUps[0].after',
      'stage_invalid template.flow.stages[1].followUps[1]',
      'stage_id_invalid template.flow.stages[2].id',
      'content_missing template.flow.stages[3].content',
      'stage_invalid template.flow.stages[4].followUps',
      'stage_invalid template.flow.stages[4].on',
      'stage_invalid template.flow.stages[5]',
      'stage_missing template.flow.stages[0].on.reply',
      'cycle_without_wait template.flow.stages[3].on.noReply',
      'unsubscribe_missing unsubscribe',
    ]);
  });

  test('a list without end is cut', () => {
    const on = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`e${index}`, `nowhere${index}`]));
    const { faults } = compile([message('a', { on })]);
    expect(faults).toHaveLength(201);
    expect(faults.at(-1)).toEqual({
      code: 'more_faults',
      path: 'flow.stages[0].on.e200',
      message: 'more than 200 faults; the rest is not listed',
    });
  });
});

describe('whatever the flow is', () => {
  test.each([[undefined], [null], ['flow'], [7], [[]], [{}], [{ stages: 'x' }], [{ stages: [] }], [{ stages: null }]])(
    '%j has no stages',
    (flow) => {
      expect(compileFlow(flow as unknown as Flow, options).faults).toEqual([
        { code: 'flow_invalid', path: 'flow.stages', message: 'has to be a list of stages' },
      ]);
    },
  );

  test('a body without bottom is a fault like any other', () => {
    const body: unknown = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000));
    expect(faultsOf([message('a', { channel: 'hook', content: { body } })])).toEqual([
      expect.stringMatching(/^template_invalid flow\.stages\[0\]\.content\.body\[0\]/),
    ]);
  });

  test('it never throws', () => {
    const word = fc.constantFrom(
      'id',
      'type',
      'channel',
      'content',
      'delay',
      'followUps',
      'on',
      'for',
      'a',
      'message',
      'wait',
      'end',
      'sms',
      'text',
      '__proto__',
    );
    const value = fc.oneof(word, fc.object({ key: word, values: [word, fc.constant(null), fc.integer()] }));
    const stage = fc.oneof(
      value,
      fc.record({
        type: fc.constantFrom('message', 'wait', 'end'),
        id: value,
        content: value,
        followUps: fc.array(value),
        on: value,
      }),
    );
    fc.assert(
      fc.property(fc.oneof(value, fc.array(stage)), (stages) => {
        const { flow, faults } = compile(stages);
        expect(flow === undefined).toBe(faults.length > 0);
      }),
    );
  });
});
