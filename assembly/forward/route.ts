/**
 * Packets that are not addressed to this host: servers' replies, which are translated back, and
 * the rest, which is routed.
 *
 * @module
 */
import {
  DEST_SIZE,
  Family,
  HOP_INTERFACE_NONE,
  HopKind,
  RouteType,
  SB_DEST_MAX,
  SB_DESTS,
  SB_HOP,
  SB_IP_FORWARD,
  SB_IPV6_FORWARDING,
  SB_NAT_ICMP_SEND,
  SB_PIECE_MAX,
  SUPERBLOCK,
} from '../../src/abi/memory';
import { Method, Protocol } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { connOf, isReply } from '../conn/table';
import { Direction } from '../conn/tcp-state';
import { Descriptor, Scratch } from '../descriptor';
import { isIpv6 } from '../flow/family';
import { gather, gathersOnTheWay } from '../flow/gather';
import { completeChecksum } from '../flow/offload';
import { recordPassing } from '../flow/options';
import { seeSegment } from '../flow/segment';
import { findByTuple, findTuple, ISAKMP_PORTS_BE, isIpsec } from '../flow/tuple';
import { Hop, resolveAny, routeTypeAny } from '../net/hop';
import { Dest } from '../service/dest';
import { countOut } from '../service/stats';
import { field, netGeneration, now32 } from '../superblock';
import { isLoopback } from '../wire/address';
import { DF_BE } from '../wire/ipv4';
import { isLinkLocal6, isLoopback6, isUnspecified6, sameAddress6 } from '../wire/ipv6';
import { copyMac } from '../wire/mac';
import { portsBE } from '../wire/ports';
import { hasChunk, SCTP_ABORT, sctpChunkType } from '../wire/sctp';
import { RST, TCP_MIN, Tcp } from '../wire/tcp';
import {
  answerBeyondScope,
  answerNetUnreachable,
  answerPortUnreachable,
  answerTimeExceeded,
  answerTooBig,
} from './answer';
import { icmpOut } from './icmp';
import { hasHeadroom, putLinkOf } from './link';
import { hasTransportHeader, translateOut } from './translate';
import { canLeave, countHop, decrementHop, send } from './transmit';

/** Largest MTU that fits the record; no IPv4 packet is longer. */
const MTU_MAX: u32 = 0xffff;

/** Forwards a packet, in the order of a router: route, TTL, MTU, then whose it is. */
export function routePacket(frame: Descriptor, packet: Scratch): void {
  const v6 = packet.isV6;
  if (field(v6 ? SB_IPV6_FORWARDING : SB_IP_FORWARD) == 0) {
    frame.judge(Verdict.Pass, Reason.NotForwarding);
    return;
  }
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  resolveAny(v6, packet.destination, hop, packet.receivedOn);
  if (hop.kind == HopKind.NoRoute) {
    answerNetUnreachable(frame, packet);
    frame.judge(Verdict.Drop, Reason.NoRoute);
    return;
  }
  if (packet.ttl <= 1) {
    answerTimeExceeded(frame, packet);
    frame.judge(Verdict.Drop, Reason.TtlExceeded);
    return;
  }
  if (v6 && hop.outInterface != packet.receivedOn && isBoundToLink(packet.source)) {
    answerBeyondScope(frame, packet);
    frame.judge(Verdict.Drop, Reason.MartianSource);
    return;
  }
  const mtu = hop.mtu;
  if (mustNotBeCut(packet, mtu)) {
    answerTooBig(frame, packet, mtu);
    frame.judge(Verdict.Drop, Reason.TooBig);
    return;
  }
  // From here on the kernel's FORWARD hook has the packet, and with it IPVS.
  if (packet.isFragment && gathersOnTheWay(packet) && !gather(frame, packet)) return;
  if (icmpOut(frame, packet, hop)) return;
  const conn = findReply(packet);
  if (conn != null) {
    keepHop(conn, hop);
    frame.conn = <u32>changetype<usize>(conn);
    if (!hasTransportHeader(packet)) {
      frame.judge(Verdict.Drop, Reason.TransportTruncated);
      return;
    }
    if (packet.hasOptions) recordPassing(packet.header, conn.vaddrBE);
    seeReply(packet, conn);
    completeChecksum(frame, packet);
    if (v6) countHop<v128>(packet, translateOut<v128>(packet, conn));
    else countHop<u32>(packet, translateOut<u32>(packet, conn));
  } else {
    decrementHop(packet);
    const passing = findPassing(packet);
    if (passing != null) {
      seePassing(packet, passing);
    } else if (isStrayFromServer(packet)) {
      answerPortUnreachable(frame, packet);
      frame.judge(Verdict.Drop, Reason.NoConnection);
      return;
    }
    completeChecksum(frame, packet);
    if (packet.hasOptions) recordPassing(packet.header, hop.sourceBE);
  }
  if (!canLeave(frame, packet.ip, hop)) return;
  send(frame, packet, packet.ip, hop, mtu, conn != null ? Reason.NatOut : Reason.Routed);
}

/** Longer than the MTU, and not to be cut: DF, or IPv6 unless it came in pieces that are short enough. */
function mustNotBeCut(packet: Scratch, mtu: u32): bool {
  if (packet.isV6) return (packet.isReassembled ? field(SB_PIECE_MAX) : packet.totalLength) > mtu;
  return packet.totalLength > mtu && (packet.header.fragmentBE & DF_BE) != 0;
}

/** A reply whose way to the client is known and good: no table but the connection is asked. False: take the long way. */
export function routeReply<A>(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  const out = conn.hopInterface;
  if (
    out == HOP_INTERFACE_NONE ||
    (isIpv6<A>() ? packet.header6.hopLimit : packet.header.ttl) <= 1 ||
    packet.totalLength > conn.hopMtu ||
    !hasHeadroom(frame, packet.ip, out)
  ) {
    return false;
  }
  frame.conn = <u32>changetype<usize>(conn);
  seeReply(packet, conn);
  completeChecksum(frame, packet);
  countHop<A>(packet, translateOut<A>(packet, conn));
  putLinkOf<A>(frame, packet.ip, out, conn.hopMac);
  frame.judge(Verdict.Forward, Reason.NatOut);
  return true;
}

/** The connection that a server's packet belongs to, null when there is none. */
function findReply(packet: Scratch): Conn | null {
  const ref = findByTuple(packet);
  return ref != 0 && isReply(ref) ? connOf(ref) : null;
}

/** The connection, not of NAT, whose server answers by way of this host, from the VIP. */
function findPassing(packet: Scratch): Conn | null {
  let ports = ISAKMP_PORTS_BE;
  let protocol: u32 = Protocol.Udp;
  if (packet.bucket != 0) {
    ports = rotl<u32>(portsBE(packet.l4), 16);
    protocol = packet.protocol;
  } else if (!isIpsec(packet)) {
    return null;
  }
  const ref = findTuple(packet.isV6, packet.destination, packet.source, ports, protocol);
  return ref != 0 && !isReply(ref) && connOf(ref).method != Method.Masq ? connOf(ref) : null;
}

/** Counts such a packet; the state follows it if it is whole. */
function seePassing(packet: Scratch, conn: Conn): void {
  if (conn.dest != 0) countOut(changetype<Dest>(conn.dest), packet.totalLength);
  if (hasTransportHeader(packet)) seeSegment(packet, conn, Direction.Out);
  else conn.touched = now32();
}

/** Source addresses that mean nothing on another link (RFC 4291 §2.5.2, §2.5.6). */
function isBoundToLink(source: usize): bool {
  return isUnspecified6(source) || isLinkLocal6(source);
}

/** Counts a server's packet and moves the state on. */
export function seeReply(packet: Scratch, conn: Conn): void {
  countOut(changetype<Dest>(conn.dest), packet.totalLength);
  seeSegment(packet, conn, Direction.Out);
}

/**
 * Remembers the way to the client, for as long as the network stays as it is. With it the connection's packets go the
 * short way, which asks nothing more: so the VIP must be ours and the client not, and replies must be ones that
 * would be routed, from a server that is not this host.
 */
export function keepHop(conn: Conn, hop: Hop): void {
  const generation = netGeneration();
  if (conn.hopGeneration == generation || !mayBeShort(conn)) return;
  const forwarding = field(conn.isV6 ? SB_IPV6_FORWARDING : SB_IP_FORWARD) != 0;
  if (hop.kind == HopKind.Forward && forwarding && !isOwn(conn.isV6, conn.daddr)) {
    conn.hopInterface = hop.outInterface;
    conn.hopMtu = min<u32>(hop.mtu, MTU_MAX);
    copyMac(conn.hopMac, hop.mac);
  } else {
    conn.hopInterface = HOP_INTERFACE_NONE;
  }
  conn.hopGeneration = generation;
}

function mayBeShort(conn: Conn): bool {
  const v6 = conn.isV6;
  return conn.dest != 0 && routeTypeAny(v6, conn.vaddr) == RouteType.Local && !isOwn(v6, conn.caddr);
}

/** An address that no packet from outside may have as its source, nor as the one it is routed to. */
export function isOwn(v6: bool, address: usize): bool {
  if (v6 ? isLoopback6(address) || isLinkLocal6(address) : isLoopback(load<u32>(address))) return true;
  return routeTypeAny(v6, address) == RouteType.Local;
}

/** With nat_icmp_send: a server's packet from a served port, but of no connection. RSTs go on. */
function isStrayFromServer(packet: Scratch): bool {
  if (field(SB_NAT_ICMP_SEND) == 0 || packet.bucket == 0) return false;
  const protocol = packet.protocol;
  if (protocol == Protocol.Tcp && packet.l4Length >= TCP_MIN && (changetype<Tcp>(packet.l4).flags & RST) != 0) {
    return false;
  }
  if (protocol == Protocol.Sctp && hasChunk(packet.l4Length) && sctpChunkType(packet.l4) == SCTP_ABORT) return false;
  const source = packet.source;
  const family: u32 = packet.isV6 ? Family.V6 : Family.V4;
  const portBE = portsBE(packet.l4) & 0xffff;
  let at = <usize>field(SB_DESTS);
  const end = at + <usize>field(SB_DEST_MAX) * DEST_SIZE;
  for (; at < end; at += DEST_SIZE) {
    const dest = changetype<Dest>(at);
    if (
      dest.isAvailable &&
      dest.method == Method.Masq &&
      dest.portBE == portBE &&
      dest.protocol == protocol &&
      dest.family == family &&
      (packet.isV6 ? sameAddress6(dest.address, source) : dest.addressBE == load<u32>(source))
    ) {
      return true;
    }
  }
  return false;
}
