/**
 * Packets that are not addressed to this host: servers' replies, which are translated back, and
 * the rest, which is routed.
 *
 * @module
 */

import { Protocol } from '../../src/abi/protocol';
import { SB_HOP, SB_IP_FORWARD, SB_IPV6_FORWARDING, SB_SIP_SERVICES, SUPERBLOCK } from '../../src/abi/superblock';
import { HopKind } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { isAwaiting } from '../conn/proxied';
import { Conn } from '../conn/record';
import { connOf, isReply } from '../conn/table';
import { Direction } from '../conn/tcp-state';
import { Descriptor, Scratch } from '../descriptor';
import { gather, gathersOnTheWay } from '../flow/gather';
import { recordPassing } from '../flow/options';
import { seeSegment } from '../flow/segment';
import { findByTuple, findUntranslated, ISAKMP_PORTS_BE, isIpsec } from '../flow/tuple';
import { answerBeyondScope, answerNetUnreachable, answerTimeExceeded, answerTooBig } from '../forward/answer';
import { helpOut } from '../forward/ftp';
import { changeOut } from '../forward/help';
import { keepHop, seeReply } from '../forward/route';
import { hasTransportHeader, translateOut } from '../forward/translate';
import { countHop, decrementHop, mustNotBeCut, passOn } from '../forward/transmit';
import { Hop, resolveAny } from '../net/hop';
import { Dest } from '../service/dest';
import { countOut } from '../service/stats';
import { field, now32 } from '../superblock';
import { isLinkLocal6, isUnspecified6 } from '../wire/ipv6';
import { portsBE } from '../wire/ports';
import { sendOut, takeQuery } from './balance';
import { returnReply } from './fullnat';
import { icmpPassing } from './icmp';
import { connectOut } from './persist';
import { endIfOnce } from './schedule';
import { refuseStray } from './stray';
import { receiveServer } from './synproxy';

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
    answerTimeExceeded(frame, packet, packet.receivedOn);
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
  if (icmpPassing(frame, packet, hop) || takeQuery(frame, packet, true)) return;
  let passing: Conn | null = null;
  let isMade = false;
  const ref = findByTuple(packet);
  let conn: Conn | null = ref != 0 && isReply(ref) ? connOf(ref) : null;
  if (conn == null) {
    passing = findPassing(packet);
    // A server may call its client first.
    if (passing == null && field(SB_SIP_SERVICES) != 0) {
      conn = connectOut(packet);
      isMade = conn != null;
    }
  }
  if (conn != null) {
    if (conn.isFull) {
      returnReply(frame, packet, conn);
      return;
    }
    keepHop(conn, hop);
    frame.conn = <u32>changetype<usize>(conn);
    if (!hasTransportHeader(packet)) {
      frame.judge(Verdict.Drop, Reason.TransportTruncated);
      if (isMade) endIfOnce(frame, conn);
      return;
    }
    if (isAwaiting(conn)) {
      receiveServer(frame, packet, conn);
      return;
    }
    if (packet.hasOptions) recordPassing(packet.header, conn.vaddrBE);
    if (conn.isExtended && !helpOut(frame, packet, conn)) {
      conn.touched = now32();
      return;
    }
    seeReply(packet, conn);
    if (v6) countHop<v128>(packet, translateOut<v128>(frame, packet, conn));
    else countHop<u32>(packet, translateOut<u32>(frame, packet, conn));
    if (conn.isExtended && !mayGoOn(frame, packet, conn, mtu)) return;
  } else {
    if (passing == null && sendOut(frame, packet, ref)) return;
    decrementHop(packet);
    if (passing != null) seePassing(packet, passing);
    else if (refuseStray(frame, packet)) return;
    if (packet.hasOptions) recordPassing(packet.header, hop.sourceBE);
  }
  passOn(frame, packet, hop, conn != null ? Reason.NatOut : Reason.Routed);
  if (isMade) endIfOnce(frame, conn!);
}

/** Adjusts a reply that the helper has looked at, and looks whether it has become too long; judges the frame when it has to be dropped. */
function mayGoOn(frame: Descriptor, packet: Scratch, conn: Conn, mtu: u32): bool {
  if (!changeOut(frame, packet, conn)) return false;
  if (!mustNotBeCut(packet, mtu)) return true;
  // Who sent it is this host by now: nobody is told.
  frame.judge(Verdict.Drop, Reason.TooBig);
  return false;
}

/** The connection, not of NAT, whose server answers by way of this host, from the VIP. */
export function findPassing(packet: Scratch): Conn | null {
  let ports = ISAKMP_PORTS_BE;
  let protocol: u32 = Protocol.Udp;
  if (packet.bucket != 0) {
    ports = rotl<u32>(portsBE(packet.l4), 16);
    protocol = packet.protocol;
  } else if (!isIpsec(packet)) {
    return null;
  }
  const ref = findUntranslated(packet.isV6, packet.destination, packet.source, ports, protocol);
  return ref != 0 ? connOf(ref) : null;
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
