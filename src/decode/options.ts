/**
 * Options of IPv4, TCP and IPv6 headers: type, length, data.
 *
 * @module
 */
import { hexText } from './text.js';
import type { Format, Layer, Walk } from './walk.js';

/** Names by type. */
export type OptionNames = Readonly<Record<number, string>>;

/**
 * Adds the options between `from` and `to`, up to the first malformed one. IPv4 and TCP: 0 ends them, 1 is one byte
 * long, the length counts type and length. IPv6 (`ipv6.opt`): 0 is one byte long, the length counts the data alone.
 */
export function options(
  walk: Walk,
  layer: Layer,
  from: number,
  to: number,
  group: string,
  names: OptionNames,
  formatOf: (type: number) => Format | undefined = () => undefined,
): void {
  const { frame } = walk;
  const isIPv6 = group === 'ipv6.opt';
  const lastShort = isIPv6 ? 0 : 1;
  let at = from;
  while (at < to) {
    const type = frame[at]!;
    const isShort = type <= lastShort;
    const length = isShort ? 1 : (frame[at + 1] ?? 0) + (isIPv6 ? 2 : 0);
    if (length < (isShort ? 1 : 2) || at + length > to) return;
    const plain: Format = (f, i, n) => (n <= 2 ? String(type) : `0x${hexText(f, i + 2, n - 2)}`);
    walk.add(layer, `${group}.${names[type] ?? type}`, at, length, formatOf(type) ?? plain);
    if (type === 0 && !isIPv6) return;
    at += length;
  }
}
