/**
 * For tests: IPv6 headers, addresses and extension headers; checksums over 16-byte addresses.
 *
 * @module
 */
import { difference128, finish, pseudoHeader6, sum, update } from '../wire/checksum';
import { checkHopByHop, namedAt, walkExtensions } from '../wire/extension';
import { Icmp } from '../wire/icmp';
import { isError6 } from '../wire/icmpv6';
import {
  copyAddress6,
  foldAddress6,
  Ipv6,
  isLinkLocal6,
  isLoopback6,
  isMulticast6,
  isUnspecified6,
  matchesPrefix6,
  multicastScope6,
  sameAddress6,
} from '../wire/ipv6';

/** Version, traffic class, flow label, payload length, next header, hop limit; offsets of source and destination. */
export function readIpv6(address: usize, to: usize): void {
  const header = changetype<Ipv6>(address);
  store<u32>(to, header.version);
  store<u32>(to, header.trafficClass, 4);
  store<u32>(to, header.flowLabel, 8);
  store<u32>(to, header.payloadLength, 12);
  store<u32>(to, header.nextHeader, 16);
  store<u32>(to, header.hopLimit, 20);
  store<u32>(to, <u32>(header.source - address), 24);
  store<u32>(to, <u32>(header.destination - address), 28);
}

/** Traffic class, payload length, next header, hop limit; addresses of source and destination. */
export function writeIpv6(address: usize, from: usize): void {
  const header = changetype<Ipv6>(address);
  header.setVersion(load<u32>(from));
  header.payloadLength = load<u32>(from, 4);
  header.nextHeader = load<u32>(from, 8);
  header.hopLimit = load<u32>(from, 12);
  copyAddress6(header.source, load<u32>(from, 16));
  copyAddress6(header.destination, load<u32>(from, 20));
}

export function writeTrafficClass(address: usize, from: usize): void {
  changetype<Ipv6>(address).trafficClass = load<u32>(from);
}

/** Bit by bit: unspecified, loopback, link-local, multicast; the scope of the latter from bit 8 on. */
export function kindOfAddress6(address: usize): u32 {
  return (
    (isUnspecified6(address) ? 1 : 0) |
    (isLoopback6(address) ? 2 : 0) |
    (isLinkLocal6(address) ? 4 : 0) |
    (isMulticast6(address) ? 16 | (multicastScope6(address) << 8) : 0)
  );
}

export function foldedAddress6(address: usize): u32 {
  return foldAddress6(address);
}

export function addresses6Equal(a: usize, b: usize): bool {
  return sameAddress6(a, b);
}

export function prefixMatches6(address: usize, prefix: usize, bits: u32): bool {
  return matchesPrefix6(address, prefix, bits);
}

export function hopByHop(ip: usize, end: usize): u64 {
  return checkHopByHop(ip, end);
}

export function extensions(ip: usize, end: usize): u64 {
  return walkExtensions(ip, end);
}

/** Where the byte is that names the header at `offset`, from the IPv6 header on. */
export function nameOffset(ip: usize, offset: u32): u32 {
  return <u32>(namedAt(ip, offset) - ip);
}

export function updateChecksum128(old: u32, from: usize, to: usize): u32 {
  return update(old, difference128(from, to));
}

/** Checksum of the `length` bytes at `segment` of an IPv6 packet, as loaded. */
export function transportChecksum6(ip: usize, protocol: u32, segment: usize, length: u32): u32 {
  const header = changetype<Ipv6>(ip);
  return finish(pseudoHeader6(header.source, header.destination, protocol, length) + sum(segment, length));
}

/** Type, code, checksum, second word. */
export function readIcmp(address: usize, to: usize): void {
  const message = changetype<Icmp>(address);
  store<u32>(to, message.type);
  store<u32>(to, message.code, 4);
  store<u32>(to, message.checksum, 8);
  store<u32>(to, message.rest, 12);
}

export function icmpv6IsError(type: u32): bool {
  return isError6(type);
}
