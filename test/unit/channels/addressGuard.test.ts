import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from '@jest/globals';
import {
  AddressRefused,
  isAllowed,
  isPublic,
  publicLookup,
  type ResolveAll,
} from '../../../src/channels/addressGuard.ts';

describe('an address that anybody may have', () => {
  it.each(['8.8.8.8', '1.1.1.1', '93.184.215.14', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808'])(
    '%s is public',
    (address) => expect(isPublic(address)).toBe(true),
  );

  it.each([
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['loopback', '::1'],
    ['this host', '0.0.0.0'],
    ['this host', '::'],
    ['private', '10.1.2.3'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.0.1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['carrier-grade NAT, metadata of Alibaba', '100.100.100.200'],
    ['link-local, metadata of most clouds', '169.254.169.254'],
    ['link-local', 'fe80::1'],
    ['unique local', 'fc00::1'],
    ['unique local, metadata of AWS', 'fd00:ec2::254'],
    ['site local', 'fec0::1'],
    ['metadata of Azure', '168.63.129.16'],
    ['IPv4-mapped', '::ffff:127.0.0.1'],
    ['IPv4-mapped, in hexadecimals', '::ffff:a9fe:a9fe'],
    ['IPv4-mapped metadata of Azure', '::ffff:168.63.129.16'],
    ['IPv4-compatible', '::127.0.0.1'],
    ['translated', '64:ff9b::10.0.0.1'],
    ['translated locally', '64:ff9b:1::808:808'],
    ['6to4', '2002:7f00:1::'],
    ['Teredo', '2001:0:7f00:1::'],
    ['multicast', '224.0.0.1'],
    ['multicast', 'ff02::1'],
    ['broadcast', '255.255.255.255'],
    ['reserved', '240.0.0.1'],
    ['documentation', '192.0.2.1'],
    ['documentation', '2001:db8::1'],
    ['benchmarks', '198.18.0.1'],
    ['decimal', '2130706433'],
    ['hexadecimal', '0x7f.1'],
    ['octal', '0177.0.0.1'],
    ['short', '127.1'],
    ['with a zone', 'fe80::1%eth0'],
    ['none', 'example.com'],
    ['none', ''],
  ])('%s: %s is not', (_, address) => expect(isPublic(address)).toBe(false));
});

describe('the addresses of a name', () => {
  const finds =
    (...addresses: string[]): ResolveAll =>
    (_hostname, callback) =>
      callback(
        null,
        addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
  const lookedUp = (resolve: ResolveAll, all: boolean): Promise<unknown[]> =>
    new Promise((settle) => {
      publicLookup(resolve)('hooks.example.com', { all }, (...answer) => settle(answer));
    });

  it('are those that are public, of all that DNS gives', async () => {
    const resolve = finds('10.0.0.1', '8.8.8.8', '::1', '2606:4700::1111');
    const both = [
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1111', family: 6 },
    ];
    expect(await lookedUp(resolve, true)).toEqual([null, both]);
    expect(await lookedUp(resolve, false)).toEqual([null, '8.8.8.8', 4]);
  });

  it('are none where all are ours', async () => {
    const [error] = await lookedUp(finds('127.0.0.1', '::ffff:10.0.0.1'), true);
    expect(error).toBeInstanceOf(AddressRefused);
    expect(String(error)).toContain('hooks.example.com stands for no public address');
  });

  it('are asked for anew each time, so that a name that moves inside is caught', async () => {
    let asked = 0;
    const moves: ResolveAll = (hostname, callback) =>
      finds(asked++ === 0 ? '8.8.8.8' : '127.0.0.1')(hostname, callback);
    expect((await lookedUp(moves, false))[1]).toBe('8.8.8.8');
    expect((await lookedUp(moves, false))[0]).toBeInstanceOf(AddressRefused);
  });

  it('are not known where DNS fails', async () => {
    const failure = Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' });
    expect((await lookedUp((_, callback) => callback(failure, []), true))[0]).toBe(failure);
  });
});

describe('the hosts that are allowed', () => {
  const allowed = ['hooks.internal', '10.0.0.5:8080', '*.svc.cluster.local', 'fd00::1'];
  it.each([
    ['http://hooks.internal/x', true],
    ['http://hooks.internal:81/x', true],
    ['http://10.0.0.5:8080', true],
    ['http://10.0.0.5', false],
    ['http://a.b.svc.cluster.local', true],
    ['http://svc.cluster.local', false],
    ['http://evilsvc.cluster.local', false],
    ['http://hooks.internal.example.com', false],
    ['http://xhooks.internal', false],
  ])('%s: %s', (url, expected) => expect(isAllowed(allowed, new URL(url))).toBe(expected));
});
