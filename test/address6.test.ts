/** Text of IPv6 addresses, and of addresses and prefixes of either family. */
import { isIPv6 as netIsIPv6, SocketAddress } from 'node:net';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import {
  addressBytes,
  familyOf,
  formatAddress,
  formatIPv6Bytes,
  formatPrefixBytes,
  hasHostBits,
  ipv4Bytes,
  ipv6Bytes,
  isIPv6,
  isIPv6Prefix,
  prefixBytes,
} from '../src/address.js';

const RUNS = { numRuns: 2000 };

describe('IPv6 text', () => {
  it('is recognised, with and without a length', () => {
    for (const text of ['::', '::1', 'fd00::100', '::ffff:10.0.0.1']) {
      expect(isIPv6(text)).toBe(true);
      expect(isIPv6Prefix(text)).toBe(true);
    }
    expect(isIPv6Prefix('fd00::/64')).toBe(true);
    expect(isIPv6Prefix('::/0')).toBe(true);
    for (const text of ['10.0.0.1', 'fd00::/129', 'fd00::/', 'fd00::/6x', '[::1]', 'default', '', 'fe80::1%eth0']) {
      expect(isIPv6Prefix(text)).toBe(false);
    }
    expect(isIPv6('fd00::/64')).toBe(false);
  });

  it("is what Node's net takes", () => {
    const piece = fc.constantFrom(':', '::', '0', 'fd00', '12345', 'g', '.', '10.0.0.1', '256.0.0.1');
    const pieces = fc.array(piece, { maxLength: 17 }).map((list) => list.join(''));
    const groups = fc
      .array(fc.constantFrom('', '0', 'ffff', '10.0.0.1'), { minLength: 1, maxLength: 9 })
      .map((list) => list.join(':'));
    fc.assert(
      fc.property(fc.oneof(pieces, groups, fc.ipV6()), (text) => {
        expect(isIPv6(text), text).toBe(netIsIPv6(text));
      }),
      RUNS,
    );
  });

  it('agrees with ipaddr.js', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV6(), fc.ipV4(), fc.string()), (text) => {
        // ipaddr.js also takes quads with leading zeros inside IPv6, which is looser than ours.
        if (isIPv6(text)) expect(ipaddr.IPv6.isValid(text)).toBe(true);
        if (ipaddr.IPv6.isValid(text) && !text.includes('.')) expect(isIPv6(text)).toBe(true);
      }),
      RUNS,
    );
  });
});

/** Addresses with runs of zeros, which random ones hardly ever have. */
const ipv6 = fc
  .array(fc.oneof(fc.constant(0), fc.constantFrom(1, 0xffff, 0x0a00), fc.integer({ min: 0, max: 0xffff })), {
    minLength: 8,
    maxLength: 8,
  })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 0xff])));

describe('IPv6 addresses', () => {
  it.each([
    // RFC 4291 §2.2.
    ['ABCD:EF01:2345:6789:ABCD:EF01:2345:6789', 'abcd:ef01:2345:6789:abcd:ef01:2345:6789'],
    ['2001:DB8:0:0:8:800:200C:417A', '2001:db8::8:800:200c:417a'],
    ['FF01:0:0:0:0:0:0:101', 'ff01::101'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:13.1.68.3', '::d01:4403'],
    ['0:0:0:0:0:FFFF:129.144.52.38', '::ffff:129.144.52.38'],
    // RFC 5952 §1, §2 and §4.
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:DB8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd::1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:aAaA', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['1::', '1::'],
  ])('reads %s, writes %s', (given, written) => {
    const bytes = ipv6Bytes(given);
    expect(formatIPv6Bytes(bytes)).toBe(written);
    expect(ipv6Bytes(written)).toEqual(bytes);
    expect(addressBytes(given)).toEqual({ family: 6, bytes });
    expect(formatAddress(bytes)).toBe(written);
  });

  it('go there and back, as ipaddr.js and Node write them', () => {
    fc.assert(
      fc.property(ipv6, (bytes) => {
        const text = formatIPv6Bytes(bytes);
        expect(ipv6Bytes(text)).toEqual(bytes);
        const oracle = ipaddr.fromByteArray([...bytes]) as ipaddr.IPv6;
        const compatible = bytes.subarray(0, 12).every((byte) => byte === 0);
        if (!text.includes('.')) expect(text).toBe(oracle.toRFC5952String());
        // Node still has a quad at the end of IPv4-compatible addresses (RFC 4291 §2.5.5.1, deprecated).
        if (!compatible)
          expect(text).toBe(new SocketAddress({ address: oracle.toNormalizedString(), family: 'ipv6' }).address);
        // Every way to write it is read alike.
        const padded = oracle.toNormalizedString().replace(/[^:]+/g, (group) => group.padStart(4, '0'));
        for (const form of [oracle.toNormalizedString(), padded, text.toUpperCase()]) {
          expect(ipv6Bytes(form)).toEqual(bytes);
        }
      }),
      RUNS,
    );
  });

  it('stand at an offset', () => {
    expect(formatIPv6Bytes(Uint8Array.of(9, ...ipv6Bytes('fd00::64'), 9), 1)).toBe('fd00::64');
    const outer = new Uint8Array(40).fill(0xff);
    outer.set(ipv6Bytes('fd00::64'), 12);
    expect(formatIPv6Bytes(outer.subarray(8), 4)).toBe('fd00::64');
  });

  it.each([
    '',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    '1::2::3',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '12345::',
    'g::',
    '[::1]',
    ' ::1',
    '::1\n',
    '10.0.0.1',
    '::10.0.0.256',
    '::010.0.0.1',
    '10.0.0.1::',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:10.0.0.1',
    'fd00::/64',
  ])('refuse %j', (text) => {
    expect(() => ipv6Bytes(text)).toThrow(
      new RangeError(`expected an IPv6 address such as fd00::1, got ${JSON.stringify(text)}`),
    );
    expect(isIPv6(text)).toBe(false);
  });

  it('refuse zones by name, other kinds and sizes', () => {
    expect(() => ipv6Bytes('fe80::1%eth0')).toThrow(
      new RangeError('expected an IPv6 address such as fd00::1, got "fe80::1%eth0" (a zone is not handled)'),
    );
    expect(() => ipv6Bytes('%eth0')).toThrow(/got "%eth0"$/);
    expect(isIPv6('fe80::1%eth0')).toBe(false);
    expect(() => ipv6Bytes(6 as unknown as string)).toThrow(TypeError);
    expect(() => formatIPv6Bytes(new Uint8Array(20), 5)).toThrow(
      new RangeError('expected 16 bytes at offset 5, got length=20'),
    );
  });
});

describe('addresses of either family', () => {
  it('are told by the text', () => {
    expect(addressBytes('10.0.0.1')).toEqual({ family: 4, bytes: Uint8Array.of(10, 0, 0, 1) });
    expect([familyOf('10.0.0.1'), familyOf('::'), familyOf('::1.2.3.4'), familyOf('www')]).toEqual([
      4,
      6,
      6,
      undefined,
    ]);
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const { family, bytes } = addressBytes(text);
        expect(family).toBe(familyOf(text));
        expect(addressBytes(formatAddress(bytes))).toEqual({ family, bytes });
      }),
      RUNS,
    );
  });

  it('refuse what is neither, wrong kinds and sizes', () => {
    const neither = (text: string) =>
      new RangeError(`expected an address such as 10.0.0.1 or fd00::1, got ${JSON.stringify(text)}`);
    for (const text of ['', 'www.example.org', '10.0.0', '10.0.0.1/24']) {
      expect(() => addressBytes(text)).toThrow(neither(text));
    }
    expect(() => addressBytes('fd00::1::')).toThrow('expected an IPv6 address');
    expect(() => addressBytes(undefined as unknown as string)).toThrow(
      new TypeError('expected an address as a string, got undefined'),
    );
    for (const length of [0, 3, 5, 15]) expect(() => formatAddress(new Uint8Array(length))).toThrow(RangeError);
    expect(() => formatAddress(new Uint8Array(17))).toThrow(
      new RangeError('expected an address of 4 or 16 bytes, got length=17'),
    );
  });

  it('have prefixes', () => {
    expect(prefixBytes('fd00::1/64')).toEqual({ family: 6, bytes: ipv6Bytes('fd00::1'), length: 64 });
    expect(prefixBytes('fd00::1')).toEqual({ family: 6, bytes: ipv6Bytes('fd00::1'), length: 128 });
    expect(prefixBytes('10.0.0.0/8')).toEqual({ family: 4, bytes: ipv4Bytes('10.0.0.0'), length: 8 });
    expect(prefixBytes('default')).toEqual({ family: 4, bytes: new Uint8Array(4), length: 0 });
    expect(prefixBytes('default', 6)).toEqual({ family: 6, bytes: new Uint8Array(16), length: 0 });
    expect(prefixBytes('::/0')).toEqual(prefixBytes('default', 6));
    expect(formatPrefixBytes(prefixBytes('FD00:0::/64'))).toBe('fd00::/64');
    expect(formatPrefixBytes(prefixBytes('10.0.0.7'))).toBe('10.0.0.7/32');
    for (const text of ['fd00::/129', '10.0.0.0/33']) {
      expect(() => prefixBytes(text)).toThrow(/^expected a prefix length of 0 to/);
    }
    for (const text of ['', 'fd00::/', 'fd00::/064', 'fd00::/64/1', 'fd00/64', 'any', 'fe80::%1/64']) {
      expect(() => prefixBytes(text)).toThrow(/^expected a prefix such as 10\.0\.0\.0\/24 or fd00::\/64/);
    }
    expect(() => prefixBytes(7 as unknown as string)).toThrow(TypeError);
  });

  it('know host bits, as ipaddr.js does', () => {
    expect(hasHostBits(prefixBytes('fd00::/64'))).toBe(false);
    expect(hasHostBits(prefixBytes('fd00::1/127'))).toBe(true);
    const prefix = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
      fc.tuple(
        ipv6.map((bytes) => formatIPv6Bytes(bytes)),
        fc.integer({ min: 0, max: 128 }),
      ),
    );
    fc.assert(
      fc.property(prefix, ([address, length]) => {
        const text = `${address}/${length}`;
        const kind = address.includes(':') ? ipaddr.IPv6 : ipaddr.IPv4;
        const network = kind.networkAddressFromCIDR(text).toByteArray();
        const given = prefixBytes(text);
        expect(hasHostBits(given)).toBe(network.join() !== given.bytes.join());
        expect(hasHostBits({ ...given, bytes: Uint8Array.from(network) })).toBe(false);
      }),
      RUNS,
    );
  });
});
