/**
 * ICMP and ICMPv6 errors about connections: what NAT changes in them, and how they get from the server's side to the
 * client, from the client's side to the server.
 *
 * NAT translates the error's own address, and address and port of the packet it quotes. The quoted TTL and transport
 * checksum stay as they are, as in the kernel; the error's checksum is computed anew.
 *
 * @module
 */
import { HopKind } from '../../src/abi/memory';
import { Method, Protocol } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { connOf, isReply } from '../conn/table';
import { Descriptor, Scratch } from '../descriptor';
import { completeChecksum } from '../flow/offload';
import { walkOptions } from '../flow/options';
import { hasPorts } from '../flow/parse';
import {
  endOf,
  findQuoted,
  hasServices,
  icmpChecksumOk,
  isIcmp,
  isRelatedError,
  quotedProtocol,
  quotedTransport,
  quoteOf,
} from '../flow/quote';
import { Hop } from '../net/hop';
import { Dest } from '../service/dest';
import { countIn, countOut } from '../service/stats';
import { finish, pseudoHeader6, sum } from '../wire/checksum';
import { ICMP_SIZE, Icmp } from '../wire/icmp';
import { Ipv4 } from '../wire/ipv4';
import { copyAddress6, Ipv6 } from '../wire/ipv6';
import { Udp } from '../wire/udp';
import { canLeave, decrementHop, send, transmit } from './transmit';

/**
 * A client's error about a reply: it goes to the server, and quotes what the server sent.
 */
export function translateErrorIn(packet: Scratch, conn: Conn): void {
  const quote = quoteOf(packet);
  const ports = quotedPorts(packet);
  if (ports != 0) changetype<Udp>(ports).sourcePortBE = conn.dportBE;
  if (packet.isV6) {
    copyAddress6(packet.header6.destination, conn.daddr6);
    copyAddress6(changetype<Ipv6>(quote).source, conn.daddr6);
    fillChecksum6(packet);
    return;
  }
  packet.header.destinationBE = conn.daddrBE;
  changetype<Ipv4>(quote).sourceBE = conn.daddrBE;
  fillChecksum4(packet);
}

/**
 * An error from the server's side about a request: it comes from the virtual service, whoever sent it, and quotes what
 * the client sent.
 */
export function translateErrorOut(packet: Scratch, conn: Conn): void {
  const quote = quoteOf(packet);
  const ports = quotedPorts(packet);
  if (ports != 0) changetype<Udp>(ports).destinationPortBE = conn.vportBE;
  if (packet.isV6) {
    copyAddress6(packet.header6.source, conn.vaddr6);
    copyAddress6(changetype<Ipv6>(quote).destination, conn.vaddr6);
    fillChecksum6(packet);
    return;
  }
  packet.header.sourceBE = conn.vaddrBE;
  changetype<Ipv4>(quote).destinationBE = conn.vaddrBE;
  fillChecksum4(packet);
}

/** Where the quoted ports are; 0 when there are none. */
function quotedPorts(packet: Scratch): usize {
  const quote = quoteOf(packet);
  const end = endOf(packet);
  return hasPorts(quotedProtocol(packet.isV6, quote, end)) ? quotedTransport(packet.isV6, quote, end) : 0;
}

/** The checksums of the quoted header, of the message, and of its header. */
function fillChecksum4(packet: Scratch): void {
  packet.header.fillChecksum();
  changetype<Ipv4>(quoteOf(packet)).fillChecksum();
  const icmp = changetype<Icmp>(packet.l4);
  icmp.checksum = 0;
  icmp.checksum = finish(sum(packet.l4, packet.l4Length));
}

function fillChecksum6(packet: Scratch): void {
  const header = packet.header6;
  const length = packet.l4Length;
  const icmp = changetype<Icmp>(packet.l4);
  icmp.checksum = 0;
  const pseudo = pseudoHeader6(header.source, header.destination, Protocol.Icmpv6, length);
  icmp.checksum = finish(pseudo + sum(packet.l4, length));
}

/**
 * Judges an ICMP packet that passes through, and whose route, TTL and length were looked at: when it is an error about a
 * connection. False when not: it is routed.
 */
export function errorOut(frame: Descriptor, packet: Scratch, hop: Hop): bool {
  if (!isIcmp(packet) || !hasServices(packet)) return false;
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
  if (packet.hasOptions) {
    walkOptions(packet.header, true, conn.vaddrBE);
    packet.header.fillChecksum();
  }
  completeChecksum(frame, packet);
  decrementHop(packet);
  translateErrorOut(packet, conn);
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
  if (isLocal && conn.method != Method.Masq) return false;
  decrementHop(packet);
  if (!isLocal) {
    sendErrorIn(frame, packet, conn);
  } else if (!isRefused(frame, packet, conn)) {
    frame.judge(Verdict.Drop, Reason.LocalBoundary);
  }
  return true;
}

/** Sends an error from the client's side to the server as the connection's packets go; NAT translates it. */
export function sendErrorIn(frame: Descriptor, packet: Scratch, conn: Conn): void {
  if (isRefused(frame, packet, conn)) return;
  if (conn.dest != 0) countIn(changetype<Dest>(conn.dest), packet.totalLength);
  // Linux counts for the connection only what it does not translate.
  if (conn.method != Method.Masq) conn.inPackets += 1;
  transmit(frame, packet, conn);
}

/** Notes the connection; NAT translates no error whose checksum is wrong, which is judged then. */
export function isRefused(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  frame.conn = <u32>changetype<usize>(conn);
  if (conn.method != Method.Masq || frame.isPartial || icmpChecksumOk(packet)) return false;
  frame.judge(Verdict.Drop, Reason.IcmpChecksum);
  return true;
}
