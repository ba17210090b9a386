/** SipHash-1-3 of a tuple, held to an implementation with big integers, and that to published vectors. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SB_KEY0, SB_KEY1, SUPERBLOCK } from '../../src/abi/memory.js';
import { innerCore, swap16, swap32 } from '../support/core.js';
import { counting } from '../support/packets.js';
import { properties } from '../support/property.js';

const property = properties(import.meta.url);
const { call, view } = innerCore();

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotated = (value: bigint, by: bigint): bigint => u64((value << by) | (value >> (64n - by)));
const word = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

/** SipHash-c-d (Aumasson, Bernstein 2012, §2.2) of any message. */
function sipHash(
  compressions: number,
  finalisations: number,
  key: readonly [bigint, bigint],
  message: Uint8Array,
): bigint {
  const v = [0x736f6d6570736575n, 0x646f72616e646f6dn, 0x6c7967656e657261n, 0x7465646279746573n].map(
    (constant, i) => constant ^ (key[i % 2] as bigint),
  ) as [bigint, bigint, bigint, bigint];
  const round = (): void => {
    v[0] = u64(v[0] + v[1]);
    v[2] = u64(v[2] + v[3]);
    v[1] = rotated(v[1], 13n) ^ v[0];
    v[3] = rotated(v[3], 16n) ^ v[2];
    v[0] = rotated(v[0], 32n);
    v[2] = u64(v[2] + v[1]);
    v[0] = u64(v[0] + v[3]);
    v[1] = rotated(v[1], 17n) ^ v[2];
    v[3] = rotated(v[3], 21n) ^ v[0];
    v[2] = rotated(v[2], 32n);
  };
  const whole = message.length - (message.length % 8);
  const last = (BigInt(message.length % 256) << 56n) | word(message.subarray(whole));
  const words = Array.from({ length: whole / 8 }, (_, i) => word(message.subarray(i * 8, i * 8 + 8)));
  for (const m of [...words, last]) {
    v[3] ^= m;
    for (let i = 0; i < compressions; i++) round();
    v[0] ^= m;
  }
  v[2] ^= 0xffn;
  for (let i = 0; i < finalisations; i++) round();
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

it('the oracle gives the vector of the paper: SipHash-2-4 of 00…0e under 00…0f', () => {
  const key = [word(counting(8)), word(counting(8, 8))] as const;
  expect(sipHash(2, 4, key, counting(15))).toBe(0xa129ca6149be45e5n);
});

it('the oracle gives the kernel’s 32-bit hash: the low half of SipHash-1-3 of 00 01 02 03', () => {
  const key = [word(counting(8)), word(counting(8, 8))] as const;
  expect(sipHash(1, 3, key, counting(4)) & 0xffffffffn).toBe(0x88d38328n);
});

const long = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

property(
  'hash = SipHash-1-3 of the 13 bytes as they stand in the packet',
  fc.property(fc.tuple(long, long), fc.uint8Array({ minLength: 13, maxLength: 13 }), ([key0, key1], message) => {
    view.setBigUint64(SUPERBLOCK + SB_KEY0, key0, true);
    view.setBigUint64(SUPERBLOCK + SB_KEY1, key1, true);
    const fields = new DataView(message.buffer);
    const source = swap32(fields.getUint32(0));
    const destination = swap32(fields.getUint32(4));
    const ports = (swap16(fields.getUint16(10)) << 16) | swap16(fields.getUint16(8));
    const hash = call.hash(source, destination, ports, fields.getUint8(12));
    expect(u64(hash)).toBe(sipHash(1, 3, [key0, key1], message));
  }),
);
