/**
 * What NAT changes in an ICMP or ICMPv6 error about a connection: its own address, and address and port of the packet it
 * quotes. The quoted TTL and transport checksum stay as they are, as in the kernel; the error's checksum is computed anew.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { forgetPartial } from '../flow/offload';
import { hasPorts } from '../flow/parse';
import { endOf, quotedProtocol, quotedTransport, quoteOf } from '../flow/quote';
import { difference32, finish, pseudoHeader6, sum } from '../wire/checksum';
import { Icmp } from '../wire/icmp';
import { Ipv4 } from '../wire/ipv4';
import { copyAddress6, Ipv6 } from '../wire/ipv6';
import { Udp } from '../wire/udp';

/**
 * A client's error about a reply: it goes to the server, and quotes what the server sent. Returns what that adds to the
 * sum of an IPv4 header.
 */
export function translateErrorIn(frame: Descriptor, packet: Scratch, conn: Conn): u64 {
  forgetPartial(frame);
  const quote = quoteOf(packet);
  const ports = quotedPorts(packet);
  if (ports != 0) changetype<Udp>(ports).sourcePortBE = conn.dportBE;
  if (packet.isV6) {
    copyAddress6(packet.header6.destination, conn.daddr6);
    copyAddress6(changetype<Ipv6>(quote).source, conn.daddr6);
    fillChecksum6(packet);
    return 0;
  }
  const delta = difference32(packet.header.destinationBE, conn.daddrBE);
  packet.header.destinationBE = conn.daddrBE;
  changetype<Ipv4>(quote).sourceBE = conn.daddrBE;
  fillChecksum4(packet);
  return delta;
}

/**
 * An error from the server's side about a request: it comes from the virtual service, whoever sent it, and quotes what
 * the client sent. Returns the same.
 */
export function translateErrorOut(frame: Descriptor, packet: Scratch, conn: Conn): u64 {
  forgetPartial(frame);
  const quote = quoteOf(packet);
  const ports = quotedPorts(packet);
  if (ports != 0) changetype<Udp>(ports).destinationPortBE = conn.vportBE;
  if (packet.isV6) {
    copyAddress6(packet.header6.source, conn.vaddr6);
    copyAddress6(changetype<Ipv6>(quote).destination, conn.vaddr6);
    fillChecksum6(packet);
    return 0;
  }
  const delta = difference32(packet.header.sourceBE, conn.vaddrBE);
  packet.header.sourceBE = conn.vaddrBE;
  changetype<Ipv4>(quote).destinationBE = conn.vaddrBE;
  fillChecksum4(packet);
  return delta;
}

/** Where the quoted ports are; 0 when there are none. */
function quotedPorts(packet: Scratch): usize {
  const quote = quoteOf(packet);
  const end = endOf(packet);
  return hasPorts(quotedProtocol(packet.isV6, quote, end)) ? quotedTransport(packet.isV6, quote, end) : 0;
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
