/** `CHANNEL_<NAME>_<SETTING>`: finds the channels, refuses what is unknown, reads each one's settings. */
import type { ChannelConfig } from './config.ts';
import { dkimWarning, readDkim } from './configDkim.ts';
import { checkRecipientWebhooks, driverRules, unknownDriver } from './configDrivers.ts';
import { checkLogin, hosts } from './configMail.ts';
import { closest, duration, fileSuffix, oneOf, type Reader, type Spec, wholeNumber } from './configSpec.ts';
import { accountSid, statusCallback } from './configTwilio.ts';
import {
  type AddressField,
  addressFields,
  type Driver,
  domainRates,
  drivers,
  perSecond,
  recipients,
} from './configValues.ts';
import { allowedHosts } from './configWebhook.ts';
import { rateLimit } from './domain/rates.ts';

const settings = [
  'DRIVER',
  'URL',
  'FROM',
  'TOKEN',
  'HEADERS',
  'ATTACHMENT_HOSTS',
  'ACCOUNT',
  'STATUS_CALLBACK',
  'MAX_SEGMENTS',
  'DKIM_DOMAIN',
  'DKIM_SELECTOR',
  'DKIM_KEY',
  'CONCURRENCY',
  'TIMEOUT_MS',
  'RATE',
  'BURST',
  'DOMAIN_RATES',
  'ATTEMPTS',
  'GIVE_UP',
  'DELIVERY',
  'ADDRESS',
  'ALLOW',
  'REDIRECT',
] as const;
type Setting = (typeof settings)[number];
const unsupportedSettings = ['FALLBACK'] as const;

const channelVariable = (name: string, setting: Setting): string => `CHANNEL_${name.toUpperCase()}_${setting}`;

/** Contract, "Address of a channel". */
const addressByName: Readonly<Record<string, AddressField>> = {
  email: 'email',
  phone: 'phone',
  sms: 'phone',
  whatsapp: 'whatsapp',
  url: 'url',
};

const driver: Spec<Driver> = {
  allowed: drivers.join(', '),
  parse: (text) => oneOf(...drivers).parse(text),
};

interface Found {
  channel: string;
  setting: string;
}

/** `SMS_BACKUP_URL` is setting `URL` of `SMS_BACKUP`: the longest setting that fits. */
function split(rest: string): Found | undefined {
  const all = [...settings, ...unsupportedSettings].toSorted((a, b) => b.length - a.length);
  const setting = all.find((known) => rest.endsWith(`_${known}`));
  return setting === undefined ? undefined : { channel: rest.slice(0, -setting.length - 1), setting };
}

/** What an unknown variable most likely meant, as a sentence; "" when nothing is near. */
function suggestion(rest: string, channels: ReadonlySet<string>): string {
  const owner = [...channels].filter((name) => rest.startsWith(`${name}_`)).toSorted((a, b) => b.length - a.length)[0];
  const cut = owner?.length ?? rest.indexOf('_');
  if (cut <= 0) return '';
  const given = rest.slice(cut + 1);
  const meant = closest(given, settings, Math.max(2, given.length / 2));
  return meant === undefined ? '' : `did you mean CHANNEL_${rest.slice(0, cut)}_${meant}? `;
}

/** Channel names as written in the environment. Notes a fault for every variable that is none of ours. */
function channelNames(env: NodeJS.ProcessEnv, reader: Reader): string[] {
  const names = new Set<string>();
  const unknown: { variable: string; rest: string }[] = [];
  for (const variable of Object.keys(env).toSorted()) {
    if (!variable.startsWith('CHANNEL_') || variable === 'CHANNEL_') continue;
    const bare = variable.endsWith(fileSuffix) ? variable.slice(0, -fileSuffix.length) : variable;
    const found = split(bare.slice('CHANNEL_'.length));
    if (found === undefined) unknown.push({ variable, rest: bare.slice('CHANNEL_'.length) });
    else if (!/^[A-Z][A-Z0-9_]{0,63}$/.test(found.channel)) {
      reader.fault(
        `${variable} names a channel ${JSON.stringify(found.channel)}; allowed: A-Z, 0-9 and _, a letter first`,
      );
    } else if (unsupportedSettings.some((setting) => setting === found.setting)) {
      reader.fault(`${variable} is set; ${found.setting} is not supported by this release: remove it`);
    } else names.add(found.channel);
  }
  for (const { variable, rest } of unknown) {
    reader.fault(
      `${variable} is not known: ${suggestion(rest, names)}allowed: CHANNEL_<NAME>_ and ${settings.join(', ')}`,
    );
  }
  return [...names].filter((name) => settings.some((setting) => isPresent(env, channelVariable(name, setting))));
}

/** Set, or set to nothing where that is a fault to be told. */
const isPresent = (env: NodeJS.ProcessEnv, name: string): boolean =>
  (env[name] ?? '') !== '' ||
  (env[name + fileSuffix] ?? '') !== '' ||
  (env[name] === '' && /_(ALLOW|REDIRECT)$/.test(name));

function readAddress(name: string, kind: Driver | undefined, reader: Reader): AddressField {
  const variable = channelVariable(name, 'ADDRESS');
  if (kind === 'smtp') {
    const mail: Spec<'email'> = { ...oneOf('email'), allowed: 'email, or not set at all: driver smtp writes mail' };
    return reader.read(variable, mail) ?? 'email';
  }
  const byName = addressByName[name] ?? (kind && driverRules[kind].address);
  if (byName === undefined && !reader.isSet(variable)) {
    reader.fault(
      `${variable} is not set, and the name "${name}" does not tell the address; allowed: ${addressFields.join(', ')}`,
    );
  }
  return reader.read(variable, oneOf(...addressFields)) ?? byName ?? 'email';
}

/** Only those that are set: an absent property is not `undefined` (exactOptionalPropertyTypes). */
function given<T extends object>(values: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function readRate(at: (setting: Setting) => string, reader: Reader): Pick<ChannelConfig, 'rate'> {
  const rate = reader.read(at('RATE'), perSecond);
  const burst = reader.read(at('BURST'), wholeNumber(1, 1_000_000));
  if (reader.isSet(at('BURST')) && !reader.isSet(at('RATE')))
    reader.fault(`${at('BURST')} is set without ${at('RATE')}; set both, or neither`);
  return rate === undefined ? {} : { rate: rateLimit(rate, burst) };
}

/** What a channel may have or not. */
type Optional = {
  [K in keyof ChannelConfig]-?: Record<string, never> extends Pick<ChannelConfig, K> ? K : never;
}[keyof ChannelConfig];

/** With an unknown driver nothing is missing: one fault for one slip. */
function readDriver(at: (setting: Setting) => string, reader: Reader): Driver | undefined {
  if (!reader.isSet(at('DRIVER'))) reader.fault(`${at('DRIVER')} is not set; allowed: ${driver.allowed}`);
  const kind = reader.read(at('DRIVER'), driver);
  if (kind === undefined) return undefined;
  const rules = driverRules[kind];
  const specs = { URL: rules.url, FROM: rules.from, TOKEN: rules.token, ACCOUNT: accountSid };
  for (const setting of rules.needs) {
    if (!reader.isSet(at(setting))) {
      reader.fault(`${at(setting)} is not set; driver ${kind} needs ${specs[setting].allowed}`);
    }
  }
  return kind;
}

function readChannel(name: string, hostsAllowed: readonly string[] | undefined, reader: Reader): ChannelConfig {
  const at = (setting: Setting): string => channelVariable(name, setting);
  const kind = readDriver(at, reader);
  const rules = kind === undefined ? unknownDriver : driverRules[kind];
  // The URL of an unknown driver is not judged.
  const url = kind === undefined ? undefined : (reader.read(at('URL'), rules.url) ?? rules.defaultUrl);
  const channel: ChannelConfig = {
    name,
    driver: kind ?? 'console',
    ...given<Pick<ChannelConfig, Optional>>({
      url,
      token: reader.read(at('TOKEN'), rules.token),
      from: reader.read(at('FROM'), rules.from),
      attachmentHosts: reader.read(at('ATTACHMENT_HOSTS'), hosts),
      account: reader.read(at('ACCOUNT'), accountSid),
      statusCallback: reader.read(at('STATUS_CALLBACK'), statusCallback),
      maxSegments: reader.read(at('MAX_SEGMENTS'), wholeNumber(1, 255)) ?? rules.maxSegments,
      allowedHosts: kind === 'webhook' ? hostsAllowed : undefined,
      dkim: readDkim(at, reader),
      allow: reader.read(at('ALLOW'), recipients),
      redirect: reader.read(at('REDIRECT'), rules.redirect),
      domainRates: reader.read(at('DOMAIN_RATES'), domainRates),
    }),
    headers: reader.read(at('HEADERS'), rules.headers) ?? {},
    address: readAddress(name, kind, reader),
    concurrency: reader.read(at('CONCURRENCY'), wholeNumber(1, 10_000)) ?? rules.concurrency,
    ...readRate(at, reader),
    timeoutMs: reader.read(at('TIMEOUT_MS'), wholeNumber(1, 600_000)) ?? rules.timeoutMs,
    attempts: reader.read(at('ATTEMPTS'), wholeNumber(1, 1000)) ?? 8,
    giveUpMs:
      reader.read(at('GIVE_UP'), duration('an ISO 8601 duration such as PT24H, up to P365D', 365 * 86_400_000)) ??
      86_400_000,
    delivery: reader.read(at('DELIVERY'), oneOf('at-least-once', 'at-most-once')) ?? 'at-least-once',
  };
  checkChannel(at, channel, reader);
  return channel;
}

/** What is wrong only together. */
function checkChannel(at: (setting: Setting) => string, channel: ChannelConfig, reader: Reader): void {
  const { driver: kind, url, token, address } = channel;
  if (channel.domainRates !== undefined && address !== 'email')
    reader.fault(
      `${at('DOMAIN_RATES')} is set, and its address is ${address}; allowed: only where the address is email`,
    );
  if (kind === 'smtp') checkLogin(at, { url, token }, reader);
  if (kind === 'webhook') {
    if (url === undefined && !reader.isSet(at('URL'))) checkRecipientWebhooks(at, channel, reader);
    // its secrets sign, they are no login
  } else if (token !== undefined && Object.keys(channel.headers).some((key) => key.toLowerCase() === 'authorization')) {
    reader.fault(`${at('TOKEN')} and an Authorization header in ${at('HEADERS')} are both set; allowed: one of them`);
  }
}

/** Kept, so that a test stage can change the driver alone; told, so that nobody believes they work. */
function withoutEffect(channel: ChannelConfig, reader: Reader): string[] {
  const { dkim, from } = channel;
  const unaligned =
    channel.driver === 'smtp' && dkim ? dkimWarning(channelVariable(channel.name, 'DKIM_DOMAIN'), dkim, from) : [];
  const without = driverRules[channel.driver].idle
    .map((setting) => channelVariable(channel.name, setting))
    .filter((variable) => reader.isSet(variable))
    .map((variable) => `${variable} has no effect with driver ${channel.driver}`);
  return [...without, ...unaligned];
}

export function readChannels(
  env: NodeJS.ProcessEnv,
  reader: Reader,
): { channels: ChannelConfig[]; webhookAllowedHosts?: readonly string[]; warnings: string[] } {
  const hostsAllowed = reader.read('WEBHOOK_ALLOWED_HOSTS', allowedHosts);
  const channels = channelNames(env, reader)
    .toSorted()
    .map((name) => readChannel(name.toLowerCase(), hostsAllowed, reader));
  return {
    channels,
    ...given<{ webhookAllowedHosts: readonly string[] }>({ webhookAllowedHosts: hostsAllowed }),
    warnings: channels.flatMap((channel) => withoutEffect(channel, reader)),
  };
}
