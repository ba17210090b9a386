/**
 * The four bytes that TCP and UDP begin with: source and destination port.
 *
 * @module
 */

/** Bytes needed before the ports can be read. */
export const PORTS_SIZE: u32 = 4;

/** Source port in the low half, destination port in the high half, each in network order. */
export function portsBE(address: usize): u32 {
  return load<u32>(address);
}
