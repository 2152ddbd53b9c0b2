import { createHmac } from 'node:crypto';
import type { Db } from 'mongodb';
import { ServiceError } from '../domain/errors.ts';
import { collections } from './collections.ts';

/** Names the key without giving it away. */
const checkOf = (hashKey: string): string => createHmac('sha256', hashKey).update('hash key check').digest('base64url');

/** What a database says of a HASH_KEY, which it may not have seen yet; reads only. */
export async function compareHashKey(db: Db, hashKey: string | undefined): Promise<'same' | 'new' | 'other' | 'gone'> {
  const noted = await notedCheck(db);
  if (noted === undefined) return 'new';
  if (hashKey === undefined) return 'gone';
  return noted === checkOf(hashKey) ? 'same' : 'other';
}

const notedCheck = async (db: Db): Promise<string | undefined> =>
  ((await collections(db).settings.findOne({ _id: 'cluster' })) as { hashKeyCheck?: string } | null)?.hashKeyCheck;

/**
 * Suppressions are found by hashes made with HASH_KEY: under another one, or none, everybody who opted out would be written
 * to again. The first member that has a key notes what tells it from others; from then on nobody works without it.
 * @throws ServiceError `config_invalid`
 */
export async function checkHashKey(db: Db, hashKey: string | undefined): Promise<void> {
  const { settings } = collections(db);
  const own = hashKey === undefined ? undefined : checkOf(hashKey);
  if (own !== undefined)
    await settings.updateOne({ _id: 'cluster', hashKeyCheck: { $exists: false } }, { $set: { hashKeyCheck: own } });
  const noted = await notedCheck(db);
  if (noted === undefined || noted === own) return;
  const was = own === undefined ? 'HASH_KEY is not set' : 'HASH_KEY is another one';
  throw new ServiceError(
    'config_invalid',
    `${was}; allowed is the key that database ${db.databaseName} was used with: without it those who opted out cannot be known, and would be written to. Where it is lost for good, remove hashKeyCheck from the document "cluster" of settings, and opt out again whoever has to be`,
  );
}
