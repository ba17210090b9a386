/**
 * Cutting packets that are too large, and cutting datagrams as they were when they came (RFC 791 §3.2, RFC 8200 §4.5), as
 * Linux does it.
 *
 * @module
 */
import { type IpPacket, ipLength, isIpv6 } from './packet/ip.js';
import { IP_FLAG, type Ipv4Packet, withChecksum } from './packet/ipv4.js';
import { IPV6_LENGTH, IPV6_MIN_MTU, type Ipv6Packet } from './packet/ipv6.js';
import { FRAGMENT_LENGTH, unfragmentableLength, withFragmentHeader } from './packet/ipv6-extensions.js';
import type { Arrival } from './reassembly.js';

/** How a packet leaves. */
export interface Exit {
  /** Bytes of the largest IP packet. */
  mtu: number;
  /** Of fragments of IPv6; IPv4 has one already. */
  identification: number;
  /** How the datagram came, if in fragments: also of the one inside a tunnel. */
  arrival: Arrival | undefined;
  /** Whether it was on its way through when IPVS took it and sent it elsewhere. */
  isRerouted?: boolean;
}

/**
 * The pieces in which a packet leaves, in order; itself if it needs no cutting. Whether it may be cut was asked before.
 * The transport checksum must be finished.
 *
 * A datagram that came in fragments leaves with the same boundaries where all pieces fit, and in none larger than its
 * largest was; what was put in front of it belongs to the first. The outside of a tunnel knows the boundaries of a
 * datagram of the other family, too, but not the largest: Linux has that of IPv6 where IPv4 has flags.
 *
 * @returns `too-big` when the MTU has no room for 8 bytes of data, or an IPv6 datagram came in larger fragments
 */
export function cut(packet: IpPacket, exit: Exit): IpPacket[] | 'too-big' {
  return isIpv6(packet) ? cutIpv6(packet, exit) : cutIpv4(packet, exit);
}

function cutIpv4(packet: Ipv4Packet, { mtu, arrival }: Exit): IpPacket[] | 'too-big' {
  const own = arrival?.family === 4 ? arrival : undefined;
  if (own === undefined && ipLength(packet) <= mtu) return [packet];
  const room = Math.min(mtu, own?.largest ?? mtu) - (ipLength(packet) - packet.payload.length);
  if (room < 8) return 'too-big';
  const { sizes, isNew } = pieceSizes(packet.payload.length, room, arrival);
  // DF comes back only where the boundaries are new ones, be it the DF of what is in the tunnel.
  const flags = isNew && (sharedWord(arrival, false) & FRAG_PMTU) !== 0 ? IP_FLAG.dontFragment : 0;
  // Those of a later fragment were made so when the datagram was cut for the first time.
  const later = packet.fragmentOffset === 0 ? { ...packet, options: laterOptions(packet.options) } : packet;
  return slices(packet.payload, sizes).map(({ start, bytes, isLast }) =>
    withChecksum({
      ...(start === 0 ? packet : later),
      flags: flags | (isLast ? 0 : IP_FLAG.moreFragments),
      fragmentOffset: start / 8,
      payload: bytes,
    }),
  );
}

function cutIpv6(
  packet: Ipv6Packet,
  { mtu, identification, arrival, isRerouted = false }: Exit,
): IpPacket[] | 'too-big' {
  const largest = sharedWord(arrival, isRerouted);
  if (ipLength(packet) <= (largest === 0 ? mtu : Math.min(mtu, largest))) return [packet];
  if (largest > mtu) return 'too-big';
  const at = unfragmentableLength(packet);
  const limit = largest === 0 ? mtu : Math.max(largest, IPV6_MIN_MTU);
  const room = limit - IPV6_LENGTH - at - FRAGMENT_LENGTH;
  if (room < 8) return 'too-big';
  const data = packet.payload.subarray(at);
  const before = packet.payload.subarray(0, at);
  return slices(data, pieceSizes(data.length, room, arrival).sizes).map(({ start, bytes, isLast }) => {
    const piece = { ...packet, payload: Uint8Array.from([...before, ...bytes]) };
    return withFragmentHeader(piece, at, { offset: start / 8, more: !isLast, identification });
  });
}

/** Linux's flags of IPv4 for a datagram whose largest fragment had DF, and for one that it routed. */
const FRAG_PMTU = 64;
const FORWARDED = 1;

/**
 * What Linux has noted in the one place that is flags to IPv4 and the largest fragment to IPv6, whichever family reads it
 * after a tunnel's headers were put in front; 0: nothing.
 */
function sharedWord(arrival: Arrival | undefined, isRerouted: boolean): number {
  if (arrival?.family === 6) return arrival.largest;
  return (arrival?.dontFragment ? FRAG_PMTU : 0) | (isRerouted ? FORWARDED : 0);
}

/** Bytes of data in each piece, of which none takes more than `room`; `isNew` unless they are those of the arrival. */
function pieceSizes(length: number, room: number, arrival: Arrival | undefined): { sizes: number[]; isNew: boolean } {
  const rest = arrival?.rest ?? [];
  const sizes = [length - rest.reduce((sum, size) => sum + size, 0), ...rest];
  const fit = sizes.every(
    (size, i) => size > 0 && size <= room && (size % 8 === 0 || (i > 0 && i === sizes.length - 1)),
  );
  if (rest.length > 0 && fit) return { sizes, isNew: false };
  const most = room - (room % 8);
  const cuts: number[] = [];
  for (let left = length; left > 0; left -= cuts.at(-1) ?? left) cuts.push(left > room ? most : left);
  return { sizes: cuts, isNew: true };
}

interface Slice {
  start: number;
  bytes: Uint8Array;
  isLast: boolean;
}

function slices(data: Uint8Array, sizes: readonly number[]): Slice[] {
  let start = 0;
  return sizes.map((size, i) => {
    const slice = { start, bytes: data.slice(start, start + size), isLast: i === sizes.length - 1 };
    start += size;
    return slice;
  });
}

const OPTION = { end: 0, noOperation: 1, copied: 0x80 } as const;

/** The options of all fragments but the first: those without the copied flag (RFC 791 §3.1) become no operations. */
function laterOptions(options: Uint8Array): Uint8Array {
  const later = options.slice();
  let at = 0;
  while (at < options.length && options[at] !== OPTION.end) {
    const type = options[at] ?? OPTION.end;
    const length = type === OPTION.noOperation ? 1 : (options[at + 1] ?? 0);
    if (length < 1 || (length < 2 && type !== OPTION.noOperation) || at + length > options.length) break;
    if ((type & OPTION.copied) === 0) later.fill(OPTION.noOperation, at, at + length);
    at += length;
  }
  return later;
}
