/**
 * ICMP and ICMPv6 errors that the director sends about a packet (RFC 792, RFC 1122 §3.2.2; RFC 4443 §2.4).
 *
 * They come out of the burst as frames of their own, linked to the frame that caused them.
 *
 * @module
 */
import { ConnFlag } from '../../src/abi/connections';
import { ScratchFlag } from '../../src/abi/frames';
import { Protocol } from '../../src/abi/protocol';
import { SB_ECHO, SB_HOP_BACK, SUPERBLOCK } from '../../src/abi/superblock';
import { HopKind, RouteType } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { connOf } from '../conn/table';
import { Descriptor, Scratch } from '../descriptor';
import { echoTo, fillEcho, gatherEcho } from '../flow/echo';
import { isForMany, recordAgain, recordReceived } from '../flow/options';
import { findToldOf, isAsked, isCutBeforeIcmp, isHeldBack, lacksPorts } from '../flow/quote';
import { Hop, resolveAny, resolveHop, routeTypeAny } from '../net/hop';
import { errorSource6 } from '../net/source';
import { Dest } from '../service/dest';
import { countOut } from '../service/stats';
import { nextIpId } from '../superblock';
import { finish, pseudoHeader6, sum } from '../wire/checksum';
import { foundFragment, isLaterFragment6, walkExtensions } from '../wire/extension';
import {
  DESTINATION_UNREACHABLE,
  FRAGMENTATION_NEEDED,
  HOST_UNREACHABLE,
  ICMP_SIZE,
  Icmp,
  isError,
  NET_UNREACHABLE,
  PARAMETER_PROBLEM,
  PORT_UNREACHABLE,
  TIME_EXCEEDED,
} from '../wire/icmp';
import * as v6 from '../wire/icmpv6';
import { IPV4_MIN, Ipv4 } from '../wire/ipv4';
import { copyAddress6, IPV6_SIZE, Ipv6, isMulticast6, isUnspecified6 } from '../wire/ipv6';
import { putLink } from './link';
import { takeFrame } from './made';

/** RFC 1812 §4.3.2.3: as much of the packet as fits without the error exceeding 576 bytes (nor the MTU of the way back). */
const ERROR_MAX: u32 = 576;
/** RFC 4443 §2.4 (c): the same up to the smallest MTU of IPv6. */
const ERROR_MAX_V6: u32 = 1280;
/** Precedence of network control, which errors travel with (RFC 1812 §4.3.2.5). */
const TOS_CONTROL: u32 = 0xc0;
/** The bits of the packet's own TOS that stay. */
const TOS_KEPT: u32 = 0x1e;
const TTL: u32 = 64;

/** Sends time exceeded in transit (11/0; 3/0); `link`: the interface on which a link-local sender is looked for. */
export function answerTimeExceeded(frame: Descriptor, packet: Scratch, link: u32): void {
  if (packet.isV6) answer6(frame, packet, v6.TIME_EXCEEDED6, 0, 0, Reason.TimeExceeded, link);
  else answer4(frame, packet, TIME_EXCEEDED, 0, 0, Reason.TimeExceeded);
}

/**
 * Sends fragmentation needed (3/4) or packet too big (2/0) with the MTU of the next hop (RFC 1191 §4, RFC 4443 §3.2); the
 * packet's options may be `filled` already.
 */
export function answerTooBig(frame: Descriptor, packet: Scratch, mtu: u32, filled: bool = false): void {
  if (packet.isV6) answer6(frame, packet, v6.PACKET_TOO_BIG, 0, mtu, Reason.FragmentationNeeded);
  else answer4(frame, packet, DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED, mtu, Reason.FragmentationNeeded, filled);
}

/** Sends port unreachable (3/3; 1/4). */
export function answerPortUnreachable(frame: Descriptor, packet: Scratch): void {
  answerUnreachable(frame, packet, PORT_UNREACHABLE, v6.PORT_UNREACHABLE6, Reason.PortUnreachable);
}

/** Sends host unreachable (3/1) or address unreachable (1/3). */
export function answerHostUnreachable(frame: Descriptor, packet: Scratch): void {
  answerUnreachable(frame, packet, HOST_UNREACHABLE, v6.ADDRESS_UNREACHABLE, Reason.HostUnreachable);
}

/** Sends network unreachable (3/0) or no route (1/0). */
export function answerNetUnreachable(frame: Descriptor, packet: Scratch): void {
  answerUnreachable(frame, packet, NET_UNREACHABLE, v6.NO_ROUTE, Reason.NetUnreachable);
}

/** Sends beyond the scope of the source address (ICMPv6 1/2): a link-local source goes through no router. */
export function answerBeyondScope(frame: Descriptor, packet: Scratch): void {
  answer6(frame, packet, v6.DESTINATION_UNREACHABLE6, v6.BEYOND_SCOPE, 0, Reason.NetUnreachable);
}

/** Sends parameter problem (ICMPv6 4) about the byte at `pointer`, counted from the IPv6 header. */
export function answerParameterProblem(frame: Descriptor, packet: Scratch, code: u32, pointer: u32): void {
  answer6(frame, packet, v6.PARAMETER_PROBLEM6, code, pointer, Reason.ParameterProblem);
}

/** Sends parameter problem (12/0) about the byte at `pointer` of the IPv4 header. */
export function answerMalformedOption(frame: Descriptor, packet: Scratch, pointer: u32): void {
  answer4(frame, packet, PARAMETER_PROBLEM, 0, pointer << 24, Reason.ParameterProblem);
}

/** Sends on to the client what a router said about a tunnel packet of ours; `packet` is what was inside, as far as it was quoted. */
export function relayError(frame: Descriptor, packet: Scratch, type: u32, code: u32, rest: u32): void {
  answer4(frame, packet, type, code, rest, Reason.IcmpRelayed);
}

function answerUnreachable(frame: Descriptor, packet: Scratch, code: u32, code6: u32, reason: Reason): void {
  if (packet.isV6) answer6(frame, packet, v6.DESTINATION_UNREACHABLE6, code6, 0, reason);
  else answer4(frame, packet, DESTINATION_UNREACHABLE, code, 0, reason);
}

/** Makes an error about an IPv4 packet and sends it to where that came from, if it may and can be sent. */
function answer4(
  cause: Descriptor,
  packet: Scratch,
  type: u32,
  code: u32,
  rest: u32,
  reason: Reason,
  filled: bool = false,
): void {
  const offending = packet.header;
  if (offending.isLaterFragment || isAboutError(packet)) return;
  // From nobody to nobody is to all on the link (RFC 1122 §3.2.1.3).
  if (offending.destinationBE == 0 || isForMany(offending.destinationBE)) return;
  // The kernel would answer from the address that the packet was sent to, and may not: it is not its own.
  if ((packet.flags & ScratchFlag.Marked) != 0) return;
  // What a tunnel packet of ours holds was received before.
  const echoes = packet.hasOptions && reason != Reason.IcmpRelayed;
  let options: u32 = 0;
  let toBE = offending.sourceBE;
  if (echoes) {
    if (!filled) recordReceived(packet);
    if (reason == Reason.HostUnreachable && !recordAgain(packet)) return;
    options = gatherEcho(offending, reason == Reason.ParameterProblem ? rest >> 24 : offending.headerLength);
    toBE = echoTo();
    if (isForMany(toBE)) return;
  }
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP_BACK);
  resolveHop(toBE, hop);
  if (hop.kind != HopKind.Forward) return;
  const sourceBE = isOwn(packet) ? offending.destinationBE : hop.sourceBE;
  if (options != 0 && !fillEcho(options, sourceBE)) return;
  const headerSize = IPV4_MIN + options;
  const longest = min<u32>(hop.mtu, ERROR_MAX);
  // With no more than a header quoted it would tell nothing.
  if (longest <= headerSize + ICMP_SIZE + IPV4_MIN) return;
  const quoted = min<u32>(packet.totalLength, longest - headerSize - ICMP_SIZE);
  if (isHeldBack(false, type, packet.ip, packet.ip + quoted)) return;
  const length = headerSize + ICMP_SIZE + quoted;
  const made = takeFrame(cause, length);
  if (made == null) return;

  const ip = made.address;
  putError(ip + headerSize, type, code, rest, packet.ip, quoted);
  const icmp = changetype<Icmp>(ip + headerSize);
  icmp.checksum = finish(sum(ip + headerSize, ICMP_SIZE + quoted));

  const header = changetype<Ipv4>(ip);
  const tos = (offending.tos & TOS_KEPT) | TOS_CONTROL;
  header.write(tos, length, nextIpId(), 0, TTL, Protocol.Icmp, sourceBE, toBE);
  if (options != 0) header.addOptions(SUPERBLOCK + SB_ECHO, options);

  putLink(made, ip, hop.outInterface, hop.mac);
  made.judge(Verdict.Forward, reason);
  countOwn(cause, false, type, packet.ip, quoted, length);
}

/** The same about an IPv6 packet; `link` as for answerTimeExceeded. */
function answer6(
  cause: Descriptor,
  packet: Scratch,
  type: u32,
  code: u32,
  rest: u32,
  reason: Reason,
  link: u32 = packet.receivedOn,
): void {
  const offending = packet.header6;
  if (!mayAnswer6(packet, type, code)) return;
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP_BACK);
  resolveAny(true, packet.source, hop, link);
  if (hop.kind != HopKind.Forward) return;
  const source = isOwn(packet) ? offending.destination : errorSource6(offending.source, packet.receivedOn);
  const quoted = min<u32>(packet.totalLength, ERROR_MAX_V6 - IPV6_SIZE - ICMP_SIZE);
  if (isHeldBack(true, type, packet.ip, packet.ip + quoted)) return;
  const length = IPV6_SIZE + ICMP_SIZE + quoted;
  const made = takeFrame(cause, length);
  if (made == null) return;

  const ip = made.address;
  const header = changetype<Ipv6>(ip);
  header.setVersion(0);
  header.payloadLength = ICMP_SIZE + quoted;
  header.nextHeader = Protocol.Icmpv6;
  header.hopLimit = TTL;
  // Without an address of its own it says nothing about itself: ::.
  if (source != 0) copyAddress6(header.source, source);
  else v128.store(header.source, i64x2(0, 0));
  copyAddress6(header.destination, offending.source);

  putError(ip + IPV6_SIZE, type, code, rest, packet.ip, quoted);
  const icmp = changetype<Icmp>(ip + IPV6_SIZE);
  const pseudo = pseudoHeader6(header.source, header.destination, Protocol.Icmpv6, ICMP_SIZE + quoted);
  icmp.checksum = finish(pseudo + sum(ip + IPV6_SIZE, ICMP_SIZE + quoted));

  putLink(made, ip, hop.outInterface, hop.mac);
  made.judge(Verdict.Forward, reason);
  countOwn(cause, true, type, packet.ip, quoted, length);
}

/**
 * An error of `length` bytes about a packet to the virtual end of a DR or TUN connection counts as one from there: of the
 * packet's own, be it the newest, or of another that is still there.
 */
function countOwn(cause: Descriptor, v6: bool, type: u32, quotation: usize, quoted: u32, length: u32): void {
  const end = quotation + quoted;
  if (!isAsked(v6, type) || lacksPorts(v6, quotation, end)) return;
  const own = cause.conn;
  if (own != 0 && isUntranslated(changetype<Conn>(own))) {
    countOut(changetype<Dest>(changetype<Conn>(own).dest), length);
    return;
  }
  const ref = findToldOf(v6, quotation, end);
  if (ref != 0 && connOf(ref).dest != 0) countOut(changetype<Dest>(connOf(ref).dest), length);
}

function isUntranslated(conn: Conn): bool {
  return !conn.isTranslated && conn.dest != 0 && !conn.has(ConnFlag.Hidden);
}

/** Writes the error's header, without checksum, and its quotation. */
function putError(at: usize, type: u32, code: u32, rest: u32, quotation: usize, quoted: u32): void {
  const icmp = changetype<Icmp>(at);
  icmp.type = type;
  icmp.code = code;
  icmp.checksum = 0;
  icmp.rest = rest;
  memory.copy(at + ICMP_SIZE, quotation, quoted);
}

/** Whether the packet was addressed to this host: then that address answers. */
function isOwn(packet: Scratch): bool {
  return routeTypeAny(packet.isV6, packet.destination) == RouteType.Local;
}

/** Whether the packet is itself an ICMP error, or cannot be told not to be one. */
export function isAboutError(packet: Scratch): bool {
  const protocol = packet.protocol;
  if (packet.isV6) {
    if (protocol != Protocol.Icmpv6) return isCutBeforeIcmp(packet);
    if (isLater6(packet)) return false;
    return packet.l4Length == 0 || v6.isError6(changetype<Icmp>(packet.l4).type);
  }
  return protocol == Protocol.Icmp && (packet.l4Length == 0 || isError(changetype<Icmp>(packet.l4).type));
}

/** Whether it is a later fragment, which has no header of ICMPv6 to look at. */
function isLater6(packet: Scratch): bool {
  if (!packet.isFragment) return false;
  return isLaterFragment6(packet.ip + foundFragment(walkExtensions(packet.ip, packet.ip + packet.totalLength)));
}

/** RFC 4443 §2.4 (e): what no error is sent about. */
function mayAnswer6(packet: Scratch, type: u32, code: u32): bool {
  const header = packet.header6;
  if (isUnspecified6(header.source) || isMulticast6(header.source)) return false;
  const forAll = type == v6.PACKET_TOO_BIG || (type == v6.PARAMETER_PROBLEM6 && code == v6.UNKNOWN_OPTION);
  if (isMulticast6(header.destination) && !forAll) return false;
  return !isAboutError(packet);
}
