/**
 * What servers send to local addresses, wherever these are: it goes on to the client, in the order of a router: route, TTL,
 * MTU.
 *
 * @module
 */
import { SB_HOP, SUPERBLOCK } from '../../src/abi/superblock';
import { HopKind } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { isAwaiting } from '../conn/proxied';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { recordPassing } from '../flow/options';
import { answerNetUnreachable, answerTimeExceeded, answerTooBig } from '../forward/answer';
import { countFullHopOf, translateFullOut } from '../forward/fullnat';
import { isRefused } from '../forward/icmp';
import { keepHop, seeReply } from '../forward/route';
import { hasTransportHeader } from '../forward/translate';
import { translateErrorOut } from '../forward/translate-error';
import { mustNotBeCut, passOn } from '../forward/transmit';
import { Hop, resolveAny } from '../net/hop';
import { Dest } from '../service/dest';
import { countOut } from '../service/stats';
import { returnReply64, sendErrorOut64 } from './nat64';
import { receiveServer } from './synproxy';

/** Sends a server's packet on to the client. */
export function returnReply(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (conn.isNat64) {
    returnReply64(frame, packet, conn);
    return;
  }
  frame.conn = <u32>changetype<usize>(conn);
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  if (!mayReturn(frame, packet, conn, hop)) return;
  keepHop(conn, hop);
  if (!hasTransportHeader(packet)) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return;
  }
  if (isAwaiting(conn)) {
    receiveServer(frame, packet, conn);
    return;
  }
  if (packet.hasOptions) recordPassing(packet.header, conn.isSnat ? hop.sourceBE : conn.vaddrBE);
  seeReply(packet, conn);
  const isLocal = hop.kind == HopKind.Local;
  const delta = packet.isV6 ? translateFullOut<v128>(frame, packet, conn) : translateFullOut<u32>(frame, packet, conn);
  if (isLocal) keepForClient(frame, packet);
  else {
    countFullHopOf(packet, conn, delta);
    passOn(frame, packet, hop, conn.isSnat ? Reason.SnatOut : Reason.FullNatOut);
  }
}

/** Sends an ICMP error from the server's side on to the client. */
export function returnError(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (conn.isNat64) {
    sendErrorOut64(frame, packet, conn);
    return;
  }
  frame.conn = <u32>changetype<usize>(conn);
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  if (!mayReturn(frame, packet, conn, hop) || isRefused(frame, packet, conn)) return;
  if (packet.hasOptions) recordPassing(packet.header, conn.isSnat ? hop.sourceBE : conn.vaddrBE);
  const isLocal = hop.kind == HopKind.Local;
  const delta = translateErrorOut(frame, packet, conn);
  countOut(changetype<Dest>(conn.dest), packet.totalLength);
  if (isLocal) keepForClient(frame, packet);
  else {
    countFullHopOf(packet, conn, delta);
    passOn(frame, packet, hop, Reason.IcmpOut);
  }
}

/** The client is this host. */
function keepForClient(frame: Descriptor, packet: Scratch): void {
  if (!packet.isV6) packet.header.fillChecksum();
  frame.judge(Verdict.Local, Reason.LocalClient);
}

/** Looks the way to the client up; judges the frame when the packet cannot take it. */
function mayReturn(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop): bool {
  resolveAny(conn.isV6, conn.caddr, hop);
  if (hop.kind == HopKind.Local) return true;
  if (hop.kind == HopKind.NoRoute || hop.kind == HopKind.Broadcast) {
    answerNetUnreachable(frame, packet);
    frame.judge(Verdict.Drop, Reason.NoRoute);
    return false;
  }
  if (packet.ttl <= 1) {
    answerTimeExceeded(frame, packet, packet.receivedOn);
    frame.judge(Verdict.Drop, Reason.TtlExceeded);
    return false;
  }
  if (!mustNotBeCut(packet, hop.mtu)) return true;
  answerTooBig(frame, packet, hop.mtu);
  frame.judge(Verdict.Drop, Reason.TooBig);
  return false;
}
