/**
 * MAC addresses: six bytes, compared and copied as four and two.
 *
 * @module
 */

export const MAC_SIZE: u32 = 6;

/** Whether the six bytes at `a` and `b` are the same. */
export function sameMac(a: usize, b: usize): bool {
  return load<u32>(a) == load<u32>(b) && load<u16>(a, 4) == load<u16>(b, 4);
}

/** Copies six bytes. */
export function copyMac(to: usize, from: usize): void {
  store<u32>(to, load<u32>(from));
  store<u16>(to, load<u16>(from, 4), 4);
}
