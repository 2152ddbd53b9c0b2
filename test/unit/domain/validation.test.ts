import { describe, expect, test } from '@jest/globals';
import type { ErrorObject } from 'ajv';
import { Decimal128, Long, ObjectId } from 'bson';
import fc from 'fast-check';
import { parseDuration } from '../../../src/domain/timing.ts';
import { faultsOf } from '../../../src/domain/validation.ts';
import { explain } from '../../../src/domain/validationFaults.ts';

const message = (more: object = {}) => ({
  id: 'intro',
  type: 'message',
  channel: 'sms',
  content: { text: 'Hi' },
  ...more,
});
const campaign = (more: object = {}) => ({
  _id: 'spring',
  status: 'pending',
  audience: { contacts: [] },
  flow: { stages: [message()] },
  ...more,
});
const stages = (...list: unknown[]) => campaign({ flow: { stages: list } });
const faults = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    faultsOf('CampaignDocument', value).map(({ path, code, message }) => [path, `${code}: ${message}`]),
  );

test('given a document that fits, then there are no faults; others may keep data of their own beside ours', () => {
  expect(
    faults(campaign({ _id: new ObjectId(), crm: { owner: 7 }, variables: { at: new Date(0), id: new ObjectId() } })),
  ).toEqual({});
  expect(
    faults(campaign({ schedule: { startAt: new Date(0) }, audience: { collection: 'people', filter: {}, map: {} } })),
  ).toEqual({});
});

describe('what it was and what is allowed', () => {
  test.each<[object, string, string]>([
    [{ status: 7 }, 'status', 'not_allowed: was 7; it has to be one of "draft", "pending", "scheduled", "running"'],
    [{ priority: Number.NaN }, 'priority', 'type: was NaN; it has to be a whole number, 0 to 9'],
    [{ priority: 1.5 }, 'priority', 'type: was 1.5'],
    [{ priority: 10 }, 'priority', 'not_allowed: was 10'],
    [{ priority: Number.POSITIVE_INFINITY }, 'priority', 'type: was Infinity'],
    [{ priority: Long.fromString('9007199254740993') }, 'priority', 'more than a number can hold exactly'],
    [{ priority: Decimal128.fromString('1E+6000') }, 'priority', 'was Decimal128 1E+6000'],
    [{ templateVersion: 0 }, 'templateVersion', 'it has to be a whole number, at least 1'],
    [{ tenant: 'x'.repeat(200) }, 'tenant', 'it has to be a string of at most 128 characters'],
    [{ templateId: '' }, 'templateId', 'it has to be a string of 1 to 128 characters'],
    [{ transactional: 'yes' }, 'transactional', 'type: was "yes"; it has to be true or false'],
    [{ flow: 'none' }, 'flow', 'type: was "none"; it has to be an object'],
    [{ flow: new Date(0) }, 'flow', 'type: was the date 1970'],
    [{ variables: new Date(0) }, 'variables', 'type: was the date'],
    [{ variables: () => 1 }, 'variables', 'type: was a function'],
    [{ variables: null }, 'variables', 'type: was null'],
    [{ flow: { stages: [] } }, 'flow.stages', 'not_allowed: was an array of 0; it has to be a list of 1 to 500 items'],
    [{ _id: {} }, '_id', 'type: was an object; it has to be a string, a number or an ObjectId'],
    [{ schedule: { startAt: '2026-01-05' } }, 'schedule.startAt', 'type: was "2026-01-05"; it has to be a date'],
    [{ schedule: { endAt: new Date(Number.NaN) } }, 'schedule.endAt', 'date_invalid: is outside the range of a Date'],
    [{ variables: { list: [{ at: new Date(Number.NaN) }] } }, 'variables.list[0].at', 'date_invalid'],
    [{ schedule: { startsAt: 1 } }, 'schedule.startsAt', 'Did you mean "startAt"? Allowed: "startAt", "endAt"'],
    [{ audience: {} }, 'audience', 'has to have exactly one of "contacts", "collection"'],
    [{ audience: { contacts: [], filter: {} } }, 'audience', 'has to have exactly one of'],
    [{ audience: 7 }, 'audience', 'type: was 7; it has to be an object'],
    [{ audience: { contacts: {} } }, 'audience.contacts', 'type: was an object; it has to be a list'],
  ])('%#: given %p, then there is one fault at %s', (more, path, says) => {
    const found = faults(campaign(more));
    expect(Object.keys(found)).toEqual([path]);
    expect(found[path]).toContain(says);
  });

  test('given nothing of what is needed, then each is said', () => {
    expect(faultsOf('CampaignDocument', {})).toEqual([
      { code: 'required', path: '_id', message: 'is missing; it has to be a string, a number or an ObjectId' },
      { code: 'required', path: 'status', message: expect.stringContaining('one of "draft"') },
    ]);
  });

  test.each([[null], ['x'], [7], [[]], [undefined], [new Date()]])(
    'given %p instead of a document, then that is the fault',
    (value) => {
      expect(faultsOf('CampaignDocument', value)).toMatchObject([{ path: '', code: 'type' }]);
    },
  );
});

describe('stages', () => {
  test('given unknown types, then the known ones are named', () => {
    const found = faults(stages({ id: 'a', type: 'mesage' }, { id: 'b' }, { id: 'c', type: 7 }, 'd'));
    expect(found).toEqual({
      'flow.stages[0].type':
        'not_allowed: was "mesage"; it has to be one of "message", "wait", "branch", "split", "escalate", "webhook", "end"',
      'flow.stages[1].type':
        'required: is missing; it has to be one of "message", "wait", "branch", "split", "escalate", "webhook", "end"',
      'flow.stages[2].type':
        'type: was 7; it has to be one of "message", "wait", "branch", "split", "escalate", "webhook", "end"',
      'flow.stages[3]': 'type: was "d"; it has to be an object',
    });
  });

  test.each([
    ['PT0.5S', true],
    ['P1W1D', true],
    ['P3D', true],
    ['P1Y2M3DT4H5M6S', true],
    ['P', false],
    ['PT', false],
    ['-P1D', false],
    ['P0.5D', false],
    ['1 day', false],
  ])('a duration is what can be counted with, and nothing else: %s', (duration, fits) => {
    expect(parseDuration(duration) !== undefined).toBe(fits);
    const found = Object.keys(
      faults(
        stages(
          message({
            delay: duration,
            followUps: [{ after: duration, content: { text: 'Hi?' } }],
            waitForReply: duration,
          }),
          { id: 'rest', type: 'wait', for: duration },
        ),
      ),
    ).sort();
    const fields = ['[0].delay', '[0].followUps[0].after', '[0].waitForReply', '[1].for'];
    expect(found).toEqual(fits ? [] : fields.map((field) => `flow.stages${field}`));
  });

  test('given a weight that is no number, then it says what one may be', () => {
    expect(faults(stages({ id: 'ab', type: 'split', variants: [{ variant: 'a', weight: 'half' }] }))).toEqual({
      'flow.stages[0].variants[0].weight': 'type: was "half"; it has to be a number, 0 to 1000000',
    });
  });

  test('given a message with faults, then each has its path and none is said twice', () => {
    const on = { reply: 'a b', 'not.a.path': 7 };
    const content = { txt: 'Hi', locales: { de: { text: 7 } } };
    expect(
      faults(stages(message({ id: 'a.b', channel: 7, delay: '2 days', content, followUps: [{ afer: 'P1D' }], on }))),
    ).toEqual({
      'flow.stages[0].id': expect.stringContaining('was "a.b"; it has to be a name: a letter, then letters'),
      'flow.stages[0].channel': 'type: was 7; it has to be a string',
      'flow.stages[0].delay':
        'duration_invalid: was "2 days"; it has to be an ISO 8601 duration such as "P3D" or "PT90M"',
      'flow.stages[0].content.txt': expect.stringContaining('Did you mean "text"?'),
      'flow.stages[0].content.locales.de.text': 'type: was 7; it has to be a string',
      'flow.stages[0].followUps[0].after': expect.stringContaining('required: is missing; it has to be an ISO 8601'),
      'flow.stages[0].followUps[0].afer': expect.stringContaining('Did you mean "after"?'),
      'flow.stages[0].on.reply': expect.stringContaining('was "a b"'),
      'flow.stages[0].on["not.a.path"]': expect.stringContaining('was 7'),
    });
  });

  test('given a name with a slash and a tilde, then the path is right', () => {
    expect(Object.keys(faults(stages(message({ on: { 'a/b~c': 7 } }))))).toEqual(['flow.stages[0].on["a/b~c"]']);
  });
});

describe('what this release does not run', () => {
  test('given a template with defaults that are not run, then they are refused', () => {
    const template = { _id: { id: 'a', version: 1 }, flow: { stages: [message()] }, senders: {}, owner: 'crm' };
    expect(faultsOf('Template', template)).toMatchObject([{ path: 'senders', code: 'not_supported' }]);
    expect(faultsOf('Template', { ...template, senders: undefined })).toMatchObject([{ path: 'senders' }]);
  });
});

describe('hostile documents', () => {
  test('given a prototype among the fields, then it is an unknown field and nothing is reached', () => {
    const flow = JSON.parse('{"__proto__": {"stages": []}, "stages": [{"id": "a", "type": "end", "outcome": "ok"}]}');
    expect(faults(campaign({ flow }))).toEqual({
      'flow.__proto__': expect.stringContaining('there is no field "__proto__" here'),
    });
  });

  test('given more faults than anyone reads, then the list ends', () => {
    const on = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`e${n}`, n]));
    expect(faultsOf('CampaignDocument', stages(message({ on })))).toHaveLength(200);
  });

  test('given a list of a million, then that is one fault and it takes no time', () => {
    const list = Array.from({ length: 1_000_000 }, () => 7);
    const found = faultsOf('CampaignDocument', campaign({ flow: { stages: list } }));
    expect(found[0]).toEqual({
      code: 'not_allowed',
      path: 'flow.stages',
      message: 'was a longer list; it has to be a list of 1 to 500 items',
    });
  });

  test('given a document of a hundred thousand values, then the first fault is enough', () => {
    const on = Object.fromEntries(Array.from({ length: 100_001 }, (_, n) => [`e${n}`, n]));
    const large = message({ on });
    expect(faultsOf('CampaignDocument', stages(large))).toHaveLength(1);
    const names = Object.fromEntries(Object.keys(on).map((name) => [name, 'a']));
    for (const wrong of [{ id: 'x' }, { id: 'x', type: 'wait', businessDays: 0 }, { id: 'x', type: 'split' }]) {
      expect(faultsOf('CampaignDocument', stages(message({ on: names }), wrong))).toHaveLength(1);
    }
    expect(faultsOf('CampaignDocument', { ...stages(message({ on: names })), audience: {} })).toHaveLength(1);
  });

  test('whatever comes, it answers', () => {
    const value = fc.anything({ withDate: true, withNullPrototype: true, withBigInt: true });
    fc.assert(
      fc.property(
        fc.record({ status: value, flow: value, audience: value, schedule: value, _id: value }),
        (document) => {
          for (const { path, code, message } of faultsOf('CampaignDocument', document)) {
            expect([typeof path, typeof code, typeof message]).toEqual(['string', 'string', 'string']);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

test('other documents have definitions too', () => {
  expect(faultsOf('Contact', { id: 'a' })).toEqual([]);
  expect(faultsOf('Contact', { id: null, age: 7 }).map(({ path }) => path)).toEqual(['age', 'id']);
});

test('an unknown definition is a mistake of ours', () => {
  expect(() => faultsOf('Nothing', {})).toThrow('no schema definition Nothing');
});

test('schemas may say more than today', () => {
  const error = (parentSchema: object, more: object = {}): ErrorObject =>
    ({ keyword: 'type', instancePath: '', schemaPath: '', params: {}, data: 7, parentSchema, ...more }) as ErrorObject;
  const says = (schema: object): string | undefined => explain(error(schema), {}).message;
  expect(says({ type: 'string', pattern: '^x$' })).toBe('was 7; it has to be text that matches ^x$');
  expect(says({ type: 'string', minLength: 2 })).toBe('was 7; it has to be a string of at least 2 characters');
  expect(says({ const: 'x' })).toBe('was 7; it has to be "x"');
  expect(says({})).toBe('was 7; it has to be set');
  expect(says({ type: 'number', minimum: 0 })).toBe('was 7; it has to be a number, at least 0');
  const one = (data: object) =>
    explain(error({ properties: { a: {}, b: {} } }, { keyword: 'maxProperties', data }), {});
  expect(one({ a: 1, b: 2 }).message).toBe('has to have exactly one of "a", "b", has "a", "b"');
  expect(explain(error({}, { keyword: 'minProperties', data: {} }), {}).message).toContain('has none');
  const required = { keyword: 'required', params: { missingProperty: 'x' }, data: {} };
  expect(explain(error({}, required), {}).message).toBe('is missing; it has to be set');
  const unknown = { keyword: 'additionalProperties', params: { additionalProperty: 'x' } };
  expect(explain(error({}, unknown), {}).message).toContain('there is no field "x" here');
  expect(explain(error({}, { keyword: 'oneOf' }), {}).message).toContain('exactly one of');
  expect(explain(error({ oneOf: [{}] }, { keyword: 'oneOf' }), {}).message).toContain('exactly one of');
  const tag = { keyword: 'discriminator', params: { tag: 'type', tagValue: 'x' } };
  expect(explain(error({}, tag), {}).message).toContain('was "x"');
  expect(explain(error({ oneOf: [{}] }, tag), {}).message).toContain('was "x"');
});
