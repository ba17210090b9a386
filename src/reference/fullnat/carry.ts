/**
 * Telling a server who its client is, in what the client sends.
 *
 * @module
 */
import type { Connection, FullNat, Tuple } from '../connection.js';
import { finished } from '../emit.js';
import { drop, type Judgement } from '../host.js';
import { familyOf } from '../packet/address.js';
import { carryChecksum, concatenate, pseudoHeader } from '../packet/checksum.js';
import { type IpPacket, ipLength, isIpv6 } from '../packet/ip.js';
import { IPV4_MIN_MTU } from '../packet/ipv4.js';
import { IPV6_MIN_MTU } from '../packet/ipv6.js';
import { hasFlag, type TcpSegment } from '../packet/tcp.js';
import { parseUdp, serialiseUdp } from '../packet/udp.js';
import { anySegmentIn, grownSum, segmentIn, withSegment } from '../segment.js';
import type { ReferenceCarry, ReferenceConnectionProtocol } from '../types.js';
import { UPPER, upperLayer, withUpperLayer } from '../upper.js';
import { isInHeadersPlace, needsHeader, towardsServer } from './numbers.js';
import { proxyBinary, proxyText } from './proxy.js';
import { ownDatagram, ownSegment } from './separate.js';
import {
  addressOption,
  compact,
  TOA_LENGTH,
  toaOption,
  wantsToa,
  withoutTimestamps,
  withoutToa,
  withToa,
} from './toa.js';
import { UOA_TYPE, withoutUoa, withUoaHeader, withUoaOption } from './uoa.js';

/** What fits on the way to the server. */
export interface Room {
  /** Bytes of the largest packet. */
  mtu: number;
  /** Whether a longer one is cut. */
  mayCut: boolean;
  /** Whether there may be two packets: not where the server is the director itself. */
  mayBeTwo: boolean;
}

/** By protocol, what may carry the client's address. */
const CARRIERS: Record<ReferenceConnectionProtocol, readonly ReferenceCarry[]> = {
  tcp: ['toa', 'proxy-v1', 'proxy-v2'],
  udp: ['uoa-option', 'uoa-protocol', 'proxy-v2'],
  sctp: [],
  icmp: [],
  icmpv6: [],
};

const LARGEST = { 4: 0xffff, 6: 0xffff + 40 } as const;

/** Datagrams that tell a server which has not answered. */
const MOST_DATAGRAMS = 3;

/** Whether packets of that protocol can carry the address so. */
export function canCarry(protocol: ReferenceConnectionProtocol, carry: ReferenceCarry): boolean {
  return CARRIERS[protocol].includes(carry);
}

/** The header in front of what a client says, by `tuple` of its packets; none for what does not carry it there. */
export function headerFor(carry: ReferenceCarry | undefined, tuple: Tuple): Uint8Array {
  if (carry === 'proxy-v1') return proxyText(tuple);
  return carry === 'proxy-v2' ? proxyBinary(tuple) : new Uint8Array(0);
}

/** By how many bytes a client's packet becomes longer in any case, wherever it goes. */
export function certainGrowth({ fullnat, protocol }: Connection): number {
  return protocol === 'udp' && fullnat?.carry === 'proxy-v2' ? fullnat.header.length : 0;
}

/** The MTU that a client is told in place of `mtu`: less by what telling takes of its packets, but what every way carries is left. */
export function mtuForClient(mtu: number, { fullnat, protocol, clientAddress }: Connection): number {
  const family = familyOf(clientAddress);
  const least = { 4: IPV4_MIN_MTU, 6: IPV6_MIN_MTU }[family];
  if (fullnat?.carry === undefined || !canCarry(protocol, fullnat.carry) || mtu <= least) return mtu;
  const { carry, header, numbers } = fullnat;
  const isOver = protocol === 'tcp' && (numbers.initial === undefined || numbers.taken >= header.length);
  const option = TOA_LENGTH[family] + (carry === 'uoa-protocol' ? 4 : 0);
  const isHeader = carry === 'proxy-v1' || carry === 'proxy-v2';
  return Math.max(least, mtu - (isHeader ? (isOver ? 0 : header.length) : option));
}

function wantsUoa({ outputSeen }: Connection, { datagrams }: FullNat): boolean {
  return !outputSeen && datagrams < MOST_DATAGRAMS;
}

/**
 * A client's packet, translated, as it goes to the server: with its numbers, and with what tells who the client is.
 *
 * @returns one packet, or two, the second of which is the client's own
 */
export function tellServer(
  packet: IpPacket,
  connection: Connection,
  fullnat: FullNat,
  room: Room,
  isPartial: boolean,
): [IpPacket, ...IpPacket[]] | Judgement {
  if (connection.protocol === 'udp') return tellByUdp(packet, connection, fullnat, room, isPartial);
  const segment = segmentIn(packet);
  if (segment === undefined) return [unnamed(packet, fullnat, isPartial)];
  if (isInHeadersPlace(segment, fullnat.numbers)) return drop('tcp-option');
  return tellBySegment(packet, cleaned(segment, fullnat), connection, fullnat, room, isPartial);
}

/** What is no segment: a client does not name itself in that, either. */
function unnamed(packet: IpPacket, { carry }: FullNat, isPartial: boolean): IpPacket {
  const segment = carry === 'toa' ? anySegmentIn(packet) : undefined;
  return segment === undefined ? packet : withSegment(packet, withoutToa(segment), isPartial);
}

/** The same of a segment that says nothing of who the client is, but for what tells the server. */
export function tellBySegment(
  packet: IpPacket,
  segment: TcpSegment,
  connection: Connection,
  fullnat: FullNat,
  room: Room,
  isPartial: boolean,
): [IpPacket, ...IpPacket[]] | Judgement {
  const put = (changed: TcpSegment): IpPacket => withSegment(packet, changed, isPartial);
  const { carry, numbers } = fullnat;
  const moved = towardsServer(segment, numbers);
  if (carry === 'toa' && wantsToa(segment, fullnat.profile, numbers)) {
    return tellByToa(packet, moved, connection, fullnat, room, put);
  }
  if (needsHeader(segment, numbers)) return tellByHeader(packet, moved, fullnat, room, put);
  return [put(moved)];
}

/** What clients may not say, and what a profile leaves out. */
function cleaned(segment: TcpSegment, { carry, profile }: FullNat): TcpSegment {
  const isFirst = hasFlag(segment, 'syn') && !hasFlag(segment, 'ack');
  const timeless = profile !== 'linux' && isFirst ? withoutTimestamps(segment) : segment;
  return carry === 'toa' ? withoutToa(timeless) : timeless;
}

function fits(packet: IpPacket, { mtu, mayCut }: Room): boolean {
  return ipLength(packet) <= (mayCut ? LARGEST[isIpv6(packet) ? 6 : 4] : mtu);
}

function tellByToa(
  packet: IpPacket,
  segment: TcpSegment,
  { clientAddress, clientPort }: Connection,
  { profile, numbers }: FullNat,
  room: Room,
  put: (changed: TcpSegment) => IpPacket,
): [IpPacket, ...IpPacket[]] {
  const option = toaOption(profile, clientAddress, clientPort);
  for (const each of [segment, compact(segment)]) {
    const longer = withToa(each, option);
    if (longer !== undefined && fits(put(longer), room)) return [put(longer)];
  }
  // What the server has got with data told it; a SYN is followed by what does.
  const isTold = numbers.taken > 0 || hasFlag(segment, 'syn');
  if (isTold || !room.mayBeTwo) return [put(segment)];
  return [ownSegment(packet, segment, option, new Uint8Array(0)), put(segment)];
}

/** @param segment with the header's number */
function tellByHeader(
  packet: IpPacket,
  segment: TcpSegment,
  { header, numbers }: FullNat,
  room: Room,
  put: (changed: TcpSegment) => IpPacket,
): [IpPacket, ...IpPacket[]] | Judgement {
  numbers.headerSent = true;
  const data = (segment.offsetAndReserved >>> 4) * 4 - 20;
  const { rest } = segment;
  const isUrgent = hasFlag(segment, 'urg');
  const longer = put({
    ...segment,
    urgentPointer: isUrgent ? (segment.urgentPointer + header.length) & 0xffff : segment.urgentPointer,
    rest: concatenate(rest.subarray(0, data), header, rest.subarray(data)),
  });
  if (fits(longer, room)) return [longer];
  if (!room.mayBeTwo) return drop('too-big');
  const behind = { ...segment, sequence: (segment.sequence + header.length) >>> 0 };
  return [ownSegment(packet, segment, new Uint8Array(0), header), put(behind)];
}

function tellByUdp(
  packet: IpPacket,
  connection: Connection,
  fullnat: FullNat,
  room: Room,
  isPartial: boolean,
): [IpPacket, ...IpPacket[]] | Judgement {
  const { carry, header, profile } = fullnat;
  if (carry === 'proxy-v2') {
    const longer = withFront(packet, header, isPartial);
    return ipLength(longer) > LARGEST[isIpv6(longer) ? 6 : 4] ? drop('too-big') : [longer];
  }
  if (carry !== 'uoa-option' && carry !== 'uoa-protocol') return [packet];
  const clean = withoutUoa(packet);
  if (!wantsUoa(connection, fullnat)) return [clean];
  fullnat.datagrams += 1;
  const option = addressOption(UOA_TYPE, connection.clientAddress, connection.clientPort);
  const isZeroed = profile !== 'linux' && !isIpv6(clean);
  const tell = (datagram: IpPacket): IpPacket | undefined => {
    if (carry === 'uoa-protocol') return withUoaHeader(isZeroed ? withoutChecksum(datagram) : datagram, option);
    return isIpv6(datagram) ? undefined : withUoaOption(datagram, option);
  };
  const longer = tell(carry === 'uoa-protocol' && isPartial ? finished(clean) : clean);
  if (longer !== undefined && fits(longer, room)) return [longer];
  const own = room.mayBeTwo ? tell(ownDatagram(clean)) : undefined;
  return own === undefined ? [clean] : [own, clean];
}

function withoutChecksum(packet: IpPacket): IpPacket {
  return withUpperLayer(packet, serialiseUdp({ ...parseUdp(upperLayer(packet)!.bytes), checksum: 0 }));
}

/** The datagram with more in front of its payload. */
function withFront(packet: IpPacket, front: Uint8Array, isPartial: boolean): IpPacket {
  const { bytes } = upperLayer(packet)!;
  const datagram = parseUdp(bytes);
  const payload = concatenate(front, datagram.payload);
  const changed = { ...datagram, length: (datagram.length + front.length) & 0xffff, checksum: 0, payload };
  const cover = (each: Uint8Array): Uint8Array =>
    concatenate(pseudoHeader(packet.source, packet.destination, UPPER.udp, each.length), each);
  const right = carryChecksum(cover(bytes), cover(serialiseUdp(changed))) || 0xffff;
  const checksum = isPartial ? grownSum(datagram.checksum, front.length) : right;
  return withUpperLayer(packet, serialiseUdp({ ...changed, checksum }));
}
