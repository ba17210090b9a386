/**
 * ICMP and ICMPv6 errors about connections by NAT64 (RFC 7915 §4.2, §4.3, §5.2, §5.3): an error of the other family, about the packet as the
 * one who gets it has sent it. It leaves in one packet, with what fits of the quotation.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { HopKind } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { restoreQuoted } from '../flow/isn';
import { forgetPartial } from '../flow/offload';
import { restoreNumber } from '../flow/proxied';
import { pseudoOf } from '../flow/pseudo';
import { endOf, quotedTransport, quoteOf } from '../flow/quote';
import { Hop } from '../net/hop';
import { Dest } from '../service/dest';
import { finish, sum } from '../wire/checksum';
import { DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED, ICMP_SIZE, Icmp, PARAMETER_PROBLEM } from '../wire/icmp';
import { errorOf4, errorOf6, plateauBelow, pointerOf4, pointerOf6, UNTRANSLATABLE } from '../wire/icmp-translation';
import {
  DESTINATION_UNREACHABLE6,
  HEADER_FIELD,
  PACKET_TOO_BIG,
  PARAMETER_PROBLEM6,
  TIME_EXCEEDED6,
} from '../wire/icmpv6';
import { IPV4_MIN, Ipv4 } from '../wire/ipv4';
import { copyAddress6, IPV6_MTU_MIN, IPV6_SIZE, Ipv6, NEXT_HEADER } from '../wire/ipv6';
import { carriedGrowth } from './carry';
import { putLink } from './link';
import { hasRoom, keepTranslated, LENGTH_MAX, LONGER, mtuOfIpv4, putIpv4, putIpv6, refusesLoopback } from './nat64';
import { canLeave, mayStart } from './transmit';

/** Longest error, of either family. */
const ERROR_MAX: u32 = IPV6_MTU_MIN;
/** Bytes of a quoted transport header that errors have at least (RFC 792). */
const QUOTED_MIN: u32 = 8;
/** Bytes in front of these. */
const FRONT4: u32 = 2 * IPV4_MIN + ICMP_SIZE;
const FRONT6: u32 = 2 * IPV6_SIZE + ICMP_SIZE;
/** Of an error that has no other form: type and code stand in the upper half, the second word of its header in the lower one. */
const NONE: u64 = u64.MAX_VALUE;

/** Sends an error from the client's side, about V → C, on to the server. */
export function transmitError64(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const hop = changetype<Dest>(conn.dest).hop();
  const isLocal = hop.kind == HopKind.Local;
  const quote = changetype<Ipv6>(quoteOf(packet));
  const l4 = quotedTransport(true, changetype<usize>(quote), endOf(packet));
  if (isLocal) {
    if (refusesLoopback(frame, packet, conn)) return;
  } else if (!mayStart<v128>(frame, packet, hop) || !canLeave(frame, l4 - FRONT4, hop)) return;
  const mtu = mtuOf(hop);
  const error = errorFor4(packet, mtu);
  const length = quotedLength(frame, packet, l4, error, FRONT4, mtu);
  if (length == 0) return;
  // All is read before it is written over.
  const tos = quote.trafficClass;
  const headers = <u32>(l4 - changetype<usize>(quote));
  const total = IPV4_MIN + max<u32>(quote.payloadLength + IPV6_SIZE, headers) - headers;
  const ttl = quote.hopLimit;
  begin(packet, l4, IPV4_MIN, length, Protocol.Icmp);
  putIpv4(packet, conn, l4 - FRONT4, u32.MAX_VALUE, !isLocal);
  const laddrBE = conn.extension.laddrBE;
  changetype<Ipv4>(l4 - IPV4_MIN).write(tos, total, 0, 0, ttl, conn.protocol, conn.daddrBE, laddrBE);
  store<u32>(l4, conn.outPortsBE);
  if (conn.isProxied) restoreNumber(l4, l4 + length, conn);
  finishError(frame, packet, error);
  send(frame, packet, hop, isLocal ? Reason.LocalDest : Reason.IcmpIn);
}

/** Sends an error from the server's side, about L → R, on to the client by a way that was looked at. */
export function returnError64(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop): void {
  const isLocal = hop.kind == HopKind.Local;
  const quote = changetype<Ipv4>(quoteOf(packet));
  const end = endOf(packet);
  const l4 = quotedTransport(false, changetype<usize>(quote), end);
  const mtu = mtuOf(hop);
  const error = errorFor6(packet, conn, mtu);
  const length = quotedLength(frame, packet, l4, error, FRONT6, mtu);
  if (length == 0) return;
  const ip = l4 - FRONT6;
  if (isLocal ? !hasRoom(frame, ip) : !canLeave(frame, ip, hop)) return;
  restoreQuoted(l4, end, conn);
  const tos = quote.tos;
  const payload = max<u32>(quote.totalLength, quote.headerLength) - quote.headerLength;
  const ttl = quote.ttl;
  begin(packet, l4, IPV6_SIZE, length, Protocol.Icmpv6);
  putIpv6(packet, conn, ip, !isLocal);
  const quoted = changetype<Ipv6>(l4 - IPV6_SIZE);
  quoted.write(tos, payload, conn.protocol, ttl);
  copyAddress6(quoted.source, conn.caddr6);
  copyAddress6(quoted.destination, conn.vaddr6);
  store<u32>(l4, conn.inPortsBE);
  finishError(frame, packet, error);
  send(frame, packet, hop, isLocal ? Reason.LocalClient : Reason.IcmpOut);
}

/** Bytes that a way carries: to this host itself it goes over no link. */
function mtuOf(hop: Hop): u32 {
  return hop.kind == HopKind.Local ? LENGTH_MAX : hop.mtu;
}

/** What an ICMPv6 error is in ICMP, on a way of `mtu` bytes, or NONE. */
function errorFor4(packet: Scratch, mtu: u32): u64 {
  const icmp = changetype<Icmp>(packet.l4);
  const type = icmp.type;
  const code = icmp.code;
  const error = errorOf4(type, code);
  if (error == UNTRANSLATABLE) return NONE;
  let rest: u32 = 0;
  if (type == PACKET_TOO_BIG) {
    rest = min<u32>(mtuOfIpv4(icmp.rest), mtu);
  } else if (type == PARAMETER_PROBLEM6 && code == HEADER_FIELD) {
    const pointer = pointerOf4(icmp.rest);
    if (pointer == UNTRANSLATABLE) return NONE;
    rest = pointer << 24;
  }
  return ((<u64>error) << 32) | rest;
}

/** What an ICMP error is in ICMPv6; the same. */
function errorFor6(packet: Scratch, conn: Conn, mtu: u32): u64 {
  const icmp = changetype<Icmp>(packet.l4);
  const type = icmp.type;
  const error = errorOf6(type, icmp.code);
  if (error == UNTRANSLATABLE) return NONE;
  let rest: u32 = 0;
  if (type == DESTINATION_UNREACHABLE && icmp.code == FRAGMENTATION_NEEDED) {
    rest = max<u32>(min<u32>(mtuFor(packet, conn), mtu), IPV6_MTU_MIN);
  } else if (type == PARAMETER_PROBLEM) {
    rest = pointerOf6(icmp.rest >> 24);
    if (rest == UNTRANSLATABLE) return NONE;
  } else if (error >> 8 == PARAMETER_PROBLEM6) {
    rest = <u32>NEXT_HEADER;
  }
  return ((<u64>error) << 32) | rest;
}

/** Bytes of the client's packets that a router in front of the server lets through: the director puts some in. */
function mtuFor(packet: Scratch, conn: Conn): u32 {
  const told = changetype<Icmp>(packet.l4).rest & 0xffff;
  const mtu = LONGER + (told != 0 ? told : plateauBelow(changetype<Ipv4>(quoteOf(packet)).totalLength));
  return mtu - min<u32>(carriedGrowth(conn), mtu);
}

/**
 * Bytes that are quoted from the transport header at `l4` on, behind `front` others, on a way of `mtu` bytes. 0: the error
 * cannot be sent, and the frame is judged.
 */
function quotedLength(frame: Descriptor, packet: Scratch, l4: usize, error: u64, front: u32, mtu: u32): u32 {
  const room = min<u32>(ERROR_MAX, mtu);
  if (error == NONE) frame.judge(Verdict.Drop, Reason.IcmpUntranslatable);
  else if (room < front + QUOTED_MIN) frame.judge(Verdict.Drop, Reason.TooBig);
  else return min<u32>(<u32>(endOfQuote(packet, l4) - l4), room - front);
  return 0;
}

/** Where the quotation ends: extensions (RFC 4884) may follow. */
function endOfQuote(packet: Scratch, l4: usize): usize {
  const end = endOf(packet);
  const type = changetype<Icmp>(packet.l4).type;
  let length: u32 = 0;
  if (packet.isV6) {
    if (type == DESTINATION_UNREACHABLE6 || type == TIME_EXCEEDED6) length = (<u32>load<u8>(packet.l4, 4)) << 3;
  } else {
    length = (<u32>load<u8>(packet.l4, 5)) << 2;
  }
  return length == 0 ? end : min<usize>(end, max<usize>(quoteOf(packet) + length, l4 + QUOTED_MIN));
}

/** Lets the packet be an error that quotes `length` bytes from the transport header at `l4` on, behind an IP header of `header` bytes. */
function begin(packet: Scratch, l4: usize, header: u32, length: u32, protocol: u32): void {
  packet.l4 = l4 - header - ICMP_SIZE;
  packet.l4Length = ICMP_SIZE + header + length;
  packet.protocol = protocol;
}

/** Writes the message's own header. */
function finishError(frame: Descriptor, packet: Scratch, error: u64): void {
  forgetPartial(frame);
  const length = packet.l4Length;
  const icmp = changetype<Icmp>(packet.l4);
  icmp.type = <u32>(error >> 40);
  icmp.code = <u32>(error >> 32) & 0xff;
  icmp.checksum = 0;
  icmp.rest = <u32>error;
  const pseudo = packet.isV6 ? pseudoOf(packet, Protocol.Icmpv6, length) : 0;
  icmp.checksum = finish(pseudo + sum(packet.l4, length));
}

function send(frame: Descriptor, packet: Scratch, hop: Hop, reason: Reason): void {
  if (hop.kind == HopKind.Local) {
    keepTranslated(frame, packet, reason);
    return;
  }
  putLink(frame, packet.ip, hop.outInterface, hop.mac);
  frame.judge(Verdict.Forward, reason);
}
