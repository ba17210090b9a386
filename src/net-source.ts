/**
 * The director's own addresses, and which of them a packet of its own takes as its source.
 *
 * @module
 */
import type { PrefixBytes } from './address.js';
import { commonBits } from './prefix-bits.js';

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

/** The source of packets that take a route without one of its own; `undefined` when there is none. */
export function defaultSource(own: readonly OwnAddress[], way: Way): Uint8Array | undefined {
  return way.family === 4 ? source4(own, way) : source6(own, way);
}

/** RFC 1122 §3.3.4.3: an address of the interface, best in the next hop's net. */
function source4(own: readonly OwnAddress[], { bytes, interfaceIndex, gateway = bytes }: Way): Uint8Array | undefined {
  const here = own.filter((each) => each.interfaceIndex === interfaceIndex);
  const near = here.find((each) => commonBits(each.bytes, gateway) >= each.length);
  const any = own.find((each) => each.up && each.bytes[0] !== 127);
  return (near ?? here[0] ?? any)?.bytes;
}

/** RFC 6724 §5, rules 2, 5 and 8: of the right scope, on the interface it leaves by, with the longest prefix in common. */
function source6(own: readonly OwnAddress[], { bytes, length, interfaceIndex }: Way): Uint8Array | undefined {
  const toLink = isLinkLocal(bytes);
  const rank = (each: OwnAddress): number => {
    const scope = isLinkLocal(each.bytes) === toLink ? 2 : 0;
    const here = each.interfaceIndex === interfaceIndex ? 1 : 0;
    return (scope + here) * 256 + Math.min(commonBits(each.bytes, bytes), each.length, length);
  };
  // Addresses of one link go to no other (§4).
  const candidates = own.filter(
    (each) => !isLoopback6(each.bytes) && (each.interfaceIndex === interfaceIndex || !toLink),
  );
  const best = Math.max(...candidates.map(rank));
  return candidates.find((each) => rank(each) === best)?.bytes;
}

/** ::1 */
function isLoopback6(bytes: Uint8Array): boolean {
  return bytes.every((byte, i) => byte === (i === 15 ? 1 : 0));
}

/** fe80::/10 (RFC 4291 §2.5.6) */
export function isLinkLocal(bytes: Uint8Array): boolean {
  return bytes[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80;
}
