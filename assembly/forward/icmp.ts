/**
 * ICMP and ICMPv6 errors about connections, on their way: from the server's side to the client, from the client's side to
 * the server.
 *
 * @module
 */
import { HopKind } from '../../src/abi/memory';
import { Method } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { connOf, isReply } from '../conn/table';
import { Descriptor, Scratch } from '../descriptor';
import { completeChecksum } from '../flow/offload';
import { recordPassing } from '../flow/options';
import { endOf, findQuoted, icmpChecksumOk, isIcmp, isRelatedError, quoteOf } from '../flow/quote';
import { Hop } from '../net/hop';
import { Dest } from '../service/dest';
import { countIn, countOut } from '../service/stats';
import { ICMP_SIZE } from '../wire/icmp';
import { translateErrorOut } from './translate-error';
import { canLeave, countHopOf, decrementHop, send, transmitError } from './transmit';

/**
 * Judges an ICMP packet that passes through, and whose route, TTL and length were looked at: when it is an error about a
 * connection. False when not: it is routed.
 */
export function icmpOut(frame: Descriptor, packet: Scratch, hop: Hop): bool {
  if (!isIcmp(packet)) return false;
  if (packet.l4Length < ICMP_SIZE) {
    frame.judge(Verdict.Drop, Reason.TransportTruncated);
    return true;
  }
  if (!isRelatedError(packet)) return false;
  const ref = findQuoted(packet.isV6, quoteOf(packet), endOf(packet), true);
  if (ref == 0) return false;
  const conn = connOf(ref);
  if (!isReply(ref)) return passIn(frame, packet, conn);
  if (isRefused(frame, packet, conn)) return true;
  if (packet.hasOptions) recordPassing(packet.header, conn.vaddrBE);
  completeChecksum(frame, packet);
  countHopOf(packet, translateErrorOut(packet, conn));
  countOut(changetype<Dest>(conn.dest), packet.totalLength);
  if (canLeave(frame, packet.ip, hop)) send(frame, packet, packet.ip, hop, hop.mtu, Reason.IcmpOut);
  return true;
}

/**
 * An error about a reply that is not addressed to this host, but passes through. The router has counted its hop when IPVS
 * takes it. A dest that is this host is out of reach by NAT, and nothing to the other methods.
 */
function passIn(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  const isLocal = conn.dest != 0 && changetype<Dest>(conn.dest).hop().kind == HopKind.Local;
  if (isLocal && conn.method != Method.Masq) {
    conn.inPackets += 1;
    countIn(changetype<Dest>(conn.dest), packet.totalLength);
    return false;
  }
  decrementHop(packet);
  if (!isLocal) {
    sendErrorIn(frame, packet, conn);
  } else if (!isRefusedIn(frame, packet, conn)) {
    countIn(changetype<Dest>(conn.dest), packet.totalLength);
    frame.judge(Verdict.Drop, Reason.LocalBoundary);
  }
  return true;
}

/** Sends an error from the client's side to the server as the connection's packets go; NAT translates it. */
export function sendErrorIn(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (isRefusedIn(frame, packet, conn)) return;
  if (conn.dest != 0) countIn(changetype<Dest>(conn.dest), packet.totalLength);
  // Linux counts for the connection only what it does not translate.
  if (conn.method != Method.Masq) conn.inPackets += 1;
  transmitError(frame, packet, conn);
}

/** Notes the connection; NAT translates no error whose checksum is wrong, which is judged then. */
export function isRefused(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  frame.conn = <u32>changetype<usize>(conn);
  if (conn.method != Method.Masq || frame.isPartial || icmpChecksumOk(packet)) return false;
  frame.judge(Verdict.Drop, Reason.IcmpChecksum);
  return true;
}

/** The same from the client's side. There Linux looks at IPv4's checksum alone: a wrong one of ICMPv6 is put right. */
function isRefusedIn(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  if (!packet.isV6) return isRefused(frame, packet, conn);
  frame.conn = <u32>changetype<usize>(conn);
  return false;
}
