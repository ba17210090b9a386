/**
 * Authentication Header and Encapsulating Security Payload.
 *
 * @module
 */
import { decimal, hex, type Place, type Walk } from './walk.js';

/** RFC 4302 §2; gives what it protects. */
export function ah(
  walk: Walk,
  at: number,
  end: number,
  { prefix }: Place,
): { protocol: number; at: number } | undefined {
  const length = at + 2 <= end ? (walk.frame[at + 1]! + 2) * 4 : 12;
  const layer = walk.layer('ah', prefix, at, at + Math.max(12, length), end);
  walk.add(layer, 'ah.next_header', at, 1, decimal);
  walk.add(layer, 'ah.length', at + 1, 1, () => String(length));
  walk.add(layer, 'ah.reserved', at + 2, 2, hex);
  walk.add(layer, 'ah.spi', at + 4, 4, hex);
  walk.add(layer, 'ah.sequence', at + 8, 4, decimal);
  if (length < 12 || at + length > end) return undefined;
  walk.rest(layer, 'ah.icv', at + 12, at + length);
  return { protocol: walk.frame[at]!, at: at + length };
}

/** RFC 4303 §2: all behind it is enciphered. */
export function esp(walk: Walk, at: number, end: number, { prefix }: Place): void {
  const layer = walk.layer('esp', prefix, at, at + 8, end);
  walk.add(layer, 'esp.spi', at, 4, hex);
  walk.add(layer, 'esp.sequence', at + 4, 4, decimal);
}
