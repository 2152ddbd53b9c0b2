/** What nobody may read in what a server or a library said of us. Pure. */
import type { Config } from '../../config.ts';
import { isSecretName, maskUri } from '../../configValues.ts';
import type { Clean } from './runChecks.ts';

/** As it is written in a URL, and as it is meant. */
function forms(part: string): string[] {
  try {
    return [part, decodeURIComponent(part)];
  } catch {
    return [part];
  }
}

/** User and password of a URL, however it is written; the last `@` ends them. */
function credentials(url: string): string[] {
  const [, , password] = /^[a-z][a-z\d+.-]*:\/\/([^:@/]*):(.*)@/is.exec(url) ?? [];
  return password === undefined ? [] : forms(password);
}

export function cleanerOf({ mongodbUri, hashKey, channels }: Config): Clean {
  const headers = channels.flatMap(({ headers: given }) =>
    Object.entries(given)
      .filter(([name]) => isSecretName(name))
      .map(([, value]) => value),
  );
  const tokens = channels.flatMap(({ token = '', url = '', dkim }) => [
    ...[token, ...credentials(url), dkim?.key ?? ''],
    // several secrets of one webhook
    ...token.split(/[\s,]+/),
  ]);
  const secrets = [...credentials(mongodbUri), hashKey ?? '', ...headers, ...tokens]
    .filter((secret) => secret.length > 0)
    .toSorted((a, b) => b.length - a.length);
  return (text) => {
    const masked = mongodbUri === '' ? text : text.replaceAll(mongodbUri, maskUri(mongodbUri));
    return secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), masked);
  };
}
