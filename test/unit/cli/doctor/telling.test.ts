/** How it is told, how long it takes at most, and what never shows. */
import { describe, expect, test } from '@jest/globals';
import { MongoServerError } from 'mongodb';
import { showResults } from '../../../../src/cli/doctor/doctorText.ts';
import { type Look, runLook } from '../../../../src/cli/doctor/runChecks.ts';
import { cleanerOf } from '../../../../src/cli/doctor/secrets.ts';
import { failure, notChecked, ok, type Result, warning } from '../../../../src/cli/doctor/verdict.ts';
import { readConfig } from '../../../../src/config.ts';
import { context } from '../host.ts';

const as = (group: Result['group'], check: string, verdict: Omit<Result, 'group' | 'check'>): Result => ({
  group,
  check,
  ...verdict,
});

test('the worst first, each with what to do; then what was not checked, and what is well', () => {
  const { out, stdout } = context();
  const long = Array.from({ length: 13 }, (_, n) => `thing ${n}`);
  showResults(
    [
      as('settings', 'environment', ok('2 variables')),
      as('channels', 'email', ok('smtp: answers', ['the sender shows later'])),
      as('workers', 'all', notChecked('because MongoDB failed')),
      as('preparation', 'database', { ...warning('not prepared', 'communication-base init'), detail: long }),
      as('campaigns', 'failed', { ...warning('1 campaign failed', 'look'), detail: ['spring: it'] }),
      as('mongodb', 'login', failure('refused\u001b[31m', 'add authSource=admin', 'or not')),
    ],
    out,
  );
  expect(stdout.text).toBe(`1 failure, 2 warnings, 1 not checked, 2 ok

FAILURE  mongodb, login
  refused [31m
  → add authSource=admin
  → or not

WARNING  preparation, database
  not prepared
    (13 in all: --json has each)
  → communication-base init

WARNING  campaigns, failed
  1 campaign failed
    spring: it
  → look

not checked
  workers  because MongoDB failed

ok
  settings, environment  2 variables
  channels, email        smtp: answers; the sender shows later
`);
});

test('of several failures the first is mended first', () => {
  const { out, stdout } = context();
  showResults([as('settings', 'A', failure('a', 'x')), as('settings', 'B', failure('b', 'y'))], out);
  expect(stdout.text).toMatch(/^2 failures, 0 ok\n[\s\S]*Mend the first failure, then look again/);
});

describe('one look', () => {
  const look = (run: Look['run'], limitMs = 1_000): Look => ({ group: 'mongodb', check: 'clock', limitMs, run });
  const asIs = (text: string): string => text;

  test('that answers is what it says', async () => {
    const result = as('mongodb', 'clock', ok('fine'));
    expect(
      await runLook(
        look(async () => [result]),
        asIs,
      ),
    ).toEqual([result]);
  });

  test('that hangs is a failure that says so; one that heeds the signal tells it itself', async () => {
    const hanging = runLook(
      look(() => new Promise(() => {}), 1),
      asIs,
    );
    const heeding = look(
      (signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve([as('mongodb', 'clock', failure('it waited for h:1', 'x'))]));
        }),
      1,
    );
    expect(await runLook(heeding, asIs)).toMatchObject([{ status: 'failure', found: 'it waited for h:1' }]);
    expect(await hanging).toMatchObject([{ status: 'failure', found: 'no answer within 1 ms', check: 'clock' }]);
  });

  test('that throws is a failure without secrets; for want of a right it is not checked', async () => {
    const thrown = look(() => Promise.reject(new Error('s3cret is wrong'.padEnd(2_000, '.'))));
    const [result] = await runLook(thrown, (text) => text.replaceAll('s3cret', '***'));
    expect(result).toMatchObject({ status: 'failure', found: expect.stringMatching(/\*\*\* is wrong/) });
    expect(result?.found.length).toBeLessThan(400);
    const refused = look(() => Promise.reject(new MongoServerError({ code: 13, message: 'not authorized on app …' })));
    expect(await runLook(refused, asIs)).toMatchObject([{ status: 'not_checked' }]);
  });
});

test('no secret shows, in whatever form it is repeated', () => {
  const { config } = readConfig({
    MONGODB_URI: 'mongodb://rw:p%40ss@h/?replicaSet=rs0',
    HASH_KEY: 'a key that nobody knows',
    CHANNEL_EMAIL_DRIVER: 'smtp',
    CHANNEL_EMAIL_FROM: 'a@b.de',
    CHANNEL_EMAIL_URL: 'smtp://app:m%41il@h',
    CHANNEL_SMS_DRIVER: 'http',
    CHANNEL_SMS_URL: 'https://h/',
    CHANNEL_SMS_TOKEN: 't0ken',
    CHANNEL_PHONE_DRIVER: 'http',
    CHANNEL_PHONE_URL: 'https://h/',
    CHANNEL_PHONE_HEADERS: '{"X-Api-Key":"k3y","X-Plain":"plain"}',
  });
  const clean = cleanerOf(config);
  const said = 'mongodb://rw:p%40ss@h/?replicaSet=rs0 p%40ss p@ss mAil m%41il t0ken k3y plain a key that nobody knows';
  expect(clean(said)).toBe('mongodb://***@h/?replicaSet=rs0 *** *** *** *** *** *** plain ***');
  expect(cleanerOf(readConfig({}).config)('as it is')).toBe('as it is');
});
