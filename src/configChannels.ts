/** `CHANNEL_<NAME>_<SETTING>`: finds the channels, refuses what is unknown, reads each one's settings. */
import type { ChannelConfig } from './config.ts';
import { dkimWarning, readDkim } from './configDkim.ts';
import { checkLogin, hosts, mailHeaders, mailRecipient, sender, smtpUrl } from './configMail.ts';
import { closest, duration, fileSuffix, oneOf, type Reader, type Spec, wholeNumber } from './configSpec.ts';
import {
  type AddressField,
  addressFields,
  type Driver,
  drivers,
  filePath,
  headers,
  httpUrl,
  oneLine,
  recipient,
  recipients,
  token,
} from './configValues.ts';

const settings = [
  'DRIVER',
  'URL',
  'FROM',
  'TOKEN',
  'HEADERS',
  'ATTACHMENT_HOSTS',
  'DKIM_DOMAIN',
  'DKIM_SELECTOR',
  'DKIM_KEY',
  'CONCURRENCY',
  'TIMEOUT_MS',
  'ATTEMPTS',
  'GIVE_UP',
  'DELIVERY',
  'ADDRESS',
  'ALLOW',
  'REDIRECT',
] as const;
type Setting = (typeof settings)[number];
const unsupportedSettings = ['RATE', 'BURST', 'FALLBACK'] as const;
const unsupportedDrivers = ['twilio', 'whatsapp', 'webhook'];

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
  show: (text) =>
    `${JSON.stringify(text)}${unsupportedDrivers.includes(text.trim()) ? ', which is not supported by this release' : ''}`,
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
  const byName = addressByName[name];
  if (byName === undefined && !reader.isSet(variable)) {
    reader.fault(
      `${variable} is not set, and the name "${name}" does not tell the address; allowed: ${addressFields.join(', ')}`,
    );
  }
  return reader.read(variable, oneOf(...addressFields)) ?? byName ?? 'email';
}

function readUrl(name: string, kind: Driver, reader: Reader): string | undefined {
  const variable = channelVariable(name, 'URL');
  const spec = kind === 'file' ? filePath : kind === 'smtp' ? smtpUrl : httpUrl;
  if (kind !== 'console' && !reader.isSet(variable)) {
    reader.fault(`${variable} is not set; driver ${kind} needs ${spec.allowed}`);
  }
  return reader.read(variable, spec);
}

/** Only those that are set: an absent property is not `undefined` (exactOptionalPropertyTypes). */
function given<T extends object>(values: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function readChannel(name: string, reader: Reader): ChannelConfig {
  const at = (setting: Setting): string => channelVariable(name, setting);
  if (!reader.isSet(at('DRIVER'))) reader.fault(`${at('DRIVER')} is not set; allowed: ${driver.allowed}`);
  const readDriver = reader.read(at('DRIVER'), driver);
  // With an unknown driver the URL is not judged: one fault for one slip.
  const url = readDriver === undefined ? undefined : readUrl(name, readDriver, reader);
  const mail = readDriver === 'smtp';
  if (mail && !reader.isSet(at('FROM'))) reader.fault(`${at('FROM')} is not set; driver smtp needs ${sender.allowed}`);
  const channel: ChannelConfig = {
    name,
    driver: readDriver ?? 'console',
    ...given<Pick<ChannelConfig, 'url' | 'token' | 'from' | 'attachmentHosts' | 'dkim' | 'allow' | 'redirect'>>({
      url,
      token: reader.read(at('TOKEN'), token),
      from: reader.read(at('FROM'), mail ? sender : oneLine),
      attachmentHosts: reader.read(at('ATTACHMENT_HOSTS'), hosts),
      dkim: readDkim(at, reader),
      allow: reader.read(at('ALLOW'), recipients),
      redirect: reader.read(at('REDIRECT'), mail ? mailRecipient : recipient),
    }),
    headers: reader.read(at('HEADERS'), mail ? mailHeaders : headers) ?? {},
    address: readAddress(name, readDriver, reader),
    concurrency: reader.read(at('CONCURRENCY'), wholeNumber(1, 10_000)) ?? (mail ? 16 : 64),
    timeoutMs: reader.read(at('TIMEOUT_MS'), wholeNumber(1, 600_000)) ?? (mail ? 60_000 : 10_000),
    attempts: reader.read(at('ATTEMPTS'), wholeNumber(1, 1000)) ?? 8,
    giveUpMs:
      reader.read(at('GIVE_UP'), duration('an ISO 8601 duration such as PT24H, up to P365D', 365 * 86_400_000)) ??
      86_400_000,
    delivery: reader.read(at('DELIVERY'), oneOf('at-least-once', 'at-most-once')) ?? 'at-least-once',
  };
  if (mail) checkLogin(at, { url, token: channel.token }, reader);
  if (
    channel.token !== undefined &&
    Object.keys(channel.headers).some((key) => key.toLowerCase() === 'authorization')
  ) {
    reader.fault(`${at('TOKEN')} and an Authorization header in ${at('HEADERS')} are both set; allowed: one of them`);
  }
  return channel;
}

const mailOnly = ['ATTACHMENT_HOSTS', 'DKIM_DOMAIN', 'DKIM_SELECTOR', 'DKIM_KEY'] as const;

/** Kept, so that a test stage can change the driver alone; told, so that nobody believes they work. */
function withoutEffect(channel: ChannelConfig, reader: Reader): string[] {
  const idle: Record<Driver, readonly Setting[]> = {
    smtp: [],
    http: mailOnly,
    console: ['URL', 'TOKEN', 'HEADERS', ...mailOnly],
    file: ['TOKEN', 'HEADERS', ...mailOnly],
  };
  const { dkim, from } = channel;
  const unaligned =
    channel.driver === 'smtp' && dkim ? dkimWarning(channelVariable(channel.name, 'DKIM_DOMAIN'), dkim, from) : [];
  const without = idle[channel.driver]
    .map((setting) => channelVariable(channel.name, setting))
    .filter((variable) => reader.isSet(variable))
    .map((variable) => `${variable} has no effect with driver ${channel.driver}`);
  return [...without, ...unaligned];
}

export function readChannels(
  env: NodeJS.ProcessEnv,
  reader: Reader,
): { channels: ChannelConfig[]; warnings: string[] } {
  const channels = channelNames(env, reader)
    .toSorted()
    .map((name) => readChannel(name.toLowerCase(), reader));
  return { channels, warnings: channels.flatMap((channel) => withoutEffect(channel, reader)) };
}
