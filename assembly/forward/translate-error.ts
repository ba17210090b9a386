/**
 * What NAT changes in an ICMP or ICMPv6 error about a connection: its own address, and address and port of the packet it
 * quotes; by FullNAT both addresses and ports. The quoted TTL and transport checksum stay as they are, as in the kernel, but that of a
 * query by SNAT, which follows; the error's checksum is computed anew.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { restoreQuoted } from '../flow/isn';
import { forgetPartial } from '../flow/offload';
import { restoreNumber } from '../flow/proxied';
import { endOf, quotedDestination, quotedProtocol, quotedSource, quotedTransport, quoteOf } from '../flow/quote';
import { difference32, difference128, finish, pseudoHeader6, sum } from '../wire/checksum';
import { DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED, Icmp, putIdentifier } from '../wire/icmp';
import { PACKET_TOO_BIG } from '../wire/icmpv6';
import { IPV4_MTU_MIN, Ipv4 } from '../wire/ipv4';
import { copyAddress6, IPV6_MTU_MIN } from '../wire/ipv6';
import { hasPorts } from '../wire/ports';
import { Udp } from '../wire/udp';
import { carriedGrowth } from './carry';

/**
 * A client's error about a reply: it goes to the server, and quotes what the server sent. By FullNAT it comes from the local
 * address, whoever sent it. Returns what that adds to the sum of an IPv4 header.
 */
export function translateErrorIn(frame: Descriptor, packet: Scratch, conn: Conn): u64 {
  forgetPartial(frame);
  const quote = quoteOf(packet);
  const ports = quotedPorts(packet);
  if (ports != 0) {
    changetype<Udp>(ports).sourcePortBE = conn.dportBE;
    if (conn.isFull) changetype<Udp>(ports).destinationPortBE = conn.extension.lportBE;
    if (conn.isProxied) restoreNumber(ports, endOf(packet), conn);
  } else if (conn.isSnat) {
    putQuotedQuery(packet, conn.caddr, conn.extension.laddr, conn.cportBE, conn.extension.lportBE);
  }
  const delta = conn.isFull ? putAddress(packet, packet.source, conn.extension.laddr) : 0;
  if (conn.isFull) putAddress(packet, quotedDestination(packet.isV6, quote), conn.extension.laddr);
  putAddress(packet, quotedSource(packet.isV6, quote), conn.daddr);
  return finishError(packet, delta + putAddress(packet, packet.destination, conn.daddr));
}

/**
 * An error from the server's side about a request: it comes from the virtual service, whoever sent it, by SNAT from who did, and
 * quotes what the client sent, by FullNAT in its own numbers. Returns the same.
 */
export function translateErrorOut(frame: Descriptor, packet: Scratch, conn: Conn): u64 {
  forgetPartial(frame);
  const quote = quoteOf(packet);
  const ports = quotedPorts(packet);
  if (ports != 0) {
    changetype<Udp>(ports).destinationPortBE = conn.vportBE;
    if (conn.isFull) {
      changetype<Udp>(ports).sourcePortBE = conn.cportBE;
      restoreQuoted(ports, endOf(packet), conn);
    }
  } else if (conn.isSnat) {
    putQuotedQuery(packet, conn.extension.laddr, conn.caddr, conn.extension.lportBE, conn.cportBE);
  }
  if (conn.isFull) lessenMtu(packet, carriedGrowth(conn));
  const delta = conn.isFull ? putAddress(packet, packet.destination, conn.caddr) : 0;
  if (conn.isFull) putAddress(packet, quotedSource(packet.isV6, quote), conn.caddr);
  putAddress(packet, quotedDestination(packet.isV6, quote), conn.vaddr);
  return finishError(packet, conn.isSnat ? delta : delta + putAddress(packet, packet.source, conn.vaddr));
}

/** An MTU that the client is told is less by what the director puts into its packets. */
function lessenMtu(packet: Scratch, growth: u32): void {
  const icmp = changetype<Icmp>(packet.l4);
  const v6 = packet.isV6;
  if (v6 ? icmp.type != PACKET_TOO_BIG : icmp.type != DESTINATION_UNREACHABLE || icmp.code != FRAGMENTATION_NEEDED)
    return;
  const mtu = v6 ? icmp.rest : icmp.rest & 0xffff;
  const least = v6 ? IPV6_MTU_MIN : IPV4_MTU_MIN;
  // Routers older than RFC 1191 tell none.
  if (mtu > least) icmp.rest = icmp.rest - mtu + max<u32>(mtu - min<u32>(growth, mtu), least);
}

/** Puts an address of the packet's family in place of the one at `at`; what that adds to a sum. */
function putAddress(packet: Scratch, at: usize, address: usize): u64 {
  if (packet.isV6) {
    copyAddress6(at, address);
    return 0;
  }
  const delta = difference32(load<u32>(at), load<u32>(address));
  store<u32>(at, load<u32>(address));
  return delta;
}

/** The checksums of what was changed; returns `delta`. */
function finishError(packet: Scratch, delta: u64): u64 {
  if (packet.isV6) fillChecksum6(packet);
  else fillChecksum4(packet);
  return delta;
}

/** Where the quoted ports are; 0 when there are none. */
function quotedPorts(packet: Scratch): usize {
  const quote = quoteOf(packet);
  const end = endOf(packet);
  return hasPorts(quotedProtocol(packet.isV6, quote, end)) ? quotedTransport(packet.isV6, quote, end) : 0;
}

/** The identifier of a quoted query, or reply, of which an address, too, becomes another; its checksum is there as well. */
function putQuotedQuery(packet: Scratch, from: usize, to: usize, fromBE: u32, toBE: u32): void {
  const v6 = packet.isV6;
  const transport = quotedTransport(v6, quoteOf(packet), endOf(packet));
  putIdentifier(changetype<Icmp>(transport), v6 ? difference128(from, to) : 0, fromBE, toBE);
}

/** The checksums of the quoted header and of the message. */
function fillChecksum4(packet: Scratch): void {
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
