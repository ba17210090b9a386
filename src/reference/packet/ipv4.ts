/**
 * IPv4 packets (RFC 791 §3.1).
 *
 * @module
 */
import { carryChecksum, checksumIsRight, concatenate, internetChecksum } from './checksum.js';

/** Links carry packets of this size (RFC 791 §3.2). */
export const IPV4_MIN_MTU = 68;

/** Protocol numbers (IANA). */
export const PROTOCOL = { icmp: 1, ipip: 4, tcp: 6, udp: 17 } as const;

/** The three flag bits, as they stand in {@link Ipv4Packet.flags}. */
export const IP_FLAG = { moreFragments: 1, dontFragment: 2, reserved: 4 } as const;

/** An IPv4 packet taken apart. Version, IHL and total length follow from the rest. */
export interface Ipv4Packet {
  tos: number;
  identification: number;
  /** See {@link IP_FLAG}. */
  flags: number;
  /** In units of 8 bytes. */
  fragmentOffset: number;
  ttl: number;
  protocol: number;
  /** As it came. {@link serialiseIpv4} makes a new one unless told otherwise. */
  checksum: number;
  source: number;
  destination: number;
  /** 0..40 bytes, a multiple of 4. */
  options: Uint8Array;
  payload: Uint8Array;
}

/** What makes the host drop a packet on receipt; the names are those of the reasons. */
export type Ipv4Fault =
  | 'ipv4-truncated'
  | 'ipv4-version'
  | 'ipv4-header-length'
  | 'ipv4-checksum'
  | 'ipv4-total-length';

/** Looks for faults in the order in which a host does (RFC 1122 §3.2.1); `undefined` when there are none. */
export function findIpv4Fault(bytes: Uint8Array): Ipv4Fault | undefined {
  if (bytes.length < 20) return 'ipv4-truncated';
  const headerLength = (bytes[0]! & 0xf) * 4;
  if (bytes[0]! >>> 4 !== 4) return 'ipv4-version';
  if (headerLength < 20) return 'ipv4-header-length';
  if (bytes.length < headerLength) return 'ipv4-truncated';
  if (!checksumIsRight(bytes.subarray(0, headerLength))) return 'ipv4-checksum';
  const totalLength = (bytes[2]! << 8) | bytes[3]!;
  if (totalLength > bytes.length || totalLength < headerLength) return 'ipv4-total-length';
  return undefined;
}

/**
 * Takes a packet apart; bytes behind the total length are left out, the checksum is not verified.
 *
 * @throws RangeError when version, IHL or total length do not fit the bytes.
 */
export function parseIpv4(bytes: Uint8Array): Ipv4Packet {
  const fault = findIpv4Fault(bytes);
  if (fault !== undefined && fault !== 'ipv4-checksum') throw new RangeError(`not an IPv4 packet: ${fault}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = (view.getUint8(0) & 0xf) * 4;
  const totalLength = view.getUint16(2);
  if (totalLength > bytes.length || totalLength < headerLength) throw new RangeError('total length does not fit');
  return {
    tos: view.getUint8(1),
    identification: view.getUint16(4),
    flags: view.getUint16(6) >>> 13,
    fragmentOffset: view.getUint16(6) & 0x1fff,
    ttl: view.getUint8(8),
    protocol: view.getUint8(9),
    checksum: view.getUint16(10),
    source: view.getUint32(12),
    destination: view.getUint32(16),
    options: bytes.slice(20, headerLength),
    payload: bytes.slice(headerLength, totalLength),
  };
}

/** Puts a packet together, with a checksum from scratch or the one given. */
export function serialiseIpv4(packet: Ipv4Packet, checksum = rightChecksum(packet)): Uint8Array {
  return concatenate(serialiseHeader(packet, checksum), packet.payload);
}

function serialiseHeader(packet: Ipv4Packet, checksum: number): Uint8Array {
  const header = new Uint8Array(20 + packet.options.length);
  const view = new DataView(header.buffer);
  view.setUint8(0, 0x40 | (header.length / 4));
  view.setUint8(1, packet.tos);
  view.setUint16(2, totalLength(packet));
  view.setUint16(4, packet.identification);
  view.setUint16(6, (packet.flags << 13) | packet.fragmentOffset);
  view.setUint8(8, packet.ttl);
  view.setUint8(9, packet.protocol);
  view.setUint16(10, checksum);
  view.setUint32(12, packet.source);
  view.setUint32(16, packet.destination);
  header.set(packet.options, 20);
  return header;
}

function rightChecksum(packet: Ipv4Packet): number {
  return internetChecksum(serialiseHeader(packet, 0));
}

/** Total length in bytes: header, options and payload. */
export function totalLength(packet: Ipv4Packet): number {
  return 20 + packet.options.length + packet.payload.length;
}

/** Whether the packet is a fragment: the first, a middle or the last one (RFC 791 §3.2). */
export function isFragment(packet: Ipv4Packet): boolean {
  return packet.fragmentOffset !== 0 || (packet.flags & IP_FLAG.moreFragments) !== 0;
}

/** The packet with another TTL and the checksum exactly as wrong as before. */
export function withTtl(packet: Ipv4Packet, ttl: number): Ipv4Packet {
  return ttl === packet.ttl ? packet : carriedOver(packet, { ...packet, ttl });
}

/** The packet with its checksum field made right. */
export function withChecksum(packet: Ipv4Packet): Ipv4Packet {
  return { ...packet, checksum: rightChecksum(packet) };
}

/**
 * The packet with the ECN field changed and the checksum exactly as wrong as before.
 *
 * @param ecn 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE (RFC 3168 §5)
 */
export function withEcn(packet: Ipv4Packet, ecn: number): Ipv4Packet {
  const changed = { ...packet, tos: (packet.tos & 0xfc) | ecn };
  return changed.tos === packet.tos ? packet : carriedOver(packet, changed);
}

function carriedOver(before: Ipv4Packet, after: Ipv4Packet): Ipv4Packet {
  const checksum = carryChecksum(serialiseHeader(before, before.checksum), serialiseHeader(after, 0));
  return { ...after, checksum };
}
