import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findIpv4Fault,
  formatAddress,
  parseAddress,
  parseEthernet,
  parseIcmp,
  parseIpv4,
  parseMac,
  parseTcp,
  parseUdp,
  serialiseEthernet,
  serialiseIcmp,
  serialiseIpv4,
  serialiseTcp,
  serialiseUdp,
} from '../../src/reference/index.js';
import { hex, toHex } from './support.js';

/** A SYN with priority 5 on VLAN 100. */
const TAGGED = hex(`0200 0000 0001 0200 0000 0002 8100 a064 0800
  4510 0028 0001 4000 4006 262a 0a00 0032 0a00 0064
  7d01 0050 0000 03e8 0000 0000 5002 faf0 1f23 0000`);

describe('a tagged TCP segment', () => {
  const ethernet = parseEthernet(TAGGED);
  const packet = parseIpv4(ethernet.payload);
  const segment = parseTcp(packet.payload);

  it('is taken apart', () => {
    expect({ ...ethernet, payload: ethernet.payload.length }).toEqual({
      destination: '02:00:00:00:00:01',
      source: '02:00:00:00:00:02',
      tag: 0xa064,
      etherType: 0x0800,
      payload: 40,
    });
    expect({ ...packet, options: packet.options.length, payload: packet.payload.length }).toEqual({
      tos: 0x10,
      identification: 1,
      flags: 2,
      fragmentOffset: 0,
      ttl: 64,
      protocol: 6,
      checksum: 0x262a,
      source: 0x0a000032,
      destination: 0x0a000064,
      options: 0,
      payload: 20,
    });
    expect({ ...segment, rest: segment.rest.length }).toEqual({
      sourcePort: 32001,
      destinationPort: 80,
      sequence: 1000,
      acknowledgment: 0,
      offsetAndReserved: 0x50,
      flags: 2,
      window: 64240,
      checksum: 0x1f23,
      urgentPointer: 0,
      rest: 0,
    });
  });

  it('is put together again', () => {
    expect(toHex(serialiseTcp(segment))).toBe(toHex(TAGGED.slice(38)));
    expect(toHex(serialiseIpv4(packet, packet.checksum))).toBe(toHex(TAGGED.slice(18)));
    expect(toHex(serialiseEthernet(ethernet))).toBe(toHex(TAGGED));
  });

  it('has the checksum it came with', () => {
    expect(toHex(serialiseIpv4(packet))).toBe(toHex(TAGGED.slice(18)));
    expect(findIpv4Fault(ethernet.payload)).toBeUndefined();
  });
});

describe('UDP and ICMP', () => {
  it('UDP is taken apart and put together', () => {
    const bytes = hex('a028 0035 0009 1c39 61');
    expect({ ...parseUdp(bytes), payload: 1 }).toEqual({
      sourcePort: 41000,
      destinationPort: 53,
      length: 9,
      checksum: 0x1c39,
      payload: 1,
    });
    expect(toHex(serialiseUdp(parseUdp(bytes)))).toBe(toHex(bytes));
  });

  it('ICMP gets a checksum from scratch (fragmentation needed, MTU 1500)', () => {
    const message = { type: 3, code: 4, rest: 1500, payload: hex('4500 0014') };
    expect(toHex(serialiseIcmp(message))).toBe('0304b20b000005dc45000014');
    expect(parseIcmp(serialiseIcmp(message))).toEqual({ ...message, checksum: 0xb20b });
  });
});

describe('findIpv4Fault', () => {
  const good = TAGGED.slice(18);
  const changed = (at: number, ...bytes: number[]): Uint8Array => {
    const copy = good.slice();
    copy.set(bytes, at);
    return copy;
  };
  it.each([
    ['ipv4-truncated', good.slice(0, 19)],
    ['ipv4-version', changed(0, 0x55)],
    ['ipv4-header-length', changed(0, 0x44)],
    ['ipv4-truncated', serialiseIpv4({ ...parseIpv4(good), options: new Uint8Array(40) }).slice(0, 59)],
    ['ipv4-checksum', changed(11, 0x2b)],
    ['ipv4-total-length', good.slice(0, 39)],
    // Total length 19: 0x0028 became 0x0013, and the checksum 0x15 more.
    ['ipv4-total-length', changed(2, 0, 0x13, 0, 1, 0x40, 0, 0x40, 6, 0x26, 0x3f)],
  ])('%s', (fault, bytes) => {
    expect(findIpv4Fault(bytes)).toBe(fault);
  });

  it('leaves link padding out', () => {
    const padded = Uint8Array.from([...good, 1, 2, 3]);
    expect(findIpv4Fault(padded)).toBeUndefined();
    expect(parseIpv4(padded).payload.length).toBe(20);
  });
});

describe('any bytes', () => {
  const runs = { numRuns: 1000 };

  it('headers that parse serialise to the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 100 }), (bytes) => {
        expect(toHex(serialiseTcp(parseTcp(bytes)))).toBe(toHex(bytes));
        expect(toHex(serialiseUdp(parseUdp(bytes)))).toBe(toHex(bytes));
        expect(toHex(serialiseEthernet(parseEthernet(bytes)))).toBe(toHex(bytes));
        bytes[0] = 0x45 + (bytes[0]! % Math.min(11, Math.floor(bytes.length / 4) - 4));
        bytes.set([0, bytes.length], 2);
        const packet = parseIpv4(bytes);
        expect(toHex(serialiseIpv4(packet, packet.checksum))).toBe(toHex(bytes));
      }),
      runs,
    );
  });

  it('too few are refused with a RangeError', () => {
    expect(() => parseEthernet(new Uint8Array(13))).toThrow(RangeError);
    expect(() => parseEthernet(TAGGED.slice(0, 17))).toThrow(RangeError);
    expect(() => parseIpv4(TAGGED.slice(18, 37))).toThrow(RangeError);
    expect(() => parseIpv4(TAGGED.slice(18, 57))).toThrow(RangeError);
    expect(() => parseTcp(new Uint8Array(19))).toThrow(RangeError);
    expect(() => parseUdp(new Uint8Array(7))).toThrow(RangeError);
    expect(() => parseIcmp(new Uint8Array(7))).toThrow(RangeError);
  });
});

describe('addresses', () => {
  it('read and print', () => {
    expect(parseAddress('203.0.113.77')).toBe(0xcb00714d);
    expect(formatAddress(0xcb00714d)).toBe('203.0.113.77');
    expect(toHex(parseMac('02:00:0A:ff:00:01'))).toBe('02000aff0001');
  });

  it.each(['10.0.0', '10.0.0.256', '10.0.0.1.2', '10.0.0.x', 'fd00::1'])('%s is refused', (text) => {
    expect(() => parseAddress(text)).toThrow(RangeError);
  });

  it('a MAC of another shape is refused', () => {
    expect(() => parseMac('02:00:00:00:00')).toThrow(RangeError);
  });
});
