/**
 * Bits of addresses and prefixes as bytes, the same for four and for sixteen of them.
 *
 * @module
 */

/** How many leading bits two addresses of one family have in common. */
export function commonBits(a: Uint8Array, b: Uint8Array): number {
  for (const [i, byte] of a.entries()) {
    const difference = byte ^ (b[i] ?? 0);
    if (difference !== 0) return i * 8 + Math.clz32(difference) - 24;
  }
  return a.length * 8;
}

/** Order byte by byte: negative, 0 or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (const [i, byte] of a.entries()) {
    const difference = byte - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The address with 0 in all bits behind the prefix. */
export function networkOf(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, i) => byte & maskByte(length, i));
}

/** The address with 1 in all bits behind the prefix: an IPv4 network's broadcast address. */
export function broadcastOf(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, i) => byte | ~maskByte(length, i));
}

/** The mask of an IPv4 prefix. */
export function netmask(length: number): Uint8Array {
  return Uint8Array.from({ length: 4 }, (_, i) => maskByte(length, i));
}

function maskByte(length: number, index: number): number {
  const bits = Math.min(8, Math.max(0, length - index * 8));
  return (0xff00 >> bits) & 0xff;
}
