/** What an answer may repeat of what we told it, and nobody may read. */
import type { ChannelConfig } from '../config.ts';
import { isSecretName } from '../configValues.ts';

/** What is shorter stands in any text, and is no secret. */
const shortestHeader = 4;

/**
 * The credentials of an `Authorization` header, without their scheme. Those of HTTP Basic (RFC 7617) without the padding that an
 * answer may leave out, and the password in them.
 */
function credentialsOf(authorization: string): string[] {
  const [, scheme, credentials] = /^([\w-]+) +(.+)$/.exec(authorization.trim()) ?? [];
  if (scheme === undefined || credentials === undefined) return [authorization.trim()];
  if (!/^basic$/i.test(scheme)) return [credentials];
  const [, ...password] = Buffer.from(credentials, 'base64').toString('utf8').split(':');
  return [credentials.replace(/=+$/, ''), password.join(':')];
}

/**
 * Secrets of a channel: `given` (a token, a password), the `authorization` that is sent, and its headers that are secret. The
 * longest first: one may stand in another.
 */
export function secretsOf(
  { headers }: Pick<ChannelConfig, 'headers'>,
  given: string | undefined,
  authorization = '',
): readonly string[] {
  const named = Object.entries(headers)
    .filter(([name]) => isSecretName(name))
    .flatMap(([name, value]) => (/authorization$/i.test(name) ? credentialsOf(value) : [value.trim()]));
  const written = [...named, ...credentialsOf(authorization)].filter(({ length }) => length >= shortestHeader);
  return [given ?? '', ...written].filter((secret) => secret !== '').toSorted((a, b) => b.length - a.length);
}

/** The text without any of them. */
export const hide = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
