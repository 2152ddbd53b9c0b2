/** What drivers want their channel's settings to be: one entry a driver, read by configChannels.ts. */
import { mailHeaders, mailRecipient, sender, smtpUrl } from './configMail.ts';
import type { Reader, Spec } from './configSpec.ts';
import { twilioApi, twilioSender, twilioToken, twilioUrl } from './configTwilio.ts';
import {
  type AddressField,
  type Driver,
  filePath,
  headers,
  httpUrl,
  isSecretName,
  oneLine,
  recipient,
  token,
} from './configValues.ts';
import { webhookSecrets } from './configWebhook.ts';
import { graphApi, graphUrl, phoneNumberId } from './configWhatsapp.ts';

export interface DriverRules {
  url: Spec<string>;
  from: Spec<string>;
  token: Spec<string>;
  headers: Spec<Record<string, string>>;
  redirect: Spec<string>;
  /** Settings it does not work without. */
  needs: readonly ('URL' | 'FROM' | 'TOKEN' | 'ACCOUNT')[];
  defaultUrl?: string;
  /** The contact's field where the channel's name does not tell it; without it, it has to be set. */
  address?: AddressField;
  concurrency: number;
  timeoutMs: number;
  /** Parts of an SMS at most, where nothing is set. */
  maxSegments?: number;
  /** Settings that change nothing. */
  idle: readonly IdleSetting[];
}
type IdleSetting = 'URL' | 'TOKEN' | 'HEADERS' | (typeof mailOnly)[number] | (typeof smsOnly)[number];

const mailOnly = ['ATTACHMENT_HOSTS', 'DKIM_DOMAIN', 'DKIM_SELECTOR', 'DKIM_KEY'] as const;

const twilioOnly = ['ACCOUNT', 'STATUS_CALLBACK'] as const;
const smsOnly = [...twilioOnly, 'MAX_SEGMENTS'] as const;

const usual: DriverRules = {
  ...{ url: httpUrl, from: oneLine, token, headers, redirect: recipient, needs: ['URL'] },
  ...{ concurrency: 64, timeoutMs: 10_000, idle: [...mailOnly, ...smsOnly] },
};

export const driverRules: Readonly<Record<Driver, DriverRules>> = {
  smtp: {
    ...{ ...usual, url: smtpUrl, from: sender, headers: mailHeaders, redirect: mailRecipient, needs: ['URL', 'FROM'] },
    ...{ concurrency: 16, timeoutMs: 60_000, idle: smsOnly },
  },
  http: { ...usual, idle: [...mailOnly, ...twilioOnly] },
  twilio: {
    ...{ ...usual, url: twilioUrl, defaultUrl: twilioApi, from: twilioSender, token: twilioToken },
    ...{ needs: ['ACCOUNT', 'TOKEN', 'FROM'], address: 'phone', maxSegments: 10, idle: [...mailOnly] },
  },
  whatsapp: {
    ...{ ...usual, url: graphUrl, defaultUrl: graphApi, from: phoneNumberId, needs: ['FROM', 'TOKEN'] },
    address: 'whatsapp',
  },
  // Standard Webhooks, "Request timeouts": 15 to 30 s
  webhook: { ...usual, token: webhookSecrets, needs: ['TOKEN'], address: 'url', timeoutMs: 15_000 },
  console: { ...usual, needs: [], idle: ['URL', 'TOKEN', 'HEADERS', ...mailOnly, ...smsOnly] },
  file: { ...usual, url: filePath, idle: ['TOKEN', 'HEADERS', ...mailOnly, ...smsOnly] },
};

/** What a channel has when its driver is not known: nothing is missing then. */
export const unknownDriver: DriverRules = { ...usual, needs: [] };

/** The addresses of recipients are not ours: what their hosts would be sent there, and what may stand for one. */
export function checkRecipientWebhooks(
  at: (setting: 'HEADERS' | 'REDIRECT' | 'URL' | 'ADDRESS') => string,
  channel: { headers: Readonly<Record<string, string>>; address: AddressField; redirect?: string },
  reader: Reader,
): void {
  const secrets = Object.keys(channel.headers).filter(isSecretName);
  if (secrets.length > 0) {
    reader.fault(
      `${at('HEADERS')} has ${secrets.join(', ')}, which every recipient's host would be told; allowed: with ${at('URL')}, or without them`,
    );
  }
  if (channel.address !== 'url') {
    reader.fault(`${at('ADDRESS')} is ${channel.address}; driver webhook without ${at('URL')} writes to url only`);
  }
  if (channel.redirect !== undefined && httpUrl.parse(channel.redirect) === undefined) {
    reader.fault(`${at('REDIRECT')} is no address of a webhook; allowed: ${httpUrl.allowed}`);
  }
}
