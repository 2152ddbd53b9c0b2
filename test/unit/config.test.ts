import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { describeConfig, type LoadOptions, loadConfig } from '../../src/config.ts';
import { isServiceError } from '../../src/domain/errors.ts';

const uri = 'mongodb://db.example:27017/?replicaSet=rs0';
const load = (env: NodeJS.ProcessEnv, options?: LoadOptions) => loadConfig({ MONGODB_URI: uri, ...env }, options);

/** The faults, one a line. */
function faultsOf(env: NodeJS.ProcessEnv, options?: LoadOptions): string[] {
  try {
    load(env, options);
  } catch (error) {
    if (!isServiceError(error, 'config_invalid')) throw error;
    return error.message.split('\n- ').slice(1);
  }
  return [];
}
const file = (content: string) => ({ readFile: () => content });
const sms = { CHANNEL_SMS_DRIVER: 'http', CHANNEL_SMS_URL: 'https://provider.example/send' };

describe('defaults', () => {
  it('are those of the contract', () => {
    const { sources, warnings, ...config } = load({});
    expect(config).toEqual({
      mongodbUri: uri,
      mongodbDatabase: 'communication_base',
      workerThreads: 1,
      batchSize: 1000,
      batchWindowMs: 10,
      partitions: 64,
      leaseTtlMs: 10_000,
      sendConcurrency: 512,
      shutdownGraceMs: 25_000,
      logLevel: 'info',
      healthPort: 8080,
      channels: [],
    });
    expect(sources).toEqual({ MONGODB_URI: 'environment' });
    expect(warnings).toEqual([]);
  });

  it('of a channel are those of the contract', () => {
    expect(load(sms).channels).toEqual([
      {
        name: 'sms',
        driver: 'http',
        url: 'https://provider.example/send',
        headers: {},
        address: 'phone',
        concurrency: 64,
        timeoutMs: 10_000,
        attempts: 8,
        giveUpMs: 86_400_000,
        delivery: 'at-least-once',
      },
    ]);
  });

  it('an empty variable counts as not set', () => {
    expect(load({ WORKER_THREADS: '', HASH_KEY: '', HASH_KEY_FILE: '' }).workerThreads).toBe(1);
  });

  it('the URI is required unless the command says otherwise', () => {
    expect(faultsOf({ MONGODB_URI: '' })).toEqual([expect.stringMatching(/^MONGODB_URI is not set; allowed: mongodb/)]);
    expect(loadConfig({}, { requireUri: false }).mongodbUri).toBe('');
  });
});

describe('the value', () => {
  it('is frozen to the bottom and can be cloned into a thread', () => {
    const config = load({ ...sms, CHANNEL_SMS_HEADERS: '{"X-Env":"test"}', CHANNEL_SMS_ALLOW: '+491, +492' });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.channels[0]?.headers)).toBe(true);
    expect(Object.isFrozen(config.channels[0]?.allow)).toBe(true);
    expect(structuredClone(config)).toEqual(config);
  });

  it('takes every setting of a channel', () => {
    const [channel] = load({
      CHANNEL_SMS_BACKUP_DRIVER: 'http',
      CHANNEL_SMS_BACKUP_URL: 'http://127.0.0.1:1/x',
      CHANNEL_SMS_BACKUP_TOKEN: 't0ken',
      CHANNEL_SMS_BACKUP_HEADERS: '{"X-Env":"test"}',
      CHANNEL_SMS_BACKUP_FROM: 'Acme',
      CHANNEL_SMS_BACKUP_ADDRESS: 'whatsapp',
      CHANNEL_SMS_BACKUP_CONCURRENCY: '3',
      CHANNEL_SMS_BACKUP_TIMEOUT_MS: '250',
      CHANNEL_SMS_BACKUP_RATE: '90/m',
      CHANNEL_SMS_BACKUP_BURST: '4',
      CHANNEL_SMS_BACKUP_ATTEMPTS: '2',
      CHANNEL_SMS_BACKUP_GIVE_UP: 'P1DT1H',
      CHANNEL_SMS_BACKUP_DELIVERY: 'at-most-once',
      CHANNEL_SMS_BACKUP_ALLOW: '+491, +492',
      CHANNEL_SMS_BACKUP_REDIRECT: '+490',
    }).channels;
    expect(channel).toEqual({
      name: 'sms_backup',
      driver: 'http',
      url: 'http://127.0.0.1:1/x',
      token: 't0ken',
      headers: { 'X-Env': 'test' },
      from: 'Acme',
      address: 'whatsapp',
      concurrency: 3,
      timeoutMs: 250,
      rate: { perSecond: 1.5, burst: 4 },
      attempts: 2,
      giveUpMs: 90_000_000,
      delivery: 'at-most-once',
      allow: ['+491', '+492'],
      redirect: '+490',
    });
  });

  it.each([
    ['EMAIL', 'email'],
    ['PHONE', 'phone'],
    ['SMS', 'phone'],
    ['WHATSAPP', 'whatsapp'],
    ['URL', 'url'],
  ])('channel %s sends to the contact field %s', (name, address) => {
    expect(load({ [`CHANNEL_${name}_DRIVER`]: 'console' }).channels[0]?.address).toBe(address);
  });

  it('any whole number in range is taken, anything else is a fault', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer({ min: -5, max: 100 }).map(String), fc.string({ minLength: 1 })), (text) => {
        const allowed = /^\s*\d{1,15}\s*$/.test(text) && Number(text) >= 1 && Number(text) <= 64;
        const faults = faultsOf({ WORKER_THREADS: text });
        expect(faults.length === 0).toBe(allowed);
        if (allowed) expect(load({ WORKER_THREADS: text }).workerThreads).toBe(Number(text));
        else expect(faults[0]).toContain('allowed: a whole number from 1 to 64');
      }),
    );
  });
});

describe('_FILE', () => {
  it('gives the content without its last line feed', () => {
    const config = load({ HASH_KEY_FILE: '/run/key' }, file('0123456789abcdef\n'));
    expect(config.hashKey).toBe('0123456789abcdef');
    expect(config.sources?.['HASH_KEY']).toBe('file');
  });

  it('works for channels', () => {
    expect(load({ ...sms, CHANNEL_SMS_TOKEN_FILE: '/t' }, file('abc\r\n')).channels[0]?.token).toBe('abc');
  });

  it('beside the plain variable is a fault', () => {
    expect(faultsOf({ HASH_KEY: '0123456789abcdef', HASH_KEY_FILE: '/x' })).toEqual([
      'HASH_KEY and HASH_KEY_FILE are both set; allowed: one of them',
    ]);
  });

  it('that is missing or empty is a fault that names it', () => {
    expect(faultsOf({ MONGODB_URI: '', MONGODB_URI_FILE: '/no/such/file' })).toEqual([
      'MONGODB_URI_FILE is "/no/such/file": the file cannot be read (ENOENT); allowed: a readable file that holds the value of MONGODB_URI',
    ]);
    expect(faultsOf({ HASH_KEY_FILE: '/empty' }, file('\n'))[0]).toContain(
      'HASH_KEY_FILE is "/empty": the file is empty',
    );
  });
});

describe('faults', () => {
  it('come all at once, each with the variable, what it was and what is allowed', () => {
    expect(
      faultsOf({ WORKER_THREADS: 'zero', LOG_LEVEL: 'loud', LEASE_TTL_MS: '10', MONGODB_DATABASE: 'a.b' }),
    ).toEqual([
      expect.stringMatching(/^MONGODB_DATABASE is "a\.b"; allowed: a database name/),
      'WORKER_THREADS is "zero"; allowed: a whole number from 1 to 64',
      'LEASE_TTL_MS is "10"; allowed: a whole number from 1000 to 600000',
      'LOG_LEVEL is "loud"; allowed: error, warn, info, debug',
    ]);
  });

  it.each(['1e3', '0x10', '-1', '1.5', ' ', 'Infinity', '99999999999999999999'])('%j is no BATCH_SIZE', (text) => {
    expect(faultsOf({ BATCH_SIZE: text })).toHaveLength(1);
  });

  it('never show a secret', () => {
    const message = faultsOf({
      ...sms,
      MONGODB_URI: 'mongodb://app:s3cret@/x@y?authSource=admin',
      HASH_KEY: 'tooshorts3cret',
      CHANNEL_SMS_TOKEN: 's3cret token',
      CHANNEL_SMS_HEADERS: '{"Authorization": "s3cret"',
    }).join('\n');
    expect(message.split('\n')).toHaveLength(4);
    expect(message).not.toContain('s3cret');
  });

  it.each(['ENCRYPTION_KEYS', 'PLUGINS', 'RETENTION_DAYS', 'PLUGINS_FILE', 'CHANNEL_SMS_FALLBACK'])(
    '%s is refused, not ignored',
    (name) => {
      const faults = faultsOf({ ...sms, [name]: '1' });
      expect(faults).toHaveLength(1);
      expect(faults[0]).toContain('not supported by this release');
      expect(faults[0]).toContain(name.replace('_FILE', ''));
    },
  );

  it('a rate that is none, and a burst of nothing', () => {
    expect(faultsOf({ ...sms, CHANNEL_SMS_RATE: '100' })).toEqual([
      'CHANNEL_SMS_RATE is "100"; allowed: messages a second, minute, hour or day, such as 100/s or 30/m, at least 1/d and at most 1000000/s',
    ]);
    expect(faultsOf({ ...sms, CHANNEL_SMS_BURST: '5' })).toEqual([
      'CHANNEL_SMS_BURST is set without CHANNEL_SMS_RATE; set both, or neither',
    ]);
    expect(load({ ...sms, CHANNEL_SMS_RATE: '100/s' }).channels[0]?.rate).toEqual({ perSecond: 100, burst: 100 });
  });

  it('rates of domains: only of mail, each domain once', () => {
    const mail = { CHANNEL_EMAIL_DRIVER: 'console' };
    const rates = { CHANNEL_EMAIL_DOMAIN_RATES: 'Gmail.com=20/s, *=30/m' };
    expect(load({ ...mail, ...rates }).channels[0]?.domainRates).toEqual({ 'gmail.com': 20, '*': 0.5 });
    for (const text of [
      'gmail.com',
      'gmail.com=0/s',
      'a.test=1/s,a.test=2/s',
      'a b=1/s',
      'a.test=1/s=2',
      ',',
      '-a=1/s',
    ])
      expect(faultsOf({ ...mail, CHANNEL_EMAIL_DOMAIN_RATES: text })).toEqual([
        `CHANNEL_EMAIL_DOMAIN_RATES is ${JSON.stringify(text)}; allowed: domains with a rate each, such as gmail.com=20/s,*=5/s; * is each other domain by itself`,
      ]);
    expect(faultsOf({ ...sms, CHANNEL_SMS_DOMAIN_RATES: 'gmail.com=20/s' })).toEqual([
      'CHANNEL_SMS_DOMAIN_RATES is set, and its address is phone; allowed: only where the address is email',
    ]);
  });

  it('an unknown driver is told with those there are', () => {
    expect(faultsOf({ CHANNEL_EMAIL_DRIVER: 'pigeon' })).toEqual([
      'CHANNEL_EMAIL_DRIVER is "pigeon"; allowed: smtp, http, twilio, whatsapp, webhook, console, file',
    ]);
  });

  it.each([
    ['CHANNEL_SMS_TIMEOUT', 'CHANNEL_SMS_TIMEOUT_MS'],
    ['CHANNEL_SMS_ADRESS', 'CHANNEL_SMS_ADDRESS'],
    ['CHANNEL_SMS_GIVEUP_FILE', 'CHANNEL_SMS_GIVE_UP'],
  ])('%s: did you mean %s?', (given, meant) => {
    expect(faultsOf({ ...sms, [given]: '1' })).toEqual([
      expect.stringMatching(
        new RegExp(`^${given} is not known: did you mean ${meant}\\? allowed: CHANNEL_<NAME>_ and DRIVER,`),
      ),
    ]);
  });

  it('a setting that resembles nothing is told without a guess', () => {
    expect(faultsOf({ ...sms, CHANNEL_SMS_COLOUR: 'red' })[0]).toMatch(/^CHANNEL_SMS_COLOUR is not known: allowed:/);
  });

  it('a channel without a driver, a url or a known address names what is missing', () => {
    expect(faultsOf({ CHANNEL_EMAIL_FROM: 'Acme' })).toEqual([
      'CHANNEL_EMAIL_DRIVER is not set; allowed: smtp, http, twilio, whatsapp, webhook, console, file',
    ]);
    expect(faultsOf({ CHANNEL_PUSH_DRIVER: 'http' })).toEqual([
      'CHANNEL_PUSH_URL is not set; driver http needs an http:// or https:// URL',
      'CHANNEL_PUSH_ADDRESS is not set, and the name "push" does not tell the address; allowed: email, phone, whatsapp, url',
    ]);
  });

  it('an allow list or redirect that is empty does not open the channel to everybody', () => {
    expect(faultsOf({ ...sms, CHANNEL_SMS_ALLOW: '' })[0]).toContain('CHANNEL_SMS_ALLOW is empty');
    expect(faultsOf({ ...sms, CHANNEL_SMS_REDIRECT: '' })[0]).toContain('CHANNEL_SMS_REDIRECT is empty');
    expect(faultsOf({ ...sms, CHANNEL_SMS_ALLOW: '+491,,' })[0]).toContain('CHANNEL_SMS_ALLOW is "+491,,"');
  });

  it.each([
    '[]',
    '"x"',
    'X-Env: test',
    '{"X-Env":1}',
    '{"X Env":"a"}',
    '{"X-Env":"a\\r\\nBcc: b"}',
    '{"Idempotency-Key":"a"}',
    '{"x-env":"a","X-Env":"b"}',
    '{"__proto__":"a"}',
  ])('headers %s are refused', (text) => {
    expect(faultsOf({ ...sms, CHANNEL_SMS_HEADERS: text })).toHaveLength(1);
  });

  it.each(['PT0S', 'P1M', '24h', 'P', 'P400D'])('GIVE_UP %s is refused', (text) => {
    expect(faultsOf({ ...sms, CHANNEL_SMS_GIVE_UP: text })).toHaveLength(1);
  });

  it('two sources of authorization are one too many', () => {
    expect(faultsOf({ ...sms, CHANNEL_SMS_TOKEN: 'a', CHANNEL_SMS_HEADERS: '{"authorization":"b"}' })).toHaveLength(1);
  });

  it.each(['localhost:27017', 'http://x', 'mongodb://', 'mongodb://u:p/w@host'])('%s is no MONGODB_URI', (text) => {
    expect(faultsOf({ MONGODB_URI: text })).toHaveLength(1);
  });

  it.each([
    'mongodb://a,b:27018,[::1]:27019/db?replicaSet=rs0',
    'mongodb+srv://u%40x:p%2Fw@cluster.example/?retryWrites=true',
    'mongodb://%2Ftmp%2Fmongodb.sock',
  ])('%s is one', (text) => {
    expect(load({ MONGODB_URI: text }).mongodbUri).toBe(text);
  });
});

describe('driver smtp', () => {
  const mail = {
    CHANNEL_NEWS_DRIVER: 'smtp',
    CHANNEL_NEWS_URL: 'smtps://relay.example',
    CHANNEL_NEWS_FROM: '"Compass, Inc." <news@compass.example>',
  };

  it('sends to email whatever its name is, with patience, and takes what mail needs', () => {
    const [channel] = load({
      ...mail,
      CHANNEL_NEWS_URL: 'smtp://app@relay.example:2525?name=mail.compass.example',
      CHANNEL_NEWS_TOKEN: 's3cret',
      CHANNEL_NEWS_HEADERS: '{"Reply-To":"Team <team@compass.example>","X-Größe":"a"}'.replace('X-Größe', 'X-Size'),
      CHANNEL_NEWS_ATTACHMENT_HOSTS: 'Files.compass.example, cdn.compass.example:8443,a.example:443',
    }).channels;
    expect(channel).toMatchObject({
      ...{ name: 'news', driver: 'smtp', address: 'email', concurrency: 16, timeoutMs: 60_000, token: 's3cret' },
      from: '"Compass, Inc." <news@compass.example>',
      headers: { 'Reply-To': 'Team <team@compass.example>', 'X-Size': 'a' },
      attachmentHosts: ['files.compass.example', 'cdn.compass.example:8443', 'a.example'],
    });
  });

  it.each([
    ['URL', 'http://relay.example'],
    ['URL', 'relay.example:25'],
    ['URL', 'smtp://'],
    ['URL', 'smtp://relay.example/path'],
    ['URL', 'smtp://relay.example?tls=maybe'],
    ['URL', 'smtps://relay.example?tls=none'],
    ['URL', 'smtps://relay.example?tls=opportunistic'],
    ['URL', 'smtp://relay.example?TLS=none'],
    ['URL', 'smtp://relay.example?tls=none&tls=none'],
    ['URL', 'smtp://relay.example?name=a%0d%0aMAIL'],
    ['URL', 'smtp://relay.example:0'],
    ['URL', 'smtp://relay.example:65536'],
    ['FROM', 'Compass'],
    ['FROM', 'a@b.example, c@d.example'],
    ['FROM', 'Compass, Inc. <news@compass.example>'],
    ['FROM', 'jörg@compass.example'],
    ['FROM', 'x\r\nBcc: y@z.example <news@compass.example>'],
    ['HEADERS', '{"Bcc":"a@b.example"}'],
    ['HEADERS', '{"content-type":"text/html"}'],
    ['HEADERS', '{"X-A":"a\\r\\nBcc: b@c.example"}'],
    ['HEADERS', '{"X A":"a"}'],
    ['HEADERS', '{"X-A":7}'],
    ['HEADERS', '{"X-A":" "}'],
    ['HEADERS', '{"x-a":"1","X-A":"2"}'],
    ['HEADERS', '[]'],
    ['HEADERS', 'x'],
    ['ATTACHMENT_HOSTS', 'https://files.example'],
    ['ATTACHMENT_HOSTS', 'files.example/x'],
    ['ATTACHMENT_HOSTS', 'files.example:0'],
    ['ATTACHMENT_HOSTS', 'a.example,,b.example'],
    ['ATTACHMENT_HOSTS', '*'],
    ['ADDRESS', 'phone'],
    ['REDIRECT', 'tester'],
    ['REDIRECT', 'a@b.example, c@d.example'],
  ])('%s %j is refused', (setting, value) => {
    const variable = `CHANNEL_NEWS_${setting}`;
    const faults = faultsOf({ ...mail, [variable]: value });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(`${variable} is `);
    expect(faults[0]).toContain('; allowed: ');
  });

  it('needs a server and a sender', () => {
    expect(faultsOf({ CHANNEL_NEWS_DRIVER: 'smtp' })).toEqual([
      expect.stringMatching(/^CHANNEL_NEWS_URL is not set; driver smtp needs smtp:/),
      expect.stringMatching(/^CHANNEL_NEWS_FROM is not set; driver smtp needs one sender/),
    ]);
  });

  it.each([
    ['smtp://u:p@relay.example', 't', 'TOKEN and a password in CHANNEL_NEWS_URL are both set'],
    ['smtp://relay.example', 't', 'URL has no user for the password'],
    ['smtp://:p@relay.example', '', 'URL has no user for the password'],
    ['smtp://u@relay.example', '', 'URL has a user and no password'],
    ['smtp://u:p@relay.example?tls=none', '', 'URL has tls=none and a user: the password could be read'],
    ['smtp://u:p@relay.example?tls=opportunistic', '', 'URL has tls=opportunistic and a user: the password could'],
  ])('login by %s and token %j is a fault', (url, token, fault) => {
    const faults = faultsOf({ ...mail, CHANNEL_NEWS_URL: url, CHANNEL_NEWS_TOKEN: token });
    expect(faults).toEqual([expect.stringContaining(fault)]);
    expect(faults[0]).not.toContain(':p@');
  });

  it.each(['smtp://u:p@localhost:25?tls=none', 'smtp://u:p@[::1]?tls=none', 'smtp://mail_relay:1025?tls=none'])(
    '%s is fine',
    (url) => expect(load({ ...mail, CHANNEL_NEWS_URL: url }).channels[0]?.url).toBe(url),
  );

  describe('signatures (DKIM)', () => {
    const pem = (label: string): string => `-----BEGIN ${label}-----\nczNjcmV0\nczNjcmV0\n-----END ${label}-----`;
    const set = (domain: string, selector: string, key: string) => ({
      ...{
        ...mail,
        CHANNEL_NEWS_DKIM_DOMAIN: domain,
        CHANNEL_NEWS_DKIM_SELECTOR: selector,
        CHANNEL_NEWS_DKIM_KEY: key,
      },
    });

    it.each(['PRIVATE KEY', 'RSA PRIVATE KEY'])('takes a %s, in lines or with its line ends written out', (label) => {
      for (const key of [pem(label), pem(label).replaceAll('\n', '\\n'), `${pem(label)}\n`]) {
        const config = load(set(' Compass.example', '2026a._x'.replace('._x', '.eu'), key));
        expect(config.channels[0]?.dkim).toEqual({ domain: 'compass.example', selector: '2026a.eu', key: pem(label) });
        expect(config.warnings).toEqual([]);
        const shown = describeConfig(config).filter(({ variable }) => variable.includes('_DKIM_'));
        expect(shown.map(({ value }) => value)).toEqual(['compass.example', '2026a.eu', '***']);
      }
    });

    it('reads the key from a file', () => {
      const { CHANNEL_NEWS_DKIM_KEY: _, ...rest } = set('compass.example', 'a', '');
      const config = load({ ...rest, CHANNEL_NEWS_DKIM_KEY_FILE: '/k' }, file(`${pem('PRIVATE KEY')}\n`));
      expect(config.channels[0]?.dkim?.key).toBe(pem('PRIVATE KEY'));
    });

    it('has all three settings, or none', () => {
      expect(load(mail).channels[0]).not.toHaveProperty('dkim');
      expect(faultsOf({ ...mail, CHANNEL_NEWS_DKIM_SELECTOR: 'a' })).toEqual([
        expect.stringMatching(
          /^CHANNEL_NEWS_DKIM_DOMAIN is not set; allowed with CHANNEL_NEWS_DKIM_SELECTOR: a domain/,
        ),
        expect.stringMatching(
          /^CHANNEL_NEWS_DKIM_KEY is not set; allowed with .*: an RSA private key of 1024 to 4096 bits/,
        ),
      ]);
    });

    it.each([
      ['the public key', pem('PUBLIC KEY'), 'which is a public key'],
      ['a key with a passphrase', pem('ENCRYPTED PRIVATE KEY'), 'which has a passphrase'],
      ['an older one', pem('RSA PRIVATE KEY').replace('\n', '\nProc-Type: 4,ENCRYPTED\n'), 'which has a passphrase'],
      ['a key of another kind', pem('EC PRIVATE KEY'), 'which says EC PRIVATE KEY'],
      ['half a key', pem('PRIVATE KEY').slice(0, -9), 'which is not whole'],
      ['no PEM', 'czNjcmV0', 'which is no PEM'],
    ])('%s is refused by what it is, and not shown', (_, key, why) => {
      const [fault, ...more] = faultsOf(set('compass.example', 'a', key));
      expect(more).toEqual([]);
      expect(fault).toMatch(/^CHANNEL_NEWS_DKIM_KEY is \*\*\* \(\d+ characters\), which /);
      expect(fault).toContain(`${why}; allowed: an RSA private key`);
      expect(fault).not.toContain('czNjcmV0');
    });

    it.each([
      ['DOMAIN', 'compass'],
      ['DOMAIN', 'https://compass.example'],
      ['DOMAIN', 'größe.example'],
      ['DOMAIN', 'a.example; s=x'],
      ['SELECTOR', 'a._domainkey'],
      ['SELECTOR', 'a;b'],
      ['SELECTOR', '-a'],
      ['SELECTOR', 'a..b'],
    ])('%s %j is refused', (setting, value) => {
      const faults = faultsOf({
        ...set('a.example', 'a', pem('PRIVATE KEY')),
        [`CHANNEL_NEWS_DKIM_${setting}`]: value,
      });
      expect(faults).toEqual([
        expect.stringContaining(`CHANNEL_NEWS_DKIM_${setting} is ${JSON.stringify(value)}; allowed`),
      ]);
    });

    it.each([
      ['compass.example', []],
      ['mail.compass.example', []],
      ['example', undefined],
      ['other.example', ['does not count for DMARC']],
      ['s.example', ['does not count for DMARC']],
    ])('of %s for mail from compass.example warns of %j', (domain, expected) => {
      if (expected === undefined) return expect(faultsOf(set(domain, 'a', pem('PRIVATE KEY')))).toHaveLength(1);
      const { warnings } = load(set(domain, 'a', pem('PRIVATE KEY')));
      return expect(warnings).toEqual(expected.map((text) => expect.stringContaining(text)));
    });

    it('has no effect with another driver', () => {
      const given = set('compass.example', 'a', pem('PRIVATE KEY'));
      const { warnings } = load({
        ...given,
        CHANNEL_NEWS_DRIVER: 'file',
        CHANNEL_NEWS_URL: '/m',
        CHANNEL_NEWS_ADDRESS: 'email',
      });
      expect(warnings?.filter((text) => text.includes('DKIM'))).toHaveLength(3);
    });
  });

  it('takes a redirection to a mail address', () => {
    const [channel] = load({ ...mail, CHANNEL_NEWS_REDIRECT: ' Tester@example.com ' }).channels;
    expect(channel?.redirect).toBe('Tester@example.com');
  });

  it.each([
    ['smtp://user:s3cret#w0rd', 'smtp://***'],
    ['smtp://user:p@s3cret/w0rd', 'smtp://***'],
    ['smtp://user:s3cret@relay.example/w0rd', 'smtp://***'],
    ['smtp:user:s3cret', '*** (16 characters)'],
    ['smtp:s3cret://w0rd', '*** (18 characters)'],
    ['smtp://relay.example?tls=maybe', 'smtp://relay.example?tls=maybe'],
  ])('a wrong URL %s is shown as %s', (url, shown) => {
    expect(faultsOf({ ...mail, CHANNEL_NEWS_URL: url })[0]).toContain(`CHANNEL_NEWS_URL is ${shown}; allowed: `);
  });

  it.each([
    ['CHANNEL_SMS_URL', 'https://user:s3cret#w0rd'],
    ['MONGODB_URI', 'mongodb://user:s3cret/w0rd@'],
  ])('nor does a wrong %s show a password', (name, value) => {
    const [fault] = faultsOf({ ...sms, [name]: value });
    expect(fault).toMatch(/:\/\/\*\*\*; allowed/);
  });

  it('shows no password', () => {
    const config = load({
      ...mail,
      CHANNEL_NEWS_URL: 'smtp://app:s3cret@relay.example?name=a.example',
      CHANNEL_NEWS_HEADERS: '{"X-Key":"s3cret"}',
    });
    expect(JSON.stringify(describeConfig(config))).not.toContain('s3cret');
    expect(describeConfig(config)).toContainEqual({
      ...{ variable: 'CHANNEL_NEWS_URL', value: 'smtp://***@relay.example?name=a.example', source: 'environment' },
    });
  });
});

describe('warnings', () => {
  it('tell of timeoutMS, of near misses and of settings without effect', () => {
    const env = { MONGODB_URI: `${uri}&timeoutms=5`, WORKER_THREAD: '4', ...sms, CHANNEL_SMS_DRIVER: 'console' };
    expect(load(env).warnings).toEqual([
      expect.stringContaining('MONGODB_URI sets timeoutMS'),
      'CHANNEL_SMS_URL has no effect with driver console',
      'WORKER_THREAD is not known and has no effect: did you mean WORKER_THREADS?',
    ]);
  });
});

describe('describeConfig', () => {
  it('shows what is in force, where from, and no secret', () => {
    const config = load(
      {
        ...sms,
        MONGODB_URI: 'mongodb://app:s3cret@a,b/?authSource=admin&tlsCertificateKeyFilePassword=s3cret',
        HASH_KEY_FILE: '/key',
        CHANNEL_SMS_URL: 'https://u:s3cret@provider.example/send?api_key=s3cret&x=1',
        CHANNEL_SMS_TOKEN: 's3cret',
        CHANNEL_SMS_HEADERS: '{"X-Api-Key":"s3cret","X-Env":"test"}',
      },
      file('s3cret-s3cret-s3cret'),
    );
    const rows = describeConfig(config);
    expect(JSON.stringify(rows)).not.toContain('s3cret');
    expect(rows).toEqual(
      expect.arrayContaining([
        {
          variable: 'MONGODB_URI',
          value: 'mongodb://***@a,b/?authSource=admin&tlsCertificateKeyFilePassword=***',
          source: 'environment',
        },
        { variable: 'HASH_KEY', value: '***', source: 'file' },
        { variable: 'PARTITIONS', value: '64', source: 'default' },
        {
          variable: 'CHANNEL_SMS_URL',
          value: 'https://***@provider.example/send?api_key=***&x=1',
          source: 'environment',
        },
        { variable: 'CHANNEL_SMS_HEADERS', value: '{"X-Api-Key":"***","X-Env":"test"}', source: 'environment' },
        { variable: 'CHANNEL_SMS_GIVE_UP', value: 'PT24H', source: 'default' },
      ]),
    );
  });
});
