/** What a look at a channel's provider says, and what to change. Pure. */
import type { ChannelConfig } from '../../config.ts';
import type { ChannelCheck, ChannelTrouble } from '../../domain/channelPorts.ts';
import { safe } from '../output.ts';
import { failure, notChecked, ok, type Result, type Verdict } from './verdict.ts';

/** By trouble; `at` names a variable of the channel. */
function mends(trouble: ChannelTrouble, { driver }: ChannelConfig, at: (setting: string) => string): string[] {
  const isMail = driver === 'smtp';
  switch (trouble) {
    case 'dns':
      return [`check how the host is spelt in ${at('URL')}, and the DNS of this machine`];
    case 'refused':
      return [
        `start what should listen there, or correct host and port in ${at('URL')}${isMail ? ' (587 with STARTTLS, 465 with smtps://)' : ''}`,
      ];
    case 'unreachable':
      return [
        'let this machine through: firewalls and clouds often block what goes out',
        ...(isMail ? ['port 25 is blocked nearly everywhere: use 587 (smtp://) or 465 (smtps://)'] : []),
        `check host and port in ${at('URL')}`,
      ];
    case 'tls':
      return isMail
        ? [
            `smtp:// needs STARTTLS (usually port 587), smtps:// encrypts from the first byte (usually 465): correct ${at('URL')}`,
            'where an authority of your own signed the certificate, name its file: NODE_EXTRA_CA_CERTS=/path/to/ca.pem',
            `for a server on this machine without TLS, add ?tls=none to ${at('URL')}`,
          ]
        : [
            `check http:// or https://, and the port, in ${at('URL')}; the host as the certificate names it`,
            'where an authority of your own signed the certificate, name its file: NODE_EXTRA_CA_CERTS=/path/to/ca.pem',
          ];
    case 'login':
      return isMail
        ? [
            `correct the user in ${at('URL')} (@ is %40 there) and the password, there or in ${at('TOKEN')}`,
            'many providers want an app password, or a login of their own for SMTP',
          ]
        : [`correct ${at('TOKEN')} (or the user and password in ${at('URL')})`];
    case 'path':
      return [`make the folder, and let the user of the worker write there; or set ${at('URL')} to another path`];
    case 'answer':
      return [`see what it answered; correct ${at('URL')}, or ask the provider`];
  }
}

export function judgeChannel(config: ChannelConfig, check: ChannelCheck): Result {
  const at = (setting: string): string => `CHANNEL_${config.name.toUpperCase()}_${setting}`;
  const verdict = (): Verdict => {
    const found = `${config.driver}: ${safe(check.found)}`;
    switch (check.kind) {
      case 'ready':
        return ok(found, check.left === undefined ? [] : [check.left]);
      case 'unknown':
        return notChecked(`because ${safe(check.found)} (driver ${config.driver})`);
      case 'failed':
        return failure(found, ...mends(check.trouble, config, at));
    }
  };
  return { group: 'channels', check: config.name, ...verdict() };
}
