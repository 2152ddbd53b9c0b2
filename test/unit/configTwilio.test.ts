import { describe, expect, it } from '@jest/globals';
import { type ChannelConfig, loadConfig } from '../../src/config.ts';
import { describeConfig } from '../../src/configDescribe.ts';

const uri = 'mongodb://127.0.0.1/?replicaSet=rs0';
const hex = '0123456789abcdef'.repeat(2);
const sms = {
  CHANNEL_SMS_DRIVER: 'twilio',
  CHANNEL_SMS_ACCOUNT: `AC${hex}`,
  CHANNEL_SMS_TOKEN: 's3cret',
  CHANNEL_SMS_FROM: '+15551234567',
};
const load = (env: NodeJS.ProcessEnv) => loadConfig({ MONGODB_URI: uri, ...env });
const channelOf = (env: NodeJS.ProcessEnv): ChannelConfig | undefined => load({ ...sms, ...env }).channels[0];
function faultOf(env: NodeJS.ProcessEnv): string {
  try {
    load(env);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

describe('a channel of Twilio', () => {
  it('needs an account, a token and a sender; the rest has defaults', () => {
    expect(channelOf({})).toMatchObject({
      ...{ url: 'https://api.twilio.com', account: `AC${hex}`, token: 's3cret', from: '+15551234567' },
      ...{ address: 'phone', maxSegments: 10, concurrency: 64, timeoutMs: 10_000 },
    });
    const fault = faultOf({ CHANNEL_TEXTS_DRIVER: 'twilio' });
    for (const setting of ['ACCOUNT', 'TOKEN', 'FROM']) {
      expect(fault).toContain(`CHANNEL_TEXTS_${setting} is not set; driver twilio needs`);
    }
  });

  it.each([
    ['URL', 'https://api.dublin.ie1.twilio.com/', 'https://api.dublin.ie1.twilio.com'],
    ['FROM', `MG${hex}`, `MG${hex}`],
    ['FROM', '12345', '12345'],
    ['FROM', 'Acme & Co', 'Acme & Co'],
    ['TOKEN', `SK${hex}:a:b`, `SK${hex}:a:b`],
    ['STATUS_CALLBACK', 'https://us.example/x?y=1', 'https://us.example/x?y=1'],
    ['MAX_SEGMENTS', '3', 3],
  ])('takes _%s %s', (setting, text, value) => {
    const names: Record<string, keyof ChannelConfig> = {
      STATUS_CALLBACK: 'statusCallback',
      MAX_SEGMENTS: 'maxSegments',
    };
    const key = names[setting] ?? (setting.toLowerCase() as keyof ChannelConfig);
    expect(channelOf({ [`CHANNEL_SMS_${setting}`]: text })?.[key]).toBe(value);
  });

  it.each([
    ['URL', 'https://user:s3cret@api.twilio.com'],
    ['URL', 'https://api.twilio.com/2010-04-01'],
    ['ACCOUNT', `SK${hex}`],
    ['ACCOUNT', 'AC123'],
    ['ACCOUNT', 's3cret'],
    ['TOKEN', 's3cret:more'],
    ['TOKEN', 'SK12:s3cret'],
    ['FROM', '015551234567890'],
    ['FROM', 'A name too long'],
    ['FROM', '123456789'],
    ['STATUS_CALLBACK', 'https://a_b.example/'],
    ['STATUS_CALLBACK', 'us.example'],
    ['MAX_SEGMENTS', '0'],
    ['MAX_SEGMENTS', '256'],
  ])('does not take _%s %s, and shows no secret', (setting, text) => {
    const fault = faultOf({ ...sms, [`CHANNEL_SMS_${setting}`]: text });
    expect(fault).toContain(`CHANNEL_SMS_${setting} is `);
    expect(fault).not.toContain('s3cret');
  });

  it('is described without its token', () => {
    const rows = describeConfig(
      load({ ...sms, CHANNEL_SMS_STATUS_CALLBACK: 'https://u:s3cret@us.example/?key=s3cret' }),
    );
    expect(JSON.stringify(rows)).not.toContain('s3cret');
    expect(rows).toContainEqual({ variable: 'CHANNEL_SMS_ACCOUNT', value: `AC${hex}`, source: 'environment' });
    expect(rows).toContainEqual({ variable: 'CHANNEL_SMS_MAX_SEGMENTS', value: '10', source: 'default' });
  });

  it('has settings that others have no use for', () => {
    expect(load({ ...sms, CHANNEL_SMS_DRIVER: 'console', CHANNEL_SMS_FROM: '' }).warnings).toEqual(
      expect.arrayContaining(['CHANNEL_SMS_ACCOUNT has no effect with driver console']),
    );
  });
});
