/**
 * Client to server: sends a packet of a connection to its dest, by the connection's method.
 *
 * The order of the checks is the kernel's: route, its kind, TTL, MTU; the TTL is counted down before the MTU is looked at.
 *
 * @module
 */
import { HopKind, InterfaceFlag, SB_HOP, SB_PIECE_MAX, SB_PMTU_DISC, SUPERBLOCK } from '../../src/abi/memory';
import { Method } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { completeChecksum } from '../flow/offload';
import { walkOptions } from '../flow/options';
import { Hop, resolveAny } from '../net/hop';
import { interfaceHas } from '../net/interface';
import { Dest } from '../service/dest';
import { field } from '../superblock';
import { isLoopback } from '../wire/address';
import { DF_BE } from '../wire/ipv4';
import { isLoopback6 } from '../wire/ipv6';
import { answerHostUnreachable, answerTimeExceeded, answerTooBig, isAboutError } from './answer';
import { sendCut } from './cut';
import { hasHeadroom, putLink } from './link';
import { translateIn } from './translate';
import { translateErrorIn } from './translate-error';
import { encapsulate, tunnelMtuMin, tunnelOverhead, tunnelReason } from './tunnel';

/** Where the connection's packets go. */
function hopOf(conn: Conn, packet: Scratch): Hop {
  if (conn.dest != 0) return changetype<Dest>(conn.dest).hop();
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  resolveAny(packet.isV6, packet.destination, hop);
  return hop;
}

/** Whether the packet can be sent to where `hop` leads; judges the frame when not. Counts the TTL down. */
function startSending(frame: Descriptor, packet: Scratch, hop: Hop): bool {
  if (packet.hasOptions) {
    walkOptions(packet.header, true, packet.header.destinationBE);
    packet.header.fillChecksum();
  }
  if (hop.kind == HopKind.NoRoute || hop.kind == HopKind.Broadcast) {
    answerHostUnreachable(frame, packet);
    frame.judge(Verdict.Drop, Reason.NoRoute);
    return false;
  }
  if (fromLoopback(packet)) {
    frame.judge(Verdict.Drop, Reason.LocalBoundary);
    return false;
  }
  if (packet.ttl <= 1) {
    answerTimeExceeded(frame, packet);
    frame.judge(Verdict.Drop, Reason.TtlExceeded);
    return false;
  }
  return true;
}

function fromLoopback(packet: Scratch): bool {
  return packet.isV6 ? isLoopback6(packet.source) : isLoopback(packet.header.sourceBE);
}

/** Rewrites the packet for its dest, and judges the frame. NAT needs the whole transport header. */
export function transmit(frame: Descriptor, packet: Scratch, conn: Conn): void {
  transmitAny(frame, packet, conn, false);
}

/** The same for an ICMP error about the connection. */
export function transmitError(frame: Descriptor, packet: Scratch, conn: Conn): void {
  transmitAny(frame, packet, conn, true);
}

function transmitAny(frame: Descriptor, packet: Scratch, conn: Conn, error: bool): void {
  const hop = hopOf(conn, packet);
  if (hop.kind == HopKind.Local) {
    transmitLocal(frame, packet, conn, error);
    return;
  }
  if (!startSending(frame, packet, hop)) return;
  switch (conn.method) {
    case Method.Tunnel:
      transmitTunnel(frame, packet, hop, changetype<Dest>(conn.dest), error);
      break;
    default:
      transmitPlain(frame, packet, hop, conn, error);
  }
}

/** NAT, DR and bypass: what leaves is as long as what came. */
function transmitPlain(frame: Descriptor, packet: Scratch, hop: Hop, conn: Conn, error: bool): void {
  const mtu = conn.dest != 0 ? changetype<Dest>(conn.dest).pathMtu(hop) : hop.mtu;
  if (!fits(frame, packet, mtu)) return;
  if (!canLeave(frame, packet.ip, hop)) return;
  completeChecksum(frame, packet);
  let reason = conn.method == Method.Bypass ? Reason.Bypass : Reason.DirectRoute;
  let delta: u64 = 0;
  if (conn.method == Method.Masq) {
    delta = error ? translateErrorIn(packet, conn) : translateIn(packet, conn);
    reason = Reason.NatIn;
  }
  countHop(packet, delta);
  send(frame, packet, packet.ip, hop, mtu, error ? Reason.IcmpIn : reason);
}

/** TTL or hop limit - 1; an IPv4 checksum follows that and `delta`. */
export function countHop(packet: Scratch, delta: u64): void {
  if (packet.isV6) packet.header6.hopLimit = packet.header6.hopLimit - 1;
  else packet.header.forwardUpdating(delta);
}

/** TTL or hop limit - 1, the way a router does it. */
export function decrementHop(packet: Scratch): void {
  if (packet.isV6) packet.header6.hopLimit = packet.header6.hopLimit - 1;
  else packet.header.decrementTtl();
}

/** TUN: outer headers go in front. */
function transmitTunnel(frame: Descriptor, packet: Scratch, hop: Hop, dest: Dest, error: bool): void {
  const overhead = tunnelOverhead(frame, packet, dest);
  const pathMtu = dest.pathMtu(hop);
  const mtu = pathMtu - min<u32>(pathMtu, overhead);
  if (mtu < tunnelMtuMin(dest)) {
    frame.judge(Verdict.Drop, Reason.TunnelMtu);
    return;
  }
  if (packet.isV6 || field(SB_PMTU_DISC) != 0) {
    if (!fits(frame, packet, mtu)) return;
  }
  if (!canLeave(frame, packet.ip - overhead, hop)) return;
  countHop(packet, 0);
  const outer = encapsulate(frame, packet, hop, dest);
  send(frame, packet, outer, hop, pathMtu, error ? Reason.IcmpIn : tunnelReason(dest));
}

/** Sends the finished packet at `ip`: in pieces when it is longer than the MTU, or came in pieces. */
export function send(frame: Descriptor, packet: Scratch, ip: usize, hop: Hop, mtu: u32, reason: Reason): void {
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
  if (conn.method == Method.Masq) {
    const loopback = packet.isV6 ? isLoopback6(conn.daddr6) : isLoopback(conn.daddrBE);
    if (loopback && !interfaceHas(packet.receivedOn, InterfaceFlag.Loopback)) {
      frame.judge(Verdict.Drop, Reason.LocalBoundary);
      return;
    }
    completeChecksum(frame, packet);
    if (error) translateErrorIn(packet, conn);
    else translateIn(packet, conn);
    if (!packet.isV6) packet.header.fillChecksum();
  } else if (conn.method == Method.Bypass) {
    frame.judge(Verdict.Drop, Reason.LocalBoundary);
    return;
  }
  frame.judge(Verdict.Local, Reason.LocalDest);
}

/**
 * Whether the packet may go where packets of `mtu` bytes fit: because it does, or because it may be cut. Otherwise judges
 * the frame, and answers, with the TTL counted down in the quotation.
 */
export function fits(frame: Descriptor, packet: Scratch, mtu: u32): bool {
  if (packet.isV6) {
    // A datagram that came in pieces goes on in such pieces.
    const length = packet.isReassembled ? field(SB_PIECE_MAX) : packet.totalLength;
    if (length <= mtu) return true;
    packet.header6.hopLimit = packet.header6.hopLimit - 1;
  } else {
    if (packet.totalLength <= mtu || (packet.header.fragmentBE & DF_BE) == 0 || isAboutError(packet)) return true;
    packet.header.decrementTtl();
  }
  answerTooBig(frame, packet, mtu);
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
