/**
 * A second entry for tests and benchmarks: the core with its inner functions exported. Never shipped.
 *
 * @module
 */
import { hashTuple } from './conn/hash';
import * as index from './conn/index-table';
import { find } from './conn/table';
import { nextTcpState } from './conn/tcp-state';
import { walkOptions } from './flow/options';
import { checkIpv4 } from './flow/parse';
import { Arp } from './wire/arp';
import * as checksum from './wire/checksum';
import { Ethernet } from './wire/ethernet';
import { Icmp, isError, isRelated } from './wire/icmp';
import { IPV4_DESTINATION, IPV4_SOURCE, Ipv4 } from './wire/ipv4';
import { copyMac, sameMac } from './wire/mac';
import { portsBE } from './wire/ports';
import { Tcp } from './wire/tcp';
import { Udp } from './wire/udp';
import { Vlan } from './wire/vlan';

export * from './index';
export * from './testing/fragments';
export * from './testing/ipv6';
export * from './testing/sctp';

export function sumScalar(address: usize, length: u32): u32 {
  return checksum.fold(checksum.sumScalar(address, length));
}

export function sumSimd(address: usize, length: u32): u32 {
  return checksum.fold(checksum.sumSimd(address, length));
}

/** Checksum over `length` bytes, as loaded. */
export function checksumOf(address: usize, length: u32): u32 {
  return checksum.finish(checksum.sum(address, length));
}

/** Checksums of the `length` bytes at each of `count` addresses listed at `list`, as loaded; all of them xor-ed. */
export function checksumMany(list: usize, count: u32, length: u32): u32 {
  let all: u32 = 0;
  for (let i: u32 = 0; i < count; i++) all ^= checksumOf(load<u32>(list + ((<usize>i) << 2)), length);
  return all;
}

/** TCP checksums of the packets at `count` addresses listed at `list` once they go to another address and port, as loaded; all of them xor-ed. */
export function updateMany(list: usize, count: u32, toBE: u32, portBE: u32): u32 {
  let all: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const header = changetype<Ipv4>(load<u32>(list + ((<usize>i) << 2)));
    const segment = changetype<usize>(header) + header.headerLength;
    const address = checksum.difference32(header.destinationBE, toBE);
    const port = checksum.difference16(portsBE(segment) >> 16, portBE);
    all ^= checksum.update(changetype<Tcp>(segment).checksum, address + port);
  }
  return all;
}

export function updateChecksum32(old: u32, from: u32, to: u32): u32 {
  return checksum.update(old, checksum.difference32(from, to));
}

export function updateChecksum16(old: u32, from: u32, to: u32): u32 {
  return checksum.update(old, checksum.difference16(from, to));
}

export function hash(sourceBE: u32, destinationBE: u32, ports: u32, protocol: u32): u64 {
  return hashTuple(sourceBE, destinationBE, ports, protocol);
}

/** Looks up the connection of the packet at `ip`; the record's address, bit 0 the direction. */
export function lookup(ip: usize): u32 {
  const header = changetype<Ipv4>(ip);
  const ports = portsBE(ip + header.headerLength);
  const protocol = header.protocol;
  const value = hashTuple(header.sourceBE, header.destinationBE, ports, protocol);
  return find(value, false, ip + IPV4_SOURCE, ip + IPV4_DESTINATION, ports, protocol);
}

/** Looks up the packets at `count` addresses listed at `list`; returns how many have a connection. */
export function lookupMany(list: usize, count: u32): u32 {
  let found: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    if (lookup(load<u32>(list + ((<usize>i) << 2))) != 0) found++;
  }
  return found;
}

/** Checks the IPv4 headers at `count` addresses listed at `list`; returns how many are whole. */
export function parseMany(list: usize, count: u32, room: u32): u32 {
  let whole: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    if (checkIpv4(load<u32>(list + ((<usize>i) << 2)), room) == 0) whole++;
  }
  return whole;
}

export function tcpState(direction: u32, flags: u32, state: u32, isSecure: bool): u32 {
  return nextTcpState(direction, flags, state, isSecure);
}

export function checkHeader(ip: usize, room: u32): u32 {
  return checkIpv4(ip, room);
}

export function decrementTtl(ip: usize): void {
  changetype<Ipv4>(ip).decrementTtl();
}

export function fillChecksum(ip: usize): void {
  changetype<Ipv4>(ip).fillChecksum();
}

export function options(ip: usize, fill: bool, addressBE: u32): u32 {
  return walkOptions(changetype<Ipv4>(ip), fill, addressBE, addressBE);
}

export function icmpIsError(type: u32): bool {
  return isError(type);
}

export function icmpIsRelated(type: u32): bool {
  return isRelated(type);
}

export function arpOperation(address: usize): u32 {
  return changetype<Arp>(address).operation;
}

export function arpSender(address: usize): u32 {
  return changetype<Arp>(address).senderBE;
}

export function arpTarget(address: usize): u32 {
  return changetype<Arp>(address).targetBE;
}

// --- headers: `read` puts every field that has a getter into u32s at `to`, `write` sets every one that has a setter from u32s

function put(to: usize, slot: usize, value: u32): void {
  store<u32>(to + (slot << 2), value);
}

function take(from: usize, slot: usize): u32 {
  return load<u32>(from + (slot << 2));
}

/** Type; whether it goes to a group; offsets of destination and source. */
export function readEthernet(address: usize, to: usize): void {
  const header = changetype<Ethernet>(address);
  put(to, 0, header.typeBE);
  put(to, 1, header.isGroup ? 1 : 0);
  put(to, 2, <u32>(header.destination - address));
  put(to, 3, <u32>(header.source - address));
}

/** Type; addresses of both MACs. */
export function writeEthernet(address: usize, from: usize): void {
  const header = changetype<Ethernet>(address);
  header.typeBE = take(from, 0);
  copyMac(header.destination, take(from, 1));
  copyMac(header.source, take(from, 2));
}

export function macsEqual(a: usize, b: usize): bool {
  return sameMac(a, b);
}

/** Identifier, type. */
export function readVlan(address: usize, to: usize): void {
  const tag = changetype<Vlan>(address);
  put(to, 0, tag.identifier);
  put(to, 1, tag.typeBE);
}

/** Identifier, type. */
export function writeVlan(address: usize, from: usize): void {
  const tag = changetype<Vlan>(address);
  tag.identifier = take(from, 0);
  tag.typeBE = take(from, 1);
}

/** Version, header length, TOS, total length, fragment word, is a fragment, a later one, TTL, protocol, checksum, source, destination, checksum right. */
export function readIpv4(address: usize, to: usize): void {
  const header = changetype<Ipv4>(address);
  put(to, 0, header.version);
  put(to, 1, header.headerLength);
  put(to, 2, header.tos);
  put(to, 3, header.totalLength);
  put(to, 4, header.fragmentBE);
  put(to, 5, header.isFragment ? 1 : 0);
  put(to, 6, header.isLaterFragment ? 1 : 0);
  put(to, 7, header.ttl);
  put(to, 8, header.protocol);
  put(to, 9, header.checksum);
  put(to, 10, header.sourceBE);
  put(to, 11, header.destinationBE);
  put(to, 12, header.checksumOk ? 1 : 0);
}

/** TOS, total length, identification, fragment word, TTL, protocol, source, destination. */
export function writeIpv4(address: usize, from: usize): void {
  changetype<Ipv4>(address).write(
    take(from, 0),
    take(from, 1),
    take(from, 2),
    take(from, 3),
    take(from, 4),
    take(from, 5),
    take(from, 6),
    take(from, 7),
  );
}

/** One hop further, with an address that was `from` and is `to` now. */
export function forwardIpv4(address: usize, fromBE: u32, toBE: u32): void {
  changetype<Ipv4>(address).forwardUpdating(checksum.difference32(fromBE, toBE));
}

/** Flags, checksum, ports as one word. */
export function readTcp(address: usize, to: usize): void {
  const header = changetype<Tcp>(address);
  put(to, 0, header.flags);
  put(to, 1, header.checksum);
  put(to, 2, portsBE(address));
}

/** Source port, destination port, checksum. */
export function writeTcp(address: usize, from: usize): void {
  const header = changetype<Tcp>(address);
  header.sourcePortBE = take(from, 0);
  header.destinationPortBE = take(from, 1);
  header.checksum = take(from, 2);
}

/** Checksum, ports as one word. */
export function readUdp(address: usize, to: usize): void {
  put(to, 0, changetype<Udp>(address).checksum);
  put(to, 1, portsBE(address));
}

/** Source port, destination port, checksum. */
export function writeUdp(address: usize, from: usize): void {
  const header = changetype<Udp>(address);
  header.sourcePortBE = take(from, 0);
  header.destinationPortBE = take(from, 1);
  header.checksum = take(from, 2);
}

/** Type, code, checksum, second word. */
export function writeIcmp(address: usize, from: usize): void {
  const message = changetype<Icmp>(address);
  message.type = take(from, 0);
  message.code = take(from, 1);
  message.checksum = take(from, 2);
  message.rest = take(from, 3);
}

// --- the connection index, with hashes and refs of the test's own

export function insertEntry(hash: u64, ref: u32): void {
  index.insertEntry(hash, ref);
}

export function removeEntry(hash: u64, ref: u32): void {
  index.removeEntry(hash, ref);
}

/** How many buckets a lookup of `hash` touches until it has seen `ref`; 0 when it ends without. */
export function findEntry(hash: u64, ref: u32): u32 {
  const home = index.homeBucket(hash);
  let bucket = home;
  let touched: u32 = 1;
  do {
    for (let lanes = index.matchTags(bucket, hash); lanes != 0; lanes &= lanes - 1) {
      if (index.refAt(bucket, ctz<u32>(lanes)) == ref) return touched;
    }
    if (!index.isOverrun(bucket)) return 0;
    bucket = index.nextBucket(bucket);
    touched++;
  } while (bucket != home);
  return 0;
}
