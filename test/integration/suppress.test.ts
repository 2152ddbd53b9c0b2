import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { initDatabase } from '../../src/mongo/collections.ts';
import { addressBook } from '../../src/worker/addressBook.ts';
import { conversation } from '../contract/harness.ts';
import { type TestDatabase, testDatabase } from '../support/mongo.ts';
import { type Ran, run } from '../unit/cli/host.ts';

const hashKey = 'the key of this test';
let database: TestDatabase;
let env: Record<string, string> = {};
beforeAll(async () => {
  database = await testDatabase('suppress');
  env = {
    ...{ MONGODB_URI: database.uri, MONGODB_DATABASE: database.name, HASH_KEY: hashKey },
    ...{ CHANNEL_EMAIL_DRIVER: 'console', CHANNEL_SMS_DRIVER: 'console', CHANNEL_SMS_ADDRESS: 'phone' },
  };
  await initDatabase(database.db, { partitions: 4 });
});
afterAll(() => database.close());

const cli = (...argv: string[]): Promise<Ran> => run(argv, env);
const stored = async (): Promise<unknown[]> =>
  (await database.db.collection('suppressions').find().sort({ _id: 1 }).toArray()).map(({ _id, reason }) => [
    _id,
    reason,
  ]);
const hash = addressBook(hashKey).hash;

describe('suppress', () => {
  test('keeps an address from the channels for such addresses, and lifts that again', async () => {
    const ran = await cli('suppress', '0049 151-1234');
    expect(ran).toMatchObject({ code: 0, stdout: '0049 151-1234 is not written to any more by sms\n' });
    expect(await stored()).toEqual([[`sms:*:${hash('+491511234')}`, 'manual']]);
    expect(await cli('suppress', 'Ada@Example.com', '--topic', 'news')).toMatchObject({ code: 0 });
    expect(await stored()).toContainEqual([`email:news:${hash('ada@example.com')}`, 'manual']);

    const lifted = await cli('suppress', '+49 151 1234', '--lift', '--json');
    expect(lifted.json()).toMatchObject({ lifted: [{ reason: 'manual' }] });
    expect(await cli('suppress', '+49 151 1234', '--lift')).toMatchObject({
      ...{ code: 1, stdout: expect.stringContaining('was not suppressed') },
    });
    expect(await cli('suppress', 'ada@example.com', '--lift', '--topic', 'news')).toMatchObject({ code: 0 });
    expect(await stored()).toEqual([]);
  });

  test('says what is wrong: no address, no such channel, another key', async () => {
    expect(await cli('suppress', ' ')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('the address is empty'),
    });
    const { CHANNEL_SMS_DRIVER: _, CHANNEL_SMS_ADDRESS: __, ...mailOnly } = env;
    const unknown = await run(['suppress', '+491'], mailOnly);
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('name it with --channel') });
    expect(await run(['suppress', '+49151', '--channel', 'sms', 'whatsapp'], mailOnly)).toMatchObject({ code: 0 });
    const other = await run(['suppress', '+49151'], { ...env, HASH_KEY: 'another key of this test' });
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('HASH_KEY is another one') });
  });

  test('explain tells who must not be written to, and since when', async () => {
    const one = conversation('spring', 'ada', { addresses: [`sms:${hash('+491511234')}`] });
    await database.db.collection<{ _id: string }>('conversation_states').insertOne(one);
    await cli('suppress', '+491511234');
    expect((await cli('explain', one._id)).stdout).toMatch(/not written to by sms since 20\d\d-.*: manual/);
  });
});
