/**
 * From a frame to what is known about it before any table is asked: its IP header, its transport
 * header, and the hash of its tuple.
 *
 * The checks and their order are those of a host that receives an IPv4 packet (RFC 1122 §3.2.1,
 * Linux ip_rcv).
 *
 * @module
 */
import { SB_ARENA, SB_ARENA_END } from '../../src/abi/memory';
import { Protocol } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { hashTuple } from '../conn/hash';
import { homeBucket } from '../conn/index-table';
import { Descriptor, Scratch } from '../descriptor';
import { field } from '../superblock';
import { IPV4_MIN, Ipv4 } from '../wire/ipv4';
import { PORTS_SIZE, portsBE } from '../wire/ports';
import { parseLink } from './link';

/** Parses the frame that the host gave; `scratch.ip` stays 0 when it is judged already. */
export function parseFrame(frame: Descriptor, scratch: Scratch): void {
  frame.clear();
  scratch.ip = 0;
  scratch.bucket = 0;
  scratch.ref = 0;
  if (!liesInArena(frame)) {
    frame.judge(Verdict.Drop, Reason.BadDescriptor);
    return;
  }
  const ip = parseLink(frame, scratch);
  if (ip != 0) parseIpv4(frame, scratch, ip, <u32>(frame.address + frame.length - ip));
}

/** Whether frame and headroom lie wholly in the arena; the numbers are the host's and may be anything. */
function liesInArena(frame: Descriptor): bool {
  const start = <u64>frame.address;
  return start >= <u64>field(SB_ARENA) + <u64>frame.headroom && start + <u64>frame.length <= <u64>field(SB_ARENA_END);
}

/** Parses the IPv4 packet at `ip`, of which `room` bytes are there. False when it has been judged. */
export function parseIpv4(frame: Descriptor, scratch: Scratch, ip: usize, room: u32): bool {
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
  scratch.ip = ip;
  scratch.l4 = l4;
  scratch.l4Length = l4Length;
  const protocol = header.protocol;
  if ((protocol == Protocol.Tcp || protocol == Protocol.Udp) && l4Length >= PORTS_SIZE && !header.isFragment) {
    const hash = hashTuple(header.sourceBE, header.destinationBE, portsBE(l4), protocol);
    scratch.hash = hash;
    scratch.bucket = homeBucket(hash);
  } else {
    scratch.bucket = 0;
  }
  return true;
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
