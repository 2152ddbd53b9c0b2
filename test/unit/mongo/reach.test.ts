import { describe, expect, test } from '@jest/globals';
import { MongoNetworkError, MongoServerError } from 'mongodb';
import { innermost, isLoginRefused, networkFaultOf } from '../../../src/mongo/networkFault.ts';
import { directUri, type Probe } from '../../../src/mongo/probe.ts';
import { explain, type ReachFault } from '../../../src/mongo/reach.ts';
import { missingActions, type Privilege } from '../../../src/mongo/rights.ts';

const system = (code: string, given: object = {}): Error =>
  Object.assign(new Error(`${code} happened`), { code, ...given });
const wrapped = (cause: Error): Error => new MongoNetworkError(cause.message, { cause });

describe('what is said of a connection', () => {
  const said: [Error, string][] = [
    [system('ENOTFOUND'), 'dns'],
    [system('ESERVFAIL', { syscall: 'querySrv' }), 'dns'],
    [system('EREFUSED', { syscall: 'querySrv' }), 'dns'],
    [system('ECONNREFUSED'), 'refused'],
    [Object.assign(new AggregateError([system('ECONNREFUSED')], ''), { code: undefined }), 'refused'],
    [system('EHOSTUNREACH'), 'silent'],
    [system('DEPTH_ZERO_SELF_SIGNED_CERT'), 'certificate'],
    [system('ERR_TLS_CERT_ALTNAME_INVALID'), 'certificate'],
    [new Error('connection 1 to h:1 closed'), 'broken'],
  ];
  test.each(said.map(([error, fault]) => [error.message, fault, error] as const))('%s is %s', (_, fault, error) => {
    expect(networkFaultOf(error)).toBe(fault);
    expect(networkFaultOf(wrapped(error))).toBe(fault);
  });

  test('the innermost words tell, and a refused login is known wherever it stands', () => {
    expect(innermost(wrapped(system('ECONNREFUSED')))).toBe('ECONNREFUSED happened');
    expect(innermost('no error')).toBe('no error');
    expect(isLoginRefused(wrapped(new MongoServerError({ code: 18, message: 'no' })))).toBe(true);
    expect(isLoginRefused(wrapped(new MongoServerError({ code: 13, message: 'no' })))).toBe(false);
  });
});

describe('the URI of one server', () => {
  test('has neither login nor set, and what concerns TLS', () => {
    const uri = 'mongodb://u:p%40@a:1,b:2/app?replicaSet=rs0&authSource=x&tls=true&tlsCAFile=/ca.pem&timeoutMS=5&w=1';
    expect(directUri(uri, 'b:2')).toBe('mongodb://b:2/?directConnection=true&tls=true&tlsCAFile=/ca.pem');
    expect(directUri(uri, 'b:2', false)).toBe('mongodb://b:2/?directConnection=true');
    expect(directUri('mongodb+srv://u:p@x.y/', 'b:2')).toBe('mongodb://b:2/?directConnection=true&tls=true');
    expect(directUri('mongodb+srv://u:p@x.y/?tls=false', 'b:2')).toBe('mongodb://b:2/?directConnection=true&tls=false');
  });
});

describe('why no server can be chosen', () => {
  const member = (host: string, hello: object): Probe => ({ host, hello });
  const gone = (host: string, given: Partial<Extract<Probe, { fault: unknown }>> = {}): Probe => ({
    host,
    fault: 'refused',
    message: 'nobody there',
    ...given,
  });
  const set = { setName: 'rs0', hosts: ['a:1', 'b:2'] };
  const cases: [string, Probe[], Partial<ReachFault>, { asked?: string; others?: Record<string, Probe> }?][] = [
    ['nobody listens', [gone('a:1'), gone('b:2')], { code: 'refused', hosts: ['a:1', 'b:2'], message: 'nobody there' }],
    [
      'a certificate tells more',
      [gone('a:1'), gone('b:2', { fault: 'certificate', message: 'c' })],
      { code: 'certificate', message: 'c' },
    ],
    ['TLS is missing', [gone('a:1', { fault: 'broken', encryption: 'missing' })], { code: 'tls_missing' }],
    ['TLS is unwanted', [gone('a:1', { fault: 'broken', encryption: 'unwanted' })], { code: 'tls_unwanted' }],
    ['a standalone server', [member('a:1', {})], { code: 'standalone', host: 'a:1' }],
    ['no rs.initiate', [gone('b:2'), member('a:1', { isreplicaset: true })], { code: 'not_initiated', host: 'a:1' }],
    ['another set', [member('a:1', set)], { code: 'other_set', asked: 'rs1', found: 'rs0' }, { asked: 'rs1' }],
    ['no primary', [member('a:1', set)], { code: 'no_primary', set: 'rs0', members: 2, silent: ['b:2'] }],
    [
      'a primary by a name that is not known here',
      [member('x:9', { ...set, primary: 'b:2' })],
      { code: 'advertised', host: 'x:9', names: ['b:2'], message: 'nobody there' },
      { others: { 'a:1': member('a:1', set) } },
    ],
    [
      'all is well by now',
      [member('a:1', { ...set, hosts: ['a:1'], primary: 'a:1' })],
      { code: 'other', message: 'driver' },
    ],
    ['no server at all', [], { code: 'other' }],
  ];
  test.each(cases)('%s', async (_, probes, fault, { asked, others = {} } = {}) => {
    const ask = async (host: string): Promise<Probe> => others[host] ?? gone(host);
    expect(await explain(probes, { ask, asked, message: 'driver' })).toMatchObject(fault);
  });
});

describe('what is not granted', () => {
  const on = (resource: Privilege['resource'], ...actions: string[]): Privilege => ({ resource, actions });
  const place = { database: 'app', collections: ['x', 'y'] };
  test.each<[string, Privilege[], string[]]>([
    ['nothing at all', [], ['find', 'insert']],
    ['on the database', [on({ db: 'app', collection: '' }, 'find', 'insert')], []],
    ['on another database', [on({ db: 'other', collection: '' }, 'find', 'insert')], ['find', 'insert']],
    ['on every database', [on({ db: '', collection: '' }, 'find')], ['insert']],
    ['on one of the collections', [on({ db: 'app', collection: 'x' }, 'find')], ['find', 'insert']],
    ['on each of the collections', ['x', 'y'].map((collection) => on({ db: 'app', collection }, 'find')), ['insert']],
    ['on the cluster', [on({ cluster: true }, 'find', 'insert')], ['find', 'insert']],
    ['anything anywhere', [on({ anyResource: true }, 'anyAction')], []],
  ])('%s', (_, privileges, missing) => {
    expect(missingActions(privileges, ['find', 'insert'], place)).toEqual(missing);
  });
});
