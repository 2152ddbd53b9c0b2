/** Signs mail (DKIM, RFC 6376). Only this file knows nodemailer's signer. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { Readable } from 'node:stream';
import DKIM from 'nodemailer/lib/dkim';
import { type DkimConfig, dkimKeyAllowed } from '../configDkim.ts';
import { ServiceError } from '../domain/errors.ts';

/**
 * The mail with its signature before it. It is read whole before its first byte is given. The same mail gets the same signature: RSA
 * with PKCS #1 v1.5 (RFC 8301) has nothing random in it, and no time is written (`t=`).
 */
export type Signer = (mail: Readable) => Readable;

/** RFC 8301, 3.2: who verifies takes keys of 1024 to 4096 bits. */
const minBits = 1024;
const maxBits = 4096;

/** `variable`: the setting that the key came from. Throws ServiceError `config_invalid`: an unusable key would leave mail unsigned. */
export function dkimSigner({ domain, selector, key }: DkimConfig, variable: string): Signer {
  const refuse = (what: string): ServiceError =>
    new ServiceError('config_invalid', `${variable} ${what}; allowed: ${dkimKeyAllowed}`);
  let parsed: KeyObject;
  try {
    parsed = createPrivateKey(key);
  } catch {
    throw refuse('cannot be read as a private key');
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = parsed;
  if (type !== 'rsa') throw refuse(`is a key for ${type}`);
  const bits = details?.modulusLength ?? 0;
  if (bits < minBits || bits > maxBits) throw refuse(`has ${bits} bits`);
  const dkim = new DKIM({ domainName: domain, keySelector: selector, privateKey: key });
  return (mail) => dkim.sign(Readable.from(asSent(mail), { objectMode: false }));
}

/** With the line ends that it leaves with: a lone CR or LF leaves as both, and what is signed is what arrives. */
async function* asSent(mail: Readable): AsyncGenerator<Buffer> {
  let held = '';
  for await (const chunk of mail as AsyncIterable<Buffer>) {
    const text = held + chunk.toString('latin1');
    held = text.endsWith('\r') ? '\r' : '';
    yield Buffer.from(text.slice(0, text.length - held.length).replace(/\r\n?|\n/g, '\r\n'), 'latin1');
  }
  if (held !== '') yield Buffer.from('\r\n');
}
