/**
 * FullNAT: what it changes in a packet, in either direction, and the short way of a known connection's packets.
 *
 * TCP's numbers are changed first, then addresses and ports; the checksum follows all of it at once.
 *
 * @module
 */
import { Carry, Profile, Protocol } from '../../src/abi/protocol';
import { HOP_INTERFACE_NONE, HopKind } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Conn } from '../conn/record';
import { Direction } from '../conn/tcp-state';
import { Descriptor, Scratch } from '../descriptor';
import { isIpv6 } from '../flow/family';
import { adjustIn, adjustOut } from '../flow/isn';
import { completeChecksum } from '../flow/offload';
import { seeSegment } from '../flow/segment';
import { Hop } from '../net/hop';
import { Dest } from '../service/dest';
import { countIn } from '../service/stats';
import { countReason } from '../superblock';
import { difference32, difference128, fold, update } from '../wire/checksum';
import { Icmp, putIdentifier } from '../wire/icmp';
import { copyAddress6 } from '../wire/ipv6';
import { hasPorts } from '../wire/ports';
import { Tcp } from '../wire/tcp';
import { makeAhead, sendAhead } from './ahead';
import { carry, certainGrowth, noteAnswer, Told } from './carry';
import { takeChecksum } from './carry-datagram';
import { sendCut } from './cut';
import { linkStart, putLinkAt, putLinkOf } from './link';
import { seeReply } from './route';
import { updateBegun, updateOther } from './translate';
import { countHop, hopToServer, send } from './transmit';

/** Longer than any packet. */
export const LENGTH_ANY: u32 = 0x20000;

/** Client to server, whose numbers are changed, which adds `numbers` to its sum. Returns what that adds to the sum of an IPv4 header. */
function translateFullIn<A>(frame: Descriptor, packet: Scratch, conn: Conn, numbers: u64): u64 {
  const own = conn.extension;
  let addresses: u64;
  if (isIpv6<A>()) {
    addresses = difference128(conn.caddr6, own.laddr) + difference128(conn.vaddr6, conn.daddr6);
    copyAddress6(packet.header6.source, own.laddr);
    copyAddress6(packet.header6.destination, conn.daddr6);
  } else {
    addresses = difference32(conn.caddrBE, own.laddrBE) + difference32(conn.vaddrBE, conn.daddrBE);
    packet.header.sourceBE = own.laddrBE;
    packet.header.destinationBE = conn.daddrBE;
  }
  putPorts(frame, packet, addresses, numbers, conn.inPortsBE, own.lportBE | (conn.dportBE << 16));
  return addresses;
}

/** Changes the numbers of a client's segment; returns what that adds to its sum. */
export function numberIn(packet: Scratch, conn: Conn): u64 {
  return packet.protocol == Protocol.Tcp ? adjustIn(packet, conn) : 0;
}

/** Completes a checksum whose bytes GUE has named, which would have to move with the header. False: that cannot be, and the frame is judged. */
function isSummed(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  return conn.extension.carry == Carry.None || !packet.hasRemoteChecksum || completeChecksum(frame, packet);
}

/** The dest is this host. False: the packet cannot be sent, and the frame is judged. */
export function translateFullLocal(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  if (!isSummed(frame, packet, conn)) return false;
  const numbers = numberIn(packet, conn);
  // A packet of the director's own would not get there: without room it goes without.
  const told = carry(frame, packet, conn, hopToServer(conn), LENGTH_ANY);
  if (told == Told.Dropped) return false;
  if (told == Told.Ahead) countReason(Reason.ClientAddressLost);
  if (packet.isV6) translateFullIn<v128>(frame, packet, conn, numbers);
  else translateFullIn<u32>(frame, packet, conn, numbers);
  if (conn.extension.carry == Carry.UoaProtocol) takeChecksum(packet, conn);
  return true;
}

/** Server to client; the same. */
export function translateFullOut<A>(frame: Descriptor, packet: Scratch, conn: Conn): u64 {
  const own = conn.extension;
  if (own.carry != Carry.None) noteAnswer(frame, packet, conn);
  const numbers = packet.protocol == Protocol.Tcp ? adjustOut(packet, conn) : 0;
  let addresses: u64;
  if (isIpv6<A>()) {
    addresses = difference128(conn.daddr6, conn.vaddr6) + difference128(own.laddr, conn.caddr6);
    copyAddress6(packet.header6.source, conn.vaddr6);
    copyAddress6(packet.header6.destination, conn.caddr6);
  } else {
    addresses = difference32(conn.daddrBE, conn.vaddrBE) + difference32(own.laddrBE, conn.caddrBE);
    packet.header.sourceBE = conn.vaddrBE;
    packet.header.destinationBE = conn.caddrBE;
  }
  const from = conn.dportBE | (own.lportBE << 16);
  putPorts(frame, packet, addresses, numbers, from, rotl<u32>(conn.inPortsBE, 16));
  return addresses;
}

/**
 * Writes both ports, of a query of ICMP or its reply the identifier; the checksum follows these, and what addresses and numbers
 * add to its sum.
 */
export function putPorts(frame: Descriptor, packet: Scratch, addresses: u64, numbers: u64, from: u32, to: u32): void {
  if (packet.protocol != Protocol.Tcp || frame.isPartial) {
    putOtherPorts(frame, packet, addresses, from, to);
    return;
  }
  const tcp = changetype<Tcp>(packet.l4);
  store<u32>(changetype<usize>(tcp), to);
  tcp.checksum = update(tcp.checksum, addresses + difference32(from, to) + numbers);
}

/** The same where the checksum is not that of TCP, or covers addresses alone yet. */
function putOtherPorts(frame: Descriptor, packet: Scratch, addresses: u64, from: u32, to: u32): void {
  if (!hasPorts(packet.protocol)) {
    // One of two ports is an identifier, the other is 0.
    putIdentifierOf(frame, packet, packet.isV6 ? addresses : 0, joined(from), joined(to));
    return;
  }
  store<u32>(packet.l4, to);
  if (frame.isPartial) updateBegun(frame, packet, addresses);
  else updateOther(packet, addresses, difference32(from, to), from != to);
}

function joined(ports: u32): u32 {
  return (ports | (ports >> 16)) & 0xffff;
}

function putIdentifierOf(frame: Descriptor, packet: Scratch, addresses: u64, fromBE: u32, toBE: u32): void {
  const icmp = changetype<Icmp>(packet.l4);
  if (frame.isPartial) {
    icmp.identifierBE = toBE;
    icmp.checksum = fold(<u64>icmp.checksum + addresses);
  } else putIdentifier(icmp, addresses, fromBE, toBE);
}

/** Whether a connection's packets count as forwarded by a router. */
export function countsHop(conn: Conn): bool {
  return !conn.isFull || conn.extension.profile == Profile.Linux;
}

/** Counts the hop, if the connection's profile does so; an IPv4 checksum follows that and `delta`. */
export function countFullHop<A>(packet: Scratch, conn: Conn, delta: u64): void {
  if (conn.extension.profile == Profile.Linux) countHop<A>(packet, delta);
  else if (!isIpv6<A>()) packet.header.checksum = update(packet.header.checksum, delta);
}

/** The same where the family is not known. */
export function countFullHopOf(packet: Scratch, conn: Conn, delta: u64): void {
  if (packet.isV6) countFullHop<v128>(packet, conn, delta);
  else countFullHop<u32>(packet, conn, delta);
}

/** Rewrites a client's packet, which may take that way, for its dest, and judges the frame. */
export function transmitFull<A>(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop, mtu: u32): void {
  if (!isSummed(frame, packet, conn)) return;
  const numbers = numberIn(packet, conn);
  const told = carry(frame, packet, conn, hop, mtu);
  if (told == Told.Dropped) return;
  countFullHop<A>(packet, conn, translateFullIn<A>(frame, packet, conn, numbers));
  if (!completeChecksum(frame, packet)) return;
  if (conn.extension.carry == Carry.UoaProtocol) takeChecksum(packet, conn);
  const ahead = told == Told.Ahead ? makeAhead(frame, packet, conn, mtu) : null;
  if (packet.totalLength > mtu || packet.isReassembled) {
    sendCut(frame, packet.ip, hop, mtu, packet.isReassembled, Reason.FullNatIn);
  } else {
    putLinkOf<A>(frame, packet.ip, hop.outInterface, hop.mac);
    frame.judge(Verdict.Forward, Reason.FullNatIn);
  }
  if (ahead != null) sendAhead(frame, ahead, hop);
}

/** Rewrites a client's packet, which may take that way, for where it was addressed, and judges the frame. */
export function transmitSnat(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop, mtu: u32): void {
  const numbers = numberIn(packet, conn);
  const delta = packet.isV6
    ? translateFullIn<v128>(frame, packet, conn, numbers)
    : translateFullIn<u32>(frame, packet, conn, numbers);
  countFullHopOf(packet, conn, delta);
  send(frame, packet, packet.ip, hop, mtu, Reason.SnatIn);
}

/** A client's packet whose way is known and good. False: take the long one. */
export function sendFull<A>(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  const dest = changetype<Dest>(conn.dest);
  const hop = dest.hop();
  if (!dest.isAvailable || dest.isMixed || hop.kind != HopKind.Forward || !isHopLeft<A>(packet)) return false;
  const mtu = dest.pathMtu(hop);
  const growth = certainGrowth(conn);
  if (packet.totalLength + growth > mtu) return false;
  const start = linkStart(frame, packet.ip - growth, hop.outInterface);
  if (start == 0) return false;
  frame.conn = <u32>changetype<usize>(conn);
  conn.inPackets += 1;
  countIn(dest, packet.totalLength);
  seeSegment(packet, conn, Direction.In);
  if (conn.extension.carry != Carry.None) {
    transmitFull<A>(frame, packet, conn, hop, mtu);
    return true;
  }
  sendChanged<A>(frame, packet, conn, hop, start, Reason.FullNatIn);
  return true;
}

/** The same by SNAT, whose dest knows no way. */
export function sendSnat<A>(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop): bool {
  const dest = changetype<Dest>(conn.dest);
  if (!dest.isAvailable || !isHopLeft<A>(packet) || packet.totalLength > hop.mtu) return false;
  const start = linkStart(frame, packet.ip, hop.outInterface);
  if (start == 0) return false;
  frame.conn = <u32>changetype<usize>(conn);
  conn.inPackets += 1;
  countIn(dest, packet.totalLength);
  seeSegment(packet, conn, Direction.In);
  sendChanged<A>(frame, packet, conn, hop, start, Reason.SnatIn);
  return true;
}

/** Rewrites a client's packet of which nobody is told, and sends it that way, with a link header at `start`. */
function sendChanged<A>(frame: Descriptor, packet: Scratch, conn: Conn, hop: Hop, start: usize, reason: Reason): void {
  countFullHop<A>(packet, conn, translateFullIn<A>(frame, packet, conn, numberIn(packet, conn)));
  completeChecksum(frame, packet);
  putLinkAt<A>(frame, start, packet.ip, hop.outInterface, hop.mac);
  frame.judge(Verdict.Forward, reason);
}

/** A server's packet, the same. */
export function returnFull<A>(frame: Descriptor, packet: Scratch, conn: Conn): bool {
  const out = conn.hopInterface;
  if (out == HOP_INTERFACE_NONE || !isHopLeft<A>(packet) || packet.totalLength > conn.hopMtu) return false;
  const start = linkStart(frame, packet.ip, out);
  if (start == 0) return false;
  frame.conn = <u32>changetype<usize>(conn);
  seeReply(packet, conn);
  countFullHop<A>(packet, conn, translateFullOut<A>(frame, packet, conn));
  completeChecksum(frame, packet);
  putLinkAt<A>(frame, start, packet.ip, out, conn.hopMac);
  frame.judge(Verdict.Forward, conn.isSnat ? Reason.SnatOut : Reason.FullNatOut);
  return true;
}

function isHopLeft<A>(packet: Scratch): bool {
  return (isIpv6<A>() ? packet.header6.hopLimit : packet.header.ttl) > 1;
}
