/**
 * ICMP errors with all that they quote, as errors of the other family (RFC 7915 §4.2, §4.3, §5.2, §5.3).
 *
 * @module
 */
import { type Address, addressBytes } from '../packet/address.js';
import { concatenate, internetChecksum } from '../packet/checksum.js';
import { ICMP_LENGTH, ICMP_TYPE, parseIcmp, serialiseIcmp } from '../packet/icmp.js';
import { ICMPV6_TYPE, serialiseIcmpv6 } from '../packet/icmpv6.js';
import type { IpPacket } from '../packet/ip.js';
import type { Ipv4Packet } from '../packet/ipv4.js';
import { IPV6_LENGTH, IPV6_MIN_MTU, type Ipv6Packet } from '../packet/ipv6.js';
import { changedTransport, type Quote, type QuoteChange } from '../quote.js';
import type { ReferenceProfile } from '../types.js';
import { UPPER } from '../upper.js';
import { type Said, saidOverIpv4, saidOverIpv6 } from './errors.js';
import { type Between, IPV4_LENGTH, toIpv4, toIpv6 } from './headers.js';

/** Both ends of a quoted packet, in the other family. */
export type QuoteAcross = QuoteChange & Between<Address>;

/** What is told of a transport at the least. */
const LEAST_QUOTED = 8;

/**
 * An ICMPv6 error from the client's side as one of ICMP to the server; `undefined` when it cannot be said there.
 *
 * @param mtu towards the server
 */
export function errorOverIpv4(
  packet: IpPacket,
  message: Uint8Array,
  quote: Quote,
  {
    ends,
    quoted,
    profile,
    mtu,
  }: { ends: Between<Address>; quoted: QuoteAcross; profile: ReferenceProfile; mtu: number },
): Ipv4Packet | undefined {
  const { type, code, rest } = parseIcmp(message);
  const said = saidOverIpv4({ type, code, rest }, mtu);
  if (said === undefined) return undefined;
  const hasExtension = type === ICMPV6_TYPE.destinationUnreachable || type === ICMPV6_TYPE.timeExceeded;
  const transport = withoutExtension(quote, hasExtension ? (rest >>> 24) * 8 : 0, quoted);
  const header = quotedIpv4(quote, quoted);
  const payload = answerOf(said, concatenate(header, transport), Math.min(mtu, IPV6_MIN_MTU) - IPV4_LENGTH);
  return { ...toIpv4(packet, ends, profile), protocol: UPPER.icmp, payload: serialiseIcmp(payload) };
}

/**
 * An ICMP error from the server's side as one of ICMPv6 to the client; `undefined` when it cannot be said there.
 *
 * @param mtu towards the client
 * @param lessen what is left of an MTU for the client
 */
export function errorOverIpv6(
  packet: IpPacket,
  message: Uint8Array,
  quote: Quote,
  {
    ends,
    quoted,
    mtu,
    lessen,
  }: { ends: Between<Address>; quoted: QuoteAcross; mtu: number; lessen: (mtu: number) => number },
): Ipv6Packet | undefined {
  const { type, code, rest } = parseIcmp(message);
  const said = saidOverIpv6({ type, code, rest }, word(quote.bytes, 2), mtu, lessen);
  if (said === undefined) return undefined;
  const hasExtension = type !== ICMP_TYPE.sourceQuench;
  const transport = withoutExtension(quote, hasExtension ? ((rest >>> 16) & 0xff) * 4 : 0, quoted);
  const payload = answerOf(said, concatenate(quotedIpv6(quote, quoted), transport), IPV6_MIN_MTU - IPV6_LENGTH);
  const made = toIpv6(packet, ends);
  return {
    ...made,
    nextHeader: UPPER.icmpv6,
    payload: serialiseIcmpv6(payload, made.source, made.destination),
  };
}

/** The message, whose quotation is no longer than there is room. */
function answerOf(said: Said, quoted: Uint8Array, room: number): Said & { payload: Uint8Array } {
  return { ...said, payload: quoted.slice(0, room - ICMP_LENGTH) };
}

/**
 * What is quoted of a transport, without the extension behind it (RFC 4884), as its length would be another one.
 *
 * @param length of the quoted packet, in bytes; 0: there is no extension
 */
function withoutExtension(quote: Quote, length: number, change: QuoteChange): Uint8Array {
  const transport = changedTransport(quote, change);
  return length === 0 ? transport : transport.slice(0, Math.max(length - quote.offset, LEAST_QUOTED));
}

/** The header of a packet that the server sent, of which the client's side has seen the translation. */
function quotedIpv4({ bytes, offset, protocol }: Quote, { source, destination }: QuoteAcross): Uint8Array {
  const behind = word(bytes, 4) - (offset - IPV6_LENGTH);
  const header = new Uint8Array(IPV4_LENGTH);
  const view = new DataView(header.buffer);
  view.setUint8(0, 0x45);
  view.setUint8(1, (word(bytes, 0) >>> 4) & 0xff);
  view.setUint16(2, IPV4_LENGTH + Math.max(0, behind));
  view.setUint8(8, bytes[7]!);
  view.setUint8(9, protocol);
  header.set(concatenate(addressBytes(source), addressBytes(destination)), 12);
  view.setUint16(10, internetChecksum(header));
  return header;
}

/** The header of a packet that the client sent, of which the server's side has seen the translation. */
function quotedIpv6({ bytes, offset, protocol }: Quote, { source, destination }: QuoteAcross): Uint8Array {
  const header = new Uint8Array(8);
  const view = new DataView(header.buffer);
  view.setUint16(0, 0x6000 | (bytes[1]! << 4));
  view.setUint16(4, Math.max(0, word(bytes, 2) - offset));
  view.setUint8(6, protocol);
  view.setUint8(7, bytes[8]!);
  return concatenate(header, addressBytes(source), addressBytes(destination));
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
