/** What the findings are judged as, and what is told to be done. */
import { describe, expect, test } from '@jest/globals';
import { judgeChannel } from '../../../../src/cli/doctor/judgeChannels.ts';
import { judgePreparation } from '../../../../src/cli/doctor/judgePreparation.ts';
import { judgeReach } from '../../../../src/cli/doctor/judgeReach.ts';
import { judgeRights } from '../../../../src/cli/doctor/judgeRights.ts';
import {
  judgeClock,
  judgeMajority,
  judgeSet,
  judgeStream,
  judgeVersion,
} from '../../../../src/cli/doctor/judgeServer.ts';
import { judgeSettings } from '../../../../src/cli/doctor/judgeSettings.ts';
import { judgeCampaigns, judgeWorkers } from '../../../../src/cli/doctor/judgeWork.ts';
import type { Result } from '../../../../src/cli/doctor/verdict.ts';
import { type ChannelConfig, readConfig } from '../../../../src/config.ts';
import type { ChannelTrouble } from '../../../../src/domain/channelPorts.ts';
import type { ReachFault } from '../../../../src/mongo/reach.ts';
import { shownTroubles } from '../../../../src/mongo/serverFacts.ts';
import { config } from '../../../contract/channels/conformance.ts';

const mended = ({ mend = [] }: Pick<Result, 'mend'>): string => mend.join('\n');
const byCheck = (results: readonly Result[]): Record<string, Result> =>
  Object.fromEntries(results.map((result) => [result.check, result]));

describe('settings', () => {
  const judge = (env: Record<string, string>): Record<string, Result> => {
    const { config: read, faults } = readConfig(env);
    return byCheck(judgeSettings(read, faults));
  };
  const sound = { MONGODB_URI: 'mongodb://h/', CHANNEL_EMAIL_DRIVER: 'console' };

  test('without a fault', () => {
    expect(judge(sound)).toEqual({
      environment: { group: 'settings', check: 'environment', status: 'ok', found: '2 variables set, with no fault' },
    });
  });

  test('all faults at once, each with what to set, and without a secret', () => {
    const found = judge({
      PARTITIONS: 'two',
      PLUGINS: 'x',
      HASH_KEY: 'sh0rt',
      CHANNEL_EMAIL_DRIVER: 'smpt',
      CHANNEL_SMS_DRIVER: 'http',
      CHANNEL_SMS_URI: 'http://x',
    });
    const failures = Object.values(found).filter(({ status }) => status === 'failure');
    expect(failures.map(({ check }) => check).toSorted()).toEqual([
      'CHANNEL_EMAIL_DRIVER',
      'CHANNEL_SMS_URI',
      'CHANNEL_SMS_URL',
      'HASH_KEY',
      'MONGODB_URI',
      'PARTITIONS',
      'PLUGINS',
    ]);
    expect(found['PARTITIONS']).toMatchObject({
      found: 'PARTITIONS is "two"',
      mend: ['set it to what is allowed: a whole number from 1 to 1024'],
    });
    expect(found['PLUGINS']).toMatchObject({ mend: ['remove PLUGINS from the environment'] });
    expect(found['CHANNEL_SMS_URI']?.mend?.[0]).toBe('did you mean CHANNEL_SMS_URL?');
    expect(mended(found['CHANNEL_SMS_URL'] as Result)).toContain('set CHANNEL_SMS_URL to an http://');
    expect(JSON.stringify(found)).not.toContain('sh0rt');
    for (const failure of failures) expect(mended(failure)).not.toBe('');
  });

  test('warnings: timeoutMS, no channel, test stages; nothing of a channel whose driver is wrong', () => {
    expect(judge({ MONGODB_URI: 'mongodb://h/?timeoutMS=5' })).toMatchObject({
      MONGODB_URI: { status: 'warning', mend: [expect.stringContaining('leave it out')] },
      channels: { status: 'warning' },
    });
    expect(judge({ ...sound, CHANNEL_EMAIL_REDIRECT: 'a@b.de', CHANNEL_EMAIL_ALLOW: 'a@b.de' })).toMatchObject({
      CHANNEL_EMAIL_REDIRECT: { status: 'warning', mend: ['remove CHANNEL_EMAIL_REDIRECT before going live'] },
      CHANNEL_EMAIL_ALLOW: { status: 'warning' },
    });
    const wrong = judge({ ...sound, CHANNEL_SMS_DRIVER: 'htp', CHANNEL_SMS_URL: 'http://h/' });
    expect(Object.values(wrong).filter(({ status }) => status === 'warning')).toEqual([]);
  });
});

describe('the way to MongoDB', () => {
  const context = { database: 'app', patienceSeconds: 5, isSrv: false };
  const hosts = ['db.example:27017'];
  const cases: [ReachFault, string, RegExp][] = [
    [{ code: 'uri', message: 'bad' }, 'connection', /percent-encode/],
    [{ code: 'dns', hosts, message: 'ENOTFOUND' }, 'connection', /spelt/],
    [{ code: 'refused', hosts }, 'connection', /bindIp/] as never,
    [{ code: 'refused', hosts: ['localhost:1'], message: '' }, 'connection', /container/],
    [{ code: 'silent', hosts, message: '' }, 'connection', /firewall/],
    [{ code: 'certificate', hosts, message: 'self-signed' }, 'connection', /tlsCAFile/],
    [{ code: 'tls_missing', hosts, message: '' }, 'connection', /add tls=true/],
    [{ code: 'tls_unwanted', hosts, message: '' }, 'connection', /remove tls=true/],
    [{ code: 'broken', hosts, message: 'closed' }, 'connection', /tlsCertificateKeyFile/],
    [{ code: 'other', message: 'odd' }, 'connection', /MONGODB_URI/],
    [{ code: 'login', source: 'admin', message: '' }, 'login', /createUser.*"app"/],
    [{ code: 'login', source: 'app', works: 'admin', message: '' }, 'login', /^add authSource=admin to MONGODB_URI$/],
    [{ code: 'standalone', host: 'h:1' }, 'replica set', /--replSet[\s\S]*rs\.initiate.*host: "h:1"/],
    [{ code: 'not_initiated', host: 'h:1' }, 'replica set', /rs\.initiate/],
    [{ code: 'not_primary', host: 'h:1' }, 'replica set', /directConnection/],
    [{ code: 'other_set', host: 'h:1', asked: 'a', found: 'b' }, 'replica set', /^set replicaSet=b/],
    [{ code: 'no_primary', set: 'rs0', members: 3, silent: ['b', 'c'] }, 'replica set', /start the members/],
    [{ code: 'no_primary', set: 'rs0', members: 3, silent: [] }, 'replica set', /rs\.status/],
    [{ code: 'advertised', set: 'rs0', host: 'h:1', names: ['mongo:1'], message: '' }, 'replica set', /rs\.reconfig/],
  ];
  test.each(cases)('%j fails at %s', (fault, stage, mend) => {
    const results = judgeReach(fault, context);
    expect(results.map(({ check }) => check)).toEqual(['connection', 'login', 'replica set']);
    const failed = results.filter(({ status }) => status === 'failure');
    expect(failed.map(({ check }) => check)).toEqual([stage]);
    expect(mended(failed[0] as Result)).toMatch(mend);
    const after = results.slice(results.findIndex(({ check }) => check === stage) + 1);
    for (const { status, found } of after)
      expect([status, found]).toEqual(['not_checked', `because mongodb, ${stage}, failed`]);
  });

  test('TLS of a mongodb+srv URI is switched off, not removed', () => {
    const [connection] = judgeReach({ code: 'tls_unwanted', hosts, message: '' }, { ...context, isSrv: true });
    expect(mended(connection as Result)).toContain('add tls=false');
  });
});

describe('the server', () => {
  test('its version, its set, its majority and its stream', () => {
    expect([judgeVersion('6.0.5').status, judgeVersion('10.1').status, judgeVersion('5.0.9').status]).toEqual([
      'ok',
      'ok',
      'warning',
    ]);
    expect(judgeSet({ setName: 'rs0', hosts: ['a'] }).found).toBe('rs0, 1 member with data');
    expect(judgeSet({ setName: 'rs0', hosts: ['a', 'b'], arbiters: ['c'] }).found).toContain('1 without data');
    expect(judgeSet({ msg: 'isdbgrid' }).status).toBe('warning');
    expect(judgeMajority(true, 3, {}).status).toBe('ok');
    expect(mended(judgeMajority(false, 3, {}) as Result)).not.toContain('arbiter');
    expect(mended(judgeMajority(false, 3, { arbiters: ['c'] }) as Result)).toContain('arbiter');
    expect([judgeStream(undefined).status, judgeStream('no').status]).toEqual(['ok', 'failure']);
  });

  test.each([
    [999, 0, 'ok', ''],
    [1_000, 0, 'warning', 'behind'],
    [-1_000, 0, 'warning', 'ahead of'],
    [1_400, 500, 'ok', ''],
    [59_999, 0, 'warning', 'behind'],
    [-60_000, 0, 'failure', 'ahead of'],
    [60_400, 500, 'warning', 'behind'],
  ])('a clock that differs by %d ms, known to %d ms: %s', (offsetMs, errorMs, status, side) => {
    const verdict = judgeClock({ offsetMs, errorMs });
    expect(verdict.status).toBe(status);
    expect(verdict.found).toContain(side);
  });
});

describe('rights', () => {
  const place = { database: 'app', collections: ['campaigns', 'messages'] };
  const resource = { db: 'app', collection: '' };
  const readWrite = [
    'find',
    'insert',
    'update',
    'remove',
    'changeStream',
    'listCollections',
    'createCollection',
    'createIndex',
    'listIndexes',
  ];
  const judge = (actions: string[]): Record<string, Result> =>
    byCheck(judgeRights({ kind: 'user', user: 'rw', source: 'admin', privileges: [{ resource, actions }] }, place));

  test('readWrite is enough; what it lacks is a warning that says what does not work', () => {
    const found = judge(readWrite);
    expect(found['login']).toMatchObject({ group: 'mongodb', status: 'ok', found: expect.stringContaining('rw') });
    expect(found['work']?.status).toBe('ok');
    expect(found['validators']).toMatchObject({ status: 'warning', found: expect.stringContaining('validators') });
    expect(mended(found['validators'] as Result)).toContain(
      'db.getSiblingDB("admin").grantRolesToUser("rw", [{ role: "dbAdmin", db: "app" }])',
    );
    expect(judge([...readWrite, 'collMod'])['validators']?.status).toBe('ok');
  });

  test('what work needs is a failure, what only init needs a warning', () => {
    const missing = judge(readWrite.filter((action) => action !== 'insert' && action !== 'changeStream'));
    expect(missing['work']).toMatchObject({
      status: 'failure',
      found: 'the user may not insert, changeStream in database app',
      mend: [expect.stringContaining('role: "readWrite", db: "app"')],
    });
    expect(judge(readWrite.filter((action) => action !== 'createIndex'))['work']?.status).toBe('warning');
  });

  test('nobody logged in, and nobody asked to', () => {
    expect(byCheck(judgeRights({ kind: 'nobody' }, place))).toMatchObject({
      login: { status: 'failure' },
      all: { status: 'not_checked' },
    });
    expect(judgeRights({ kind: 'open' }, place).map(({ status }) => status)).toEqual(['ok', 'ok']);
  });
});

describe('preparation', () => {
  const facts = {
    plan: { steps: [], conflicts: [] },
    partitions: 64,
    hashKey: 'same' as const,
    hasHashKey: true,
    database: 'app',
  };
  const judge = (given: Partial<Parameters<typeof judgePreparation>[0]>): Record<string, Result> =>
    byCheck(judgePreparation({ ...facts, ...given }));

  test('what init would do is the detail, and init the mend', () => {
    expect(judge({})['database']?.status).toBe('ok');
    const steps = [
      { kind: 'collection', name: 'campaigns', validator: undefined },
      { kind: 'validator', name: 'members', validator: {} },
      { kind: 'cluster' },
      { kind: 'partitions', missing: [0, 1] },
    ] as const;
    expect(judge({ plan: { steps, conflicts: [] } })['database']).toMatchObject({
      status: 'warning',
      found:
        'database app is not prepared: init would make 1 collection, 1 validator, the cluster setting, 2 partitions',
      detail: ['collection campaigns', 'validator of members', 'the cluster setting', '2 partitions'],
      mend: [expect.stringContaining('communication-base init')],
    });
  });

  test('what stands in the way is dropped first; a newer release is left alone', () => {
    const conflicts = [{ collection: 'campaigns', name: 'status', there: 'by_hand' }];
    const found = judge({ plan: { steps: [], conflicts } })['database'] as Result;
    expect(found.mend).toEqual(['in mongosh: db.campaigns.dropIndex("by_hand")', 'communication-base init']);
    expect(judge({ plan: { steps: [], conflicts: [], newer: 99 } })['database']).toMatchObject({
      status: 'warning',
      found: expect.stringContaining('99'),
    });
  });

  test('another count of partitions says both numbers', () => {
    const found = judge({ plan: { steps: [], conflicts: [], otherPartitions: 16 } });
    expect(found['PARTITIONS']).toMatchObject({ status: 'failure', mend: ['set PARTITIONS=16'] });
    expect(found['PARTITIONS']?.found).toMatch(/64.*16/);
    expect(found['database']).toBeUndefined();
  });

  test.each([
    ['same', true, 'ok'],
    ['new', true, 'ok'],
    ['new', false, 'warning'],
    ['other', true, 'failure'],
    ['gone', false, 'failure'],
  ] as const)('a HASH_KEY that is %s (set: %s): %s', (hashKey, hasHashKey, status) => {
    expect(judge({ hashKey, hasHashKey })['HASH_KEY']?.status).toBe(status);
  });
});

describe('workers and campaigns', () => {
  const owned = { unowned: [], orphaned: [], silent: [] };
  const members = [{ _id: 'a', channels: ['email'] }];

  test('nobody, nobody alive, partitions without an owner, all well', () => {
    const judge = (given: object): string[] =>
      judgeWorkers({ members, alive: new Set(['a']), ownerless: owned, ...given }, 10_000, ['email']).map(
        ({ check, status }) => `${check} ${status}`,
      );
    expect(judge({ members: [], alive: new Set() })).toEqual(['members warning']);
    expect(judge({ alive: new Set() })).toEqual(['members failure']);
    expect(judge({ ownerless: { ...owned, silent: [3, 4] } })).toEqual(['members failure', 'channels ok']);
    expect(judge({})).toEqual(['members ok', 'channels ok']);
  });

  test('a channel that no worker has', () => {
    const found = judgeWorkers({ members, alive: new Set(['a']), ownerless: owned }, 10_000, ['email', 'sms'])[1];
    expect(found).toMatchObject({ status: 'warning', found: 'no worker has the channel sms, which is set here' });
  });

  test('what stands, each campaign a line; only so many are shown', () => {
    const error = { code: 'guard_tripped', path: 'guard.errorRate', message: '12 of 100\u001b[31m' };
    const found = byCheck(
      judgeCampaigns({
        stop: { sending: 'stopped', by: 'ops@host', reason: 'wrong prices' },
        failed: Array.from({ length: shownTroubles + 1 }, (_, _id) => ({ _id })),
        paused: [{ _id: 'spring', error }],
        waiting: [{ _id: 'autumn' }],
      }),
    );
    expect(found['sending']).toMatchObject({ status: 'warning', mend: ['communication-base start-all'] });
    expect(found['sending']?.found).toContain('ops@host: wrong prices');
    expect(found['failed']).toMatchObject({ found: expect.stringContaining(`more than ${shownTroubles}`) });
    expect(found['failed']?.detail).toHaveLength(shownTroubles);
    expect(found['paused']?.detail).toEqual(['spring: guard_tripped, guard.errorRate, 12 of 100 [31m']);
    expect(found['waiting']).toMatchObject({ status: 'warning', detail: ['autumn'] });
    const well = judgeCampaigns({ stop: { sending: 'on' }, failed: [], paused: [], waiting: [] });
    expect(well.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'ok']);
  });
});

describe('channels', () => {
  const troubles: ChannelTrouble[] = ['dns', 'refused', 'unreachable', 'late', 'tls', 'login', 'path', 'answer'];
  const judge = (given: Partial<ChannelConfig>, trouble: ChannelTrouble): Result =>
    judgeChannel(config(given), { kind: 'failed', trouble, found: 'h:1: no' });

  test.each(['smtp', 'http'] as const)('every trouble of %s names what to change', (driver) => {
    for (const trouble of troubles) {
      const result = judge({ driver, name: 'news' }, trouble);
      expect(result).toMatchObject({
        group: 'channels',
        check: 'news',
        status: 'failure',
        found: expect.stringContaining(`${driver}: h:1: no`),
      });
      expect(mended(result)).toMatch(/CHANNEL_NEWS_(URL|TOKEN)/);
    }
  });

  test('what did not answer in the time of a look is no firewall yet where the worker waits for longer', () => {
    const slow = judge({ driver: 'smtp', timeoutMs: 60_000 }, 'late');
    expect(slow.found).toBe('smtp: h:1: no within 10 s; the worker waits for 60 s');
    expect(mended(slow)).not.toMatch(/firewall/);
    const dead = judge({ driver: 'http', timeoutMs: 10_000 }, 'late');
    expect(dead.found).toBe('http: h:1: no within 10 s');
    expect(mended(dead)).toMatch(/firewall/);
  });

  test('a login of mail and of http are mended in other places', () => {
    expect(mended(judge({ driver: 'smtp' }, 'login'))).toContain('app password');
    expect(mended(judge({ driver: 'http' }, 'login'))).toMatch(/^correct CHANNEL_EMAIL_TOKEN/);
  });

  test('ready says what only a message would show; without a look it is not checked', () => {
    const ready = judgeChannel(config(), { kind: 'ready', found: 'fine', left: 'the token' });
    expect(ready).toMatchObject({ status: 'ok', found: 'console: fine', detail: ['the token'] });
    expect(judgeChannel(config(), { kind: 'unknown', found: 'it has no way' })).toMatchObject({
      status: 'not_checked',
      found: 'because it has no way (driver console)',
    });
  });
});
