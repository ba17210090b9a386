/**
 * The Internet checksum (RFC 1071), in full and incrementally (RFC 1624).
 *
 * Sums are ones' complement sums of 16-bit words *as loaded*: on this little-endian machine every
 * word is byte-swapped, and so is the result, which makes it right again once stored (RFC 1071 §2 B).
 *
 * @module
 */

/** Below this length the vector loop does not pay for its set-up (measured, bench/checksum). */
const SIMD_MIN: u32 = 64;

/**
 * Folds a wide ones' complement sum into 16 bits. A sum that is not 0 never folds to 0. A number and the same with its
 * halves exchanged have, in the upper half of their sum, the sum of both halves and the carry of that.
 */
export function fold(sum: u64): u32 {
  const halves = <u32>((sum + rotl<u64>(sum, 32)) >> 32);
  return (halves + rotl<u32>(halves, 16)) >> 16;
}

/** Sum of `length` bytes at `address`, eight at a time; an odd last byte is padded with zero. */
export function sumScalar(address: usize, length: u32): u64 {
  let p = address;
  let sum: u64 = 0;
  let left = length;
  for (; left >= 8; left -= 8, p += 8) {
    sum += <u64>load<u32>(p) + <u64>load<u32>(p, 4);
  }
  if (left & 4) {
    sum += <u64>load<u32>(p);
    p += 4;
  }
  if (left & 2) {
    sum += <u64>load<u16>(p);
    p += 2;
  }
  if (left & 1) sum += <u64>load<u8>(p);
  return sum;
}

/** Sum of `length` bytes at `address`, 32 at a time. The same value as `sumScalar` after folding. */
export function sumSimd(address: usize, length: u32): u64 {
  let p = address;
  let left = length;
  // Two accumulators of four 32-bit lanes: pairwise 16-bit additions never overflow a lane
  // before 2^15 rounds, far beyond the longest IP packet (65535 bytes are 2048 rounds).
  let even = i32x4.splat(0);
  let odd = i32x4.splat(0);
  for (; left >= 32; left -= 32, p += 32) {
    even = i32x4.add(even, i32x4.extadd_pairwise_i16x8_u(v128.load(p)));
    odd = i32x4.add(odd, i32x4.extadd_pairwise_i16x8_u(v128.load(p, 16)));
  }
  const lanes = i32x4.add(even, odd);
  const sum =
    <u64>(<u32>i32x4.extract_lane(lanes, 0)) +
    <u64>(<u32>i32x4.extract_lane(lanes, 1)) +
    <u64>(<u32>i32x4.extract_lane(lanes, 2)) +
    <u64>(<u32>i32x4.extract_lane(lanes, 3));
  return sum + sumScalar(p, left);
}

/** Sum of `length` bytes at `address` by whichever way is faster for that length. */
export function sum(address: usize, length: u32): u64 {
  return length >= SIMD_MIN ? sumSimd(address, length) : sumScalar(address, length);
}

/** Checksum field for a sum: its complement. */
export function finish(sum: u64): u32 {
  return ~fold(sum) & 0xffff;
}

/** What replacing the 32-bit word `from` by `to` adds to a sum: ~m + m' of RFC 1624 eqn 3. */
export function difference32(from: u32, to: u32): u64 {
  return <u64>~from + <u64>to;
}

/** What replacing the 16-bit word `from` by `to` adds to a sum. */
export function difference16(from: u32, to: u32): u64 {
  return <u64>(~from & 0xffff) + <u64>to;
}

/** What replacing the 16 bytes at `from` by those at `to` adds to a sum. */
export function difference128(from: usize, to: usize): u64 {
  return (
    difference32(load<u32>(from), load<u32>(to)) +
    difference32(load<u32>(from, 4), load<u32>(to, 4)) +
    difference32(load<u32>(from, 8), load<u32>(to, 8)) +
    difference32(load<u32>(from, 12), load<u32>(to, 12))
  );
}

/** What replacing the 16 bytes at `from` by the word `to` adds to a sum. */
export function difference128to32(from: usize, to: u32): u64 {
  return (
    difference32(load<u32>(from), to) +
    difference32(load<u32>(from, 4), 0) +
    difference32(load<u32>(from, 8), 0) +
    difference32(load<u32>(from, 12), 0)
  );
}

/** What replacing the word `from` by the 16 bytes at `to` adds to a sum. */
export function difference32to128(from: u32, to: usize): u64 {
  return difference32(from, load<u32>(to)) + <u64>load<u32>(to, 4) + <u64>load<u32>(to, 8) + <u64>load<u32>(to, 12);
}

/** The checksum `old` after the differences `delta`: RFC 1624 eqn 3, HC' = ~(~HC + ~m + m'). */
export function update(old: u32, delta: u64): u32 {
  return finish(<u64>(~old & 0xffff) + delta);
}

/** Sum of the pseudo-header of RFC 793 §3.1 and RFC 768: addresses, protocol, length of the segment. */
export function pseudoHeader(sourceBE: u32, destinationBE: u32, protocol: u32, length: u32): u64 {
  return <u64>sourceBE + <u64>destinationBE + <u64>(protocol << 8) + <u64>bswap<u16>(<u16>length);
}

/** The same of RFC 8200 §8.1: the addresses are the 16 bytes at `source` and at `destination`. */
export function pseudoHeader6(source: usize, destination: usize, protocol: u32, length: u32): u64 {
  return sumAddress6(source) + sumAddress6(destination) + <u64>(protocol << 8) + <u64>bswap<u32>(length);
}

function sumAddress6(p: usize): u64 {
  return <u64>load<u32>(p) + <u64>load<u32>(p, 4) + <u64>load<u32>(p, 8) + <u64>load<u32>(p, 12);
}
