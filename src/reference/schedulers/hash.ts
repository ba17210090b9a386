/**
 * The hash of sh, dh, lblc and lblcr.
 *
 * @module
 */
import type { Address, Family } from '../packet/address.js';

/** Multiplicative hashing of 32 bits to `bits`, with 2^32 divided by the golden ratio squared. */
export function hash32(value: number, bits: number): number {
  return Math.imul(value, 0x61c88647) >>> (32 - bits);
}

/**
 * 32 bits of an address: for IPv6 the exclusive or of its four words, but only the first of them in a service of the other
 * family.
 */
export function fold(address: Address, family: Family): number {
  if (typeof address === 'number') return address;
  const words = [96n, 64n, 32n, 0n].map((shift) => Number((address >> shift) & 0xffffffffn));
  return family === 4 ? words[0]! : words.reduce((all, word) => all ^ word) >>> 0;
}
