/** Settings of the drivers webhook and whatsapp. */
import { describe, expect, it } from '@jest/globals';
import { describeConfig, loadConfig } from '../../src/config.ts';
import { isServiceError } from '../../src/domain/errors.ts';

const load = (env: NodeJS.ProcessEnv) => loadConfig(env, { requireUri: false });

function faultsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    load(env);
  } catch (error) {
    if (!isServiceError(error, 'config_invalid')) throw error;
    return error.message.split('\n- ').slice(1);
  }
  return [];
}

const secretOf = (n: number, bytes = 32): string => `whsec_${Buffer.alloc(bytes, n).toString('base64')}`;
const hook = { CHANNEL_CRM_DRIVER: 'webhook', CHANNEL_CRM_TOKEN: secretOf(1) };

describe('driver webhook', () => {
  it('goes to each recipient’s own address without more, and waits as long as receivers may take', () => {
    const [channel] = load(hook).channels;
    expect(channel).toMatchObject({ driver: 'webhook', token: secretOf(1), address: 'url', timeoutMs: 15_000 });
    expect(channel).not.toHaveProperty('url');
    expect(channel).not.toHaveProperty('allowedHosts');
  });

  it('goes to one address, whatever the contact’s field, with headers of any kind', () => {
    const env = { ...hook, CHANNEL_CRM_URL: 'https://crm.example/hook', CHANNEL_CRM_ADDRESS: 'phone' };
    const headers = { Authorization: 'Bearer a' };
    const [channel] = load({ ...env, CHANNEL_CRM_HEADERS: JSON.stringify(headers) }).channels;
    expect(channel).toMatchObject({ url: 'https://crm.example/hook', address: 'phone', headers });
  });

  it('signs with several secrets while they are changed', () => {
    const token = `${secretOf(2)}, ${secretOf(1)}`;
    expect(load({ ...hook, CHANNEL_CRM_TOKEN: token }).channels[0]?.token).toBe(token.replace(' ', ''));
  });

  it.each([
    ['none', undefined],
    ['a bearer token', 'abcdef'],
    ['without its prefix', secretOf(1).slice(6)],
    ['too short', secretOf(1, 23)],
    ['too long', secretOf(1, 65)],
    ['no base64', 'whsec_%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%'],
    ['the same twice', `${secretOf(1)},${secretOf(1)}`],
    ['one forgotten', `${secretOf(1)},`],
  ])('refuses a secret that is none: %s', (_, token) => {
    const faults = faultsOf({ ...hook, CHANNEL_CRM_TOKEN: token });
    expect(faults).toEqual([expect.stringContaining('a secret of Standard Webhooks (whsec_')]);
    if (token !== undefined) expect(faults[0]).not.toContain(token.slice(0, 12));
  });

  it.each([
    [
      { CHANNEL_CRM_HEADERS: '{"X-Api-Key":"k3y"}' },
      /^CHANNEL_CRM_HEADERS has X-Api-Key, which every recipient's host/,
    ],
    [{ CHANNEL_CRM_ADDRESS: 'phone' }, /^CHANNEL_CRM_ADDRESS is phone; driver webhook without CHANNEL_CRM_URL/],
    [{ CHANNEL_CRM_REDIRECT: 'me@example.com' }, /^CHANNEL_CRM_REDIRECT is no address of a webhook/],
    [{ CHANNEL_CRM_URL: 'ftp://x' }, /^CHANNEL_CRM_URL is ftp:\/\/x; allowed: an http/],
  ])('refuses what would go wrong with every message: %j', (env, fault) => {
    expect(faultsOf({ ...hook, ...env })).toEqual([expect.stringMatching(fault)]);
  });

  it('hides its secrets, and shows where it may go', () => {
    const rows = describeConfig(load({ ...hook, WEBHOOK_ALLOWED_HOSTS: 'crm.internal' }));
    const shown = Object.fromEntries(rows.map(({ variable, value }) => [variable, value]));
    expect(shown).toMatchObject({ CHANNEL_CRM_TOKEN: '***', WEBHOOK_ALLOWED_HOSTS: 'crm.internal' });
  });

  it('shows no password of an address that all goes to, or that alone is allowed', () => {
    const [one, other] = ['https://me:s3cret@stage.example/a', 'https://stage.example/b'];
    const rows = describeConfig(load({ ...hook, CHANNEL_CRM_REDIRECT: one, CHANNEL_CRM_ALLOW: `${one},${other}` }));
    const shown = Object.fromEntries(rows.map(({ variable, value }) => [variable, value]));
    expect(shown).toMatchObject({
      CHANNEL_CRM_REDIRECT: 'https://***@stage.example/a',
      CHANNEL_CRM_ALLOW: `https://***@stage.example/a,${other}`,
    });
  });
});

describe('WEBHOOK_ALLOWED_HOSTS', () => {
  it('is read as URLs write hosts, for channels of webhooks', () => {
    const text = 'Hooks.Internal, 10.0.0.5:8080,0x7f.1,[FD00::1],[::1]:443,*.svc.cluster.local,bücher.internal';
    const config = load({ ...hook, CHANNEL_SMS_DRIVER: 'console', WEBHOOK_ALLOWED_HOSTS: text });
    const hosts = ['hooks.internal', '10.0.0.5:8080', '127.0.0.1', 'fd00::1', '::1:443', '*.svc.cluster.local'];
    expect(config.webhookAllowedHosts).toEqual([...hosts, 'xn--bcher-kva.internal']);
    expect(config.channels.map(({ allowedHosts }) => allowedHosts)).toEqual([config.webhookAllowedHosts, undefined]);
  });

  it.each([
    'http://a.internal',
    'a.internal/x',
    'a.internal,',
    'me@a.internal',
    'a internal',
    'a:0',
    'a:65536',
    'a:b',
    '*',
    '*.a:80',
    'a.*.b',
    '1.2.3.4.5',
  ])('refuses %j', (text) => {
    expect(faultsOf({ WEBHOOK_ALLOWED_HOSTS: text })).toEqual([
      expect.stringMatching(/^WEBHOOK_ALLOWED_HOSTS is .*; allowed: hosts separated by commas/),
    ]);
  });
});

describe('driver whatsapp', () => {
  const whatsapp = {
    CHANNEL_WHATSAPP_DRIVER: 'whatsapp',
    CHANNEL_WHATSAPP_FROM: '106540352242922',
    CHANNEL_WHATSAPP_TOKEN: 'EAAJB',
  };

  it('needs no more than the number and the token', () => {
    expect(load(whatsapp).channels[0]).toMatchObject({
      ...{ url: 'https://graph.facebook.com/v24.0', from: '106540352242922', token: 'EAAJB', address: 'whatsapp' },
    });
  });

  it('writes to the field its name tells, or another one', () => {
    const named = { CHANNEL_SMS_DRIVER: 'whatsapp', CHANNEL_SMS_FROM: '106540352242922', CHANNEL_SMS_TOKEN: 'EAAJB' };
    expect(load(named).channels[0]?.address).toBe('phone');
    expect(load({ ...whatsapp, CHANNEL_WHATSAPP_ADDRESS: 'phone' }).channels[0]?.address).toBe('phone');
  });

  it('takes another address of the Graph API', () => {
    const url = 'https://graph.example/v25.0//';
    expect(load({ ...whatsapp, CHANNEL_WHATSAPP_URL: url }).channels[0]?.url).toBe('https://graph.example/v25.0');
  });

  it.each([
    [{ CHANNEL_WHATSAPP_FROM: '' }, /^CHANNEL_WHATSAPP_FROM is not set; driver whatsapp needs the phone number id/],
    [
      { CHANNEL_WHATSAPP_FROM: '+49 151' },
      /^CHANNEL_WHATSAPP_FROM is \*\*\* \(7 characters\); allowed: the phone number id/,
    ],
    [{ CHANNEL_WHATSAPP_TOKEN: '' }, /^CHANNEL_WHATSAPP_TOKEN is not set; driver whatsapp needs visible ASCII/],
    [{ CHANNEL_WHATSAPP_URL: 'https://graph.example/v25.0?a=b' }, /^CHANNEL_WHATSAPP_URL is .* the Graph API/],
    [{ CHANNEL_WHATSAPP_HEADERS: '{"Authorization":"x"}' }, /^CHANNEL_WHATSAPP_TOKEN and an Authorization header/],
  ])('refuses %j', (env, fault) => {
    expect(faultsOf({ ...whatsapp, ...env })).toEqual([expect.stringMatching(fault)]);
  });
});
