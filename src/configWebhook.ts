/** What channels with driver webhook are configured by: secrets to sign with, hosts that are allowed inside our networks. */
import { hidden, type Spec } from './configSpec.ts';

/** Standard Webhooks 1.0.0, "Signature scheme": 24 to 64 random bytes in base64. */
const isSecret = (text: string): boolean => {
  const [, base64 = ''] = /^whsec_([A-Za-z\d+/]+={0,2})$/.exec(text) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 && bytes.length >= 24 && bytes.length <= 64;
};

/** As given, without spaces. */
export const webhookSecrets: Spec<string> = {
  allowed:
    'a secret of Standard Webhooks (whsec_ and 24 to 64 bytes in base64), or several separated by commas, each of which signs',
  parse: (text) => {
    const secrets = text.split(',').map((secret) => secret.trim());
    return secrets.every(isSecret) && new Set(secrets).size === secrets.length ? secrets.join(',') : undefined;
  },
  show: hidden,
};

/** As `URL` writes it, IPv6 without brackets. */
function host(entry: string): string | undefined {
  const [, star = '', name = '', port] = /^(\*\.)?([^\s*/?#@\\]+?)(?::(\d{1,5}))?$/.exec(entry) ?? [];
  if (name === '' || !URL.canParse(`http://${name}`)) return undefined;
  const url = new URL(`http://${name}`);
  if (url.port !== '' || (star !== '' && port !== undefined) || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) {
    return undefined;
  }
  return `${star}${url.hostname.replace(/^\[|\]$/g, '')}${port === undefined ? '' : `:${Number(port)}`}`;
}

/** Never widened by a slip: one entry that cannot be read refuses them all. */
export const allowedHosts: Spec<readonly string[]> = {
  allowed:
    'hosts separated by commas, such as hooks.internal, 10.0.0.5:8080, [fd00::1] or *.svc.cluster.local, without http:// and paths',
  parse: (text) => {
    const list = text.split(',').map((entry) => host(entry.trim()));
    return list.every((entry) => entry !== undefined) ? list : undefined;
  },
};
