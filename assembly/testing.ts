/**
 * A second entry for tests and benchmarks: the core with its inner functions exported. Never shipped.
 *
 * @module
 */
import { hashTuple } from './conn/hash';
import { find } from './conn/table';
import { nextTcpState } from './conn/tcp-state';
import { walkOptions } from './flow/options';
import { checkIpv4 } from './flow/parse';
import { decapsulate, encapsulate } from './forward/tunnel';
import { Arp } from './wire/arp';
import * as checksum from './wire/checksum';
import { Icmp, isError, isRelated } from './wire/icmp';
import { Ipv4 } from './wire/ipv4';
import { portsBE } from './wire/ports';

export * from './index';

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
  return find(value, header.sourceBE, header.destinationBE, ports, protocol);
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

export function tcpState(direction: u32, flags: u32, state: u32): u32 {
  return nextTcpState(direction, flags, state);
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
  return walkOptions(changetype<Ipv4>(ip), fill, addressBE);
}

export function encapsulateIpip(inner: usize, sourceBE: u32, destinationBE: u32, copyDf: bool): usize {
  return encapsulate(inner, sourceBE, destinationBE, copyDf);
}

export function decapsulateIpip(inner: usize, room: u32, outerTos: u32): u32 {
  return decapsulate(inner, room, outerTos);
}

export function icmpIsError(type: u32): bool {
  return isError(type);
}

export function icmpIsRelated(type: u32): bool {
  return isRelated(type);
}

export function icmpType(address: usize): u32 {
  return changetype<Icmp>(address).type;
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
