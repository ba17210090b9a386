/**
 * The kernel's unkeyed hashes of addresses and ports. Who knows them can choose where his connections go: for what must not
 * be foreseen see conn/hash.
 *
 * @module
 */

/** 2^32 over the golden ratio squared: the multiplier of hash_32(). */
const GOLDEN_RATIO: u32 = 0x61c88647;

/** The top `bits` bits of a key's product. */
export function hash32(key: u32, bits: u32): u32 {
  return (key * GOLDEN_RATIO) >> (32 - bits);
}

/** SipHash-1-3 of the four bytes of `value`, its low half, with a key of two equal words (hsiphash() of 64-bit kernels). */
export function hsiphash(value: u32, key: u64): u32 {
  const message = <u64>value | ((<u64>4) << 56);
  let v0: u64 = key ^ 0x736f6d6570736575;
  let v1: u64 = key ^ 0x646f72616e646f6d;
  let v2: u64 = key ^ 0x6c7967656e657261;
  let v3: u64 = key ^ 0x7465646279746573 ^ message;
  for (let round = 0; round < 4; round++) {
    v0 += v1;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v0 = rotl<u64>(v0, 32);
    v2 += v3;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v2 = rotl<u64>(v2, 32);
    if (round == 0) {
      v0 ^= message;
      v2 ^= 0xff;
    }
  }
  return <u32>(v0 ^ v1 ^ v2 ^ v3);
}
