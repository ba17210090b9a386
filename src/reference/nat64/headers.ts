/**
 * The headers of NAT64: a packet of one family as one of the other (RFC 7915 §4.1, §5.1).
 *
 * @module
 */
import type { Connection } from '../connection.js';
import type { Host } from '../host.js';
import { type Address, familyOf } from '../packet/address.js';
import { type IpPacket, isIpv6 } from '../packet/ip.js';
import { IP_FLAG, type Ipv4Packet, totalLength } from '../packet/ipv4.js';
import { IPV6_LENGTH, IPV6_MIN_MTU, type Ipv6Packet } from '../packet/ipv6.js';
import { FRAGMENT_LENGTH } from '../packet/ipv6-extensions.js';
import type { Arrival } from '../reassembly.js';
import type { ReferenceProfile } from '../types.js';
import { upperLayer } from '../upper.js';

/** Bytes of an IPv4 header without options. */
export const IPV4_LENGTH = 20;

/** By how much the header of IPv6 is longer. */
export const LONGER = IPV6_LENGTH - IPV4_LENGTH;

/** By how much a fragment of IPv6 is longer. */
const LONGER_FRAGMENT = LONGER + FRAGMENT_LENGTH;

/** A link of IPv6 carries so much in any case, so that nobody can be asked to send less: such a packet may be cut. */
const MAY_BE_CUT = IPV6_MIN_MTU - LONGER;

/** Whether the client of a connection is of IPv6 and its server of IPv4. */
export function isNat64({ clientAddress, fullnat }: Pick<Connection, 'clientAddress' | 'fullnat'>): boolean {
  return fullnat !== undefined && familyOf(clientAddress) !== familyOf(fullnat.local.address);
}

/** Between which addresses the packet goes in the other family. */
export interface Between<A extends Address> {
  source: A;
  destination: A;
}

/** A packet without extension headers, whose number and flags are not chosen yet; the upper layer is as it was. */
export function toIpv4(packet: IpPacket, ends: Between<Address>, profile: ReferenceProfile): Ipv4Packet {
  const { protocol, bytes } = upperLayer(packet)!;
  const { trafficClass, hopLimit } = packet as Ipv6Packet;
  return {
    tos: profile === 'linux' ? trafficClass : 0,
    identification: 0,
    flags: 0,
    fragmentOffset: 0,
    ttl: hopLimit,
    protocol,
    checksum: 0,
    source: Number(ends.source),
    destination: Number(ends.destination),
    options: new Uint8Array(0),
    payload: bytes.slice(),
  };
}

/** A packet without options; the upper layer is as it was. */
export function toIpv6(packet: IpPacket, ends: Between<Address>): Ipv6Packet {
  const { tos, ttl, protocol, payload } = packet as Ipv4Packet;
  return {
    trafficClass: tos,
    flowLabel: 0,
    nextHeader: protocol,
    hopLimit: ttl,
    source: BigInt(ends.source),
    destination: BigInt(ends.destination),
    payload: payload.slice(),
  };
}

/** Bytes of a packet in the other family, extension headers and options left out. */
export function lengthAcross(packet: IpPacket): number {
  const { bytes } = upperLayer(packet)!;
  return (isIpv6(packet) ? IPV4_LENGTH : IPV6_LENGTH) + bytes.length;
}

/** Whether a packet of IPv4 has DF: what the client could have made smaller. */
export function isUncut(length: number, profile: ReferenceProfile): boolean {
  return profile !== 'linux' || length > MAY_BE_CUT;
}

/** The packet with the number and flags that it leaves with: those of the datagram, if it came in fragments. */
export function numbered(
  host: Host,
  packet: Ipv4Packet,
  profile: ReferenceProfile,
  arrival: Arrival | undefined,
): Ipv4Packet {
  if (arrival !== undefined) return { ...packet, identification: arrival.identification & 0xffff };
  if (isUncut(totalLength(packet), profile)) return { ...packet, flags: IP_FLAG.dontFragment };
  return { ...packet, identification: host.nextIdentification() };
}

/** How the datagram would have come over IPv4; one fragment alone says nothing of how it is to be cut. */
export function arrivalOverIpv4(arrival: Arrival | undefined): Arrival | undefined {
  if (arrival === undefined || arrival.rest.length === 0) return undefined;
  return { ...arrival, family: 4, largest: arrival.largest - LONGER_FRAGMENT };
}

/** The same over IPv6; DF does not count there, for nobody cuts such fragments any more. */
export function arrivalOverIpv6(arrival: Arrival | undefined, mtu: number): Arrival | undefined {
  if (arrival === undefined) return undefined;
  return { ...arrival, family: 6, largest: Math.min(arrival.largest + LONGER_FRAGMENT, mtu), dontFragment: false };
}
