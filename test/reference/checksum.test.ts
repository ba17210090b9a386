import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { carryChecksum, checksumIsRight, internetChecksum, pseudoHeader } from '../../src/reference/index.js';
import { residue } from '../../src/reference/packet/checksum.js';
import { hex, toHex } from './support.js';

/** RFC 1071 §4.1 in its own words: add up, then fold the carries in. */
function rfc1071(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** RFC 1624 §3, eqn 3, for one changed word. */
function rfc1624(checksum: number, from: number, to: number): number {
  let sum = (~checksum & 0xffff) + (~from & 0xffff) + to;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const words = (...values: number[]): Uint8Array => Uint8Array.from(values.flatMap((v) => [v >>> 8, v & 0xff]));
const anyWord = fc.oneof(fc.constantFrom(0, 1, 0xfffe, 0xffff), fc.nat(0xffff));

describe('internetChecksum', () => {
  it('gives the example of RFC 1071 §3', () => {
    expect(residue(hex('0001 f203 f4f5 f6f7'))).toBe(0xddf2);
    expect(internetChecksum(hex('0001 f203 f4f5 f6f7'))).toBe(0x220d);
  });

  it('takes an odd last byte as the high one of a word', () => {
    expect(internetChecksum(hex('0102 03'))).toBe(internetChecksum(hex('0102 0300')));
    expect(internetChecksum(hex('0102 03'))).toBe(0xfbfd);
  });

  it('knows the two spellings of zero', () => {
    expect(internetChecksum(new Uint8Array(4))).toBe(0xffff);
    expect(internetChecksum(hex('ffff'))).toBe(0);
  });

  it('is RFC 1071 §4.1 for any bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.nat(9000).map((length) => new Uint8Array(length).fill(255)),
    );
    fc.assert(
      fc.property(bytes, (each) => {
        expect(internetChecksum(each)).toBe(rfc1071(each));
      }),
      { numRuns: 1000 },
    );
  });

  it('makes right what it is stored in, and a flipped bit makes it wrong', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 60 }), fc.nat(), (bytes, where) => {
        bytes.set([1, 0, 0], 0);
        bytes.set(words(internetChecksum(bytes.map((byte, i) => (i === 2 || i === 3 ? 0 : byte)))), 2);
        expect(checksumIsRight(bytes)).toBe(true);
        bytes[where % bytes.length]! ^= 1 << (where % 8);
        expect(checksumIsRight(bytes)).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('carryChecksum', () => {
  it('gives the example of RFC 1624 §4, where RFC 1141 is wrong', () => {
    const rest = 0xffff * 2 - 0x5555 - 0xdd2f;
    expect(checksumIsRight(words(0x5555, rest, 0xdd2f))).toBe(true);
    expect(carryChecksum(words(0x5555, rest, 0xdd2f), words(0x3285, rest, 0))).toBe(0x0000);
  });

  it('is RFC 1624 eqn 3, with 0xffff spelt 0x0000', () => {
    fc.assert(
      fc.property(anyWord, anyWord, anyWord, anyWord, (checksum, from, to, rest) => {
        const expected = rfc1624(checksum, from, to) % 0xffff;
        expect(carryChecksum(words(from, rest, checksum), words(to, rest, 0))).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('makes no difference between 0x0000 and 0xffff', () => {
    const carried = (checksum: number) => carryChecksum(words(0x1234, checksum), words(0x4321, 0));
    expect(carried(0)).toBe(carried(0xffff));
  });

  it('keeps right what is right: incremental equals full, at odd lengths, too', () => {
    const pair = fc.integer({ min: 1, max: 41 }).chain((length) => {
      const bytes = fc.uint8Array({ minLength: length, maxLength: length });
      return fc.tuple(bytes, bytes);
    });
    fc.assert(
      fc.property(pair, ([from, to]) => {
        const before = Uint8Array.from([...words(internetChecksum(from)), ...from]);
        const after = Uint8Array.from([0, 0, ...to]);
        expect(carryChecksum(before, after)).toBe(internetChecksum(after) % 0xffff);
      }),
      { numRuns: 1000 },
    );
  });
});

it('pseudoHeader is that of RFC 9293 §3.1', () => {
  expect(toHex(pseudoHeader(0x0a000002, 0x0a000064, 6, 1460))).toBe('0a0000020a000064000605b4');
});
