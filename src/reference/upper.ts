/**
 * The two ends of an IP packet, and what stands behind its headers, whatever the family.
 *
 * @module
 */
import type { Address } from './packet/address.js';
import { concatenate } from './packet/checksum.js';
import { carriedBy, type IpPacket, isIpv6 } from './packet/ip.js';
import { serialiseIpv4 } from './packet/ipv4.js';
import { serialiseIpv6 } from './packet/ipv6.js';
import { findUpperBehindCut, withUpperProtocol } from './packet/ipv6-extensions.js';

/** Protocol numbers of what a director reads (IANA). */
export const UPPER = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  sctp: 132,
  option: 248,
} as const;

/** What stands behind the headers of IP. */
export interface UpperLayer {
  /** Protocol number. */
  protocol: number;
  bytes: Uint8Array;
  /** Whether this is a fragment other than the first: the bytes begin with no header. */
  isLaterFragment: boolean;
}

/**
 * What stands behind the header, and behind IPv6's extension headers; `undefined` when they are cut short. Of those that name
 * ICMPv6 Linux knows that: it is there without a byte.
 */
export function upperLayer(packet: IpPacket): UpperLayer | undefined {
  const carried = carriedBy(packet);
  if (carried === undefined) {
    const behind = isIpv6(packet) ? findUpperBehindCut(packet) : undefined;
    const isMessage = behind?.protocol === UPPER.icmpv6;
    return isMessage ? { protocol: UPPER.icmpv6, bytes: new Uint8Array(0), isLaterFragment: false } : undefined;
  }
  const { protocol, offset, isLaterFragment } = carried;
  return { protocol, bytes: packet.payload.subarray(offset), isLaterFragment };
}

/** The packet with something else behind its headers. */
export function withUpperLayer<P extends IpPacket>(packet: P, bytes: Uint8Array): P {
  const offset = carriedBy(packet)?.offset ?? packet.payload.length;
  return { ...packet, payload: concatenate(packet.payload.subarray(0, offset), bytes) };
}

/** The packet with another protocol number for what stands behind its headers. */
export function withProtocol(packet: IpPacket, protocol: number): IpPacket {
  return isIpv6(packet) ? withUpperProtocol(packet, protocol) : { ...packet, protocol };
}

/** Whether the packet is ICMP, or ICMPv6 for IPv6. */
export function isIcmp(packet: IpPacket, upper: UpperLayer): boolean {
  return upper.protocol === (isIpv6(packet) ? UPPER.icmpv6 : UPPER.icmp);
}

/** New addresses; what is left out stays. */
export interface Ends {
  source?: Address;
  destination?: Address;
}

/** The packet with other addresses; those of the other family are not taken. */
export function withEnds(packet: IpPacket, { source, destination }: Ends): IpPacket {
  if (isIpv6(packet)) {
    return {
      ...packet,
      source: typeof source === 'bigint' ? source : packet.source,
      destination: typeof destination === 'bigint' ? destination : packet.destination,
    };
  }
  return {
    ...packet,
    source: typeof source === 'number' ? source : packet.source,
    destination: typeof destination === 'number' ? destination : packet.destination,
  };
}

/** Puts a packet together with the IPv4 header checksum that it has. */
export function serialiseAsIs(packet: IpPacket): Uint8Array {
  return isIpv6(packet) ? serialiseIpv6(packet) : serialiseIpv4(packet, packet.checksum);
}
