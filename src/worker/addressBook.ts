/** Hashes of addresses: they tell whether two are the same, and nothing else to those who do not have HASH_KEY. */
import { createHash, createHmac } from 'node:crypto';
import type { AddressBook } from '../domain/addresses.ts';

/** 128 bits: two of a billion addresses share a hash with a probability of 10^-21. */
const hashBytes = 16;
const shorten = (digest: Buffer): string => digest.subarray(0, hashBytes).toString('base64url');

/** Without a key anyone who can read the database can try addresses; phone numbers are few. People who say STOP are heeded all the same. */
const unkeyed = (form: string): string =>
  `~${shorten(createHash('sha256').update(`communication-base address ${form}`).digest())}`;

export function addressBook(hashKey: string | undefined): AddressBook {
  if (hashKey === undefined) return { isKeyed: false, hash: unkeyed, hashes: (form) => [unkeyed(form)] };
  const keyed = (form: string): string => shorten(createHmac('sha256', hashKey).update(form).digest());
  return { isKeyed: true, hash: keyed, hashes: (form) => [keyed(form), unkeyed(form)] };
}
