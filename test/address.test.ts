/** Text of IPv4 addresses, of their prefixes and of MACs. */
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import {
  formatIPv4,
  formatIPv4Bytes,
  formatMac,
  formatPrefix,
  ipv4Bytes,
  isIPv4,
  memoryOrder,
  parseIPv4,
  parseMac,
  parsePrefix,
  prefixMask,
} from '../src/address.js';

const RUNS = { numRuns: 2000 };
const u32 = fc.integer({ min: 0, max: 0xffffffff });

describe('IPv4 addresses', () => {
  it('have the golden values', () => {
    expect(parseIPv4('10.0.0.1')).toBe(0x0a000001);
    expect(parseIPv4('255.255.255.255')).toBe(0xffffffff);
    expect(parseIPv4('128.0.0.0')).toBe(0x80000000);
    expect(formatIPv4(0xc0a8000b)).toBe('192.168.0.11');
    expect([...ipv4Bytes('10.1.0.254')]).toEqual([10, 1, 0, 254]);
    expect(formatIPv4Bytes(Uint8Array.of(9, 10, 0, 0, 100, 9), 1)).toBe('10.0.0.100');
    expect(memoryOrder(0x0a000001)).toBe(0x0100000a);
    expect(memoryOrder(0x000000ff)).toBe(0xff000000);
  });

  it('agree with ipaddr.js on every address', () => {
    fc.assert(
      fc.property(u32, (address) => {
        const text = formatIPv4(address);
        const oracle = ipaddr.IPv4.parse(text);
        expect(oracle.toString()).toBe(text);
        expect([...ipv4Bytes(text)]).toEqual(oracle.toByteArray());
        expect(parseIPv4(text)).toBe(address);
        expect(formatIPv4Bytes(ipv4Bytes(text))).toBe(text);
        expect(memoryOrder(address)).toBe(new DataView(ipv4Bytes(text).buffer).getUint32(0, true));
        expect(memoryOrder(memoryOrder(address))).toBe(address);
      }),
      RUNS,
    );
  });

  it('take exactly the dotted quads that ipaddr.js calls so', () => {
    const part = fc.oneof(
      fc.integer({ min: 0, max: 300 }).map(String),
      fc.constantFrom('', '00', '01', '010', '0x1', ' 1', '1 ', '+1', '-1', '1e1', '٣'),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 3, maxLength: 5 }), (parts) => {
        const text = parts.join('.');
        const valid = ipaddr.IPv4.isValidFourPartDecimal(text);
        expect(isIPv4(text)).toBe(valid);
        if (!valid) expect(() => parseIPv4(text)).toThrow(RangeError);
      }),
      RUNS,
    );
  });

  it.each([
    '',
    '10',
    '10.1',
    '10.0.0',
    '10.0.0.1.2',
    '010.0.0.1',
    '10.0.0.256',
    '10.0.0.1\n',
    ' 10.0.0.1',
    '0x0a.0.0.1',
  ])('refuse %j', (text) => {
    expect(() => parseIPv4(text)).toThrow(
      new RangeError(`expected an IPv4 address such as 10.0.0.1, got ${JSON.stringify(text)}`),
    );
    expect(isIPv4(text)).toBe(false);
  });

  it('refuse wrong kinds and sizes', () => {
    expect(() => parseIPv4(1 as unknown as string)).toThrow(
      new TypeError('expected an IPv4 address as a string, got number'),
    );
    expect(() => parseIPv4(null as unknown as string)).toThrow(/got null/);
    expect(() => formatIPv4('1' as unknown as number)).toThrow(TypeError);
    for (const bad of [-1, 1.5, 2 ** 32, Number.NaN]) {
      expect(() => formatIPv4(bad)).toThrow(RangeError);
      expect(() => memoryOrder(bad)).toThrow(RangeError);
    }
    expect(() => formatIPv4Bytes(new Uint8Array(5), 2)).toThrow(
      new RangeError('expected 4 bytes at offset 2, got length=5'),
    );
    expect(() => formatIPv4Bytes(new Uint8Array(5), -1)).toThrow(RangeError);
    expect(() => formatIPv4Bytes([1, 2, 3, 4] as unknown as Uint8Array)).toThrow(TypeError);
  });
});

describe('prefixes', () => {
  it('read a network, a bare address and default', () => {
    expect(parsePrefix('10.0.0.0/24')).toEqual({ address: 0x0a000000, length: 24 });
    expect(parsePrefix('10.0.0.1/24')).toEqual({ address: 0x0a000001, length: 24 });
    expect(parsePrefix('10.0.0.7')).toEqual({ address: 0x0a000007, length: 32 });
    expect(parsePrefix('default')).toEqual({ address: 0, length: 0 });
  });

  it('agree with ipaddr.js', () => {
    fc.assert(
      fc.property(u32, fc.integer({ min: 0, max: 32 }), (address, length) => {
        const text = formatPrefix({ address, length });
        const [oracle, bits] = ipaddr.IPv4.parseCIDR(text);
        expect(parsePrefix(text)).toEqual({ address, length });
        expect(bits).toBe(length);
        expect([...ipv4Bytes(formatIPv4(address))]).toEqual(oracle.toByteArray());
        expect(formatIPv4(prefixMask(length))).toBe(ipaddr.IPv4.subnetMaskFromPrefixLength(length).toString());
        expect(formatIPv4((address & prefixMask(length)) >>> 0)).toBe(
          ipaddr.IPv4.networkAddressFromCIDR(text).toString(),
        );
      }),
      RUNS,
    );
  });

  it.each([
    '',
    '/',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/024',
    '10.0.0.0/-1',
    '10.0.0.0/24/1',
    '10/8',
    'Default',
    'any',
  ])('refuse %j', (text) => {
    expect(() => parsePrefix(text)).toThrow(RangeError);
    expect(() => parsePrefix(text)).toThrow(JSON.stringify(text));
  });

  it('refuse wrong kinds and lengths', () => {
    expect(() => parsePrefix(undefined as unknown as string)).toThrow(TypeError);
    for (const bad of [-1, 33, 1.5, Number.NaN]) expect(() => prefixMask(bad)).toThrow(RangeError);
    expect(() => formatPrefix({ address: 0, length: 40 })).toThrow(RangeError);
  });
});

describe('MACs', () => {
  it('go there and back', () => {
    expect([...parseMac('02:00:5E:00:01:ff')]).toEqual([2, 0, 0x5e, 0, 1, 255]);
    expect(formatMac(Uint8Array.of(0xff, 2, 0, 0x5e, 0, 1, 255), 1)).toBe('02:00:5e:00:01:ff');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        expect(parseMac(formatMac(bytes))).toEqual(bytes);
      }),
      RUNS,
    );
  });

  it.each([
    '',
    '02:00:00:00:00',
    '02:00:00:00:00:01:02',
    '2:0:0:0:0:1',
    '2:00:00:00:00:01',
    '02-00-00-00-00-01',
    '02:00:00:00:00:0g',
    ' 02:00:00:00:00:01',
  ])('refuse %j', (text) => {
    expect(() => parseMac(text)).toThrow(
      new RangeError(`expected a MAC such as 02:00:00:00:00:01, got ${JSON.stringify(text)}`),
    );
  });

  it('refuse wrong kinds and sizes', () => {
    expect(() => parseMac(7 as unknown as string)).toThrow(TypeError);
    expect(() => formatMac(new Uint8Array(5))).toThrow(RangeError);
  });
});
