/**
 * The director's own addresses, and which of them a packet of its own takes as its source.
 *
 * @module
 */
import { isLoopback6, type PrefixBytes } from './address.js';
import { commonBits, compareBytes, networkOf } from './prefix-bits.js';

/** An address of the director, with the prefix of its link. */
export interface OwnAddress extends PrefixBytes {
  readonly interfaceIndex: number;
  readonly up: boolean;
}

/** Where packets go: a route's prefix, the interface that it leads out of, and its next hop. */
export interface Way extends PrefixBytes {
  readonly interfaceIndex: number;
  /** `undefined`: on the link. */
  readonly gateway?: Uint8Array | undefined;
}

/** A part of a route's destinations, and the source of packets to there. */
export interface SourceRange {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** `undefined`: the host has no address that could be one. */
  readonly source: Uint8Array | undefined;
}

/**
 * The sources of packets that take a route without one of its own. Parts stand before those that they lie in; the last is the
 * whole route.
 */
export function defaultSources(own: readonly OwnAddress[], way: Way): SourceRange[] {
  const { family, bytes, length } = way;
  return family === 4 ? [{ bytes, length, source: source4(own, way) }] : sources6(own, way);
}

/** RFC 1122 §3.3.4.3: an address of the interface, best in the next hop's net. */
function source4(own: readonly OwnAddress[], { bytes, interfaceIndex, gateway = bytes }: Way): Uint8Array | undefined {
  const here = own.filter((each) => each.interfaceIndex === interfaceIndex);
  const near = here.find((each) => commonBits(each.bytes, gateway) >= each.length);
  const any = own.find((each) => each.up && each.bytes[0] !== 127);
  return (near ?? here[0] ?? any)?.bytes;
}

/**
 * RFC 6724 §5, rules 2, 5 and 8: of the right scope, on the interface it leaves by, with the longest prefix in common with the
 * destination, as far as it is a prefix of the address's link. By rule 8 the source changes within the route where
 * destinations come close to an address that is more than its link's: a VIP with /128.
 */
function sources6(own: readonly OwnAddress[], way: Way): SourceRange[] {
  const candidates = candidates6(own, way);
  const winner = (towards: Uint8Array, bits: number): Uint8Array | undefined => {
    const common = candidates.map((each) => Math.min(commonBits(each.bytes, towards), each.length, bits));
    return candidates[common.indexOf(Math.max(...common))]?.bytes;
  };
  const ranges: SourceRange[] = [{ bytes: way.bytes, length: way.length, source: winner(way.bytes, way.length) }];
  for (const { bytes, length: most } of candidates) {
    if (commonBits(bytes, way.bytes) < way.length) continue;
    let source = ranges[0]?.source;
    for (let length = way.length + 1; length <= most; length++) {
      const closer = winner(bytes, length);
      const part = { bytes: networkOf(bytes, length), length, source: closer };
      if (closer !== source && !ranges.some((range) => isSame(range, part))) ranges.push(part);
      source = closer;
    }
  }
  return ranges.sort((a, b) => b.length - a.length);
}

function isSame(a: SourceRange, b: SourceRange): boolean {
  return a.length === b.length && compareBytes(a.bytes, b.bytes) === 0;
}

/** The addresses that rules 2 and 5 leave. */
function candidates6(own: readonly OwnAddress[], { bytes, interfaceIndex }: Way): OwnAddress[] {
  const toLink = isLinkLocal(bytes);
  const rank = (each: OwnAddress): number =>
    (isLinkLocal(each.bytes) === toLink ? 2 : 0) + (each.interfaceIndex === interfaceIndex ? 1 : 0);
  // Addresses of one link go to no other (§4).
  const possible = own.filter(
    (each) => !isLoopback6(each.bytes) && (each.interfaceIndex === interfaceIndex || !toLink),
  );
  const best = Math.max(...possible.map(rank));
  return possible.filter((each) => rank(each) === best);
}

/** fe80::/10 (RFC 4291 §2.5.6) */
export function isLinkLocal(bytes: Uint8Array): boolean {
  return bytes[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80;
}
