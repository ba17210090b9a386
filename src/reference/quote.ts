/**
 * The packet that an ICMP error quotes, which may be cut anywhere, and errors with another one in it (RFC 792, RFC 4443).
 *
 * @module
 */
import type { Tuple } from './connection.js';
import { type Address, addressBytes, ipv6FromBytes } from './packet/address.js';
import { checksumIsRight, internetChecksum } from './packet/checksum.js';
import { ICMP_TYPE, parseIcmp, serialiseIcmp } from './packet/icmp.js';
import { icmpv6ChecksumIsRight, isIcmpv6Error, serialiseIcmpv6 } from './packet/icmpv6.js';
import { type IpPacket, isIpv6 } from './packet/ip.js';
import type { Ipv4Packet } from './packet/ipv4.js';
import { IPV6_LENGTH } from './packet/ipv6.js';
import { findUpper, findUpperBehindCut } from './packet/ipv6-extensions.js';
import { pendingChecksum, type Unfinished } from './packet/partial.js';
import { readTuple, transportName } from './ports.js';
import { readMessage, withIdentifier } from './queries.js';
import { type Ends, UPPER, withEnds, withUpperLayer } from './upper.js';

/** What is left of a quoted packet. */
export interface Quote {
  bytes: Uint8Array;
  isIpv6: boolean;
  source: Address;
  destination: Address;
  /** Protocol number of what follows the headers. */
  protocol: number;
  /** Where that begins, in bytes: behind the end, if the header is cut short. */
  offset: number;
  /** Whether the packet was a fragment other than the first. */
  isLaterFragment: boolean;
  /** IPv4: DF. */
  dontFragment: boolean;
}

/** Whether a message is an error about a packet of a connection: of ICMP only some are, of ICMPv6 all errors. */
export function isRelated(packet: IpPacket, type: number): boolean {
  if (isIpv6(packet)) return isIcmpv6Error(type);
  return [ICMP_TYPE.destinationUnreachable, ICMP_TYPE.sourceQuench, ICMP_TYPE.timeExceeded].some(
    (each) => each === type,
  );
}

/** Whether the checksum of an ICMP or ICMPv6 message is right; nobody looks while another one in it is still to be finished. */
export function icmpChecksumIsRight(packet: IpPacket, message: Uint8Array, unfinished: Unfinished = false): boolean {
  if (pendingChecksum(packet, unfinished) !== undefined) return true;
  if (isIpv6(packet)) return icmpv6ChecksumIsRight(message, packet.source, packet.destination);
  return checksumIsRight(message);
}

/** The quoted packet at the start of `bytes`; `undefined` when not even its headers are whole. */
export function readQuote(bytes: Uint8Array, isVersion6: boolean): Quote | undefined {
  return isVersion6 ? readIpv6(bytes) : readIpv4(bytes);
}

function readIpv4(bytes: Uint8Array): Quote | undefined {
  // Nobody looks at the version.
  if (bytes.length < 20) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offset = (bytes[0]! & 0xf) * 4;
  if (offset < 20) return undefined;
  return {
    bytes,
    isIpv6: false,
    source: view.getUint32(12),
    destination: view.getUint32(16),
    protocol: view.getUint8(9),
    offset,
    isLaterFragment: (view.getUint16(6) & 0x1fff) !== 0,
    dontFragment: (view.getUint16(6) & 0x4000) !== 0,
  };
}

function readIpv6(bytes: Uint8Array): Quote | undefined {
  if (bytes.length < IPV6_LENGTH || bytes[0]! >>> 4 !== 6) return undefined;
  const words = { nextHeader: bytes[6]!, payload: bytes.subarray(IPV6_LENGTH) };
  const whole = findUpper(words);
  const upper = whole === 'ipv6-truncated' ? findUpperBehindCut(words) : whole;
  // Of what has no ports nothing is looked for behind a cut header.
  if (upper === undefined || (upper !== whole && !hasPorts(upper))) return undefined;
  return {
    bytes,
    isIpv6: true,
    source: ipv6FromBytes(bytes.subarray(8)),
    destination: ipv6FromBytes(bytes.subarray(24)),
    protocol: upper.protocol,
    offset: IPV6_LENGTH + upper.offset,
    isLaterFragment: upper.fragment !== undefined && upper.fragment.header.offset !== 0,
    dontFragment: false,
  };
}

/** The ends of the connection that the quoted packet is of, as that packet has them. */
export function quotedTuple(quote: Quote): Tuple | undefined {
  return quote.isLaterFragment ? undefined : readTuple(quote, quote.protocol, quote.bytes.subarray(quote.offset));
}

/** Whether the quoted packet is of a protocol with ports, and ends before these do. */
export function lacksPorts(quote: Quote): boolean {
  return hasPorts(quote) && !quote.isLaterFragment && quotedTuple(quote) === undefined;
}

/** The header of a quoted IPv4 packet, with what is left behind it. */
export function quotedHeader({ bytes, offset }: Quote): Ipv4Packet {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    tos: view.getUint8(1),
    identification: view.getUint16(4),
    flags: view.getUint16(6) >>> 13,
    fragmentOffset: view.getUint16(6) & 0x1fff,
    ttl: view.getUint8(8),
    protocol: view.getUint8(9),
    checksum: view.getUint16(10),
    source: view.getUint32(12),
    destination: view.getUint32(16),
    options: bytes.slice(20, offset),
    payload: bytes.slice(offset),
  };
}

/** The same connection seen from the other end, which answers queries, or asks them. */
export function reversed(tuple: Tuple): Tuple {
  const { source: destination, sourcePort: destinationPort, message } = tuple;
  return {
    ...tuple,
    source: tuple.destination,
    sourcePort: tuple.destinationPort,
    destination,
    destinationPort,
    ...(message && { message: message === 'query' ? 'reply' : 'query' }),
  };
}

/** New ends of a quoted packet; a port only where it has ports, or an identifier for one. What is left out stays. */
export interface QuoteChange {
  source?: Address;
  sourcePort?: number;
  destination?: Address;
  destinationPort?: number;
  /** What becomes of the sequence number of TCP. */
  number?: (sent: number) => number;
}

/**
 * An error packet with other ends, outside and in what it quotes. The checksums of the message and of IPv4 headers are
 * made anew; that of the quoted transport stays as it was, but of ICMP it follows what changed.
 */
export function translateError(
  packet: IpPacket,
  message: Uint8Array,
  quote: Quote,
  ends: Ends,
  change: QuoteChange,
): IpPacket {
  const changed = changeQuote(quote, change);
  const { type, code, rest } = parseIcmp(message);
  const addressed = withEnds(packet, ends);
  const { source, destination } = addressed;
  const made = { type, code, rest, payload: changed };
  const bytes = isIpv6(packet) ? serialiseIcmpv6(made, source, destination) : serialiseIcmp(made);
  return withUpperLayer(addressed, bytes);
}

function changeQuote(quote: Quote, change: QuoteChange): Uint8Array {
  const bytes = quote.bytes.slice();
  const { source, destination } = change;
  const at = quote.isIpv6 ? 8 : 12;
  if (source !== undefined) bytes.set(addressBytes(source), at);
  if (destination !== undefined) bytes.set(addressBytes(destination), at + (quote.isIpv6 ? 16 : 4));
  bytes.set(changedTransport(quote, change), quote.offset);
  if (!quote.isIpv6) {
    bytes.fill(0, 10, 12);
    const checksum = internetChecksum(bytes.subarray(0, quote.offset));
    bytes.set([checksum >>> 8, checksum & 0xff], 10);
  }
  return bytes;
}

/** What is left behind the headers of a quoted packet, with other ports and another number. */
export function changedTransport(quote: Quote, change: QuoteChange): Uint8Array {
  const { sourcePort, destinationPort, number } = change;
  const bytes = quote.bytes.slice(quote.offset);
  const message = readMessage(quote, quote.protocol, bytes);
  const identifier = message === 'query' ? sourcePort : destinationPort;
  if (message !== undefined && identifier !== undefined) {
    const { source = quote.source, destination = quote.destination } = change;
    return withIdentifier(bytes, identifier, quote, { source, destination }, false);
  }
  const view = new DataView(bytes.buffer);
  if (hasPorts(quote)) {
    if (sourcePort !== undefined) view.setUint16(0, sourcePort);
    if (destinationPort !== undefined) view.setUint16(2, destinationPort);
  }
  if (number !== undefined && quote.protocol === UPPER.tcp && bytes.length >= 8) {
    view.setUint32(4, number(view.getUint32(4)));
  }
  return bytes;
}

/** Whether the quoted packet is of a protocol with ports. */
export function hasPorts({ protocol }: Pick<Quote, 'protocol'>): boolean {
  return transportName(protocol) !== undefined;
}
