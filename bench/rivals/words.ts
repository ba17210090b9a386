/**
 * Words, halves and one's complement sums for the rival over typed arrays: little-endian loads of
 * network-order bytes, since the sum of RFC 1071 does not mind the byte order.
 *
 * @module
 */

/** The two halves of a word, added. */
export function half(word: number): number {
  return (word & 0xffff) + (word >>> 16);
}

/** One's complement: carries added back in. */
export function fold(sum: number): number {
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

/** A 16-bit number between network and host order. */
export function swap(port: number): number {
  return ((port >> 8) & 0xff) | ((port & 0xff) << 8);
}

/** Internet checksum (RFC 1071) of `length` bytes of `words` from byte `at`, a multiple of 4. */
export function checksum(words: Int32Array, at: number, length: number): number {
  let sum = 0;
  let i = at >> 2;
  const end = i + (length >> 2);
  // 4 words a turn; each adds less than 2^18, so the sum stays exact far beyond 64 KiB
  for (; i + 4 <= end; i += 4) sum += half(words[i]!) + half(words[i + 1]!) + half(words[i + 2]!) + half(words[i + 3]!);
  for (; i < end; i++) sum += half(words[i]!);
  const rest = length & 3;
  if (rest) sum += half(words[i]! & (0xffffff >> ((3 - rest) * 8)));
  return ~fold(fold(sum)) & 0xffff;
}

/** RFC 1624 eqn. 3 for one address and one port. */
export function checksumUpdate(hc: number, oldAddr: number, newAddr: number, oldPort: number, newPort: number): number {
  return ~fold((~hc & 0xffff) + half(~oldAddr) + half(newAddr) + (~oldPort & 0xffff) + newPort) & 0xffff;
}

/** 0/8, 127/8, and from 224.0.0.0 up. */
export function isSpecial(address: number): boolean {
  const first = address & 0xff;
  return first === 0 || first === 127 || first >= 224;
}

/** Each MAC as its first two bytes and its last four. */
export function macPairs(macs: Uint8Array[]): Int32Array {
  return Int32Array.from(
    macs.flatMap((mac) => {
      const view = new DataView(mac.buffer, mac.byteOffset, 6);
      return [view.getUint16(0, true), view.getInt32(2, true)];
    }),
  );
}

/** A link header for IPv4 as a frame two bytes past a multiple of 4 stores it, then the interface: see `MAC_WORDS`. */
export function linkRow(destination: Uint8Array, source: Uint8Array, out: number): number[] {
  const header = new DataView(new ArrayBuffer(14));
  for (let i = 0; i < 6; i++) {
    header.setUint8(i, destination[i]!);
    header.setUint8(6 + i, source[i]!);
  }
  header.setUint16(12, 0x0800);
  return [header.getUint16(0, true), ...[2, 6, 10].map((at) => header.getInt32(at, true)), out];
}
