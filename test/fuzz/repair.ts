/**
 * Putting right what damage made wrong, so that it is not always the same check that stops a packet.
 *
 * @module
 */
import { GUE_PORT } from '../properties/families/hosts.js';
import { checksum, fixIpv4 } from '../support/packets.js';

const [HOP_BY_HOP, ICMP, IPIP, TCP, UDP, IPV6, ROUTING, GRE, ICMPV6, DESTINATION_OPTIONS] = [
  0, 1, 4, 6, 17, 41, 43, 47, 58, 60,
];
/** Where the checksum is, in what has one over all of itself. */
const CHECKSUM_AT: Readonly<Record<number, number>> = { [ICMP]: 2, [TCP]: 16, [UDP]: 6, [ICMPV6]: 2 };
/** Tunnels in tunnels. */
const DEPTH = 2;

/** Makes the lengths of the IP header say what is there. */
export function repairLength(packet: Uint8Array): void {
  if (packet.length < 20) return;
  const view = viewOf(packet);
  if (version(packet) === 4) view.setUint16(2, packet.length);
  else if (version(packet) === 6 && packet.length >= 40) view.setUint16(4, packet.length - 40);
}

/** Puts the header checksum of an IPv4 packet right, if its header is there. */
export function repairHeader(packet: Uint8Array): void {
  if (version(packet) !== 4) return;
  const header = headerLength(packet);
  if (header >= 20 && header <= packet.length) fixIpv4(packet);
}

/** Puts the checksum of ICMP, ICMPv6, UDP, TCP or GRE right, and before it those of what is in a tunnel. */
export function repairTransport(packet: Uint8Array, depth = DEPTH): void {
  const found = transportOf(packet);
  if (found === undefined) return;
  const { protocol, segment } = found;
  if (depth > 0) repairInner(protocol, segment, depth - 1);
  if (protocol === GRE && segment.length >= 8 && ((segment[0] as number) & 0x80) !== 0) {
    putChecksum(segment, 4, new Uint8Array(0));
  }
  const at = CHECKSUM_AT[protocol];
  if (at === undefined || segment.length < at + 2) return;
  // UDP over IPv4 may go without.
  if (protocol === UDP && version(packet) === 4 && segment[6] === 0 && segment[7] === 0) return;
  putChecksum(segment, at, protocol === ICMP ? new Uint8Array(0) : pseudoHeader(packet, protocol, segment.length));
}

function repairInner(protocol: number, segment: Uint8Array, depth: number): void {
  const at = innerAt(protocol, segment);
  if (at === undefined || at >= segment.length) return;
  repairHeader(segment.subarray(at));
  repairTransport(segment.subarray(at), depth);
}

/** Where the inner packet of a tunnel begins. */
function innerAt(protocol: number, segment: Uint8Array): number | undefined {
  if (protocol === IPIP || protocol === IPV6) return 0;
  const flags = segment[0] as number;
  if (protocol === GRE) return 4 + (flags & 0x80 ? 4 : 0) + (flags & 0x20 ? 4 : 0) + (flags & 0x10 ? 4 : 0);
  const isGue = protocol === UDP && segment.length > 12 && viewOf(segment).getUint16(2) === GUE_PORT;
  return isGue ? 12 + ((segment[8] as number) & 31) * 4 : undefined;
}

/** The transport header and what follows, as long as the IP header says; nothing of fragments. */
function transportOf(packet: Uint8Array): { protocol: number; segment: Uint8Array } | undefined {
  if (packet.length < 20) return undefined;
  const view = viewOf(packet);
  if (version(packet) === 4) {
    const [from, to] = [headerLength(packet), view.getUint16(2)];
    const isFragment = (view.getUint16(6) & 0x3fff) !== 0;
    if (from < 20 || to <= from || to > packet.length || isFragment) return undefined;
    return { protocol: packet[9] as number, segment: packet.subarray(from, to) };
  }
  if (version(packet) !== 6 || packet.length < 40) return undefined;
  const to = 40 + view.getUint16(4);
  let [protocol, at] = [packet[6] as number, 40];
  while ([HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS].includes(protocol) && at + 8 <= packet.length) {
    protocol = packet[at] as number;
    at += 8 + (packet[at + 1] as number) * 8;
  }
  return to <= at || to > packet.length ? undefined : { protocol, segment: packet.subarray(at, to) };
}

function putChecksum(segment: Uint8Array, at: number, before: Uint8Array): void {
  segment.fill(0, at, at + 2);
  const covered = new Uint8Array(before.length + segment.length);
  covered.set(before);
  covered.set(segment, before.length);
  viewOf(segment).setUint16(at, checksum(covered));
}

function pseudoHeader(packet: Uint8Array, protocol: number, length: number): Uint8Array {
  const addresses = version(packet) === 4 ? packet.subarray(12, 20) : packet.subarray(8, 40);
  const bytes = new Uint8Array(addresses.length + 8);
  bytes.set(addresses);
  viewOf(bytes).setUint32(addresses.length, length);
  bytes[addresses.length + 7] = protocol;
  return bytes;
}

const version = (packet: Uint8Array): number => (packet[0] ?? 0) >> 4;
const headerLength = (packet: Uint8Array): number => ((packet[0] ?? 0) & 15) * 4;
const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);
