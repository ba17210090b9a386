/**
 * Kinds of IPv4 addresses (RFC 6890), told from the address as loaded: its first octet is the low byte.
 *
 * @module
 */

/** 255.255.255.255. */
export const BROADCAST: u32 = 0xffffffff;

const THIS_NET: u32 = 0;
const LOOPBACK_NET: u32 = 127;

/** 0/8: "this network". */
export function isThisNet(addressBE: u32): bool {
  return (addressBE & 0xff) == THIS_NET;
}

/** 127/8. */
export function isLoopback(addressBE: u32): bool {
  return (addressBE & 0xff) == LOOPBACK_NET;
}

/** 224/4. */
export function isMulticast(addressBE: u32): bool {
  return (addressBE & 0xf0) == 0xe0;
}
