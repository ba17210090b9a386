/**
 * Client to server: sends a packet of a connection to its dest, by the connection's method.
 *
 * The order of the checks is the kernel's: route, its kind, TTL, MTU; the TTL is counted down before the MTU is looked at.
 *
 * @module
 */

import { Method } from '../../src/abi/protocol';
import { SB_HOP, SB_PIECE_MAX, SB_PMTU_DISC, SUPERBLOCK } from '../../src/abi/superblock';
import { HopKind, InterfaceFlag, ROUTE6_INTERFACE } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { isIpv6 } from '../flow/family';
import { completeChecksum } from '../flow/offload';
import { recordArrival, recordPassing } from '../flow/options';
import { findRoute6, Hop, resolveAny, resolveFor } from '../net/hop';
import { interfaceHas, NO_INTERFACE } from '../net/interface';
import { Dest } from '../service/dest';
import { field } from '../superblock';
import { isLoopback } from '../wire/address';
import { DF_BE, IPV4_MIN } from '../wire/ipv4';
import { IPV6_MTU_MIN, IPV6_SIZE, isLoopback6 } from '../wire/ipv6';
import { answerHostUnreachable, answerTimeExceeded, answerTooBig, isAboutError } from './answer';
import { certainGrowth } from './carry';
import { sendCut } from './cut';
import { isElsewhere } from './ftp';
import { countFullHopOf, countsHop, translateFullLocal, transmitFull, transmitSnat } from './fullnat';
import { changeIn } from './help';
import { hasHeadroom, putLink, putLinkOf } from './link';
import { refuseCut64 } from './nat64';
import { transmitError64 } from './nat64-error';
import { translateIn } from './translate';
import { translateErrorIn } from './translate-error';
import { encapsulate, isRemote, middleSize, outerSize, tunnelMtuMin, tunnelReason } from './tunnel';

/** Largest total length of IPv4, and largest payload length of IPv6. */
const LENGTH_MAX: u32 = 0xffff;

/** Where the connection's packets go. */
function hopOf(conn: Conn, packet: Scratch): Hop {
  if (conn.isExtended) return hopOfExtended(conn);
  if (conn.dest != 0) {
    const dest = changetype<Dest>(conn.dest);
    return dest.isMixed ? hopOfMixed(conn, packet, dest) : dest.hop();
  }
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  resolveAny(packet.isV6, packet.destination, hop);
  return hop;
}

/** Linux keeps one way to a dest, whatever the method was that it was looked up for: with another, DR does not find the dest. */
function hopOfMixed(conn: Conn, packet: Scratch, dest: Dest): Hop {
  if (!dest.keepWay(conn.method)) return dest.hop();
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  resolveFor(conn.isV6, dest.address, packet.destination, hop);
  return hop;
}

function hopOfExtended(conn: Conn): Hop {
  const dest = changetype<Dest>(conn.dest);
  if (dest.isMixed && !conn.isSnat) dest.keepWay(conn.method);
  return hopToServer(conn);
}

/**
 * The way to the server of a connection that has a dest. A data connection of FTP may go elsewhere, by the dest's route; the
 * dest of SNAT is no server.
 */
export function hopToServer(conn: Conn): Hop {
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  if (conn.isSnat) {
    resolveAny(conn.isV6, conn.daddr, hop);
    return hop;
  }
  const dest = changetype<Dest>(conn.dest);
  if (conn.isFull || !isElsewhere(conn.isV6, conn.daddr, dest)) return dest.hop();
  resolveFor(conn.isV6, dest.address, conn.daddr, hop);
  return hop;
}

/** Whether the packet can be sent to where `hop` leads; judges the frame when not. */
export function mayStart<A>(frame: Descriptor, packet: Scratch, hop: Hop): bool {
  if (hop.kind == HopKind.NoRoute || hop.kind == HopKind.Broadcast) {
    answerHostUnreachable(frame, packet);
    frame.judge(Verdict.Drop, Reason.NoRoute);
    return false;
  }
  if (isIpv6<A>() ? isLoopback6(packet.header6.source) : isLoopback(packet.header.sourceBE)) {
    frame.judge(Verdict.Drop, Reason.LocalBoundary);
    return false;
  }
  if ((isIpv6<A>() ? packet.header6.hopLimit : packet.header.ttl) <= 1) {
    answerTimeExceeded(frame, packet, linkOf(packet));
    frame.judge(Verdict.Drop, Reason.TtlExceeded);
    return false;
  }
  return true;
}

/** The interface of the route to where an IPv6 packet was sent: there Linux then looks for a link-local client, too. */
function linkOf(packet: Scratch): u32 {
  const route = packet.isV6 ? findRoute6(packet.destination, packet.receivedOn) : 0;
  return route == 0 ? NO_INTERFACE : load<u32>(route, ROUTE6_INTERFACE);
}

/** The same where the family is not known. */
function mayStartAny(frame: Descriptor, packet: Scratch, hop: Hop): bool {
  return packet.isV6 ? mayStart<v128>(frame, packet, hop) : mayStart<u32>(frame, packet, hop);
}

/** Rewrites the packet for its dest, and judges the frame. NAT needs the whole transport header. */
export function transmit<A>(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const hop = hopOf(conn, packet);
  if (hop.kind == HopKind.Local) {
    transmitLocal(frame, packet, conn, false);
    return;
  }
  if (!mayStart<A>(frame, packet, hop)) return;
  if (conn.method == Method.Tunnel) {
    transmitTunnel(frame, packet, hop, changetype<Dest>(conn.dest), false);
    return;
  }
  const mtu = mtuOf(conn, hop);
  const growth = growthOf(conn, mtu);
  if (!mayPass(frame, packet, conn, mtu, growth)) return;
  // What a helper thinks of it does not hang on who is next on the way.
  if (conn.method == Method.Masq && conn.isExtended && !changeIn(frame, packet, conn)) return;
  if (!canLeave(frame, packet.ip - growth, hop)) return;
  if (!isIpv6<A>() && packet.header.headerLength != IPV4_MIN) record(packet, conn, hop);
  let delta: u64 = 0;
  let reason: Reason = Reason.DirectRoute;
  if (conn.method == Method.Masq) {
    delta = translateIn<A>(frame, packet, conn);
    reason = Reason.NatIn;
  } else if (conn.isFull) {
    if (conn.isSnat) transmitSnat(frame, packet, conn, hop, mtu);
    else transmitFull<A>(frame, packet, conn, hop, mtu);
    return;
  } else if (conn.method == Method.Bypass) {
    reason = Reason.Bypass;
  }
  countHop<A>(packet, delta);
  if (!completeChecksum(frame, packet)) return;
  if (packet.totalLength > mtu || packet.isReassembled) {
    sendCut(frame, packet.ip, hop, mtu, packet.isReassembled, reason);
    return;
  }
  putLinkOf<A>(frame, packet.ip, hop.outInterface, hop.mac);
  frame.judge(Verdict.Forward, reason);
}

/** Bytes by which a client's packet becomes longer on its way, where `mtu` fit. */
function growthOf(conn: Conn, mtu: u32): u32 {
  return conn.isFull ? min<u32>(certainGrowth(conn), mtu) : 0;
}

/** NAT of a packet whose transport header is cut short: the way to the dest is looked at before that, and the client told. */
export function refuseCut(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (conn.isNat64) {
    refuseCut64(frame, packet, conn);
    return;
  }
  const hop = hopOf(conn, packet);
  if (hop.kind != HopKind.Local) {
    if (!mayStartAny(frame, packet, hop)) return;
    const mtu = mtuOf(conn, hop);
    if (!mayPass(frame, packet, conn, mtu, growthOf(conn, mtu))) return;
  }
  frame.judge(Verdict.Drop, Reason.TransportTruncated);
}

/** Sends an ICMP error about the connection the way its packets go. */
export function transmitError(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (conn.isNat64) {
    transmitError64(frame, packet, conn);
    return;
  }
  const hop = hopOf(conn, packet);
  if (hop.kind == HopKind.Local) {
    transmitLocal(frame, packet, conn, true);
    return;
  }
  if (!mayStartAny(frame, packet, hop)) return;
  if (conn.method == Method.Tunnel) {
    transmitTunnel(frame, packet, hop, changetype<Dest>(conn.dest), true);
    return;
  }
  const mtu = mtuOf(conn, hop);
  if (!mayPass(frame, packet, conn, mtu, 0) || !canLeave(frame, packet.ip, hop)) return;
  if (packet.hasOptions) record(packet, conn, hop);
  const delta = conn.isTranslated ? translateErrorIn(frame, packet, conn) : 0;
  if (conn.isFull) countFullHopOf(packet, conn, delta);
  else countHopOf(packet, delta);
  send(frame, packet, packet.ip, hop, mtu, Reason.IcmpIn);
}

/** MTU of the way: NAT, DR and bypass send what is as long as what came. By SNAT the dest is not where packets go. */
function mtuOf(conn: Conn, hop: Hop): u32 {
  return conn.dest != 0 && !conn.isSnat ? changetype<Dest>(conn.dest).pathMtu(hop) : hop.mtu;
}

/** Fills in the options of a packet that goes on: by SNAT as a router does. */
function record(packet: Scratch, conn: Conn, hop: Hop): void {
  if (conn.isSnat) recordPassing(packet.header, hop.sourceBE);
  else recordArrival(packet);
}

/** Whether the packet fits, or may be cut; judges the frame when not. It will be longer by `growth`: what came in pieces is then cut anew. */
function mayPass(frame: Descriptor, packet: Scratch, conn: Conn, mtu: u32, growth: u32): bool {
  const lessened = mtu - growth;
  const limit = packet.isV6 && packet.isReassembled ? mtu : lessened;
  const told = growth != 0 && packet.isV6 ? max<u32>(lessened, IPV6_MTU_MIN) : lessened;
  return (
    isWithin(packet, limit) || goesInPieces(packet, conn, limit) || fits(frame, packet, limit, told, countsHop(conn))
  );
}

/** Whether nothing needs to be asked: pieces of IPv6 may be longer than the whole, which lacks their headers. */
function isWithin(packet: Scratch, mtu: u32): bool {
  return packet.totalLength <= mtu && !(packet.isV6 && packet.isReassembled);
}

/** By SNAT what came in pieces goes on in such: each was looked at when it was routed, be it one that must not be cut. */
function goesInPieces(packet: Scratch, conn: Conn, mtu: u32): bool {
  return conn.isSnat && packet.isReassembled && !(packet.isV6 && mustNotBeCut(packet, mtu));
}

/** TTL or hop limit - 1; an IPv4 checksum follows that and `delta`. */
export function countHop<A>(packet: Scratch, delta: u64): void {
  if (isIpv6<A>()) packet.header6.hopLimit = packet.header6.hopLimit - 1;
  else packet.header.forwardUpdating(delta);
}

/** The same where the family is not known. */
export function countHopOf(packet: Scratch, delta: u64): void {
  if (packet.isV6) countHop<v128>(packet, delta);
  else countHop<u32>(packet, delta);
}

/** TTL or hop limit - 1, the way a router does it. */
export function decrementHop(packet: Scratch): void {
  if (packet.isV6) packet.header6.hopLimit = packet.header6.hopLimit - 1;
  else packet.header.decrementTtl();
}

/** TUN: outer headers go in front. */
function transmitTunnel(frame: Descriptor, packet: Scratch, hop: Hop, dest: Dest, error: bool): void {
  const remote = isRemote(frame, packet, dest);
  const between = middleSize(dest, remote);
  const overhead = outerSize(dest) + between;
  const pathMtu = dest.pathMtu(hop);
  dest.noteWay(hop);
  const mtu = pathMtu - min<u32>(pathMtu, overhead);
  if (mtu < tunnelMtuMin(dest)) {
    frame.judge(Verdict.Drop, Reason.TunnelMtu);
    return;
  }
  const length = packet.totalLength;
  const asks = !isWithin(packet, mtu) && (packet.isV6 || field(SB_PMTU_DISC) != 0);
  if (asks && !fits(frame, packet, mtu, mtu, true)) return;
  // No length field says more.
  if (length + overhead > LENGTH_MAX + (dest.isV6 ? IPV6_SIZE : 0)) {
    frame.judge(Verdict.Drop, Reason.TooBig);
    return;
  }
  if (!canLeave(frame, packet.ip - overhead, hop)) return;
  if (packet.hasOptions) recordArrival(packet);
  countHopOf(packet, 0);
  const outer = encapsulate(frame, packet, hop, dest, between, remote);
  if (outer != 0) send(frame, packet, outer, hop, pathMtu, error ? Reason.IcmpIn : tunnelReason(dest));
}

/**
 * Sends a packet on that passes, and is finished. A whole that must not be cut was not sent like this, and will not be: its
 * fragments were.
 */
export function passOn(frame: Descriptor, packet: Scratch, hop: Hop, reason: Reason): void {
  if (!packet.isV6 && packet.isReassembled && (packet.header.fragmentBE & DF_BE) != 0) {
    answerTooBig(frame, packet, hop.mtu, true);
    frame.judge(Verdict.Drop, Reason.TooBig);
    return;
  }
  if (canLeave(frame, packet.ip, hop)) send(frame, packet, packet.ip, hop, hop.mtu, reason);
}

/** Sends the finished packet at `ip`: in pieces when it is longer than the MTU, or came in pieces. */
export function send(frame: Descriptor, packet: Scratch, ip: usize, hop: Hop, mtu: u32, reason: Reason): void {
  if (!completeChecksum(frame, packet)) return;
  const length = packet.totalLength + <u32>(packet.ip - ip);
  if (length > mtu || packet.isReassembled) {
    sendCut(frame, ip, hop, mtu, packet.isReassembled, reason);
    return;
  }
  putLink(frame, ip, hop.outInterface, hop.mac);
  frame.judge(Verdict.Forward, reason);
}

/** The dest is this host: its stack gets the packet, translated if that is the method, TTL untouched. */
function transmitLocal(frame: Descriptor, packet: Scratch, conn: Conn, error: bool): void {
  if (conn.isTranslated) {
    const loopback = packet.isV6 ? isLoopback6(conn.daddr6) : isLoopback(conn.daddrBE);
    if (loopback && !interfaceHas(packet.receivedOn, InterfaceFlag.Loopback)) {
      frame.judge(Verdict.Drop, Reason.LocalBoundary);
      return;
    }
    if (!error && conn.isExtended && !conn.isFull && !changeIn(frame, packet, conn)) return;
    if (error) translateErrorIn(frame, packet, conn);
    else if (conn.isFull) {
      if (!translateFullLocal(frame, packet, conn)) return;
    } else if (packet.isV6) translateIn<v128>(frame, packet, conn);
    else translateIn<u32>(frame, packet, conn);
    if (!packet.isV6) packet.header.fillChecksum();
  } else if (conn.method == Method.Bypass) {
    frame.judge(Verdict.Drop, Reason.LocalBoundary);
    return;
  }
  frame.judge(Verdict.Local, Reason.LocalDest);
}

/** Longer than the MTU, and not to be cut: DF, or IPv6 unless it came in pieces that are short enough. */
export function mustNotBeCut(packet: Scratch, mtu: u32): bool {
  if (packet.totalLength <= mtu) return false;
  if (packet.isV6) return !packet.isReassembled || field(SB_PIECE_MAX) > mtu;
  return (packet.header.fragmentBE & DF_BE) != 0;
}

/**
 * Whether the packet may go where packets of `mtu` bytes fit: because it does, or because it may be cut. Otherwise judges
 * the frame, and answers that `told` bytes do, with the TTL counted down in the quotation if the way `counts` it.
 */
function fits(frame: Descriptor, packet: Scratch, mtu: u32, told: u32, counts: bool): bool {
  if (packet.isV6) {
    // A datagram that came in pieces goes on in such pieces.
    const length = packet.isReassembled ? field(SB_PIECE_MAX) : packet.totalLength;
    if (length <= mtu) return true;
  } else if (packet.totalLength <= mtu || (packet.header.fragmentBE & DF_BE) == 0 || isAboutError(packet)) {
    return true;
  }
  if (counts) decrementHop(packet);
  answerTooBig(frame, packet, told);
  frame.judge(Verdict.Drop, Reason.TooBig);
  return false;
}

/** Whether a packet whose header will be at `ip` can be sent that way; judges the frame when not. */
export function canLeave(frame: Descriptor, ip: usize, hop: Hop): bool {
  if (hop.kind == HopKind.NoNeighbour) {
    frame.judge(Verdict.Drop, Reason.NoNeighbour);
    return false;
  }
  if (!hasHeadroom(frame, ip, hop.outInterface)) {
    frame.judge(Verdict.Drop, Reason.NoHeadroom);
    return false;
  }
  return true;
}
