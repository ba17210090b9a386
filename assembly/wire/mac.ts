/**
 * MAC addresses: six bytes, compared and copied as four and two.
 *
 * @module
 */

export const MAC_SIZE: u32 = 6;

/** Whether the six bytes at `a` and `b` are the same; eight are read at each. */
export function sameMac(a: usize, b: usize): bool {
  return (load<u64>(a) ^ load<u64>(b)) << 16 == 0;
}

/** Copies six bytes. */
export function copyMac(to: usize, from: usize): void {
  store<u32>(to, load<u32>(from));
  store<u16>(to, load<u16>(from, 4), 4);
}
