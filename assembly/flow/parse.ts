/**
 * From a frame to what is known about it before any table is asked: its IP header, its transport
 * header, and the hash of its tuple.
 *
 * The checks and their order are those of a host that receives an IPv4 packet (RFC 1122 §3.2.1,
 * Linux ip_rcv).
 *
 * @module
 */
import { ScratchFlag } from '../../src/abi/frames';
import { Protocol } from '../../src/abi/protocol';
import { SB_ARENA, SB_ARENA_END } from '../../src/abi/superblock';
import { Reason, Verdict } from '../../src/abi/verdict';
import { hashTuple, hashTuple6 } from '../conn/hash';
import { homeBucket } from '../conn/index-table';
import { Descriptor, Scratch } from '../descriptor';
import { field } from '../superblock';
import { foundFragment, foundOffset, foundProtocol, walkExtensions } from '../wire/extension';
import { IPV4_MIN, Ipv4 } from '../wire/ipv4';
import { IPV6_SIZE, Ipv6 } from '../wire/ipv6';
import { hasPorts, PORTS_SIZE, portsBE } from '../wire/ports';
import { parseLink } from './link';

/** Starts on the frame that the host gave. The address of its IP header; 0 when it is judged already, as is `scratch.ip`. */
export function parseFrame(frame: Descriptor, scratch: Scratch): usize {
  frame.clear();
  scratch.ip = 0;
  scratch.bucket = 0;
  scratch.ref = 0;
  if (!liesInArena(frame)) {
    frame.judge(Verdict.Drop, Reason.BadDescriptor);
    return 0;
  }
  return parseLink(frame, scratch);
}

/** Parses the IP packet at `ip`, of the family that `scratch` has, up to the end of the frame. False: judged. */
export function parsePacket(frame: Descriptor, scratch: Scratch, ip: usize): bool {
  const room = <u32>(frame.address + frame.length - ip);
  return scratch.isV6 ? parseIpv6(frame, scratch, ip, room) : parseIpv4(frame, scratch, ip, room);
}

/** Whether frame and headroom lie wholly in the arena; the numbers are the host's and may be anything. */
function liesInArena(frame: Descriptor): bool {
  const start = <u64>frame.address;
  return start >= <u64>field(SB_ARENA) + <u64>frame.headroom && start + <u64>frame.length <= <u64>field(SB_ARENA_END);
}

function parseIpv4(frame: Descriptor, scratch: Scratch, ip: usize, room: u32): bool {
  const reason = checkIpv4(ip, room);
  if (reason != Reason.None) {
    frame.judge(Verdict.Drop, reason);
    return false;
  }
  const header = changetype<Ipv4>(ip);
  const headerLength = header.headerLength;
  const total = header.totalLength;
  // What follows the packet is padding of the link.
  frame.length = <u32>(ip - frame.address) + total;
  const l4 = ip + headerLength;
  const l4Length = total - headerLength;
  const protocol = header.protocol;
  scratch.ip = ip;
  scratch.l4 = l4;
  scratch.l4Length = l4Length;
  scratch.protocol = protocol;
  scratch.bucket = 0;
  if (header.isFragment) scratch.flags = scratch.flags | ScratchFlag.Fragment;
  else if (hasPorts(protocol) && l4Length >= PORTS_SIZE) {
    setHash(scratch, hashTuple(header.sourceBE, header.destinationBE, portsBE(l4), protocol));
  }
  return true;
}

function parseIpv6(frame: Descriptor, scratch: Scratch, ip: usize, room: u32): bool {
  const reason = checkIpv6(ip, room);
  if (reason != Reason.None) {
    frame.judge(Verdict.Drop, reason);
    return false;
  }
  const header = changetype<Ipv6>(ip);
  const total = IPV6_SIZE + header.payloadLength;
  frame.length = <u32>(ip - frame.address) + total;
  scratch.ip = ip;
  locateTransport(scratch, total);
  scratch.bucket = 0;
  const protocol = scratch.protocol;
  if (hasPorts(protocol) && scratch.l4Length >= PORTS_SIZE && !scratch.isFragment) {
    setHash(scratch, hashTuple6(header.source, header.destination, portsBE(scratch.l4), protocol));
  }
  return true;
}

/** Finds the transport header of the IPv6 packet of `total` bytes. */
function locateTransport(scratch: Scratch, total: u32): void {
  const ip = scratch.ip;
  const next = scratch.header6.nextHeader;
  if (!hasPorts(next)) {
    locateBehind(scratch, total);
    return;
  }
  scratch.l4 = ip + IPV6_SIZE;
  scratch.l4Length = total - IPV6_SIZE;
  scratch.protocol = next;
}

/** The same behind extension headers. */
function locateBehind(scratch: Scratch, total: u32): void {
  const ip = scratch.ip;
  // A chain that ends nowhere has the protocol NoNext: nothing balances it.
  const found = walkExtensions(ip, ip + total);
  const offset = min<u32>(foundOffset(found), total);
  scratch.l4 = ip + offset;
  scratch.l4Length = total - offset;
  scratch.protocol = foundProtocol(found);
  if (foundFragment(found) != 0) scratch.flags = scratch.flags | ScratchFlag.Fragment;
}

/** The hash of a tuple with ports, and where it belongs in the index. */
function setHash(scratch: Scratch, hash: u64): void {
  scratch.hash = hash;
  scratch.bucket = homeBucket(hash);
}

/** Whether a whole IPv6 packet starts at `ip`: Reason.None, or what is wrong with it. */
export function checkIpv6(ip: usize, room: u32): Reason {
  if (room < IPV6_SIZE) return Reason.Ipv6Truncated;
  const header = changetype<Ipv6>(ip);
  if (header.version != 6) return Reason.Ipv6Version;
  const length = header.payloadLength;
  if (length > room - IPV6_SIZE) return Reason.Ipv6PayloadLength;
  // Only a jumbogram has options and no length (RFC 2675 §3).
  if (length == 0 && header.nextHeader == Protocol.HopByHop) return Reason.Ipv6PayloadLength;
  return Reason.None;
}

/** Whether a whole IPv4 packet starts at `ip`: Reason.None, or what is wrong with it. */
export function checkIpv4(ip: usize, room: u32): Reason {
  if (room < IPV4_MIN) return Reason.Ipv4Truncated;
  const header = changetype<Ipv4>(ip);
  if (header.version != 4) return Reason.Ipv4Version;
  const headerLength = header.headerLength;
  if (headerLength < IPV4_MIN) return Reason.Ipv4HeaderLength;
  if (headerLength > room) return Reason.Ipv4Truncated;
  if (!header.checksumOk) return Reason.Ipv4Checksum;
  const total = header.totalLength;
  if (total > room || total < headerLength) return Reason.Ipv4TotalLength;
  return Reason.None;
}
