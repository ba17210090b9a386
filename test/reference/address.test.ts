import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressBytes,
  familyOf,
  formatAddress,
  inPrefix,
  ipv6FromBytes,
  isIpv4Mapped,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnicast,
  isUnspecified,
  parseAnyAddress,
  parseIpv6Prefix,
  parsePrefix,
} from '../../src/reference/packet/address.js';
import { formatIpv6, parseIpv6Address } from '../../src/reference/packet/ipv6-text.js';
import { properties } from '../support/property.js';
import { toHex } from './support.js';

const property = properties(import.meta.url);

const anyAddress = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
  // Sparse ones, for runs of zeros.
  fc
    .array(fc.constantFrom(0n, 0n, 1n, 0xffffn, 0x0db8n), { minLength: 8, maxLength: 8 })
    .map((groups) => groups.reduce<bigint>((address, group) => (address << 16n) | group, 0n)),
);

describe('IPv6 text', () => {
  // RFC 4291 §2.2 and RFC 5952 §1, §4, §5.
  it.each([
    ['2001:DB8:0:0:8:800:200C:417A', '2001:db8::8:800:200c:417a'],
    ['FF01:0:0:0:0:0:0:101', 'ff01::101'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:13.1.68.3', '::d01:4403'],
    ['0:0:0:0:0:FFFF:129.144.52.38', '::ffff:129.144.52.38'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::FFFF:255.0.255.255', '::ffff:255.0.255.255'],
  ])('%s is %s', (given, canonical) => {
    expect(formatIpv6(parseIpv6Address(given))).toBe(canonical);
  });

  it.each([
    '',
    ':',
    ':::',
    '1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '1::2::3',
    '12345::',
    'g::',
    ':1::',
    '::1:',
    '1.2.3.4::',
    '::1.2.3',
    '::1.2.3.256',
    '::01.2.3.4',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    'fe80::1%eth0',
    '10.0.0.1',
  ])('%s is refused', (text) => {
    expect(isIPv6(text.replace('%eth0', '')) && !text.includes('%')).toBe(false);
    expect(() => parseIpv6Address(text)).toThrow(RangeError);
  });

  const text = fc.stringMatching(/^[0-9a-f:.]{0,3}(:[0-9a-f]{0,2}){0,8}(:[0-9]{1,3}(\.[0-9]{1,3}){3})?$/);
  property(
    'is read as Node reads it',
    fc.property(text, (each) => {
      if (isIPv6(each)) expect(() => parseIpv6Address(each)).not.toThrow();
      else expect(() => parseIpv6Address(each)).toThrow(RangeError);
    }),
  );

  property(
    'is written as a URL has it, and read back',
    fc.property(anyAddress, (address) => {
      const text = formatIpv6(address);
      expect(parseIpv6Address(text)).toBe(address);
      if (!isIpv4Mapped(address)) expect(`[${text}]`).toBe(new URL(`http://[${text}]`).hostname);
      expect(toHex(addressBytes(address))).toBe(address.toString(16).padStart(32, '0'));
      expect(ipv6FromBytes(addressBytes(address))).toBe(address);
    }),
  );
});

describe('either family', () => {
  it('is told by the text', () => {
    expect(parseAnyAddress('10.0.0.1')).toBe(0x0a000001);
    expect(parseAnyAddress('fd00::1')).toBe(0xfd000000000000000000000000000001n);
    expect(['0.0.0.1', '::1'].map((text) => familyOf(parseAnyAddress(text)))).toEqual([4, 6]);
    expect(toHex(addressBytes(parseAnyAddress('10.0.0.1')))).toBe('0a000001');
    for (const text of ['203.17.113.77', 'fd00::1']) expect(formatAddress(parseAnyAddress(text))).toBe(text);
    expect(() => parseAnyAddress('10.0.0')).toThrow(RangeError);
  });

  it.each([
    ['10.0.0.1', ['unicast']],
    ['0.0.0.0', ['unspecified']],
    ['127.8.9.1', ['loopback', 'unicast']],
    ['169.254.0.1', ['link-local', 'unicast']],
    ['239.0.0.1', ['multicast']],
    ['fd00::1', ['unicast']],
    ['::', ['unspecified']],
    ['::1', ['loopback', 'unicast']],
    ['fe80::1', ['link-local', 'unicast']],
    ['febf::1', ['link-local', 'unicast']],
    ['fec0::1', ['unicast']],
    ['ff02::1', ['multicast']],
    ['::ffff:10.0.0.1', []],
  ])('%s is %j', (text, kinds) => {
    const address = parseAnyAddress(text);
    const names = { unspecified: isUnspecified, loopback: isLoopback, 'link-local': isLinkLocal };
    const found = Object.entries({ ...names, multicast: isMulticast, unicast: isUnicast })
      .filter(([, is]) => is(address))
      .map(([name]) => name);
    expect(found).toEqual(kinds);
  });
});

describe('prefixes', () => {
  it.each([
    ['fd00::1', 'fd00::/64', true],
    ['fd00:0:0:1::1', 'fd00::/64', false],
    ['fd00::1', 'fd00::2', false],
    ['fd00::2', 'fd00::2/128', true],
    ['8000::', 'default', true],
    ['8000::', '::/1', false],
  ])('%s in %s: %s', (address, prefix, expected) => {
    expect(inPrefix(parseAnyAddress(address), parseIpv6Prefix(prefix))).toBe(expected);
  });

  it('of one family hold nothing of the other', () => {
    expect(inPrefix(1, parseIpv6Prefix('::/0'))).toBe(false);
    expect(inPrefix(1n, parsePrefix('default'))).toBe(false);
    expect(inPrefix(0xffffffff, parsePrefix('default'))).toBe(true);
  });

  it.each(['fd00::/129', 'fd00::/x', 'fd00::/', 'fd00::/-1', 'fd00::/64/1', '10.0.0.0/8'])('%s is refused', (text) => {
    expect(() => parseIpv6Prefix(text)).toThrow(RangeError);
  });
});
