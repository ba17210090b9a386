/**
 * The Internet checksum (RFC 1071), summed from scratch, and what becomes of a wrong one.
 *
 * Ones' complement addition of 16-bit words is addition modulo 65535 in which zero has two spellings, 0x0000 and 0xffff.
 * Everything here is written with that plain remainder.
 *
 * @module
 */
import { type Address, addressBytes } from './address.js';

const MODULUS = 0xffff;

/** Sum of the big-endian 16-bit words of `bytes` modulo 65535; an odd last byte counts as if a zero byte followed it. */
export function residue(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) + (bytes[i + 1] ?? 0);
  return sum % MODULUS;
}

/**
 * The checksum to store for `bytes`, whose own checksum field must hold zero (RFC 1071 §1).
 * Zero data gives 0xffff, all other data 0x0000..0xfffe.
 */
export function internetChecksum(bytes: Uint8Array): number {
  const sum = residue(bytes);
  // RFC 1071 sums only to zero when every byte is zero; otherwise zero is spelt 0xffff and its complement is 0x0000.
  if (sum === 0) return bytes.some((byte) => byte !== 0) ? 0 : 0xffff;
  return MODULUS - sum;
}

/** Whether `bytes`, checksum field included, sum to ones' complement zero (RFC 1071 §1). All-zero bytes do not. */
export function checksumIsRight(bytes: Uint8Array): boolean {
  return residue(bytes) === 0 && bytes.some((byte) => byte !== 0);
}

/**
 * What TCP, UDP and ICMPv6 checksums cover besides the segment: 12 bytes (RFC 9293 §3.1, RFC 768), or 40 where the
 * addresses are IPv6 ones (RFC 8200 §8.1).
 *
 * @param protocol of the segment itself, not of an extension header in front of it
 * @param length of the segment in bytes
 */
export function pseudoHeader(source: Address, destination: Address, protocol: number, length: number): Uint8Array {
  const tail = new Uint8Array(typeof source === 'bigint' ? 8 : 4);
  const view = new DataView(tail.buffer);
  if (typeof source === 'bigint') {
    view.setUint32(0, length);
    view.setUint8(7, protocol);
  } else {
    view.setUint8(1, protocol);
    view.setUint16(2, length);
  }
  return concatenate(addressBytes(source), addressBytes(destination), tail);
}

/**
 * The checksum that keeps wrong what was wrong: `before` are the covered bytes with the checksum as it came, `after` the
 * covered bytes as they leave with a checksum of zero. The error is what `before` misses to a sum of zero; the new
 * checksum gives `after` the same error. RFC 1624 eqn 3 computes the same from the changed words alone.
 *
 * @returns 0x0000..0xfffe: of the two spellings of zero the kernel's arithmetic only ever makes 0x0000.
 */
export function carryChecksum(before: Uint8Array, after: Uint8Array): number {
  const error = residue(before);
  return (error - residue(after) + MODULUS) % MODULUS;
}

/** `parts` in one piece. */
export function concatenate(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
