/**
 * What the rival over typed arrays does to a packet, whose IP header begins at word `w`.
 *
 * @module
 */
import { checksum, checksumUpdate, fold, half, swap } from './words.js';
import type { WorldDest } from './world.js';

export const IP = 20;
export const TCP = 6;
export const UDP = 17;
export const IPIP = 4;
export const DF_BE = 0x0040;
/** MF and the offset. */
export const FRAGMENT_BE = 0xff3f;

/** Checks an IP header; length of the packet, or 0. */
export function ipv4Length(words: Int32Array, w: number, room: number): number {
  if (room < IP) return 0;
  const first = words[w]!;
  if ((first & 0xff) !== 0x45) return 0;
  const sum = half(first) + half(words[w + 1]!) + half(words[w + 2]!) + half(words[w + 3]!) + half(words[w + 4]!);
  const total = swap(first >>> 16);
  return fold(sum) !== 0xffff || total > room || total < IP ? 0 : total;
}

/** RFC 6040 §4.2; false when the packet must be dropped. */
export function mergeEcn(words: Int32Array, w: number, outerTos: number): boolean {
  const old = words[w]!;
  const ecn = (old >> 8) & 3;
  const outer = outerTos & 3;
  if (outer === 3 && ecn === 0) return false;
  const merged = outer === 3 ? 3 : outer === 1 && ecn === 2 ? 1 : ecn;
  if (merged === ecn) return true;
  const word = (old & ~0x300) | (merged << 8);
  words[w] = word;
  const sum = (~words[w + 2]! >>> 16) + (~old & 0xffff) + (word & 0xffff);
  words[w + 2] = (words[w + 2]! & 0xffff) | (~fold(sum) << 16);
  return true;
}

/** Brings the transport checksum up to date after an address and a port changed. */
export function translated(
  words: Int32Array,
  w: number,
  length: number,
  protocol: number,
  old: number,
  addr: number,
  oldPort: number,
  port: number,
): void {
  if (protocol === TCP) {
    const word = words[w + 9]!;
    words[w + 9] = (word & ~0xffff) | checksumUpdate(word & 0xffff, old, addr, oldPort, port);
    return;
  }
  const word = words[w + 6]!;
  let updated: number;
  if (word >>> 16 === 0) {
    const pseudo = half(words[w + 3]!) + half(words[w + 4]!) + (UDP << 8) + swap(length - IP);
    const sum = ~checksum(words, (w + 5) << 2, length - IP) & 0xffff;
    updated = ~fold(pseudo + sum) & 0xffff;
  } else updated = checksumUpdate(word >>> 16, old, addr, oldPort, port);
  words[w + 6] = (word & 0xffff) | ((updated === 0 ? 0xffff : updated) << 16);
}

/** Puts an outer header in front; `whole` bytes long with what it carries. DF is copied outside. */
export function encapsulate(words: Int32Array, w: number, to: WorldDest, whole: number, id: number): void {
  let tos = (words[w]! >> 8) & 0xff;
  if ((tos & 3) === 3) tos = (tos & ~3) | 2;
  const df = (words[w + 1]! >>> 16) & DF_BE;
  const first = 0x45 | (tos << 8) | (swap(whole) << 16);
  const second = swap(id) | (df << 16);
  const low = (words[w + 2]! & 0xff) | (IPIP << 8);
  const sum = half(first) + half(second) + low + half(to.source) + half(to.address);
  words[w - 5] = first;
  words[w - 4] = second;
  words[w - 3] = low | (~fold(sum) << 16);
  words[w - 2] = to.source;
  words[w - 1] = to.address;
}
