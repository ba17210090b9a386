/**
 * Families as types: where every nanosecond counts, a function takes the type of an address as its parameter, `u32` for IPv4
 * and `v128` for IPv6, and what depends on the family is decided when it is compiled.
 *
 * @module
 */

/** Whether `A` is the type of an IPv6 address. */
export function isIpv6<A>(): bool {
  return sizeof<A>() == 16;
}
