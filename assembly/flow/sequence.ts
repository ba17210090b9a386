/**
 * Adjusting the numbers of a segment whose connection has changed lengths of segments before: its own, what it acknowledges,
 * and what it acknowledges out of order (RFC 2018 §3).
 *
 * @module
 */
import { toReceiver, toSender } from '../conn/sequence';
import { Descriptor, Scratch } from '../descriptor';
import { difference16, difference32, fold, update } from '../wire/checksum';
import { ACK, FIN, RST, SYN, TCP_MIN, Tcp, URG } from '../wire/tcp';
import { nextOption, OPTION_HEADER, optionLength, SACK, TIMESTAMP, TIMESTAMP_SIZE } from '../wire/tcp-options';

/** Bytes of a block in SACK. */
const BLOCK: u32 = 8;
/** Two NOPs. */
const NOPS: u32 = 0x0101;

/** Combinations of FIN, SYN, RST, ACK and URG that Linux's connection tracking takes for a segment, one bit each. */
const FLAGS: u32 = FIN | SYN | RST | ACK | URG;
const SANE: u64 =
  (1 << SYN) |
  ((<u64>1) << (SYN | URG)) |
  (1 << (SYN | ACK)) |
  (1 << RST) |
  (1 << (RST | ACK)) |
  (1 << ACK) |
  ((<u64>1) << (ACK | URG)) |
  (1 << (FIN | ACK)) |
  ((<u64>1) << (FIN | ACK | URG));

/** Whether it is a segment that could be, as connection tracking wants it: no other is adjusted. Its ports, and all of its shortest header, are there. */
export function isSane(packet: Scratch): bool {
  const tcp = changetype<Tcp>(packet.l4);
  const length = tcp.headerLength;
  return length >= TCP_MIN && length <= packet.l4Length && ((SANE >> (tcp.flags & FLAGS)) & 1) != 0;
}

/**
 * Adjusts a segment that could be: `own` sequence is that of its direction, `other` that of the other one. False: its options
 * cannot be read, and it is adjusted in part.
 */
export function adjustSegment(frame: Descriptor, packet: Scratch, own: usize, other: usize): bool {
  const tcp = changetype<Tcp>(packet.l4);
  const number = tcp.sequence;
  tcp.sequence = toReceiver(own, number);
  const acknowledged = (tcp.flags & ACK) != 0 ? adjustAcknowledged(packet, other) : 0;
  // One that is only begun covers addresses alone.
  if (!frame.isPartial) {
    tcp.checksum = update(tcp.checksum, difference(number, tcp.sequence) + (acknowledged & ~UNREADABLE));
  }
  return (acknowledged & UNREADABLE) == 0;
}

/** Of what `adjustAcknowledged` returns: there are options that cannot be read. */
export const UNREADABLE: u64 = 1 << 63;

/** Adjusts what a segment with ACK acknowledges, in order and out of it, as far as it can be read; returns what that adds to its sum. */
export function adjustAcknowledged(packet: Scratch, other: usize): u64 {
  const tcp = changetype<Tcp>(packet.l4);
  const number = tcp.acknowledgement;
  const adjusted = toSender(other, number);
  tcp.acknowledgement = adjusted;
  let delta = difference(number, adjusted);
  const end = packet.l4 + tcp.headerLength;
  let length: u32 = 0;
  for (let at = nextOption(packet.l4 + TCP_MIN, end); at != 0; at = nextOption(at + length, end)) {
    length = optionLength(at, end);
    if (length == 0) return delta | UNREADABLE;
    if (load<u8>(at) != SACK || length % BLOCK != OPTION_HEADER) continue;
    delta += placed(packet, at, adjustEdges(at + OPTION_HEADER, at + length, other));
  }
  return delta;
}

/** Puts NOPs in place of timestamps (RFC 7323 §3.2), as far as options can be read; returns what that adds to the sum. */
export function clearTimestamps(packet: Scratch): u64 {
  const end = packet.l4 + changetype<Tcp>(packet.l4).headerLength;
  let delta: u64 = 0;
  let length: u32 = 0;
  for (let at = nextOption(packet.l4 + TCP_MIN, end); at != 0; at = nextOption(at + length, end)) {
    length = optionLength(at, end);
    if (length == 0) break;
    if (length == TIMESTAMP_SIZE && load<u8>(at) == TIMESTAMP) delta += placed(packet, at, putNops(at, at + length));
  }
  return delta;
}

/** Makes the bytes NOPs, two by two; what that adds to the sum of a segment that has them at an even place. */
function putNops(from: usize, to: usize): u64 {
  let delta: u64 = 0;
  for (let at = from; at < to; at += 2) {
    delta += difference16(load<u16>(at), NOPS);
    store<u16>(at, NOPS);
  }
  return delta;
}

/** Adjusts the edges of blocks; what that adds to the sum of a segment that has them at an even place. */
function adjustEdges(from: usize, to: usize, sequence: usize): u64 {
  let delta: u64 = 0;
  for (let at = from; at < to; at += 4) {
    const edge = bswap<u32>(load<u32>(at));
    const adjusted = toSender(sequence, edge);
    store<u32>(at, bswap<u32>(adjusted));
    delta += difference(edge, adjusted);
  }
  return delta;
}

/** What an option adds to the segment's sum that adds `delta` at an even place: at an odd one bytes count for the other half of their words. */
function placed(packet: Scratch, at: usize, delta: u64): u64 {
  return ((at - packet.l4) & 1) == 0 ? delta : <u64>bswap<u16>(<u16>fold(delta));
}

/** What replacing a number in host order by another adds to a sum. */
export function difference(from: u32, to: u32): u64 {
  return difference32(bswap<u32>(from), bswap<u32>(to));
}
