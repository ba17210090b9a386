/**
 * Packets of either IP version, where the version makes no difference.
 *
 * @module
 */
import { type Ipv4Packet, parseIpv4, serialiseIpv4, totalLength, withTtl } from './ipv4.js';
import { IPV6_LENGTH, type Ipv6Packet, parseIpv6, serialiseIpv6 } from './ipv6.js';
import { findUpper } from './ipv6-extensions.js';

/** An IPv4 or an IPv6 packet; {@link isIpv6} tells. */
export type IpPacket = Ipv4Packet | Ipv6Packet;

export function isIpv6(packet: IpPacket): packet is Ipv6Packet {
  return 'hopLimit' in packet;
}

/** Takes a packet apart by its version. @throws RangeError as {@link parseIpv4} and {@link parseIpv6} */
export function parseIp(bytes: Uint8Array): IpPacket {
  return (bytes[0] ?? 0) >>> 4 === 6 ? parseIpv6(bytes) : parseIpv4(bytes);
}

/** Puts a packet together; IPv4 with a right header checksum. */
export function serialiseIp(packet: IpPacket): Uint8Array {
  return isIpv6(packet) ? serialiseIpv6(packet) : serialiseIpv4(packet);
}

/** Bytes of the whole packet. */
export function ipLength(packet: IpPacket): number {
  return isIpv6(packet) ? IPV6_LENGTH + packet.payload.length : totalLength(packet);
}

/** TTL or hop limit. */
export function hopsOf(packet: IpPacket): number {
  return isIpv6(packet) ? packet.hopLimit : packet.ttl;
}

/** The packet with TTL or hop limit one lower. */
export function withLowerHops(packet: IpPacket): IpPacket {
  return withHops(packet, hopsOf(packet) - 1);
}

/** The packet with another TTL or hop limit, and a header checksum exactly as wrong as before. */
export function withHops(packet: IpPacket, hops: number): IpPacket {
  return isIpv6(packet) ? { ...packet, hopLimit: hops } : withTtl(packet, hops);
}

/** DSCP and ECN: type of service or traffic class. */
export function serviceOf(packet: IpPacket): number {
  return isIpv6(packet) ? packet.trafficClass : packet.tos;
}

/** What an IP header carries, IPv6 extension headers left out. */
export interface Carried {
  /** Protocol number. */
  protocol: number;
  /** In bytes from the start of the payload. */
  offset: number;
  /** Whether this is a fragment other than the first: there is no header then. */
  isLaterFragment: boolean;
}

/** What `packet` carries; `undefined` when it ends within an extension header. */
export function carriedBy(packet: IpPacket): Carried | undefined {
  if (!isIpv6(packet)) {
    return { protocol: packet.protocol, offset: 0, isLaterFragment: packet.fragmentOffset !== 0 };
  }
  const upper = findUpper(packet);
  if (upper === 'ipv6-truncated') return undefined;
  const { protocol, offset, fragment } = upper;
  return { protocol, offset, isLaterFragment: fragment !== undefined && fragment.header.offset !== 0 };
}
