import { describe, expect, it } from 'vitest';
import { hex, ip6, ipv6, toHex } from '../support/packets.js';
import { AT, construct, core, deconstruct } from './header.js';

const SOURCE = 'fd00::2';
const DESTINATION = 'fd00:1:2:3:4:5:6:7';
/** Every field different. */
const HEADER = ipv6({
  source: SOURCE,
  destination: DESTINATION,
  trafficClass: 0xb9,
  flowLabel: 0xabcdf,
  hopLimit: 0x3f,
  protocol: 17,
});
HEADER.set(hex('0123'), 4);

const ELSEWHERE = 0x40_05;
const FAR = 0x40_55;

describe('IPv6', () => {
  it('deconstructs', () => {
    expect(deconstruct(HEADER, core.call.readIpv6, 8)).toEqual([6, 0xb9, 0xabcdf, 0x123, 17, 0x3f, 8, 24]);
  });

  it('constructs: the flow label is 0', () => {
    core.bytes.set(ip6(SOURCE), ELSEWHERE);
    core.bytes.set(ip6(DESTINATION), FAR);
    const made = construct([0xb9, 0x123, 17, 0x3f, ELSEWHERE, FAR], core.call.writeIpv6, 40);
    expect(made).toBe(`6b900000${toHex(HEADER.subarray(4))}`);
  });

  it.each([0, 0xff, 0x5a])('sets the traffic class to %i, and nothing else', (trafficClass) => {
    core.bytes.set(HEADER, AT);
    core.view.setUint32(ELSEWHERE, trafficClass, true);
    core.call.writeTrafficClass(AT, ELSEWHERE);
    const expected = ipv6({ source: SOURCE, destination: DESTINATION, trafficClass, flowLabel: 0xabcdf });
    expect(toHex(core.bytes.slice(AT, AT + 4))).toBe(toHex(expected.subarray(0, 4)));
  });
});

const UNSPECIFIED = 1;
const LOOPBACK = 2;
const LINK_LOCAL = 4;
const MULTICAST = 16;

describe('addresses', () => {
  it.each([
    ['::', UNSPECIFIED],
    ['::1', LOOPBACK],
    ['::2', 0],
    ['1::', 0],
    ['0:0:0:1::', 0],
    ['0:0:0:1::1', 0],
    ['::1:0:0:0:1', 0],
    ['fe80::', LINK_LOCAL],
    ['fe80::1', LINK_LOCAL],
    ['febf:ffff::', LINK_LOCAL],
    ['fec0::', 0],
    ['fe7f::', 0],
    ['::ffff:0a00:2', 0],
    ['ff00::', MULTICAST],
    ['ff01::1', MULTICAST | 0x100],
    ['ff02::1', MULTICAST | 0x200],
    ['fff5::1', MULTICAST | 0x500],
    ['ff3e::1', MULTICAST | 0xe00],
    ['fdff::1', 0],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', MULTICAST | 0xf00],
  ])('%s', (text, kind) => {
    core.bytes.set(ip6(text), AT);
    expect(core.call.kindOfAddress6(AT)).toBe(kind);
  });

  it('fold into the exclusive or of their words', () => {
    core.bytes.set(hex('01020304 10203040 00ff00ff 80000001'), AT);
    expect(core.call.foldedAddress6(AT) >>> 0).toBe((0x01020304 ^ 0x10203040 ^ 0x00ff00ff ^ 0x80000001) >>> 0);
  });

  it('are the same when every byte is', () => {
    const address = ip6(DESTINATION);
    core.bytes.set(address, AT);
    core.bytes.set(address, FAR);
    expect(core.call.addresses6Equal(AT, FAR)).toBe(1);
    for (let i = 0; i < 16; i++) {
      core.bytes.set(address, FAR);
      core.bytes[FAR + i] = (address[i] as number) ^ 0x10;
      expect(core.call.addresses6Equal(AT, FAR), `byte ${i}`).toBe(0);
    }
  });
});

it('a prefix matches up to the first bit that differs', () => {
  const address = ip6(DESTINATION);
  core.bytes.set(address, AT);
  for (let flip = 0; flip <= 128; flip++) {
    const other = address.slice();
    if (flip < 128) other[flip >> 3] = (other[flip >> 3] as number) ^ (0x80 >> (flip & 7));
    core.bytes.set(other, FAR);
    for (let bits = 0; bits <= 128; bits++) {
      expect(core.call.prefixMatches6(AT, FAR, bits) !== 0, `/${bits}, bit ${flip}`).toBe(bits <= flip);
    }
  }
});
