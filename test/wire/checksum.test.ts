import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { internetChecksum } from '../../src/reference/index.js';
import { swap16, swap32 } from '../support/core.js';
import { checksum, counting, hex, join } from '../support/packets.js';
import { properties } from '../support/property.js';
import { core } from './header.js';

const property = properties(import.meta.url);
const BASE = 0x4000;
const LONGEST = 9000;

/** Puts bytes somewhere, with a fence of 0xff behind them that must not be summed. */
function place(bytes: Uint8Array, shift = 0): number {
  core.bytes.set(bytes, BASE + shift);
  core.bytes.fill(0xff, BASE + shift + bytes.length, BASE + shift + bytes.length + 40);
  return BASE + shift;
}

describe('vectors', () => {
  it('RFC 1071 §3: the sum of 0001 f203 f4f5 f6f7 is ddf2, its checksum 220d', () => {
    const at = place(hex('0001f203f4f5f6f7'));
    expect(swap16(core.call.sumScalar(at, 8))).toBe(0xddf2);
    expect(swap16(core.call.sumSimd(at, 8))).toBe(0xddf2);
    expect(swap16(core.call.checksumOf(at, 8))).toBe(0x220d);
  });

  it('RFC 1624 §4: dd2f with 5555 changed to 3285 is 0000, not ffff', () => {
    expect(core.call.updateChecksum16(swap16(0xdd2f), swap16(0x5555), swap16(0x3285))).toBe(0);
  });

  it('Linux: TCP checksums 0000 and ffff both become e10d when 10.0.0.100:80 becomes 10.1.0.21:8080', () => {
    const moved = (old: number): number => {
      const address = core.call.updateChecksum32(old, swap32(0x0a000064), swap32(0x0a010015));
      return swap16(core.call.updateChecksum16(address, swap16(80), swap16(8080)));
    };
    expect([moved(0), moved(0xffff)]).toEqual([0xe10d, 0xe10d]);
  });

  it('the sum of nothing is nothing, of zeros is zero, of ones is ones', () => {
    expect(core.call.checksumOf(place(new Uint8Array(0)), 0)).toBe(0xffff);
    expect(core.call.checksumOf(place(new Uint8Array(64)), 64)).toBe(0xffff);
    expect(core.call.checksumOf(place(new Uint8Array(64).fill(0xff)), 64)).toBe(0);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 95, 96, 97, 1499, 1500, 8999, 9000])(
    'the longest carries: %i bytes of ff',
    (length) => {
      const at = place(new Uint8Array(length).fill(0xff));
      core.bytes.fill(0, at + length, at + length + 40);
      const expected = checksum(new Uint8Array(length).fill(0xff));
      expect(swap16(core.call.checksumOf(at, length))).toBe(expected);
      expect(core.call.sumScalar(at, length)).toBe(core.call.sumSimd(at, length));
    },
  );

  it('the longest packet there can be', () => {
    const at = place(new Uint8Array(0xffff).fill(0xff));
    core.bytes.fill(0, at + 0xffff, at + 0xffff + 40);
    expect(core.call.sumSimd(at, 0xffff)).toBe(core.call.sumScalar(at, 0xffff));
    expect(swap16(core.call.checksumOf(at, 0xffff))).toBe(checksum(new Uint8Array(0xffff).fill(0xff)));
  });
});

describe('every length', () => {
  it.each([0, 1, 2, 3])('from 0 to 300 at a shift of %i, and beyond in steps', (shift) => {
    const bytes = counting(LONGEST, 77).map((byte, i) => byte ^ (i >> 7));
    for (let length = 0; length <= LONGEST; length += length < 300 ? 1 : 97) {
      const part = bytes.subarray(0, length);
      const at = place(part, shift);
      const expected = checksum(part);
      const sums = [core.call.sumScalar(at, length), core.call.sumSimd(at, length)].map((sum) => ~swap16(sum) & 0xffff);
      expect([...sums, swap16(core.call.checksumOf(at, length))], `length ${length}`).toEqual([
        expected,
        expected,
        expected,
      ]);
    }
  });
});

const bytes = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 200, size: 'max' }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: LONGEST, size: 'max' }) },
);

property(
  'scalar = SIMD = reference = the plain sum',
  fc.property(bytes, fc.nat(15), (data, shift) => {
    const at = place(data, shift);
    const scalar = core.call.sumScalar(at, data.length);
    if (scalar !== core.call.sumSimd(at, data.length)) throw new Error('scalar and SIMD differ');
    const sum = swap16(core.call.checksumOf(at, data.length));
    expect(sum).toBe(checksum(data));
    expect(sum).toBe(internetChecksum(data));
  }),
);

const word16 = fc.oneof(fc.constantFrom(0, 0xffff, 1, 0xfffe), fc.nat(0xffff));
const word32 = fc.oneof(fc.constantFrom(0, 0xffff_ffff, 0xffff, 0xffff_0000, 1), fc.nat(0xffff_ffff));

/** Ones' complement numbers: 0 has two spellings. */
const value = (sum: number): number => sum % 0xffff;

property(
  'incremental = full when 16 bits change',
  fc.property(fc.uint8Array({ minLength: 4, maxLength: 64 }), fc.nat(31), word16, word16, (data, index, from, to) => {
    const at = (index * 2) % (data.length & ~1);
    data.set([from >> 8, from & 255], at);
    const old = checksum(data);
    data.set([to >> 8, to & 255], at);
    const updated = swap16(core.call.updateChecksum16(swap16(old), swap16(from), swap16(to)));
    expect(value(updated)).toBe(value(checksum(data)));
    // RFC 1624: unless all is zero, the spelling is the same, too.
    if (data.some((byte) => byte !== 0)) expect(updated).toBe(checksum(data));
  }),
);

property(
  'incremental = full when 32 bits change, at odd offsets, too',
  fc.property(fc.uint8Array({ minLength: 5, maxLength: 64 }), fc.nat(63), word32, word32, (data, index, from, to) => {
    const at = index % (data.length - 4);
    const view = new DataView(data.buffer);
    view.setUint32(at, from);
    const old = checksum(data);
    view.setUint32(at, to);
    // At an odd offset every byte lies in the other half of its word: so does the checksum (RFC 1071 §2 B).
    const turn = at % 2 === 0 ? swap16 : (word: number): number => word;
    const updated = turn(core.call.updateChecksum32(turn(old), swap32(from), swap32(to)));
    expect(value(updated)).toBe(value(checksum(data)));
    if (data.some((byte) => byte !== 0)) expect(updated).toBe(checksum(data));
  }),
);

property(
  'incremental = full when an IPv6 address changes',
  fc.property(
    fc.uint8Array({ minLength: 40, maxLength: 64 }),
    fc.nat(12),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    (data, index, to) => {
      const at = index * 2;
      const old = checksum(data);
      const from = place(data.slice(at, at + 16));
      core.bytes.set(to, LONGEST);
      data.set(to, at);
      const updated = swap16(core.call.updateChecksum128(swap16(old), from, LONGEST));
      expect(value(updated)).toBe(value(checksum(data)));
      if (data.some((byte) => byte !== 0)) expect(updated).toBe(checksum(data));
    },
  ),
);

property(
  'a transport checksum of IPv6 = the plain sum over the pseudo-header and the segment',
  fc.property(
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
    fc.nat(255),
    fc.uint8Array({ maxLength: 300, size: 'max' }),
    (addresses, protocol, segment) => {
      const header = join(new Uint8Array(8), addresses);
      const ip = place(join(header, segment));
      const length = new Uint8Array(8);
      new DataView(length.buffer).setUint32(0, segment.length);
      length[7] = protocol;
      const sum = swap16(core.call.transportChecksum6(ip, protocol, ip + 40, segment.length));
      expect(sum).toBe(checksum(join(addresses, length, segment)));
    },
  ),
);

property(
  'a wrong checksum stays as wrong as it was',
  fc.property(word16, word32, word32, (wrong, from, to) => {
    const updated = swap16(core.call.updateChecksum32(swap16(wrong), swap32(from), swap32(to)));
    const halves = (word: number): number => (word >>> 16) + (word & 0xffff);
    expect(value(updated)).toBe(value(wrong + halves(from) + 2 * 0xffff - halves(to)));
    // Only the sum of nothing but zeros has the other spelling of zero.
    if (wrong !== 0xffff || from !== 0xffff_ffff || to !== 0) expect(updated).not.toBe(0xffff);
  }),
);
