/**
 * The headers that the director puts in front of a packet for a TUN dest: IPIP (RFC 2003, RFC 2473), GRE (RFC 2784) or GUE,
 * inside IPv4 or IPv6, whichever the dest's address is.
 *
 * @module
 */

import { DescriptorFlag, SB_ECN_MODE, SB_PMTU_DISC } from '../../src/abi/memory';
import { EcnMode, Protocol, TunnelChecksum, TunnelType } from '../../src/abi/protocol';
import { Reason } from '../../src/abi/verdict';
import { hashAny } from '../conn/hash';
import { Descriptor, Scratch } from '../descriptor';
import { checksumOffset, completeChecksum } from '../flow/offload';
import { Hop } from '../net/hop';
import { Dest } from '../service/dest';
import { field, nextIpId } from '../superblock';
import { finish, pseudoHeader, pseudoHeader6, sum } from '../wire/checksum';
import { TYPE_IPV4_BE, TYPE_IPV6_BE } from '../wire/ethernet';
import { GRE_CHECKSUM_SIZE, GRE_SIZE, Gre } from '../wire/gre';
import { GUE_REMCSUM_SIZE, GUE_SIZE, Gue } from '../wire/gue';
import { DF_BE, IPV4_MIN, Ipv4 } from '../wire/ipv4';
import { copyAddress6, IPV6_SIZE, Ipv6 } from '../wire/ipv6';
import { CHECKSUM_ZERO, UDP_SIZE, Udp } from '../wire/udp';

/** Smallest MTU that each family allows inside (RFC 791 §3.2, RFC 8200 §5). */
const MTU_MIN: u32 = 68;
const MTU_MIN_V6: u32 = 1280;

/** ECN codepoints (RFC 3168 §5). */
const ECN_MASK: u32 = 3;
const ECT_0: u32 = 2;
const CE: u32 = 3;

/** Linux's range of local ports, from which GUE's source port is taken: so that the path spreads flows. */
const PORT_MIN: u32 = 32768;
const PORT_COUNT: u64 = 60999 - 32768;

/** Smallest MTU inside the tunnel at which packets are still sent. */
export function tunnelMtuMin(dest: Dest): u32 {
  return dest.isV6 ? MTU_MIN_V6 : MTU_MIN;
}

/** Whether the packet's checksum stays unfinished, and the far end is told so. */
function remote(frame: Descriptor, packet: Scratch, dest: Dest): bool {
  return (
    frame.isPartial &&
    dest.tunnelType == TunnelType.Gue &&
    dest.tunnelChecksum == TunnelChecksum.Remcsum &&
    checksumOffset(packet.protocol) != 0
  );
}

/** Bytes of the headers between the outer IP header and the packet. */
function middleSize(dest: Dest, remoteChecksum: bool): u32 {
  switch (dest.tunnelType) {
    case TunnelType.Gre:
      return dest.tunnelChecksum == TunnelChecksum.Csum ? GRE_CHECKSUM_SIZE : GRE_SIZE;
    case TunnelType.Gue:
      return UDP_SIZE + (remoteChecksum ? GUE_REMCSUM_SIZE : GUE_SIZE);
    default:
      return 0;
  }
}

/** Bytes of all that goes in front of the packet. */
export function tunnelOverhead(frame: Descriptor, packet: Scratch, dest: Dest): u32 {
  return (dest.isV6 ? IPV6_SIZE : IPV4_MIN) + middleSize(dest, remote(frame, packet, dest));
}

/** What a packet that leaves so is judged with. */
export function tunnelReason(dest: Dest): Reason {
  switch (dest.tunnelType) {
    case TunnelType.Gre:
      return Reason.TunnelGre;
    case TunnelType.Gue:
      return Reason.TunnelGue;
    default:
      return Reason.TunnelIpip;
  }
}

/**
 * Writes the headers in front of the packet, whose TTL and checksum are final, and returns the address of the outermost.
 * There is room for them. TTL and DSCP are the inner ones; DF is copied from IPv4 with `pmtu_disc`.
 */
export function encapsulate(frame: Descriptor, packet: Scratch, hop: Hop, dest: Dest): usize {
  const remoteChecksum = remote(frame, packet, dest);
  // What the far end is told to fill in is finished here.
  if (remoteChecksum) frame.flags = frame.flags & ~DescriptorFlag.PartialChecksum;
  else completeChecksum(frame, packet);
  const middle = packet.ip - middleSize(dest, remoteChecksum);
  const length = packet.totalLength + <u32>(packet.ip - middle);
  let protocol: u32 = packet.isV6 ? Protocol.Ipv6 : Protocol.Ipip;
  const flowHash = dest.tunnelType == TunnelType.Gue ? flow(packet) : 0;
  switch (dest.tunnelType) {
    case TunnelType.Gre:
      putGre(middle, length, packet.isV6, dest.tunnelChecksum == TunnelChecksum.Csum);
      protocol = Protocol.Gre;
      break;
    case TunnelType.Gue:
      putGue(middle + UDP_SIZE, packet, protocol, remoteChecksum);
      protocol = Protocol.Udp;
      break;
  }
  const outer = dest.isV6
    ? putIpv6(middle, length, protocol, packet, hop, dest)
    : putIpv4(middle, length, protocol, packet, hop, dest);
  if (protocol == Protocol.Udp) putUdp(middle, length, outer, flowHash, dest);
  return outer;
}

function tosOf(packet: Scratch): u32 {
  return packet.isV6 ? packet.header6.trafficClass : packet.header.tos;
}

/** DSCP and ECN of the outer header. */
function outerTos(tos: u32): u32 {
  const ecn = tos & ECN_MASK;
  switch (field(SB_ECN_MODE)) {
    case EcnMode.Copy:
      return tos;
    case EcnMode.Rfc6040:
      return tos & ~ECN_MASK;
    default:
      return ecn == CE ? (tos & ~ECN_MASK) | ECT_0 : tos;
  }
}

function putIpv4(middle: usize, length: u32, protocol: u32, packet: Scratch, hop: Hop, dest: Dest): usize {
  const outer = middle - IPV4_MIN;
  const header = changetype<Ipv4>(outer);
  const copyDf = !packet.isV6 && field(SB_PMTU_DISC) != 0;
  const df = copyDf ? packet.header.fragmentBE & DF_BE : 0;
  header.setHeaderLength(IPV4_MIN);
  header.tos = outerTos(tosOf(packet));
  header.totalLength = length + IPV4_MIN;
  // RFC 6864: an atomic datagram needs no identification.
  header.identification = df != 0 ? 0 : nextIpId();
  header.fragmentBE = df;
  header.ttl = packet.ttl;
  header.protocol = protocol;
  header.sourceBE = hop.sourceBE;
  header.destinationBE = dest.addressBE;
  header.fillChecksum();
  return outer;
}

function putIpv6(middle: usize, length: u32, protocol: u32, packet: Scratch, hop: Hop, dest: Dest): usize {
  const outer = middle - IPV6_SIZE;
  const header = changetype<Ipv6>(outer);
  header.setVersion(outerTos(tosOf(packet)));
  header.payloadLength = length;
  header.nextHeader = protocol;
  header.hopLimit = packet.ttl;
  copyAddress6(header.source, hop.source);
  copyAddress6(header.destination, dest.address);
  return outer;
}

/** GRE header at `gre`; `length` bytes from there to the end. */
function putGre(gre: usize, length: u32, v6: bool, checksum: bool): void {
  const header = changetype<Gre>(gre);
  header.setFlags(checksum);
  header.protocolBE = v6 ? TYPE_IPV6_BE : TYPE_IPV4_BE;
  if (checksum) header.checksum = finish(sum(gre, length));
}

function putGue(gue: usize, packet: Scratch, protocol: u32, remoteChecksum: bool): void {
  const header = changetype<Gue>(gue);
  if (!remoteChecksum) {
    header.setPlain(protocol);
    return;
  }
  const start = <u32>(packet.l4 - packet.ip);
  header.setRemoteChecksum(protocol, start, start + checksumOffset(packet.protocol));
}

/** UDP header at `udp`, behind the IP header at `outer`; `length` bytes from there to the end. */
function putUdp(udp: usize, length: u32, outer: usize, flowHash: u32, dest: Dest): void {
  const header = changetype<Udp>(udp);
  header.sourcePortBE = bswap<u16>(<u16>(PORT_MIN + <u32>((<u64>flowHash * PORT_COUNT) >> 32)));
  header.destinationPortBE = dest.tunnelPortBE;
  header.length = length;
  header.checksum = 0;
  if (dest.tunnelChecksum == TunnelChecksum.None) return;
  const pseudo = dest.isV6
    ? pseudoHeader6(changetype<Ipv6>(outer).source, changetype<Ipv6>(outer).destination, Protocol.Udp, length)
    : pseudoHeader(changetype<Ipv4>(outer).sourceBE, changetype<Ipv4>(outer).destinationBE, Protocol.Udp, length);
  const checksum = finish(pseudo + sum(udp, length));
  header.checksum = checksum == 0 ? CHECKSUM_ZERO : checksum;
}

/** A hash of the inner flow: the connection's, or that of the addresses where there are no ports. */
function flow(packet: Scratch): u32 {
  if (packet.bucket != 0) return <u32>packet.hash;
  return <u32>hashAny(packet.isV6, packet.source, packet.destination, 0, packet.protocol);
}
