/**
 * Packets that are not addressed to this host: servers' replies, which are translated back, and
 * the rest, which is routed.
 *
 * @module
 */
import {
  DEST_SIZE,
  HOP_INTERFACE_NONE,
  HopKind,
  RouteType,
  SB_DEST_MAX,
  SB_DESTS,
  SB_HOP,
  SB_IP_FORWARD,
  SB_NAT_ICMP_SEND,
  SUPERBLOCK,
} from '../../src/abi/memory';
import { Method, Protocol } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { connOf, find, isReply } from '../conn/table';
import { Direction } from '../conn/tcp-state';
import { Descriptor, Scratch } from '../descriptor';
import { walkOptions } from '../flow/options';
import { seeSegment } from '../flow/segment';
import { Hop, resolveHop, routeType } from '../net/hop';
import { Dest } from '../service/dest';
import { countOut } from '../service/stats';
import { field, netGeneration } from '../superblock';
import { isLoopback } from '../wire/address';
import { DF_BE, IPV4_MIN, Ipv4 } from '../wire/ipv4';
import { copyMac } from '../wire/mac';
import { portsBE } from '../wire/ports';
import { RST, TCP_MIN, Tcp } from '../wire/tcp';
import { answerNetUnreachable, answerPortUnreachable, answerTimeExceeded, answerTooBig } from './answer';
import { hasHeadroom, putLink } from './link';
import { hasTransportHeader, translateOut } from './translate';
import { canLeave } from './transmit';

/** Largest MTU that fits the record; no IPv4 packet is longer. */
const MTU_MAX: u32 = 0xffff;

/** Forwards a packet, in the order of a router: route, TTL, MTU, then whose it is. */
export function routePacket(frame: Descriptor, packet: Scratch): void {
  if (field(SB_IP_FORWARD) == 0) {
    frame.judge(Verdict.Pass, Reason.NotForwarding);
    return;
  }
  const header = packet.header;
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  const destinationBE = header.destinationBE;
  resolveHop(destinationBE, hop);
  if (hop.kind == HopKind.NoRoute) {
    recordBeforeAnswer(header);
    answerNetUnreachable(frame, packet);
    frame.judge(Verdict.Drop, Reason.NoRoute);
    return;
  }
  if (header.ttl <= 1) {
    recordBeforeAnswer(header);
    answerTimeExceeded(frame, packet);
    frame.judge(Verdict.Drop, Reason.TtlExceeded);
    return;
  }
  const mtu = hop.mtu;
  const tooBig = header.totalLength > mtu;
  if (tooBig && (header.fragmentBE & DF_BE) != 0) {
    recordBeforeAnswer(header);
    answerTooBig(frame, packet, mtu);
    frame.judge(Verdict.Drop, Reason.TooBig);
    return;
  }

  const conn = findReply(packet);
  if (conn != null) {
    keepHop(conn, hop);
    frame.conn = <u32>changetype<usize>(conn);
    if (!hasTransportHeader(packet)) {
      frame.judge(Verdict.Drop, Reason.TransportTruncated);
      return;
    }
    if (header.headerLength != IPV4_MIN) {
      walkOptions(header, true, conn.vaddrBE);
      header.fillChecksum();
    }
    seeReply(packet, conn);
    header.forwardUpdating(translateOut(packet, conn));
  } else {
    header.decrementTtl();
    if (isStrayFromServer(packet)) {
      recordBeforeAnswer(header);
      answerPortUnreachable(frame, packet);
      frame.judge(Verdict.Drop, Reason.NoConnection);
      return;
    }
    if (header.headerLength != IPV4_MIN) {
      walkOptions(header, true, hop.sourceBE);
      header.fillChecksum();
    }
  }
  if (tooBig) {
    frame.judge(Verdict.Drop, Reason.NeedsFragmenting);
    return;
  }
  if (!canLeave(frame, packet.ip, hop)) return;
  putLink(frame, packet.ip, hop.outInterface, hop.mac);
  frame.judge(Verdict.Forward, conn != null ? Reason.NatOut : Reason.Routed);
}

/** A packet that is answered was received: its options hold our address on the way back to its source. */
function recordBeforeAnswer(header: Ipv4): void {
  if (header.headerLength == IPV4_MIN) return;
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  resolveHop(header.sourceBE, hop);
  walkOptions(header, true, hop.sourceBE);
  header.fillChecksum();
}

/** A reply whose way to the client is known and good: no table but the connection is asked. False: take the long way. */
export function routeReply(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  const out = conn.hopInterface;
  const header = packet.header;
  if (
    out == HOP_INTERFACE_NONE ||
    header.ttl <= 1 ||
    header.totalLength > conn.hopMtu ||
    !hasHeadroom(frame, packet.ip, out)
  ) {
    return false;
  }
  frame.conn = <u32>changetype<usize>(conn);
  seeReply(packet, conn);
  header.forwardUpdating(translateOut(packet, conn));
  putLink(frame, packet.ip, out, conn.hopMac);
  frame.judge(Verdict.Forward, Reason.NatOut);
  return true;
}

/** The connection that a server's packet belongs to, null when there is none. */
function findReply(packet: Scratch): Conn | null {
  if (packet.bucket == 0) return null;
  const header = packet.header;
  const ref = find(packet.hash, header.sourceBE, header.destinationBE, portsBE(packet.l4), header.protocol);
  return ref != 0 && isReply(ref) ? connOf(ref) : null;
}

/** Counts a server's packet and moves the state on. */
export function seeReply(packet: Scratch, conn: Conn): void {
  countOut(changetype<Dest>(conn.dest), packet.header.totalLength);
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
  if (hop.kind == HopKind.Forward && field(SB_IP_FORWARD) != 0 && !isOwn(conn.daddrBE)) {
    conn.hopInterface = hop.outInterface;
    conn.hopMtu = min<u32>(hop.mtu, MTU_MAX);
    copyMac(conn.hopMac, hop.mac);
  } else {
    conn.hopInterface = HOP_INTERFACE_NONE;
  }
  conn.hopGeneration = generation;
}

function mayBeShort(conn: Conn): bool {
  return routeType(conn.vaddrBE) == RouteType.Local && !isOwn(conn.caddrBE);
}

/** An address that no packet from outside may have as its source. */
function isOwn(addressBE: u32): bool {
  return isLoopback(addressBE) || routeType(addressBE) == RouteType.Local;
}

/** With nat_icmp_send: a server's packet from a served port, but of no connection. RSTs go on. */
function isStrayFromServer(packet: Scratch): bool {
  if (field(SB_NAT_ICMP_SEND) == 0 || packet.bucket == 0) return false;
  const header = packet.header;
  const protocol = header.protocol;
  if (protocol == Protocol.Tcp && packet.l4Length >= TCP_MIN && (changetype<Tcp>(packet.l4).flags & RST) != 0) {
    return false;
  }
  const portBE = portsBE(packet.l4) & 0xffff;
  let at = <usize>field(SB_DESTS);
  const end = at + <usize>field(SB_DEST_MAX) * DEST_SIZE;
  for (; at < end; at += DEST_SIZE) {
    const dest = changetype<Dest>(at);
    if (
      dest.isAvailable &&
      dest.method == Method.Masq &&
      dest.addressBE == header.sourceBE &&
      dest.portBE == portBE &&
      dest.protocol == protocol
    ) {
      return true;
    }
  }
  return false;
}
