/**
 * The headers that the director puts in front of a packet for a TUN dest: IPIP (RFC 2003, RFC 2473), GRE (RFC 2784) or GUE,
 * inside IPv4 or IPv6, whichever the dest's address is.
 *
 * @module
 */

import { EcnMode, Protocol, TunnelChecksum, TunnelType } from '../../src/abi/protocol';
import { SB_ECN_MODE, SB_PMTU_DISC } from '../../src/abi/superblock';
import { Reason } from '../../src/abi/verdict';
import { hashAny } from '../conn/hash';
import { Descriptor, Scratch } from '../descriptor';
import { checksumField, checksumOffset, completeChecksum, forgetPartial, sumStart } from '../flow/offload';
import { Hop } from '../net/hop';
import { Dest } from '../service/dest';
import { field, nextIpId } from '../superblock';
import { finish, pseudoHeader, pseudoHeader6, sum } from '../wire/checksum';
import { TYPE_IPV4_BE, TYPE_IPV6_BE } from '../wire/ethernet';
import { GRE_CHECKSUM_SIZE, GRE_SIZE, Gre } from '../wire/gre';
import { GUE_REMCSUM_SIZE, GUE_SIZE, Gue } from '../wire/gue';
import { DF_BE, IPV4_MIN, IPV4_MTU_MIN, Ipv4 } from '../wire/ipv4';
import { copyAddress6, IPV6_MTU_MIN, IPV6_SIZE, Ipv6 } from '../wire/ipv6';
import { CHECKSUM_ZERO, UDP_SIZE, Udp } from '../wire/udp';

/** ECN codepoints (RFC 3168 §5). */
const ECN_MASK: u32 = 3;
const ECT_0: u32 = 2;
const CE: u32 = 3;

/** Linux's range of local ports, from which GUE's source port is taken: so that the path spreads flows. */
const PORT_MIN: u32 = 32768;
const PORT_COUNT: u64 = 60999 - 32768;

/** Smallest MTU inside the tunnel at which packets are still sent. */
export function tunnelMtuMin(dest: Dest): u32 {
  return dest.isV6 ? IPV6_MTU_MIN : IPV4_MTU_MIN;
}

/** Whether the packet's checksum stays unfinished, and the far end is told so. */
export function isRemote(frame: Descriptor, packet: Scratch, dest: Dest): bool {
  if (!frame.isPartial || dest.tunnelType != TunnelType.Gue || dest.tunnelChecksum != TunnelChecksum.Remcsum)
    return false;
  return packet.hasRemoteChecksum || checksumOffset(packet.protocol) != 0;
}

/** Bytes of the headers between the outer IP header and the packet. */
export function middleSize(dest: Dest, remote: bool): u32 {
  return dest.tunnelType == TunnelType.Ipip ? 0 : middleSizeOf(dest, remote);
}

function middleSizeOf(dest: Dest, remote: bool): u32 {
  if (dest.tunnelType == TunnelType.Gue) return UDP_SIZE + (remote ? GUE_REMCSUM_SIZE : GUE_SIZE);
  return dest.tunnelChecksum == TunnelChecksum.Csum ? GRE_CHECKSUM_SIZE : GRE_SIZE;
}

/** Bytes of the outer IP header. */
export function outerSize(dest: Dest): u32 {
  return dest.isV6 ? IPV6_SIZE : IPV4_MIN;
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
 * There is room for them. TTL and DSCP are the inner ones; DF is copied from IPv4 with `pmtu_disc`. 0: the checksum within
 * cannot be finished, and the frame is judged.
 *
 * @param between what `middleSize` says
 * @param remote what `isRemote` says
 */
export function encapsulate(
  frame: Descriptor,
  packet: Scratch,
  hop: Hop,
  dest: Dest,
  between: u32,
  remote: bool,
): usize {
  const wasPartial = frame.isPartial;
  // What the far end is told to fill in is finished here.
  if (remote) forgetPartial(frame);
  else if (!completeChecksum(frame, packet)) return 0;
  const middle = packet.ip - between;
  const length = packet.totalLength + between;
  let protocol: u32 = packet.isV6 ? Protocol.Ipv6 : Protocol.Ipip;
  if (between != 0) protocol = putMiddle(middle, length, protocol, packet, dest, remote, wasPartial);
  const outer = dest.isV6
    ? putIpv6(middle, length, protocol, packet, hop, dest)
    : putIpv4(middle, length, protocol, packet, hop, dest);
  if (protocol == Protocol.Udp) putUdp(middle, length, outer, packet, dest);
  return outer;
}

/** The headers of GRE or GUE at `middle`, UDP's apart; the protocol that the outer header has for them. */
function putMiddle(
  middle: usize,
  length: u32,
  protocol: u32,
  packet: Scratch,
  dest: Dest,
  remote: bool,
  wasPartial: bool,
): u32 {
  if (dest.tunnelType == TunnelType.Gue) {
    putGue(middle + UDP_SIZE, packet, protocol, remote);
    return Protocol.Udp;
  }
  putGre(middle, length, packet.isV6, dest.tunnelChecksum == TunnelChecksum.Csum, wasPartial);
  return Protocol.Gre;
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
  // RFC 6864: an atomic datagram needs no identification.
  const id = df != 0 ? 0 : nextIpId();
  const tos = outerTos(tosOf(packet));
  header.write(tos, length + IPV4_MIN, id, df, packet.ttl, protocol, hop.sourceBE, dest.addressBE);
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

/**
 * GRE header at `gre`; `length` bytes from there to the end. Linux lets its checksum be filled in as UDP's is, never as 0,
 * unless one within it was still to be: then it knows the sum.
 */
function putGre(gre: usize, length: u32, v6: bool, checksum: bool, wasPartial: bool): void {
  const header = changetype<Gre>(gre);
  header.setFlags(checksum);
  header.protocolBE = v6 ? TYPE_IPV6_BE : TYPE_IPV4_BE;
  if (!checksum) return;
  const value = finish(sum(gre, length));
  header.checksum = value == 0 && !wasPartial ? CHECKSUM_ZERO : value;
}

function putGue(gue: usize, packet: Scratch, protocol: u32, remote: bool): void {
  const header = changetype<Gue>(gue);
  if (!remote) {
    header.setPlain(protocol);
    return;
  }
  header.setRemoteChecksum(protocol, <u32>(sumStart(packet) - packet.ip), <u32>(checksumField(packet) - packet.ip));
}

/** UDP header at `udp`, behind the IP header at `outer`; `length` bytes from there to the end. */
function putUdp(udp: usize, length: u32, outer: usize, packet: Scratch, dest: Dest): void {
  const header = changetype<Udp>(udp);
  header.sourcePortBE = bswap<u16>(<u16>(PORT_MIN + <u32>((<u64>flow(packet) * PORT_COUNT) >> 32)));
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

/** A hash of the inner flow: the connection's, or that of the addresses and the SPI where there are no ports. */
function flow(packet: Scratch): u32 {
  if (packet.bucket != 0) return <u32>packet.hash;
  return <u32>hashAny(packet.isV6, packet.source, packet.destination, spiOf(packet), packet.protocol);
}

/** The security parameters index of AH (RFC 4302 §2.4) or ESP (RFC 4303 §2.1), as it is; 0 for all else. */
function spiOf(packet: Scratch): u32 {
  const isAh = packet.protocol == Protocol.Ah;
  if (!isAh && packet.protocol != Protocol.Esp) return 0;
  const at: u32 = isAh ? 4 : 0;
  return packet.l4Length >= at + 4 ? load<u32>(packet.l4 + at) : 0;
}
