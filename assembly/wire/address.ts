/**
 * Kinds of IPv4 addresses (RFC 6890), told from the address as loaded: its first octet is the low byte.
 *
 * @module
 */

/** 255.255.255.255. */
export const BROADCAST: u32 = 0xffffffff;

const LOOPBACK_NET: u32 = 127;

/** 127/8. */
export function isLoopback(addressBE: u32): bool {
  return (addressBE & 0xff) == LOOPBACK_NET;
}

/** 224/4. */
export function isMulticast(addressBE: u32): bool {
  return (addressBE & 0xf0) == 0xe0;
}
