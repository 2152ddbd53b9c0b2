/** What a look at a channel's provider says, and what to change. Pure. */
import type { ChannelConfig } from '../../config.ts';
import type { ChannelCheck, ChannelTrouble } from '../../domain/channelPorts.ts';
import { safe } from '../output.ts';
import { failure, notChecked, ok, type Result, type Verdict } from './verdict.ts';

/** A look at a channel takes no longer, ms; nor longer than its worker would wait. */
export const longestLookMs = 10_000;

/** What was asked for how long, where that is all that is known. */
function waited(check: ChannelCheck, { timeoutMs }: ChannelConfig): string {
  if (check.kind !== 'failed' || check.trouble !== 'late') return '';
  const within = ` within ${Math.min(longestLookMs, timeoutMs) / 1000} s`;
  return timeoutMs > longestLookMs ? `${within}; the worker waits for ${timeoutMs / 1000} s` : within;
}

/** Where a login stands, by driver. */
const loginMends: Partial<Record<ChannelConfig['driver'], string>> = {
  twilio: ': the auth token of the account, or SK…:secret of an API key of it',
  whatsapp: ': a token of a system user with whatsapp_business_messaging',
};

/** By trouble; `at` names a variable of the channel. */
function mends(
  trouble: ChannelTrouble,
  { driver, timeoutMs }: Pick<ChannelConfig, 'driver' | 'timeoutMs'>,
  at: (setting: string) => string,
): string[] {
  const isMail = driver === 'smtp';
  switch (trouble) {
    case 'dns':
      return [`check how the host is spelt in ${at('URL')}, and the DNS of this machine`];
    case 'refused':
      return [
        `start what should listen there, or correct host and port in ${at('URL')}${isMail ? ' (587 with STARTTLS, 465 with smtps://)' : ''}`,
      ];
    case 'late':
      if (timeoutMs > longestLookMs) {
        return [
          'a slow server works all the same, and some mail servers are slow on purpose: see whether a test message arrives',
          `where none does, check host and port in ${at('URL')}, and what lies in between`,
        ];
      }
      return mends('unreachable', { driver, timeoutMs }, at);
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
        : [
            `correct ${at('TOKEN')}${loginMends[driver] ?? ` (or the user and password in ${at('URL')})`}`,
            ...(driver === 'whatsapp' ? ['a token of a person expires within hours'] : []),
          ];
    case 'account':
      return driver === 'whatsapp'
        ? [
            `${at('FROM')} is the id of the phone number, not the number; give the system user of ${at('TOKEN')} access to it`,
            'a number that is not connected has to be registered, or freed, in the WhatsApp Manager',
            'a token without whatsapp_business_management may send all the same: see whether a test message arrives',
          ]
        : [`correct ${at('ACCOUNT')}; a suspended or closed account is opened again in the console of the provider`];
    case 'path':
      return [`make the folder, and let the user of the worker write there; or set ${at('URL')} to another path`];
    case 'answer':
      return [`see what it answered; correct ${at('URL')}, or ask the provider`];
  }
}

export function judgeChannel(config: ChannelConfig, check: ChannelCheck): Result {
  const at = (setting: string): string => `CHANNEL_${config.name.toUpperCase()}_${setting}`;
  const verdict = (): Verdict => {
    const found = `${config.driver}: ${safe(check.found)}${waited(check, config)}`;
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
