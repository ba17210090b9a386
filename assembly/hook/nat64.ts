/**
 * What servers of IPv4 send to local addresses for clients of IPv6 (NAT64): as hook/fullnat, in the order of a router.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { SB_HOP, SB_NAT64, SUPERBLOCK } from '../../src/abi/superblock';
import { HopKind } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { isAwaiting } from '../conn/proxied';
import { Conn } from '../conn/record';
import { connOf, isReply } from '../conn/table';
import { Descriptor, Scratch } from '../descriptor';
import { endOf, findQuoted, quoteOf } from '../flow/quote';
import { answerNetUnreachable, answerTimeExceeded, answerTooBig } from '../forward/answer';
import { isRefused } from '../forward/icmp';
import { mtuOfIpv4, return64 } from '../forward/nat64';
import { returnError64 } from '../forward/nat64-error';
import { seeReply } from '../forward/route';
import { hasTransportHeader } from '../forward/translate';
import { Hop, resolveAny } from '../net/hop';
import { Dest } from '../service/dest';
import { countOut } from '../service/stats';
import { field } from '../superblock';
import { ICMP_SIZE, Icmp, PARAMETER_PROBLEM } from '../wire/icmp';
import { DF_BE } from '../wire/ipv4';
import { IPV6_SIZE } from '../wire/ipv6';
import { receiveServer } from './synproxy';

/** Sends a server's packet on to the client. */
export function returnReply64(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  if (!mayReturn(frame, packet, conn, hop)) return;
  if (hop.kind != HopKind.Local && mustNotBeCut(packet, hop.mtu)) {
    answerTooBig(frame, packet, mtuOfIpv4(hop.mtu));
    frame.judge(Verdict.Drop, Reason.TooBig);
    return;
  }
  if (!hasTransportHeader(packet)) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return;
  }
  if (isAwaiting(conn)) {
    receiveServer(frame, packet, conn);
    return;
  }
  seeReply(packet, conn);
  return64(frame, packet, conn, hop);
}

/** Sends an ICMP error from the server's side on to the client. */
export function sendErrorOut64(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  if (!mayReturn(frame, packet, conn, hop) || isRefused(frame, packet, conn)) return;
  countOut(changetype<Dest>(conn.dest), packet.totalLength);
  returnError64(frame, packet, conn, hop);
}

/** The same for one that FullNAT leaves to the host: a problem with a parameter. False: it is not about such a connection. */
export function returnProblem(frame: Descriptor, packet: Scratch): bool {
  if (field(SB_NAT64) == 0 || packet.isV6 || packet.protocol != Protocol.Icmp || packet.l4Length < ICMP_SIZE)
    return false;
  if (changetype<Icmp>(packet.l4).type != PARAMETER_PROBLEM) return false;
  const ref = findQuoted(false, quoteOf(packet), endOf(packet), true);
  if (ref == 0 || !isReply(ref) || !connOf(ref).isNat64) return false;
  sendErrorOut64(frame, packet, connOf(ref));
  return true;
}

/** Looks the way to the client up; judges the frame when there is none. */
function mayReturn(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop): bool {
  frame.conn = <u32>changetype<usize>(conn);
  resolveAny(true, conn.caddr6, hop);
  if (hop.kind == HopKind.Local) return true;
  if (hop.kind == HopKind.NoRoute) {
    answerNetUnreachable(frame, packet);
    frame.judge(Verdict.Drop, Reason.NoRoute);
    return false;
  }
  if (packet.ttl > 1) return true;
  answerTimeExceeded(frame, packet, packet.receivedOn);
  frame.judge(Verdict.Drop, Reason.TtlExceeded);
  return false;
}

/** Too long as IPv6, and not to be cut. What came in fragments leaves in fragments. */
function mustNotBeCut(packet: Scratch, mtu: u32): bool {
  return !packet.isReassembled && IPV6_SIZE + packet.l4Length > mtu && (packet.header.fragmentBE & DF_BE) != 0;
}
