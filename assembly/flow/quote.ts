/**
 * The packet that an ICMP or ICMPv6 error quotes (RFC 792, RFC 4443 §3): which one it is, and whose.
 *
 * @module
 */

import { Protocol } from '../../src/abi/protocol';
import { SB_NAT64, SB_SCHEDULE_ICMP, SB_SERVICE_COUNT, SB_SERVICE6_COUNT } from '../../src/abi/superblock';
import { Reason } from '../../src/abi/verdict';
import { Scratch } from '../descriptor';
import { field } from '../superblock';
import { fold, pseudoHeader6, sum } from '../wire/checksum';
import {
  foundFault,
  foundFragment,
  foundOffset,
  foundProtocol,
  isLaterFragment6,
  protocolBehindCut,
  walkExtensions,
} from '../wire/extension';
import { ICMP_SIZE, Icmp, isRelated } from '../wire/icmp';
import { isError6 } from '../wire/icmpv6';
import { IPV4_DESTINATION, IPV4_MIN, IPV4_SOURCE, Ipv4 } from '../wire/ipv4';
import { IPV6_DESTINATION, IPV6_SIZE, IPV6_SOURCE, Ipv6 } from '../wire/ipv6';
import { hasPorts, PORTS_SIZE, portsBE } from '../wire/ports';
import { findMessage, icmpOf, isQuery, isQueryReply } from './query';
import { findForClient, findIsakmp, findUntranslated, ISAKMP_PORTS_BE } from './tuple';

/** A right Internet checksum makes the sum of all it covers this. */
const RIGHT: u32 = 0xffff;

/** Whether the packet is ICMP of its family, and may be about a connection: else nobody looks at it. */
export function isIcmp(packet: Scratch): bool {
  const v6 = packet.isV6;
  return packet.protocol == icmpOf(v6) && mayConcern(v6);
}

/** Whether extension headers of IPv6 reach beyond the packet, and name ICMPv6 behind them. */
export function isCutBeforeIcmp(packet: Scratch): bool {
  if (!packet.isV6 || packet.protocol != Protocol.NoNext || packet.isFragment) return false;
  return protocolBehindCut(packet.ip, packet.ip + packet.totalLength) == Protocol.Icmpv6;
}

/** Whether packets of the family may be of a connection: there is a service of it, or a connection by NAT64. */
export function mayConcern(v6: bool): bool {
  const services6 = field(SB_SERVICE6_COUNT);
  return v6 ? services6 != 0 : field(SB_SERVICE_COUNT) != services6 || field(SB_NAT64) != 0;
}

/** Whether the message, whose header is there, is an error that is related to the connection it quotes. */
export function isRelatedError(packet: Scratch): bool {
  return isRelatedType(packet.isV6, changetype<Icmp>(packet.l4).type);
}

/** Whether IPVS looks for the connection of an error of our own of that type. */
export function isAsked(v6: bool, type: u32): bool {
  return mayConcern(v6) && isRelatedType(v6, type);
}

function isRelatedType(v6: bool, type: u32): bool {
  return v6 ? isError6(type) : isRelated(type);
}

/**
 * Whether an error of our own does not get out: with schedule_icmp it, too, is asked for the connection that it tells of,
 * and dropped if that cannot be told. It quotes the packet at `ip` up to `end`.
 */
export function isHeldBack(v6: bool, type: u32, ip: usize, end: usize): bool {
  return field(SB_SCHEDULE_ICMP) != 0 && isAsked(v6, type) && lacksPorts(v6, ip, end);
}

/** Whether the quoted packet at `ip` is of a protocol with ports, and ends at `end` before these do. */
export function lacksPorts(v6: bool, ip: usize, end: usize): bool {
  const transport = quotedTransport(v6, ip, end);
  if (transport == 0) return hasPorts(cutProtocol(v6, ip, end));
  return hasPorts(quotedProtocol(v6, ip, end)) && transport + PORTS_SIZE > end;
}

/** Whether the message's checksum is right. */
export function icmpChecksumOk(packet: Scratch): bool {
  const length = packet.l4Length;
  const header = packet.header6;
  const pseudo = packet.isV6 ? pseudoHeader6(header.source, header.destination, Protocol.Icmpv6, length) : 0;
  return fold(pseudo + sum(packet.l4, length)) == RIGHT;
}

/** Address of the quoted packet. */
export function quoteOf(packet: Scratch): usize {
  return packet.l4 + ICMP_SIZE;
}

/** Where the packet ends, and what it quotes. */
export function endOf(packet: Scratch): usize {
  return packet.l4 + packet.l4Length;
}

/** Address of the source address of the quoted packet at `ip`. */
export function quotedSource(v6: bool, ip: usize): usize {
  return ip + (v6 ? IPV6_SOURCE : IPV4_SOURCE);
}

/** Address of its destination address. */
export function quotedDestination(v6: bool, ip: usize): usize {
  return ip + (v6 ? IPV6_DESTINATION : IPV4_DESTINATION);
}

/** Its transport protocol, when it has a transport header. */
export function quotedProtocol(v6: bool, ip: usize, end: usize): u32 {
  return v6 ? foundProtocol(walkExtensions(ip, end)) : changetype<Ipv4>(ip).protocol;
}

/**
 * Where the transport header of the quoted packet at `ip` begins, of which the bytes up to `end` are there; 0 when its
 * IP header is not whole, or it is a fragment that has none. Linux looks at the version of IPv6, and takes all else for IPv4.
 */
export function quotedTransport(v6: bool, ip: usize, end: usize): usize {
  if (v6) return ip + IPV6_SIZE <= end && changetype<Ipv6>(ip).version == 6 ? transport6(ip, end) : 0;
  const header = changetype<Ipv4>(ip);
  if (ip + IPV4_MIN > end || header.isLaterFragment) return 0;
  const length = header.headerLength;
  return length >= IPV4_MIN && ip + length <= end ? ip + length : 0;
}

/**
 * The transport protocol of the quoted packet at `ip` that ends at `end`, within its own headers: of IPv4 behind the header's
 * length, wherever that is, of IPv6 behind an extension header that is not whole. NoNext for all else.
 */
function cutProtocol(v6: bool, ip: usize, end: usize): u32 {
  if (v6) {
    const isThere = ip + IPV6_SIZE <= end && changetype<Ipv6>(ip).version == 6;
    return isThere ? protocolBehindCut(ip, end) : Protocol.NoNext;
  }
  const header = changetype<Ipv4>(ip);
  const isCut = ip + IPV4_MIN <= end && !header.isLaterFragment && ip + header.headerLength > end;
  return isCut ? header.protocol : Protocol.NoNext;
}

function transport6(ip: usize, end: usize): usize {
  const found = walkExtensions(ip, end);
  const fragment = foundFragment(found);
  if (foundFault(found) != Reason.None || (fragment != 0 && isLaterFragment6(ip + fragment))) return 0;
  return ip + foundOffset(found);
}

/**
 * The entry of the connection index for the quoted packet at `ip`; 0 when there is none. An error about a packet that
 * went away from the director quotes it `reversed`: looked for is the one that would answer it.
 */
export function findQuoted(v6: bool, ip: usize, end: usize, reversed: bool): u32 {
  return seekQuoted(v6, ip, end, reversed, false);
}

/** The connection, not of NAT, that an error of our own tells of, which quotes its request at `ip`; 0 when there is none. */
export function findToldOf(v6: bool, ip: usize, end: usize): u32 {
  return seekQuoted(v6, ip, end, false, true);
}

function seekQuoted(v6: bool, ip: usize, end: usize, reversed: bool, untranslated: bool): u32 {
  const transport = quotedTransport(v6, ip, end);
  if (transport == 0) return 0;
  let protocol = quotedProtocol(v6, ip, end);
  let ports = ISAKMP_PORTS_BE;
  const isIpsec = protocol == Protocol.Ah || protocol == Protocol.Esp;
  if (hasPorts(protocol)) {
    if (transport + PORTS_SIZE > end) return 0;
    ports = portsBE(transport);
  } else {
    if (!isIpsec) return reversed && protocol == icmpOf(v6) ? findQuotedMessage(v6, ip, transport, end) : 0;
    // They go where the ISAKMP of their two ends went.
    protocol = Protocol.Udp;
  }
  let source = quotedSource(v6, ip);
  let destination = quotedDestination(v6, ip);
  if (reversed) {
    const from = destination;
    destination = source;
    source = from;
    ports = rotl<u32>(ports, 16);
  }
  if (untranslated) return findUntranslated(v6, source, destination, ports, protocol);
  return isIpsec ? findIsakmp(v6, source, destination) : findForClient(v6, source, destination, ports, protocol);
}

/** The entry for what would answer the quoted query at `transport`, or what the quoted reply there answers. */
function findQuotedMessage(v6: bool, ip: usize, transport: usize, end: usize): u32 {
  if (transport + ICMP_SIZE > end) return 0;
  const icmp = changetype<Icmp>(transport);
  const asks = isQuery(v6, icmp);
  if (!asks && !isQueryReply(v6, icmp)) return 0;
  return findMessage(v6, quotedDestination(v6, ip), quotedSource(v6, ip), icmp.identifierBE, asks);
}
