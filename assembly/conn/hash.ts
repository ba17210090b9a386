// biome-ignore-all format: a half round of SipHash to a line
/**
 * SipHash-1-3 (Aumasson, Bernstein 2012) of a connection tuple: a keyed hash, so that nobody who
 * does not know the key can choose tuples that meet in one bucket.
 *
 * The message is the 13 bytes source, destination (4 each), ports (2 each), protocol (1).
 *
 * @module
 */
import { SB_KEY0, SB_KEY1, SUPERBLOCK } from '../../src/abi/superblock';

/** Length of the message, which SipHash puts into the top byte of the last word. */
const LENGTH: u64 = 13;

/** Hash of a tuple as loaded from the wire. The low half serves as tag, the high half picks the bucket. */
export function hashTuple(sourceBE: u32, destinationBE: u32, portsBE: u32, protocol: u32): u64 {
  const k0 = load<u64>(SUPERBLOCK, SB_KEY0);
  const k1 = load<u64>(SUPERBLOCK, SB_KEY1);
  let v0: u64 = k0 ^ 0x736f6d6570736575;
  let v1: u64 = k1 ^ 0x646f72616e646f6d;
  let v2: u64 = k0 ^ 0x6c7967656e657261;
  let v3: u64 = k1 ^ 0x7465646279746573;

  const m0 = <u64>sourceBE | (<u64>destinationBE << 32);
  const m1 = <u64>portsBE | (<u64>protocol << 32) | (LENGTH << 56);

  // Unrolled: a round in a function of four in-out values is not expressible, a loop of one is slower.
  v3 ^= m0;
  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);
  v0 ^= m0;

  v3 ^= m1;
  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);
  v0 ^= m1;

  v2 ^= 0xff;
  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);

  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);

  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);

  return v0 ^ v1 ^ v2 ^ v3;
}

/** Length of the message of an IPv6 tuple: 16 + 16 + 4 + 1 bytes. */
const LENGTH6: u64 = 37;

/** The same for IPv6, whose addresses are at `source` and `destination`. */
export function hashTuple6(source: usize, destination: usize, portsBE: u32, protocol: u32): u64 {
  const k0 = load<u64>(SUPERBLOCK, SB_KEY0);
  const k1 = load<u64>(SUPERBLOCK, SB_KEY1);
  let v0: u64 = k0 ^ 0x736f6d6570736575;
  let v1: u64 = k1 ^ 0x646f72616e646f6d;
  let v2: u64 = k0 ^ 0x6c7967656e657261;
  let v3: u64 = k1 ^ 0x7465646279746573;

  const m0 = load<u64>(source);
  v3 ^= m0;
  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);
  v0 ^= m0;

  const m1 = load<u64>(source, 8);
  v3 ^= m1;
  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);
  v0 ^= m1;

  const m2 = load<u64>(destination);
  v3 ^= m2;
  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);
  v0 ^= m2;

  const m3 = load<u64>(destination, 8);
  v3 ^= m3;
  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);
  v0 ^= m3;

  const m4 = <u64>portsBE | (<u64>protocol << 32) | (LENGTH6 << 56);
  v3 ^= m4;
  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);
  v0 ^= m4;

  v2 ^= 0xff;
  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);

  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);

  v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
  v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
  v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
  v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);

  return v0 ^ v1 ^ v2 ^ v3;
}

/** Hash of a tuple of either family. */
export function hashAny(v6: bool, source: usize, destination: usize, portsBE: u32, protocol: u32): u64 {
  return v6
    ? hashTuple6(source, destination, portsBE, protocol)
    : hashTuple(load<u32>(source), load<u32>(destination), portsBE, protocol);
}

/** SipHash-1-3 of a message of three words, whose length in bytes is the top byte of the last. Compact: only SYN cookies need it. */
export function hashWords(a: u64, b: u64, c: u64): u64 {
  const k0 = load<u64>(SUPERBLOCK, SB_KEY0);
  const k1 = load<u64>(SUPERBLOCK, SB_KEY1);
  let v0: u64 = k0 ^ 0x736f6d6570736575;
  let v1: u64 = k1 ^ 0x646f72616e646f6d;
  let v2: u64 = k0 ^ 0x6c7967656e657261;
  let v3: u64 = k1 ^ 0x7465646279746573;
  // A round for each word, then three more.
  for (let i: u32 = 0; i < 6; i++) {
    const word: u64 = i == 0 ? a : i == 1 ? b : i == 2 ? c : 0;
    if (i == 3) v2 ^= 0xff;
    v3 ^= word;
    v0 += v1; v1 = rotl<u64>(v1, 13) ^ v0; v0 = rotl<u64>(v0, 32);
    v2 += v3; v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3; v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1; v1 = rotl<u64>(v1, 17) ^ v2; v2 = rotl<u64>(v2, 32);
    v0 ^= word;
  }
  return v0 ^ v1 ^ v2 ^ v3;
}
