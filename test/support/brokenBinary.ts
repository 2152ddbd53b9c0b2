import { Binary } from 'mongodb';

/**
 * A binary of the old subtype 2 whose inner length is wrong: MongoDB stores it, and the driver cannot decode it. To be written by
 * `db.command`, which serialises what it is given once.
 */
export function brokenBinary(): Binary {
  const binary = new Binary(Buffer.from([77, 0, 0, 0, 1]), 0);
  let asked = 0;
  // the subtype is asked for four times; only the second answer is written
  Object.defineProperty(binary, 'sub_type', { get: () => (++asked % 4 === 2 ? 2 : 0) });
  return binary;
}
