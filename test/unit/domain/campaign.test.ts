import { describe, expect, test } from '@jest/globals';
import { Decimal128, Long, ObjectId } from 'bson';
import fc from 'fast-check';
import {
  type CampaignDecision,
  type CampaignInput,
  checkCampaign,
  compilePinned,
  decideCampaign,
  holdCampaign,
  mayStart,
  runAfter,
} from '../../../src/domain/campaign.ts';
import { headOf } from '../../../src/domain/campaignPins.ts';
import { isAsDecided } from '../../../src/domain/campaignWrites.ts';
import type { Id, Run, Template } from '../../../src/domain/model.ts';
import { channels, facts, seconds, t0 } from './given.ts';

type Raw = Record<string, unknown>;

const all = new Map([...channels, ['mail', facts('mail', 'email')]]);
const reservedCollections = ['campaigns', 'suppressions'];
const stages = [{ id: 'intro', type: 'message', channel: 'sms', content: { text: 'Hi {{ contact.name }}' } }];
const campaign = (more: Raw = {}): Raw => ({
  _id: 'spring',
  status: 'pending',
  audience: { contacts: [{ id: 'a' }] },
  flow: { stages },
  ...more,
});
const template: Template = {
  _id: { id: 'onboarding', version: Long.fromNumber(3) as unknown as number },
  flow: { stages } as Template['flow'],
  variables: { product: 'Base', colour: 'red' },
};
const without = (raw: Raw, ...fields: string[]): Raw =>
  Object.fromEntries(Object.entries(raw).filter(([name]) => !fields.includes(name)));
const byTemplate = (more: Raw = {}): Raw => without(campaign({ templateId: 'onboarding', ...more }), 'flow');
const check = (raw: unknown, more: object = {}) => checkCampaign(raw, { channels: all, reservedCollections, ...more });
const faultsOf = (raw: unknown, more: object = {}): Record<string, string> =>
  Object.fromEntries(check(raw, more).faults.map(({ path, code, message }) => [path, `${code}: ${message}`]));

describe('checkCampaign', () => {
  test('given a good campaign, then it compiles, with plain numbers and its own variables', () => {
    const checked = check(campaign({ priority: Long.fromNumber(7), variables: { product: 'Compass' } }));
    expect(checked.faults).toEqual([]);
    expect(checked.document).toMatchObject({ priority: 7, audience: { contacts: [] } });
    expect(checked.compiled?.entry).toBe('intro');
    expect(checked.variables).toEqual({ product: 'Compass' });
  });

  test('given a template, then its flow is taken and its variables are defaults', () => {
    const checked = check(byTemplate({ variables: { product: 'Compass' } }), { template });
    expect(checked.faults).toEqual([]);
    expect(checked.flow?.stages).toHaveLength(1);
    expect(checked.variables).toEqual({ product: 'Compass', colour: 'red' });
  });

  test('given a template with faults, then their paths begin with template', () => {
    const bad = {
      ...template,
      flow: {
        stages: [
          { ...stages[0], channel: 'fax' },
          { id: 'w', type: 'wait', for: 7 },
        ],
      },
    };
    expect(Object.keys(faultsOf(byTemplate(), { template: bad })).sort()).toEqual([
      'template.flow.stages[0].channel',
      'template.flow.stages[1].for',
    ]);
    expect(faultsOf(byTemplate(), { template: { _id: template._id } })).toEqual({
      'template.flow': expect.stringContaining('required'),
    });
  });

  test('given a template that was not looked up, then nothing is said about its flow', () => {
    const checked = check(byTemplate());
    expect(checked.faults).toEqual([]);
    expect(checked.compiled).toBeUndefined();
  });

  test.each<[Raw, string, string, object?]>([
    [without(campaign(), 'flow'), 'flow', 'required: is missing; give flow or templateId'],
    [campaign({ templateId: 'x' }), 'flow', 'not_allowed: is given beside templateId', { template }],
    [campaign({ templateVersion: 2 }), 'templateVersion', 'is of no use without templateId'],
    [byTemplate(), 'templateId', 'template_missing: there is no template "onboarding"', { template: 'missing' }],
    [byTemplate({ templateVersion: 9 }), 'templateId', '"onboarding" with version 9', { template: 'missing' }],
    [campaign({ audience: { collection: 'suppressions' } }), 'audience.collection', 'own collections'],
    [campaign({ audience: { collection: 'system.users' } }), 'audience.collection', 'own collections'],
    [campaign({ audience: { collection: 'a$b' } }), 'audience.collection', 'is no name of a collection'],
    [campaign({ schedule: { endAt: new Date(t0 - 1) } }), 'schedule.endAt', 'which has passed', { now: t0 }],
    [
      campaign({ schedule: { startAt: new Date(seconds(9)), endAt: new Date(seconds(9)) } }),
      'schedule.endAt',
      'it has to be later than startAt',
    ],
  ])('%#: given %p, then there is one fault at %s', (raw, path, says, ...[more]) => {
    const found = faultsOf(raw, more);
    expect(Object.keys(found)).toEqual([path]);
    expect(found[path]).toContain(says);
  });

  test('bulk mail needs unsubscribe; transactional mail does not', () => {
    const flow = { stages: [{ ...stages[0], channel: 'mail' }] };
    expect(faultsOf(campaign({ flow }))).toEqual({ unsubscribe: expect.stringContaining('unsubscribe_missing') });
    expect(faultsOf(campaign({ flow, unsubscribe: {} }))).toEqual({ unsubscribe: expect.anything() });
    expect(faultsOf(campaign({ flow, unsubscribe: { mailto: 'stop@a.test' } }))).toEqual({});
    expect(faultsOf(campaign({ flow, unsubscribe: { mailto: 'x', url: 'http://a.test' } }))).toEqual({
      'unsubscribe.url': 'not_allowed: has to be an https:// address (RFC 8058)',
      'unsubscribe.mailto': expect.stringContaining('not_allowed: has to be a mail address'),
    });
    const unsubscribe = { url: 'https://a.test/{{ token }}' };
    expect(faultsOf(campaign({ flow, unsubscribe }), { unsubscribeTokens: true })).toEqual({});
    expect(faultsOf(campaign({ flow, unsubscribe }), { unsubscribeTokens: false })).toEqual({
      'unsubscribe.url': 'hash_key_missing: uses {{ token }}, which is made with HASH_KEY: set it',
    });
    expect(faultsOf(campaign({ flow, transactional: true }))).toEqual({});
  });

  test('content that prints a link needs a campaign that has it', () => {
    const printing = (field: string) => ({ text: `{{ unsubscribe.${field} }}` });
    const followUps = [{ after: 'P1D', content: { text: 'x', locales: { de: printing('mailto') } } }];
    const flow = { stages: [{ ...stages[0], channel: 'mail', content: printing('url'), followUps }] };
    expect(faultsOf(campaign({ flow, unsubscribe: { url: 'https://a.test', mailto: 'stop@a.test' } }))).toEqual({});
    expect(faultsOf(campaign({ flow, unsubscribe: { url: 'https://a.test' } }))).toEqual({
      'flow.stages[0].followUps[0].content.locales.de.text':
        "unsubscribe_missing: prints unsubscribe.mailto, and the campaign's unsubscribe has no mailto",
    });
    expect(Object.keys(faultsOf(campaign({ flow, transactional: true })))).toEqual([
      'flow.stages[0].content.text',
      'flow.stages[0].followUps[0].content.locales.de.text',
    ]);
  });

  test('given a list that is too long, then its elements are not checked as well', () => {
    const many = Array.from({ length: 501 }, (_, index) => ({ ...stages[0], id: `s${index}`, channel: 'fax' }));
    expect(Object.keys(faultsOf(campaign({ flow: { stages: many } })))).toEqual(['flow.stages']);
  });

  test('given what the database says of the audience, then it is a fault unless the collection is one already', () => {
    const audienceFault = { code: 'not_allowed', path: 'audience.filter', message: 'unknown operator' };
    expect(faultsOf(campaign({ audience: { collection: 'people' } }), { audienceFault })).toHaveProperty([
      'audience.filter',
    ]);
  });

  test('given ten different faults, then all ten are said at once', () => {
    const found = faultsOf({
      _id: 'ten',
      status: 'pendin',
      priority: 12,
      limits: { perSecond: 0 },
      schedule: { startAt: new Date(seconds(2)), endAt: new Date(seconds(1)) },
      audience: { collection: 'system.users' },
      variables: 'none',
      flow: {
        stages: [
          { id: 'a', type: 'message', channel: 'fax', content: { text: 'x {{' }, on: { reply: 'nowhere' } },
          { id: 'a', type: 'wait', for: '2 days' },
          { id: 'c', type: 'splt' },
        ],
      },
    });
    expect(Object.keys(found).sort()).toEqual(
      [
        'status',
        'priority',
        'limits.perSecond',
        'schedule.endAt',
        'audience.collection',
        'variables',
        'flow.stages[0].channel',
        'flow.stages[0].content.text',
        'flow.stages[0].on.reply',
        'flow.stages[1].id',
        'flow.stages[1].for',
        'flow.stages[2].type',
      ].sort(),
    );
  });

  test.each([[7], [null], ['x'], [[]], [undefined], [new Date()]])('given %p, then that is the fault', (raw) => {
    expect(check(raw).faults).toMatchObject([{ code: 'type', path: '' }]);
  });

  test.each<[Raw]>([
    [{ status: 7, flow: 'none', priority: Number.NaN, audience: null }],
    [{ status: 'pending', audience: { contacts: 7 }, flow: { stages: Decimal128.fromString('1') } }],
    [{ flow: { stages: [null, [], 7, { type: 'message' }] }, schedule: [], templateId: {}, unsubscribe: 7 }],
    [JSON.parse('{"__proto__": {"status": "pending"}, "audience": {"__proto__": {"collection": "x"}}}')],
  ])('%#: given any shape, then there are faults and no crash', (raw) => {
    expect(check(raw, { template }).faults.length).toBeGreaterThan(0);
  });
});

// ---------------------------------------------------------------- decideCampaign

interface World {
  raw?: Raw | undefined;
  run?: Run | undefined;
}

/** given(world) . at(now): what is decided, and the world after its write. */
function at(now: number, world: World, more: Partial<CampaignInput> = {}): CampaignDecision & World {
  const decision = decideCampaign(inputOf(now, world, more));
  return { ...decision, ...after(world, decision) };
}

function inputOf(now: number, world: World, more: Partial<CampaignInput> = {}): CampaignInput {
  return {
    id: 'spring',
    raw: world.raw,
    run: world.run,
    channels: all,
    reservedCollections,
    partitions: 64,
    now,
    traceparent: () => 'trace',
    ...more,
  };
}

function after(world: World, { write }: CampaignDecision): World {
  if (write === undefined) return { raw: world.raw, run: world.run };
  const raw =
    world.raw && without({ ...world.raw, ...write.campaign?.set }, ...(write.campaign?.unset ?? []).map(String));
  return { raw, run: runAfter(world.run, write) };
}

const running = (more: Raw = {}): World => {
  const { raw, run } = at(t0, { raw: campaign(more) });
  return { raw, run };
};
const edited = (world: World, more: Raw, ...gone: string[]): World => ({
  ...world,
  raw: without({ ...world.raw, ...more }, ...gone),
});
const later = { schedule: { startAt: new Date(seconds(60)) } };

describe('before the start', () => {
  test('given how to leave, when it starts, then the run pins it: later edits change no mail', () => {
    const unsubscribe = { mailto: 'stop@a.test' };
    expect(at(t0, { raw: campaign({ unsubscribe }) }).run).toMatchObject({ unsubscribe });
    expect(at(t0, { raw: campaign() }).run).not.toHaveProperty('unsubscribe');
  });

  test('given pending, when looked at, then it starts: pinned, with version, metrics and trace', () => {
    const found = at(t0, {
      raw: campaign({ name: 'Spring', tenant: 'acme', variables: { a: 1 }, error: { code: 'x' } }),
    });
    expect(found.event).toBe('started');
    expect(found.write?.expectStatus).toBe('pending');
    expect(found.raw).toMatchObject({
      status: 'running',
      startedAt: new Date(t0),
      version: 1,
      expansion: { expanded: 0, skipped: {}, done: false },
      metrics: { total: 0 },
      trace: { traceparent: 'trace' },
    });
    expect(found.raw).not.toHaveProperty('error');
    expect(found.run).toMatchObject({
      _id: 'spring',
      tenant: 'acme',
      status: 'running',
      settled: false,
      priority: 5,
      flow: { stages },
      variables: { a: 1 },
      campaign: { id: 'spring', name: 'Spring', topic: 'default', tenant: 'acme', type: 'sequence' },
      audience: { kind: 'inline' },
      expansion: { expanded: 0, skipped: {}, done: false },
      wake: 0,
      startedAt: new Date(t0),
      trace: { traceparent: 'trace' },
    });
    expect(found.run).not.toHaveProperty('schedule');
    expect(found.lookAgainAt).toBeUndefined();
    const other = at(t0, { raw: campaign({ topic: 'news', type: 'broadcast' }) });
    expect(other.run?.campaign).toEqual({ id: 'spring', topic: 'news', type: 'broadcast' });
  });

  test('given a collection, then the filter is pinned with its numbers as they are', () => {
    const filter = { price: { $gt: Decimal128.fromString('0.1') } };
    const audience = { collection: 'people', filter, map: { email: '$mail' } };
    expect(at(t0, { raw: campaign({ audience }) }).run?.audience).toEqual({ kind: 'collection', ...audience });
    const plain = at(t0, { raw: campaign({ audience: { collection: 'people' } }) });
    expect(plain.run?.audience).toEqual({ kind: 'collection', collection: 'people', filter: {}, map: {} });
  });

  test('given a template, then the version that was found is pinned and shown', () => {
    const found = at(t0, { raw: byTemplate() }, { template });
    expect(found.run?.template).toEqual({ id: 'onboarding', version: 3 });
    expect(found.run?.variables).toEqual({ product: 'Base', colour: 'red' });
    expect(found.raw?.['templateVersion']).toBe(3);
  });

  test('given a fault, then it fails with the path of the first, and version', () => {
    const found = at(t0, { raw: campaign({ priority: 12, version: Long.fromNumber(4) }) });
    expect(found.event).toBe('failed');
    expect(found.raw).toMatchObject({ status: 'failed', version: 5, error: { code: 'not_allowed', path: 'priority' } });
    expect(found.run).toBeUndefined();
    expect(found.faults).toHaveLength(1);
    expect(at(t0, found)).not.toHaveProperty('write');
  });

  test('given a failed campaign that was corrected and set to pending, then it starts: it never ran', () => {
    const failed = at(t0, { raw: campaign({ priority: 12 }) });
    const found = at(t0, edited(failed, { status: 'pending', priority: 3 }));
    expect(found.event).toBe('started');
    expect(found.raw).not.toHaveProperty('error');
  });

  test.each(['draft', 'paused', 'cancelled', 'completed', 'failed'])('given %s, then nothing is done', (status) => {
    expect(decideCampaign(inputOf(t0, { raw: campaign({ status }) }))).toEqual({});
  });

  test('given no document and no run, then nothing is done', () => {
    expect(decideCampaign(inputOf(t0, {}))).toEqual({});
  });

  test('given paused before its start and let go as running, then it starts', () => {
    expect(at(t0, { raw: campaign({ status: 'running' }) }).event).toBe('started');
  });

  test('given running with a start but no run, then it never starts again', () => {
    const found = at(t0, { raw: campaign({ status: 'running', startedAt: new Date(0) }) });
    expect(found.raw).toMatchObject({ status: 'failed', error: { code: 'run_missing', path: 'status' } });
  });

  test.each([[7], ['pendin'], [null], [{}], ['*']])('given the status %p, then it fails with that path', (status) => {
    const found = at(t0, { raw: campaign({ status, priority: 12, version: 'x' }) });
    expect(found.raw).toMatchObject({ status: 'failed', version: 1, error: { path: 'status' } });
    expect(found.write?.expectStatus).toBe(typeof status === 'string' ? status : '*');
    expect(found.faults?.map(({ path }) => path)).toEqual(['status', 'priority']);
  });

  test('given an _id that is none, then it fails', () => {
    const found = at(t0, { raw: campaign({ _id: new Date(0) }) }, { id: new Date(0) as unknown as Id });
    expect(found.raw).toMatchObject({ status: 'failed', error: { path: '_id' } });
  });

  test('whatever the document is, something sensible is decided', () => {
    const value = fc.anything({ withDate: true, withBigInt: true, withNullPrototype: true });
    const field = fc.constantFrom(
      '_id',
      'status',
      'schedule',
      'audience',
      'flow',
      'priority',
      'version',
      'error',
      'templateId',
    );
    const runs = [
      undefined,
      ...['scheduled', 'running', 'paused', 'cancelled'].map((status) => ({ ...running().run, status })),
    ];
    fc.assert(
      fc.property(field, value, fc.constantFrom(...runs), (name, what, run) => {
        const { write, event } = decideCampaign(inputOf(t0, { raw: campaign({ [name]: what }), run: run as Run }));
        if (write?.campaign) expect(write.campaign.set['version']).toBeGreaterThanOrEqual(1);
        if (event === 'put_back') expect(write?.run).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});

describe('scheduled', () => {
  const scheduled = (more: Raw = {}): World => running({ ...later, ...more });

  test('given startAt ahead, then it is scheduled and looked at again then', () => {
    const found = at(t0, { raw: campaign(later) });
    expect(found).toMatchObject({
      event: 'scheduled',
      lookAgainAt: seconds(60),
      raw: { status: 'scheduled', version: 1 },
    });
    expect(found.run).toMatchObject({ status: 'scheduled', schedule: later.schedule });
    expect(found.run).not.toHaveProperty('startedAt');
    expect(at(seconds(59), found)).toMatchObject({ lookAgainAt: seconds(60) });
    expect(at(seconds(59), found).write).toBeUndefined();
  });

  test('when startAt comes, then it starts with what the document says then', () => {
    const found = at(
      seconds(60),
      edited(scheduled({ tenant: 'acme' }), { priority: 9, variables: { a: 2 } }, 'tenant'),
    );
    expect(found).toMatchObject({
      event: 'started',
      raw: { status: 'running', startedAt: new Date(seconds(60)), version: 2 },
    });
    expect(found.run).toMatchObject({
      status: 'running',
      priority: 9,
      variables: { a: 2 },
      startedAt: new Date(seconds(60)),
    });
    expect(found.run).not.toHaveProperty('tenant');
    expect(found.write?.run).not.toHaveProperty('insert');
  });

  test('given startAt was moved, then it follows', () => {
    const world = edited(scheduled(), { schedule: { startAt: new Date(seconds(90)) } });
    expect(at(seconds(60), world).lookAgainAt).toBe(seconds(90));
    expect(at(seconds(1), edited(world, {}, 'schedule')).event).toBe('started');
  });

  test('given it was broken meanwhile, then it fails and its run is over', () => {
    const found = at(seconds(60), edited(scheduled(), { flow: 'none' }));
    expect(found).toMatchObject({ event: 'failed', raw: { status: 'failed', error: { path: 'flow' } } });
    expect(found.run).toMatchObject({ status: 'cancelled', settled: true, completedAt: new Date(seconds(60)) });
    expect(at(seconds(61), found).write).toBeUndefined();
    expect(at(seconds(61), edited(found, { status: 'pending', flow: { stages } }))).toMatchObject({
      event: 'put_back',
      raw: { status: 'cancelled' },
    });
  });

  test('given workers were away past its end, then it fails with the path of endAt', () => {
    const schedule = { startAt: new Date(seconds(60)), endAt: new Date(seconds(90)) };
    expect(at(seconds(91), scheduled({ schedule })).raw).toMatchObject({
      status: 'failed',
      error: { path: 'schedule.endAt' },
    });
  });

  test('paused before its start and resumed: scheduled again, or started when the time has come', () => {
    const paused = at(seconds(1), edited(scheduled(), { status: 'paused' }));
    expect(paused).toMatchObject({ event: 'paused', run: { status: 'paused' } });
    expect(paused.write?.campaign).toBeUndefined();
    const resumed = edited(paused, { status: 'running' });
    expect(at(seconds(2), resumed)).toMatchObject({
      event: 'scheduled',
      lookAgainAt: seconds(60),
      raw: { status: 'scheduled' },
      run: { status: 'scheduled' },
    });
    expect(at(seconds(61), resumed)).toMatchObject({ event: 'started', run: { status: 'running' } });
  });

  test('cancelled or deleted: the run is over', () => {
    const over = {
      event: 'cancelled',
      run: { status: 'cancelled', endReason: 'campaign_cancelled', expansion: { done: true } },
    };
    expect(at(seconds(1), edited(scheduled(), { status: 'cancelled' }))).toMatchObject(over);
    const deleted = at(seconds(1), { run: scheduled().run });
    expect(deleted).toMatchObject(over);
    expect(deleted.write?.expectStatus).toBeUndefined();
  });

  test.each(['running', 'pending', 'draft', 'completed', 'failed', 7])(
    'given %p written by others, then it is put back',
    (status) => {
      const found = at(seconds(1), edited(scheduled(), { status }));
      expect(found).toMatchObject({
        event: 'put_back',
        raw: { status: 'scheduled', version: 2, error: { code: 'status_not_allowed', path: 'status' } },
        run: { status: 'scheduled' },
      });
    },
  );
});

describe('running', () => {
  test('given nothing new, then nothing is done', () => {
    expect(decideCampaign(inputOf(seconds(1), running()))).toEqual({});
  });

  test('paused and resumed, as often as others like', () => {
    const paused = at(seconds(1), edited(running(), { status: 'paused' }));
    expect(paused).toMatchObject({ event: 'paused', run: { status: 'paused' }, write: { expectStatus: 'paused' } });
    expect(decideCampaign(inputOf(seconds(2), paused))).toEqual({});
    const resumed = at(seconds(3), edited(paused, { status: 'running' }));
    expect(resumed).toMatchObject({ event: 'resumed', run: { status: 'running' } });
    expect(resumed.write?.campaign).toBeUndefined();
  });

  test('its pauses are remembered, the newest hundred of them, until it is resumed or ends', () => {
    const pause = (n: number, world: World) => at(seconds(n), edited(world, { status: 'paused' }));
    const first = pause(1, running());
    expect(first.run?.pauses).toEqual([{ from: new Date(seconds(1)) }]);
    const held = at(seconds(2), edited(first, { status: 'paused', priority: 3 }));
    expect(held.run?.pauses).toEqual([{ from: new Date(seconds(1)) }]);
    let world: World = at(seconds(3), edited(held, { status: 'running' }));
    expect(world.run?.pauses).toEqual([{ from: new Date(seconds(1)), until: new Date(seconds(3)) }]);
    for (let n = 4; n < 300; n += 2) world = at(seconds(n + 1), edited(pause(n, world), { status: 'running' }));
    expect(world.run?.pauses).toHaveLength(100);
    expect(world.run?.pauses?.at(-1)).toEqual({ from: new Date(seconds(298)), until: new Date(seconds(299)) });
    const cancelled = at(seconds(301), edited(pause(300, world), { status: 'cancelled' }));
    expect(cancelled.run?.pauses?.at(-1)).toEqual({ from: new Date(seconds(300)), until: new Date(seconds(301)) });
    expect(cancelled.run?.pauses).toHaveLength(100);
  });

  test('a run of an older release that is paused has no pause to end', () => {
    const old = at(seconds(1), edited(running(), { status: 'paused' }));
    const { pauses: _, ...run } = old.run as Run;
    expect(at(seconds(2), edited({ ...old, run: run as Run }, { status: 'running' })).run).not.toHaveProperty('pauses');
  });

  test('cancelled from running and from paused', () => {
    const paused = at(seconds(1), edited(running(), { status: 'paused' }));
    for (const world of [running(), paused]) {
      const found = at(seconds(2), edited(world, { status: 'cancelled' }));
      expect(found).toMatchObject({
        event: 'cancelled',
        run: { status: 'cancelled', endReason: 'campaign_cancelled' },
      });
      expect(decideCampaign(inputOf(seconds(3), found))).toEqual({});
    }
  });

  test('given the document was deleted, then the run is cancelled, once', () => {
    const found = at(seconds(1), { run: running().run });
    expect(found).toMatchObject({ event: 'cancelled', run: { status: 'cancelled' } });
    expect(decideCampaign(inputOf(seconds(2), { run: found.run }))).toEqual({});
  });

  test('given the whole collection is gone, then the run is paused, and goes on when it is back', () => {
    const found = at(seconds(1), { run: running().run }, { collection: 'missing' });
    expect(found).toMatchObject({ event: 'paused', run: { status: 'paused', pausedReason: 'collection_missing' } });
    expect(decideCampaign(inputOf(seconds(2), { run: found.run }, { collection: 'missing' }))).toEqual({});
    const back = at(seconds(3), { raw: running().raw, run: found.run });
    expect(back).toMatchObject({ event: 'resumed', run: { status: 'running' } });
    expect(back.run).not.toHaveProperty('pausedReason');
  });

  test('given it was paused, or only scheduled, when the collection went, then so it is when it is back', () => {
    const paused = at(seconds(1), edited(running(), { status: 'paused' }));
    const scheduledOne = at(t0, { raw: campaign({ schedule: { startAt: new Date(seconds(60)) } }), run: undefined });
    for (const { raw, run } of [paused, scheduledOne]) {
      const gone = at(seconds(2), { run }, { collection: 'missing' });
      expect(gone.run).toMatchObject({ status: 'paused', pausedReason: 'collection_missing' });
      expect(decideCampaign(inputOf(seconds(3), { run: gone.run }, { collection: 'missing' }))).toEqual({});
      const back = at(seconds(4), { raw, run: gone.run });
      expect(back.raw).toEqual({ ...raw, version: expect.anything() });
      expect(back.run?.status).toBe(run?.status);
      expect(back.run).not.toHaveProperty('pausedReason');
    }
  });

  test('given a campaign that fails at once, then there is no run to note its collection in', () => {
    const found = at(t0, { raw: campaign({ flow: { stages: [] } }), run: undefined }, { collection: 'first' });
    expect(found.raw).toMatchObject({ status: 'failed' });
    expect(found.run).toBeUndefined();
  });

  test('the head of a campaign is its status, and its end where that is a date', () => {
    const endAt = new Date(seconds(60));
    expect(headOf(campaign({ schedule: { endAt } }))).toEqual({ status: 'pending', endAt });
    expect(headOf(campaign({ schedule: { endAt: 'soon' } }))).toEqual({ status: 'pending' });
  });

  test('given a document from before the start is put back, then the run goes on', () => {
    for (const status of ['pending', 'scheduled']) {
      const gone = at(seconds(2), { run: running().run }, { collection: 'missing' });
      const back = at(seconds(4), { raw: campaign({ status }), run: gone.run });
      const shown = { status: 'running', startedAt: back.run?.startedAt, metrics: back.run?.metrics };
      expect(back).toMatchObject({ event: 'resumed', run: { status: 'running' }, raw: shown });
      expect(back.raw).not.toHaveProperty('error');
      expect(decideCampaign(inputOf(seconds(5), back))).toEqual({});
    }
    const held = { ...(running().run as Run), status: 'paused' as const, pausedReason: 'not_allowed' };
    expect(decideCampaign(inputOf(seconds(2), { run: held }, { collection: 'missing' }))).toEqual({});
  });

  test('given another collection of the name, then whether a document is missing from it is a drop or a cancel', () => {
    const first = at(seconds(1), running(), { collection: 'first' });
    expect(first.run).toMatchObject({ status: 'running', collectionUuid: 'first' });
    expect(decideCampaign(inputOf(seconds(2), first, { collection: 'first' }))).toEqual({});
    const dropped = at(seconds(2), { run: first.run }, { collection: 'second' });
    expect(dropped.run).toMatchObject({ status: 'paused', pausedReason: 'collection_missing' });
    // put back before anybody looked
    const second = at(seconds(2), first, { collection: 'second' });
    expect(second.run).toMatchObject({ status: 'running', collectionUuid: 'second' });
    const deleted = at(seconds(3), { run: second.run }, { collection: 'second' });
    expect(deleted).toMatchObject({ event: 'cancelled', run: { status: 'cancelled' } });
    const started = at(t0, { raw: campaign(), run: undefined }, { collection: 'first' });
    expect(started.run).toMatchObject({ status: 'running', collectionUuid: 'first' });
    const putBack = at(seconds(3), edited(first, { status: 'what' }), { collection: 'second' });
    expect(putBack).toMatchObject({ raw: { status: 'running' }, run: { collectionUuid: 'second' } });
    const paused = at(seconds(3), edited(first, { status: 'paused' }), { collection: 'second' });
    expect(paused.run).toMatchObject({ status: 'paused', collectionUuid: 'second' });
  });

  test.each(['pending', 'draft', 'scheduled', 'completed', 'failed', 'what', 7, undefined])(
    'given %p written by others, then it is put back and reported',
    (status) => {
      const found = at(seconds(1), edited(running(), { status }));
      expect(found).toMatchObject({ event: 'put_back', raw: { status: 'running', error: { path: 'status' } } });
      expect(found.write?.run).toBeUndefined();
      expect(decideCampaign(inputOf(seconds(2), found))).toEqual({});
    },
  );

  test('given pending on a paused one, then it is put back to paused', () => {
    const paused = at(seconds(1), edited(running(), { status: 'paused' }));
    expect(at(seconds(2), edited(paused, { status: 'pending' })).raw).toMatchObject({ status: 'paused' });
  });

  test('given the document was replaced, then the run goes on with what was pinned', () => {
    const replaced = { raw: campaign({ variables: { a: 9 } }), run: running().run };
    const found = at(seconds(1), replaced);
    expect(found).toMatchObject({
      event: 'put_back',
      raw: { status: 'running', startedAt: new Date(t0), metrics: { total: 0 } },
    });
    expect(found.run).toEqual(replaced.run);
  });

  test('given new limits, then the run has them; one that cannot be taken is told, and what it had stays', () => {
    const limits = { maxMessagesPerContact: { count: Long.fromNumber(3), per: 'P7D' }, ramp: ['50/d'] };
    const first = at(seconds(1), edited(running(), { limits }));
    expect(running({ limits }).run).toMatchObject({ limits: { ramp: ['50/d'] } });
    const taken = { maxMessagesPerContact: { count: 3, per: 'P7D' }, ramp: ['50/d'] };
    expect(first.run).toMatchObject({ limits: taken });
    expect(at(seconds(2), first).write).toBeUndefined();
    for (const [wrong, path] of [
      [{ ramp: ['50/w'] }, 'limits.ramp[0]'],
      [{ perSecond: -5 }, 'limits.perSecond'],
      [7, 'limits'],
    ] as const) {
      const bad = at(seconds(3), edited(first, { limits: wrong }));
      expect(bad).toMatchObject({ faults: [{ path }], raw: { error: { path } }, run: { limits: taken } });
    }
    const none = at(seconds(4), edited(first, {}, 'limits'));
    expect(none.run).not.toHaveProperty('limits');
    const paused = at(seconds(5), edited(first, { status: 'paused', limits: { ramp: ['9/h'] } }));
    expect(paused.run).toMatchObject({ status: 'paused', limits: { ramp: ['9/h'] } });
  });

  test('given a new priority and a new end, then the run has them', () => {
    const endAt = new Date(seconds(90));
    const found = at(seconds(1), edited(running(), { priority: Long.fromNumber(9), schedule: { endAt } }));
    expect(found).toMatchObject({ lookAgainAt: seconds(90), run: { priority: 9, schedule: { endAt } } });
    expect(found.write?.campaign).toBeUndefined();
    expect(found.event).toBeUndefined();
    const same = decideCampaign(inputOf(seconds(2), found));
    expect(same).toEqual({ lookAgainAt: seconds(90) });
    const none = at(seconds(3), edited(found, {}, 'schedule', 'priority'));
    expect(none.run).toMatchObject({ priority: 5, schedule: {} });
    expect(none.lookAgainAt).toBeUndefined();
  });

  test('given a guard, then the run has it, follows what becomes of it, and keeps it through a fault', () => {
    const began = running({ guard: { errorRate: 0.5, over: Long.fromNumber(20) } });
    expect(began.run?.guard).toEqual({ errorRate: 0.5, over: 20 });
    const changed = at(seconds(1), edited(began, { guard: { bounceRate: 0.1 } }));
    expect(changed.run?.guard).toEqual({ bounceRate: 0.1 });
    expect(decideCampaign(inputOf(seconds(2), changed)).write).toBeUndefined();
    const wrong = at(seconds(2), edited(changed, { guard: { bounceRat: 0.2 } }));
    expect(wrong.raw).toMatchObject({ error: { code: 'unknown_field', path: 'guard.bounceRat' } });
    expect(wrong.run?.guard).toEqual({ bounceRate: 0.1 });
    expect(at(seconds(3), edited(changed, {}, 'guard')).run).not.toHaveProperty('guard');
    expect(at(seconds(3), edited(running(), { guard: { errorRate: 1 } })).run?.guard).toEqual({ errorRate: 1 });
  });

  test('when an end is taken in is recorded; one that was known before counts from its own time', () => {
    const ends = (endAt: number, second: number, world: World): World =>
      at(seconds(second), edited(world, { schedule: { endAt: new Date(seconds(endAt)) } }));
    const takenIn = ({ run }: World) => run?.endTakenInAt && (run.endTakenInAt.getTime() - t0) / 1000;
    expect(takenIn(running({ schedule: { endAt: new Date(seconds(90)) } }))).toBeUndefined();
    const ahead = ends(90, 1, running());
    expect(takenIn(ahead)).toBe(1);
    expect(takenIn(at(seconds(90), ahead))).toBe(1);
    // brought forward, into the past
    const past = ends(10, 20, ahead);
    expect(past).toMatchObject({ event: 'ended', run: { schedule: { endAt: new Date(seconds(10)) } } });
    expect(takenIn(past)).toBe(20);
    // nobody was there at its end, and it is set to an earlier one then
    expect(takenIn(ends(10, 100, ahead))).toBe(90);
    expect(takenIn(ends(5, 100, { ...ahead, run: { ...past.run, status: 'running' } as Run }))).toBe(20);
    expect(takenIn(ends(10, 100, running({ schedule: { endAt: new Date(seconds(90)) } })))).toBe(90);
    // an end that is taken away leaves nothing to be late for
    expect(takenIn(at(seconds(2), edited(ahead, {}, 'schedule')))).toBe(1);
  });

  test.each<[Raw, string]>([
    [{ priority: Number.NaN }, 'priority'],
    [{ schedule: { endAt: 'never' } }, 'schedule.endAt'],
    [{ schedule: 7 }, 'schedule'],
    [{ guard: {} }, 'guard'],
    [{ guard: { errorRate: 7 } }, 'guard.errorRate'],
  ])('given %p, then the run keeps what it had and the fault is reported once', (more, path) => {
    const endAt = new Date(seconds(90));
    const world = running({ schedule: { endAt }, priority: 3 });
    const found = at(seconds(1), edited(world, { schedule: { endAt }, ...more }));
    expect(found).toMatchObject({
      raw: { status: 'running', error: { path } },
      faults: [{ path }],
      lookAgainAt: seconds(90),
    });
    expect(found.run).toMatchObject({ status: 'running', priority: 3, schedule: { endAt } });
    expect(decideCampaign(inputOf(seconds(2), found)).write).toBeUndefined();
  });

  test('given a fault in a pause, then it is paused and reported; resumed without it, the error is gone', () => {
    const found = at(seconds(1), edited(running(), { status: 'paused', priority: 77 }));
    expect(found).toMatchObject({ event: 'paused', run: { status: 'paused' }, raw: { error: { path: 'priority' } } });
    const resumed = at(seconds(2), edited(found, { status: 'running', priority: 7 }));
    expect(resumed).toMatchObject({ event: 'resumed', run: { priority: 7 } });
    expect(resumed.raw).not.toHaveProperty('error');
  });
});

describe('the end', () => {
  const endAt = new Date(seconds(90));

  test.each(['running', 'paused'])('given endAt has come while %s, then what is open is called off', (status) => {
    const world = edited(running({ schedule: { endAt } }), { status });
    const found = at(seconds(90), world);
    expect(found).toMatchObject({
      event: 'ended',
      run: { status: 'cancelled', endReason: 'campaign_ended', expansion: { done: true }, schedule: { endAt } },
      raw: { status },
    });
    expect(decideCampaign(inputOf(seconds(91), found))).toEqual({});
  });

  test('past its end it can still be cancelled, and nothing else', () => {
    const ended = at(seconds(90), running({ schedule: { endAt } }));
    const cancelled = at(seconds(91), edited(ended, { status: 'cancelled' }));
    expect(cancelled).toMatchObject({ event: 'cancelled', run: { endReason: 'campaign_cancelled' } });
    expect(at(seconds(91), edited(ended, { status: 'pending' }))).toMatchObject({
      event: 'put_back',
      raw: { status: 'running' },
    });
    expect(at(seconds(92), edited(cancelled, { status: 'running' }))).toMatchObject({
      event: 'put_back',
      raw: { status: 'cancelled' },
    });
  });

  test('given a slice left the expansion open after the cancellation, then it is closed', () => {
    const found = at(seconds(1), edited(running(), { status: 'cancelled' }));
    const run = { ...found.run, expansion: { expanded: 1000, skipped: {}, done: false } } as Run;
    expect(at(seconds(2), { ...found, run }).run?.expansion).toEqual({ expanded: 1000, skipped: {}, done: true });
    expect(at(seconds(2), { run }).run?.expansion.done).toBe(true);
  });

  const settled = (more: Partial<Run> = {}): Run =>
    ({ ...running().run, status: 'completed', settled: true, completedAt: new Date(seconds(99)), ...more }) as Run;

  test('given a settled run, then completed and cancelled stay', () => {
    const raw = (status: string): Raw => campaign({ status });
    expect(decideCampaign(inputOf(seconds(100), { raw: raw('completed'), run: settled() }))).toEqual({});
    expect(decideCampaign(inputOf(seconds(100), { run: settled() }))).toEqual({});
    const ended = settled({ status: 'cancelled', endReason: 'campaign_ended' });
    expect(decideCampaign(inputOf(seconds(100), { raw: raw('completed'), run: ended }))).toEqual({});
    const cancelled = settled({ status: 'cancelled', endReason: 'campaign_cancelled' });
    expect(decideCampaign(inputOf(seconds(100), { raw: raw('cancelled'), run: cancelled }))).toEqual({});
  });

  test.each(['running', 'pending', 'draft', 'cancelled', 'failed', 'paused'])(
    'given %s written to an ended campaign, then it is put back and never runs again',
    (status) => {
      const found = at(seconds(100), { raw: campaign({ status }), run: settled() });
      expect(found).toMatchObject({
        event: 'put_back',
        raw: {
          status: 'completed',
          completedAt: new Date(seconds(99)),
          error: { message: expect.stringContaining('new _id') },
        },
      });
      expect(found.write?.run).toBeUndefined();
    },
  );
});

describe('a campaign that is to be held back', () => {
  const fault = { code: 'not_allowed', path: 'audience.filter', message: 'refused' };

  test('given it runs, then it is paused with the reason', () => {
    const world = running();
    const found = after(world, holdCampaign(inputOf(seconds(1), world), fault));
    expect(found).toMatchObject({
      raw: { status: 'paused', error: fault, version: 2 },
      run: { status: 'paused', pausedReason: 'not_allowed' },
    });
  });

  test('given it does not run, then nothing is done', () => {
    const paused = edited(running(), { status: 'paused' });
    for (const world of [{}, { raw: campaign() }, paused, { run: running().run }]) {
      expect(holdCampaign(inputOf(seconds(1), world), fault)).toEqual({});
    }
  });
});

describe('a campaign whose guard tripped', () => {
  test('given its guard says so, then only in the period it was judged by, and a resume takes the error away', () => {
    const tripped = { code: 'guard_tripped', path: 'guard.errorRate', message: 'too many' };
    const began = running({ guard: { errorRate: 0.1 } });
    const held = after(began, holdCampaign(inputOf(seconds(1), began), tripped, began.run));
    expect(held).toMatchObject({ raw: { error: tripped }, run: { status: 'paused', pausedReason: 'guard_tripped' } });
    const resumed = at(seconds(2), edited(held, { status: 'running' }));
    expect(resumed).toMatchObject({ event: 'resumed', run: { status: 'running' } });
    expect([resumed.raw?.['error'], resumed.run?.pausedReason]).toEqual([undefined, undefined]);
    expect(holdCampaign(inputOf(seconds(3), resumed), tripped, began.run)).toEqual({});
    expect(holdCampaign(inputOf(seconds(3), resumed), tripped, resumed.run)).toMatchObject({ event: 'paused' });
  });
});

test('what the guard says stays beside a change that cannot be taken in', () => {
  const tripped = { code: 'guard_tripped', path: 'guard.errorRate', message: 'too many' };
  const began = running({ guard: { errorRate: 0.1 } });
  const held = after(began, holdCampaign(inputOf(seconds(1), began), tripped, began.run));
  const looked = at(seconds(2), edited(held, { priority: 99 }));
  expect([looked.raw?.['error'], looked.run?.priority]).toEqual([tripped, began.run?.priority]);
});

test('a run is written over what it was decided from, and nothing else', () => {
  const { run } = running();
  const there = { ...run, migration: { number: 1 }, occurrences: { next: new Date(5), begun: 1, missed: 0 } } as Run;
  const of = (more: object) => isAsDecided(more as Parameters<typeof isAsDecided>[0], there);
  expect(of({ expectMigration: 1, expectNext: new Date(5) })).toBe(true);
  expect([{ expectMigration: 0 }, { expectNext: new Date(6) }, { expectRun: 'none' }].map(of)).toEqual([
    false,
    false,
    false,
  ]);
});

test('what whoever leaves is asked is pinned', () => {
  expect(running({ exitWhen: { 'contact.attributes.customer': true } }).run).toMatchObject({
    exitWhen: { 'contact.attributes.customer': true },
  });
});

test('a template is only needed where it may start', () => {
  const { run } = running();
  const scheduled = running(later).run;
  expect([undefined, scheduled].map(mayStart)).toEqual([true, true]);
  expect(
    [run, { ...run, settled: true }, { ...scheduled, status: 'cancelled' }].map((one) => mayStart(one as Run)),
  ).toEqual([false, false, false]);
});

describe('compilePinned', () => {
  const message = stages[0];

  test('given channels that only other members have, then it compiles', () => {
    const followUps = [{ after: 'P1D' }, { after: 'P1D', channel: 'telegram' }];
    const flow = {
      stages: [
        { ...message, channel: 'fax', followUps },
        message && { ...message, id: 'b' },
        { id: 'w', type: 'wait', for: 'P1D' },
      ],
    };
    expect(compilePinned({ flow } as unknown as Run, all).flow?.channels).toEqual(['fax', 'sms', 'telegram']);
  });

  test('given what this release cannot run, then it says so', () => {
    const flow = { stages: [{ id: 'b', type: 'teleport' }] };
    expect(compilePinned({ flow } as unknown as Run, all).faults).toMatchObject([{ path: 'flow.stages[0].type' }]);
  });
});

test('ids of any type run', () => {
  for (const id of [new ObjectId(), 7, 'a:b~c']) {
    expect(at(t0, { raw: campaign({ _id: id }) }, { id }).run).toMatchObject({ _id: id, campaign: { id } });
  }
});
