/** What becomes of `migrate` in a campaign's document. */
import { describe, expect, test } from '@jest/globals';
import { type CampaignInput, decideCampaign, runAfter } from '../../../src/domain/campaign.ts';
import { mayBeMigrated, versionAsked } from '../../../src/domain/campaignMigration.ts';
import type { Run, Template } from '../../../src/domain/model.ts';
import { channels, facts, seconds } from './given.ts';

type Raw = Record<string, unknown>;

const all = new Map([...channels, ['mail', facts('mail', 'email')]]);
const message = (id: string, channel = 'sms') => ({ id, type: 'message', channel, content: { text: id } });
const template = (version: number, more: object = {}): Template =>
  ({
    _id: { id: 'onboarding', version },
    flow: { stages: [message('a')] },
    variables: { product: `V${version}`, colour: 'red' },
    schedule: { late: { policy: 'skip', after: `PT${version}H` } },
    ...more,
  }) as unknown as Template;
const campaign = (more: Raw = {}): Raw => ({
  ...{ _id: 'spring', status: 'pending', templateId: 'onboarding', templateVersion: 3 },
  ...{ audience: { contacts: [{ id: 'a' }] }, variables: { size: 'L' }, unsubscribe: { mailto: 'x@y.test' } },
  ...more,
});

function started(more: Raw = {}, from: Template | undefined = template(3)): { raw: Raw; run: Run } {
  const raw = campaign(more);
  const input = inputOf(raw, undefined, { template: from });
  const { write } = decideCampaign(input);
  return { raw: { ...raw, ...write?.campaign?.set }, run: runAfter(undefined, write as never) as Run };
}

function inputOf(raw: Raw | undefined, run: Run | undefined, more: object = {}): CampaignInput {
  return {
    ...{ id: 'spring', raw, run, channels: all, reservedCollections: [], partitions: 3, now: seconds(60) },
    traceparent: () => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    ...more,
  } as CampaignInput;
}

/** The decision about a campaign that asks for a version, and its run after it. */
function asking(to: unknown, target: Template | 'missing' = template(4), more: { raw?: Raw; run?: object } = {}) {
  const { raw, run } = started();
  const before = { ...run, ...more.run } as Run;
  const migrate = typeof to === 'object' ? to : { toVersion: to };
  const versions = { from: template(3), to: target };
  const decision = decideCampaign(inputOf({ ...raw, migrate, ...more.raw }, before, { versions }));
  return { decision, campaign: decision.write?.campaign, run: runAfter(before, decision.write as never) as Run };
}

describe('a running campaign that asks for another version', () => {
  test('is migrated: the version is pinned, whoever enters follows it, all partitions are left to ask', () => {
    const { decision, campaign: shown, run } = asking(4);
    expect(decision).toMatchObject({ event: 'migrating', write: { expectMigration: 0, expectRun: 'open' } });
    expect(run.migration).toEqual({ number: 1, from: 3, to: 4, startedAt: new Date(seconds(60)), left: [0, 1, 2] });
    expect(run.flows).toMatchObject([{ version: 4, schedule: { late: { policy: 'skip', after: 'PT4H' } } }]);
    expect(shown?.set).toMatchObject({ templateVersion: 4, migration: { from: 3, to: 4 } });
    expect(shown?.unset).toEqual(['migrate']);
  });

  test('keeps what it said itself; what came from its first template comes from the new one', () => {
    const { run } = asking(4);
    expect(run.flows?.[0]?.variables).toEqual({ size: 'L', product: 'V4', colour: 'red' });
    const own = asking(4, template(4), { run: { variables: { size: 'L', product: 'mine', colour: 'red' } } });
    expect(own.run.flows?.[0]?.variables).toMatchObject({ product: 'mine' });
    const { raw, run: before } = started();
    const versions = { from: undefined, to: template(4) };
    const input = inputOf({ ...raw, migrate: { toVersion: 4 } }, before, { versions });
    // its first template is gone: nobody can tell what it said itself
    const after = runAfter(before, decideCampaign(input).write as never);
    expect(after?.flows?.[0]?.variables).toMatchObject({ product: 'V3' });
  });

  test.each<[string, object]>([
    ['triggered', { audience: { kind: 'enrollments' }, campaign: { type: 'triggered' } }],
    ['over a collection', { audience: { kind: 'collection', collection: 'people', filter: {}, map: {} } }],
    [
      'over a live collection',
      { audience: { kind: 'collection', collection: 'people', filter: {}, map: {}, live: true } },
    ],
    ['paused', { status: 'paused' }],
    ['without a schedule', { schedule: undefined }],
    ['with an end that has come by now', { schedule: { endAt: new Date(seconds(3600)) }, transactional: true }],
  ])('of any kind: %s', (_, more) => {
    const raw = 'status' in more ? { status: 'paused' } : 'schedule' in more && more.schedule ? more : {};
    expect(asking(4, template(4), { run: more, raw: raw as Raw }).run.migration).toMatchObject({ to: 4 });
  });

  test('with the window of the new version, where it has none of its own', () => {
    const sendWindow = { from: '09:00', to: '17:00', timezone: 'Europe/Berlin' };
    const { run } = asking(4, template(4, { schedule: { sendWindow } }));
    expect(run.flows?.[0]?.schedule).toEqual({ sendWindow });
  });

  test('goes back to a version that it has pinned, and there again, without pinning it twice', () => {
    const first = asking(4).run;
    const back = asking(3, 'missing', { run: first });
    expect(back.run.migration).toMatchObject({ number: 2, from: 4, to: 3 });
    expect(back.decision.write).toMatchObject({ expectMigration: 1 });
    const again = asking(4, 'missing', { run: back.run });
    expect(again.run.flows).toHaveLength(1);
    expect(again.run.migration).toMatchObject({ number: 3, from: 3, to: 4 });
  });

  test('a recurring one has nobody to ask: the next occurrence is of the new version', () => {
    const { run } = asking(4, template(4), { run: { child: {} } });
    expect(run.migration?.left).toEqual([]);
  });

  test('one that follows it already has its answer', () => {
    const { decision, campaign: shown } = asking(3);
    expect(decision).not.toHaveProperty('event');
    expect(decision.write).not.toHaveProperty('run');
    expect(shown).toMatchObject({ unset: ['migrate'] });
  });

  test('an error that an earlier answer left goes; any other stays', () => {
    const errorOf = (path: string) => ({ raw: { error: { code: 'x', path, message: '' } } });
    expect(asking(4, template(4), errorOf('template.flow')).campaign?.unset).toEqual(['migrate', 'error']);
    expect(asking(4, template(4), errorOf('status')).campaign?.unset).toEqual(['migrate']);
  });

  test('what else is decided about it is written beside it', () => {
    const { decision, run } = asking(4, template(4), { raw: { priority: 9 } });
    expect(run).toMatchObject({ priority: 9, migration: { to: 4 } });
    const paused = asking(4, template(4), { raw: { status: 'paused' } });
    expect(paused.decision.event).toBe('paused');
    expect(paused.run).toMatchObject({ status: 'paused', migration: { to: 4 } });
    const wrong = asking(4, template(4), { raw: { priority: 99 } });
    expect(wrong.campaign?.set).toMatchObject({ templateVersion: 4, error: { path: 'priority' } });
    expect(decision.write?.campaign?.unset).toEqual(['migrate']);
  });
});

describe('is refused as a whole, with path and reason, and the wish is taken away', () => {
  const many = Array.from({ length: 20 }, (_, n) => ({ version: 100 + n, flow: { stages: [] }, variables: {} }));
  const big = [
    { version: 9, flow: { stages: [{ ...message('a'), content: { text: 'x'.repeat(5_000_000) } }] }, variables: {} },
  ];
  test.each<[string, unknown, Template | 'missing', { raw?: Raw; run?: object }, string, string]>([
    ['no object', { toVersion: 'four' }, 'missing', {}, 'migrate.toVersion', 'type'],
    ['no version', {}, 'missing', {}, 'migrate.toVersion', 'required'],
    ['a field of its own', { toVersion: 4, now: true }, 'missing', {}, 'migrate.now', 'unknown_field'],
    ['no object at all', ['four'], 'missing', {}, 'migrate', 'type'],
    ['a version that is not there', 9, 'missing', {}, 'migrate.toVersion', 'template_missing'],
    [
      'a flow that does not compile',
      4,
      template(4, { flow: { stages: [message('a', 'fax')] } }),
      {},
      'template.flow.stages[0].channel',
      'channel_unknown',
    ],
    [
      'mail without a way to leave',
      4,
      template(4, { flow: { stages: [{ ...message('a', 'mail'), content: { subject: 'x', text: 'y' } }] } }),
      { run: { unsubscribe: undefined } },
      'unsubscribe',
      'unsubscribe_missing',
    ],
    ['no template', 4, template(4), { run: { template: undefined } }, 'migrate', 'not_allowed'],
    ['too many versions', 4, template(4), { run: { flows: many } }, 'migrate.toVersion', 'not_allowed'],
    ['too much of them', 4, template(4), { run: { flows: big } }, 'migrate.toVersion', 'not_allowed'],
    ['cancelled', 4, template(4), { raw: { status: 'cancelled' } }, 'migrate', 'not_allowed'],
    [
      'ended',
      4,
      template(4),
      { run: { settled: true, status: 'completed' }, raw: { status: 'completed' } },
      'migrate',
      'not_allowed',
    ],
  ])('%s', (_, to, target, more, path, code) => {
    const { decision, campaign: shown, run } = asking(to, target, more);
    expect(shown?.set.error).toMatchObject({ path, code });
    expect(shown?.unset).toContain('migrate');
    expect(decision.faults).toContainEqual(expect.objectContaining({ path, code }));
    expect(run.migration).toBeUndefined();
  });

  test('a version that was not looked up is missing; tokens are asked for as at a start', () => {
    const { raw, run } = started();
    const input = (more: object) => inputOf({ ...raw, migrate: { toVersion: 4 } }, run, more);
    expect(decideCampaign(input({})).faults).toMatchObject([{ code: 'template_missing' }]);
    const versions = { from: template(3), to: template(4) };
    const pinned = { ...run, unsubscribe: { url: 'https://x.test/{{ token }}' } };
    const decision = decideCampaign({ ...input({ versions, unsubscribeTokens: false }), run: pinned as Run });
    expect(decision.faults).toMatchObject([{ path: 'unsubscribe.url' }]);
  });

  test('before its start it says templateVersion instead', () => {
    const { write } = decideCampaign(
      inputOf(campaign({ migrate: { toVersion: 4 } }), undefined, { template: template(3) }),
    );
    expect(write?.campaign?.set).toMatchObject({ status: 'failed', error: { path: 'migrate', code: 'not_allowed' } });
    expect(versionAsked({})).toBeUndefined();
  });
});

describe('is over', () => {
  const migration = { number: 1, from: 3, to: 4, startedAt: new Date(0), left: [] };
  const counted = { migrations: { '1': { moved: { a: 2, b: 3 }, stayed: { c: 1 } } } };

  test('when nobody is left to ask: who went over and who stayed is told', () => {
    const { raw, run } = started();
    const input = inputOf(raw, { ...run, migration } as Run, { counted });
    const { write, event } = decideCampaign(input);
    expect(event).toBe('migrated');
    expect(write).toMatchObject({
      run: { set: { migration: { completedAt: new Date(seconds(60)) } } },
      campaign: { set: { migration: { from: 3, to: 4, moved: 5, stayed: { c: 1 } } } },
    });
    expect(write?.campaign?.set.migration).not.toHaveProperty('left');
    const nobody = decideCampaign(inputOf(raw, { ...run, migration } as Run, { counted: {} })).write;
    expect(nobody?.campaign?.set.migration).toMatchObject({ moved: 0, stayed: {} });
  });

  test('not before, not twice, and not without the figures; a deleted campaign has it in its run alone', () => {
    const { raw, run } = started();
    const of = (more: object) => ({ ...run, migration: { ...migration, ...more } }) as Run;
    expect(mayBeMigrated(undefined)).toBe(false);
    expect(mayBeMigrated(run)).toBe(false);
    expect(mayBeMigrated(of({ left: [1] }))).toBe(false);
    expect(mayBeMigrated(of({ completedAt: new Date() }))).toBe(false);
    expect(mayBeMigrated({ ...of({}), settled: true })).toBe(false);
    expect(decideCampaign(inputOf(raw, of({})))).not.toHaveProperty('event');
    const gone = decideCampaign(
      inputOf(undefined, { ...of({}), status: 'paused' } as Run, { counted, collection: 'missing' }),
    );
    expect(gone.write?.campaign).toBeUndefined();
    expect(gone.write?.run).toMatchObject({ set: { migration: { completedAt: new Date(seconds(60)) } } });
  });
});
