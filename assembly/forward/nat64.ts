/**
 * NAT64: FullNAT of clients of IPv6 to servers of IPv4 (RFC 7915, docs/nat64.md).
 *
 * What stands behind the IP headers stays where it is: the other family's header is written in front of it. Then ports,
 * numbers and checksums change as by FullNAT.
 *
 * @module
 */
import { ScratchFlag } from '../../src/abi/frames';
import { Carry, Profile, Protocol } from '../../src/abi/protocol';
import { SB_PIECE_ID } from '../../src/abi/superblock';
import { HopKind, InterfaceFlag } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { adjustOut } from '../flow/isn';
import { completeChecksum } from '../flow/offload';
import { translatePieces } from '../flow/reassembly';
import { Hop } from '../net/hop';
import { interfaceHas } from '../net/interface';
import { Dest } from '../service/dest';
import { countReason, field, nextIpId } from '../superblock';
import { isLoopback } from '../wire/address';
import { difference32to128, difference128to32 } from '../wire/checksum';
import { FRAGMENT_SIZE, findWaypoint } from '../wire/extension';
import { HEADER_FIELD } from '../wire/icmpv6';
import { DF_BE, IPV4_MIN, IPV4_MTU_MIN } from '../wire/ipv4';
import { copyAddress6, IPV6_MTU_MIN, IPV6_SIZE, Ipv6 } from '../wire/ipv6';
import { makeAhead, sendAhead } from './ahead';
import { answerParameterProblem, answerTooBig } from './answer';
import { carry, certainGrowth, noteAnswer, Told } from './carry';
import { sendCut } from './cut';
import { countsHop, LENGTH_ANY, numberIn, putPorts } from './fullnat';
import { putLinkOf } from './link';
import { canLeave, decrementHop, mayStart } from './transmit';

/** By how much an IPv6 header is longer. */
export const LONGER: u32 = IPV6_SIZE - IPV4_MIN;
/** The same of fragments. */
const LONGER_PIECE: u32 = LONGER + FRAGMENT_SIZE;
/** RFC 7915 §5.1: what is longer than this must not be cut. It fits any way of IPv6. */
const DF_FREE_MAX: u32 = IPV6_MTU_MIN - LONGER;
/** Of a packet of IPv4. */
export const LENGTH_MAX: u32 = 0xffff;

/** Rewrites a client's packet for its dest, and judges the frame. */
export function transmit64(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const dest = changetype<Dest>(conn.dest);
  const hop = dest.hop();
  if (hop.kind == HopKind.Local) {
    transmitLocal64(frame, packet, conn, hop);
    return;
  }
  const mtu = dest.pathMtu(hop);
  if (!mayTransmit64(frame, packet, conn, hop, mtu)) return;
  const told = change(frame, packet, conn, hop, mtu);
  if (told == Told.Dropped) return;
  const isReassembled = packet.isReassembled;
  if (isReassembled) translatePieces(false, -(<i32>LONGER_PIECE));
  const ahead = told == Told.Ahead ? makeAhead(frame, packet, conn, mtu) : null;
  if (packet.totalLength > mtu || isReassembled) {
    sendCut(frame, packet.ip, hop, mtu, isReassembled, Reason.Nat64In);
  } else {
    putLinkOf<u32>(frame, packet.ip, hop.outInterface, hop.mac);
    frame.judge(Verdict.Forward, Reason.Nat64In);
  }
  if (ahead != null) sendAhead(frame, ahead, hop);
}

/** Whether a client's packet can take that way; judges the frame when not. */
function mayTransmit64(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop, mtu: u32): bool {
  if (!mayStart<v128>(frame, packet, hop) || isWaypoint(frame, packet)) return false;
  const growth = min<u32>(certainGrowth(conn), mtu);
  return fits64(frame, packet, conn, mtu, growth) && canLeave(frame, packet.l4 - IPV4_MIN - growth, hop);
}

/** RFC 7915 §5.1: a packet that is to go elsewhere from here is not translated, and its sender is told. */
function isWaypoint(frame: Descriptor, packet: Scratch): bool {
  const at = findWaypoint(packet.ip, packet.l4);
  if (at == 0) return false;
  answerParameterProblem(frame, packet, HEADER_FIELD, <u32>(at - packet.ip));
  frame.judge(Verdict.Drop, Reason.Ipv6Extension);
  return true;
}

/** Whether the packet fits as IPv4, with what makes it longer, or will be cut. What came in fragments is. */
function fits64(frame: Descriptor, packet: Scratch, conn: Conn, mtu: u32, growth: u32): bool {
  const length = IPV4_MIN + packet.l4Length + growth;
  if (packet.isReassembled || length <= mtu || fragmentOf(conn, length) == 0) return true;
  if (countsHop(conn)) decrementHop(packet);
  answerTooBig(frame, packet, max<u32>(mtu - growth + LONGER, IPV6_MTU_MIN));
  frame.judge(Verdict.Drop, Reason.TooBig);
  return false;
}

/** The fragment field of an IPv4 packet that did not come in fragments. */
function fragmentOf(conn: Conn, length: u32): u32 {
  return length > DF_FREE_MAX || conn.extension.profile != Profile.Linux ? DF_BE : 0;
}

/** The dest is this host. */
function transmitLocal64(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop): void {
  if (isWaypoint(frame, packet) || refusesLoopback(frame, packet, conn)) return;
  const told = change(frame, packet, conn, hop, LENGTH_ANY);
  if (told == Told.Dropped) return;
  // A packet of the director's own would not get there.
  if (told == Told.Ahead) countReason(Reason.ClientAddressLost);
  keepTranslated(frame, packet, Reason.LocalDest);
}

/** Nothing from outside goes to a loopback address; the frame is judged. */
export function refusesLoopback(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  if (!isLoopback(conn.daddrBE) || interfaceHas(packet.receivedOn, InterfaceFlag.Loopback)) return false;
  frame.judge(Verdict.Drop, Reason.LocalBoundary);
  return true;
}

/** It is for the host's own stack, which gets it without a link header: that would be the other family's. */
export function keepTranslated(frame: Descriptor, packet: Scratch, reason: Reason): void {
  const floor = frame.floor;
  frame.address = packet.ip;
  frame.length = packet.totalLength;
  frame.headroom = <u32>min<usize>(packet.ip - floor, 0xffff);
  frame.judge(Verdict.Local, reason);
}

/** Makes it the server's, all but its link header. */
function change(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop, mtu: u32): Told {
  // What GUE has named to be summed up may be the header, and what it is written over the ports.
  if (packet.hasRemoteChecksum && !completeChecksum(frame, packet)) return Told.Dropped;
  const numbers = numberIn(packet, conn);
  const headers = <u32>(packet.l4 - packet.ip);
  const told = carry(frame, packet, conn, hop, mtu + headers - IPV4_MIN);
  if (told == Told.Dropped) return told;
  if (IPV4_MIN + packet.l4Length > LENGTH_MAX) {
    frame.judge(Verdict.Drop, Reason.TooBig);
    return Told.Dropped;
  }
  const own = conn.extension;
  const addresses = difference128to32(conn.caddr6, own.laddrBE) + difference128to32(conn.vaddr6, conn.daddrBE);
  const id = packet.isReassembled ? bswap<u32>(field(SB_PIECE_ID)) & 0xffff : u32.MAX_VALUE;
  putIpv4(packet, conn, packet.l4 - IPV4_MIN, id, hop.kind != HopKind.Local);
  putPorts(frame, packet, addresses, numbers, load<u32>(packet.l4), own.lportBE | (conn.dportBE << 16));
  return completeChecksum(frame, packet) ? told : Told.Dropped;
}

/**
 * Lets the packet be one of IPv4 whose header is at `ip`, from the local address to the dest; `counts`: as a router. It may be
 * cut, with the identification `id`, or has what its length asks for.
 */
export function putIpv4(packet: Scratch, conn: Conn, ip: usize, id: u32, counts: bool): void {
  const from = packet.header6;
  const own = conn.extension;
  const length = <u32>(packet.l4 - ip) + packet.l4Length;
  const ttl = from.hopLimit - <u32>(counts && countsHop(conn));
  const tos = own.profile == Profile.Linux ? from.trafficClass : 0;
  const isFree = id == u32.MAX_VALUE;
  const fragmentBE = isFree ? fragmentOf(conn, length) : 0;
  const identification = isFree ? (fragmentBE == 0 ? nextIpId() : 0) : id;
  packet.ip = ip;
  packet.flags = packet.flags & ~ScratchFlag.V6;
  packet.header.write(tos, length, identification, fragmentBE, ttl, packet.protocol, own.laddrBE, conn.daddrBE);
}

/** Looks the same up for a packet whose transport header is cut short, and judges the frame. */
export function refuseCut64(frame: Descriptor, packet: Scratch, conn: Conn): void {
  const dest = changetype<Dest>(conn.dest);
  const hop = dest.hop();
  const isLocal = hop.kind == HopKind.Local;
  if ((!isLocal && !mayStart<v128>(frame, packet, hop)) || isWaypoint(frame, packet)) return;
  if (!isLocal && !fits64(frame, packet, conn, dest.pathMtu(hop), 0)) return;
  frame.judge(Verdict.Drop, Reason.TransportTruncated);
}

/** Sends a server's packet to the client, which is no longer than that takes or may be cut, and judges the frame. */
export function return64(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop): void {
  const own = conn.extension;
  if (packet.hasRemoteChecksum && !completeChecksum(frame, packet)) return;
  if (own.carry != Carry.None) noteAnswer(frame, packet, conn);
  const numbers = packet.protocol == Protocol.Tcp ? adjustOut(packet, conn) : 0;
  const ip = packet.l4 - IPV6_SIZE;
  const isLocal = hop.kind == HopKind.Local;
  if (isLocal ? !hasRoom(frame, ip) : !canLeave(frame, ip, hop)) return;
  const id = packet.header.identification;
  const addresses = difference32to128(conn.daddrBE, conn.vaddr6) + difference32to128(own.laddrBE, conn.caddr6);
  putIpv6(packet, conn, ip, !isLocal);
  putPorts(frame, packet, addresses, numbers, load<u32>(packet.l4), rotl<u32>(conn.inPortsBE, 16));
  if (!completeChecksum(frame, packet)) return;
  if (isLocal) {
    keepTranslated(frame, packet, Reason.LocalClient);
    return;
  }
  const isReassembled = packet.isReassembled;
  if (isReassembled) translatePieces(true, LONGER_PIECE);
  sendCut(frame, ip, hop, hop.mtu, isReassembled, Reason.Nat64Out, id);
}

/** Whether there is room for a header at `ip`; judges the frame when not. */
export function hasRoom(frame: Descriptor, ip: usize): bool {
  if (ip >= frame.floor) return true;
  frame.judge(Verdict.Drop, Reason.NoHeadroom);
  return false;
}

/** Lets the packet be one of IPv6 whose header is at `ip`, from the virtual service to the client; `counts`: as a router. */
export function putIpv6(packet: Scratch, conn: Conn, ip: usize, counts: bool): void {
  const from = packet.header;
  const tos = from.tos;
  const hopLimit = from.ttl - <u32>(counts && countsHop(conn));
  const to = changetype<Ipv6>(ip);
  to.write(tos, <u32>(packet.l4 - ip) - IPV6_SIZE + packet.l4Length, packet.protocol, hopLimit);
  copyAddress6(to.source, conn.vaddr6);
  copyAddress6(to.destination, conn.caddr6);
  packet.ip = ip;
  packet.flags = packet.flags | ScratchFlag.V6;
}

/** What a server is told that may send no longer packets to a client than `mtu` bytes of IPv6. */
export function mtuOfIpv4(mtu: u32): u32 {
  return max<u32>(mtu, IPV4_MTU_MIN + LONGER) - LONGER;
}
