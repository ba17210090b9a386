/**
 * Tunnels as Linux IPVS makes them: IP in IP (RFC 2003, RFC 2473, RFC 4213), GRE (RFC 2784) and GUE, with IPv4 or IPv6
 * outside and inside; and out of them again (RFC 6040 §4.2).
 *
 * @module
 */
import { decapsulatedEcn, type EcnMode, encapsulatedEcn } from './ecn.js';
import { type Address, familyOf } from './packet/address.js';
import { checksumIsRight, concatenate, internetChecksum, pseudoHeader } from './packet/checksum.js';
import { GRE_LENGTH, parseGre, serialiseGre } from './packet/gre.js';
import { GUE_LENGTH, parseGue, REMOTE_CHECKSUM_LENGTH, serialiseGue } from './packet/gue.js';
import { carriedBy, hopsOf, type IpPacket, ipLength, isIpv6, parseIp, serialiseIp, serviceOf } from './packet/ip.js';
import { findIpv4Fault, IP_FLAG, IPV4_MIN_MTU, serialiseIpv4, withEcn } from './packet/ipv4.js';
import { IPV6_LENGTH, IPV6_MIN_MTU } from './packet/ipv6.js';
import { finishChecksum, type PartialChecksum, pendingChecksum, type Unfinished } from './packet/partial.js';
import { parseUdp, serialiseUdp, UDP_LENGTH } from './packet/udp.js';

/** Protocol numbers of tunnels: IPv4 within, IPv6 within, GRE, and UDP for GUE. */
const PROTOCOL = { ipv4: 4, udp: 17, ipv6: 41, gre: 47 } as const;

const ETHERTYPE = { ipv4: 0x0800, ipv6: 0x86dd } as const;

const IPV4_LENGTH = 20;

/** What a dest says about its tunnel. */
export interface TunnelKind {
  type: 'ipip' | 'gre' | 'gue';
  /** GRE: `nocsum` or `csum`; IP in IP: `nocsum`. */
  checksum: 'nocsum' | 'csum' | 'remcsum';
}

/** What the inner packet does not tell about the outer headers. */
export interface Tunnel extends TunnelKind {
  /** Of the same family as `destination`. */
  source: Address;
  destination: Address;
  /** IPv4 without DF only: with DF it is 0, since nothing can be fragmented (RFC 6864 §4.1). */
  identification: number;
  /** Whether DF is copied, where both headers have one; else it stays clear. */
  copyDf: boolean;
  ecn: EcnMode;
  /** GUE only. */
  sourcePort: number;
  /** GUE only. */
  destinationPort: number;
}

/** A packet that goes into a tunnel, or has. */
export interface Encapsulated {
  packet: IpPacket;
  /** Whether the checksum of the innermost TCP segment or UDP datagram, or another one, is still to be finished. */
  partialChecksum: Unfinished;
}

/** Bytes in front of the inner packet, outer IP header included. */
export function tunnelOverhead(kind: TunnelKind, outerFamily: 4 | 6, partialChecksum: boolean): number {
  const ip = outerFamily === 6 ? IPV6_LENGTH : IPV4_LENGTH;
  if (kind.type === 'ipip') return ip;
  if (kind.type === 'gre') return ip + (kind.checksum === 'csum' ? GRE_LENGTH.csum : GRE_LENGTH.nocsum);
  const remote = kind.checksum === 'remcsum' && partialChecksum;
  return ip + UDP_LENGTH + GUE_LENGTH + (remote ? REMOTE_CHECKSUM_LENGTH : 0);
}

/** Largest inner packet in bytes, or why there is none; `mtu` is that of the way to the dest. */
export function tunnelMtu(
  kind: TunnelKind,
  outerFamily: 4 | 6,
  mtu: number,
  partialChecksum: boolean,
): number | 'tunnel-mtu' {
  const left = mtu - tunnelOverhead(kind, outerFamily, partialChecksum);
  return left < (outerFamily === 6 ? IPV6_MIN_MTU : IPV4_MIN_MTU) ? 'tunnel-mtu' : left;
}

/** The inner packet with the outer headers in front. Its TTL, which the outer header takes, was decremented before. */
export function encapsulate({ packet: inner, partialChecksum }: Encapsulated, tunnel: Tunnel): Encapsulated {
  const bytes = serialiseIp(inner);
  const partial = pendingChecksum(inner, partialChecksum);
  const remote = tunnel.type === 'gue' && tunnel.checksum === 'remcsum';
  const [protocol, payload] = innerPayload(isIpv6(inner), bytes, partial, tunnel);
  return {
    packet: outerPacket(inner, tunnel, protocol, payload),
    partialChecksum: partial !== undefined && !remote,
  };
}

/** Protocol number and bytes of what the outer IP header carries. */
function innerPayload(
  isInnerIpv6: boolean,
  bytes: Uint8Array,
  partial: PartialChecksum | undefined,
  tunnel: Tunnel,
): [number, Uint8Array] {
  const inner = isInnerIpv6 ? PROTOCOL.ipv6 : PROTOCOL.ipv4;
  if (tunnel.type === 'ipip') return [inner, bytes];
  // A checksum outside covers the one inside as it will be when it is finished.
  const finished = (): Uint8Array => (partial === undefined ? bytes : finishChecksum(bytes, partial));
  if (tunnel.type === 'gre') {
    const protocolType = isInnerIpv6 ? ETHERTYPE.ipv6 : ETHERTYPE.ipv4;
    const packet = { hasChecksum: tunnel.checksum === 'csum', protocolType, payload: bytes };
    // A checksum that is all left to the network card is never 0, like UDP's.
    return [PROTOCOL.gre, serialiseGre(packet, finished(), partial === undefined ? 0xffff : 0)];
  }
  const remoteChecksum = tunnel.checksum === 'remcsum' ? partial : undefined;
  const gue = { control: false, protocol: inner, remoteChecksum };
  const payload = serialiseGue({ ...gue, payload: bytes });
  // With remote checksum offload the inner checksum stays unfinished on the wire.
  const summed = remoteChecksum === undefined ? serialiseGue({ ...gue, payload: finished() }) : payload;
  return [PROTOCOL.udp, serialiseUdp({ ...udpHeader(summed, tunnel), payload })];
}

/** The UDP header around `payload`. No checksum is no checksum, over IPv6, too (RFC 6935). */
function udpHeader(payload: Uint8Array, tunnel: Tunnel) {
  const { source, destination, sourcePort, destinationPort } = tunnel;
  const length = UDP_LENGTH + payload.length;
  const header = { sourcePort, destinationPort, length, checksum: 0 };
  if (tunnel.checksum === 'nocsum') return header;
  const pseudo = pseudoHeader(source, destination, PROTOCOL.udp, length);
  return { ...header, checksum: internetChecksum(concatenate(pseudo, serialiseUdp({ ...header, payload }))) || 0xffff };
}

function outerPacket(inner: IpPacket, tunnel: Tunnel, protocol: number, payload: Uint8Array): IpPacket {
  const { source, destination } = tunnel;
  const service = (serviceOf(inner) & 0xfc) | encapsulatedEcn(serviceOf(inner) & 3, tunnel.ecn);
  if (typeof source === 'bigint' && typeof destination === 'bigint') {
    const hopLimit = hopsOf(inner);
    return { trafficClass: service, flowLabel: 0, nextHeader: protocol, hopLimit, source, destination, payload };
  }
  if (typeof source === 'bigint' || typeof destination === 'bigint') {
    throw new RangeError(`a tunnel from IPv${familyOf(source)} to IPv${familyOf(destination)}`);
  }
  const dontFragment = tunnel.copyDf && !isIpv6(inner) && (inner.flags & IP_FLAG.dontFragment) !== 0;
  return {
    tos: service,
    identification: dontFragment ? 0 : tunnel.identification,
    flags: dontFragment ? IP_FLAG.dontFragment : 0,
    fragmentOffset: 0,
    ttl: hopsOf(inner),
    protocol,
    checksum: 0,
    source,
    destination,
    options: new Uint8Array(0),
    payload,
  };
}

/** Why a packet does not come out of its tunnel. */
export type DecapsulationFault = 'tunnel-malformed' | 'tunnel-checksum' | 'tunnel-ecn' | 'ipv4-checksum';

/** What came out of a tunnel. */
export interface Decapsulated {
  /** The inner packet. */
  bytes: Uint8Array;
  /** IP version of the inner packet. */
  family: 4 | 6;
  /** Which checksum within is still to be finished, see {@link finishChecksum}: remote checksum offload says so. */
  partialChecksum: PartialChecksum | undefined;
}

/** Whether a protocol number is that of a tunnel which an IP header tells: IP in IP or GRE. */
export function isTunnelProtocol(protocol: number): boolean {
  return protocol === PROTOCOL.ipv4 || protocol === PROTOCOL.ipv6 || protocol === PROTOCOL.gre;
}

/**
 * Takes the outer headers off. What the packet carries must be IP in IP, GRE, or UDP to a port at which GUE is expected.
 *
 * @throws RangeError when it carries something else
 */
export function decapsulate(outer: IpPacket): Decapsulated | DecapsulationFault {
  const carried = carriedBy(outer);
  if (carried === undefined) return 'tunnel-malformed';
  const payload = outer.payload.subarray(carried.offset);
  switch (carried.protocol) {
    case PROTOCOL.ipv4:
    case PROTOCOL.ipv6:
      return innerPacket(outer, carried.protocol, payload);
    case PROTOCOL.gre: {
      const gre = parseGre(payload, isIpv6(outer) ? 6 : 4);
      if (typeof gre === 'string') return gre;
      if (gre.protocolType === ETHERTYPE.ipv4) return innerPacket(outer, PROTOCOL.ipv4, gre.payload);
      if (gre.protocolType === ETHERTYPE.ipv6) return innerPacket(outer, PROTOCOL.ipv6, gre.payload);
      return 'tunnel-malformed';
    }
    case PROTOCOL.udp:
      return decapsulateGue(outer, payload);
    default:
      throw new RangeError(`not a tunnel: protocol ${carried.protocol}`);
  }
}

function decapsulateGue(outer: IpPacket, bytes: Uint8Array): Decapsulated | DecapsulationFault {
  if (bytes.length < UDP_LENGTH) return 'tunnel-malformed';
  const { length: said, checksum } = parseUdp(bytes);
  // In IPv6 0 is the length of a jumbogram (RFC 2675 §4): all there is.
  const length = said === 0 && isIpv6(outer) ? bytes.length : said;
  if (length < UDP_LENGTH || length > bytes.length) return 'tunnel-malformed';
  const datagram = bytes.subarray(0, length);
  const pseudo = pseudoHeader(outer.source, outer.destination, PROTOCOL.udp, length);
  if (checksum !== 0 && !checksumIsRight(concatenate(pseudo, datagram))) return 'tunnel-checksum';
  const gue = parseGue(datagram.subarray(UDP_LENGTH));
  if (typeof gue === 'string') return gue;
  if (gue.control) return 'tunnel-malformed';
  return innerPacket(outer, gue.protocol, gue.payload, gue.remoteChecksum);
}

function innerPacket(
  outer: IpPacket,
  protocol: number,
  bytes: Uint8Array,
  partialChecksum?: PartialChecksum,
): Decapsulated | DecapsulationFault {
  const family = protocol === PROTOCOL.ipv6 ? 6 : 4;
  if (protocol !== PROTOCOL.ipv6 && protocol !== PROTOCOL.ipv4) return 'tunnel-malformed';
  if ((bytes[0] ?? 0) >>> 4 !== family) return 'tunnel-malformed';
  if (family === 4 && findIpv4Fault(bytes) === 'ipv4-checksum') return 'ipv4-checksum';
  let inner: IpPacket;
  try {
    inner = parseIp(bytes);
  } catch {
    return 'tunnel-malformed';
  }
  const ecn = decapsulatedEcn(serviceOf(inner) & 3, serviceOf(outer) & 3);
  if (ecn === undefined) return 'tunnel-ecn';
  if (partialChecksum !== undefined && ipLength(inner) < bytes.length) {
    // It may not lie in what is cut off; before its start it lies nowhere.
    const { start, offset } = partialChecksum;
    if (offset < start || offset + 2 > ipLength(inner)) return 'tunnel-malformed';
  }
  return { bytes: serialiseWithEcn(inner, ecn), family, partialChecksum };
}

function serialiseWithEcn(packet: IpPacket, ecn: number): Uint8Array {
  if (isIpv6(packet)) return serialiseIp({ ...packet, trafficClass: (packet.trafficClass & 0xfc) | ecn });
  const marked = withEcn(packet, ecn);
  return serialiseIpv4(marked, marked.checksum);
}
