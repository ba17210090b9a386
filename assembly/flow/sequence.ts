/**
 * Adjusting the numbers of a segment whose connection has changed lengths of segments before: its own, what it acknowledges,
 * and what it acknowledges out of order (RFC 2018 §3).
 *
 * @module
 */
import { toReceiver, toSender } from '../conn/sequence';
import { Descriptor, Scratch } from '../descriptor';
import { difference32, fold, update } from '../wire/checksum';
import { ACK, FIN, RST, SYN, TCP_MIN, Tcp, URG } from '../wire/tcp';

const END: u32 = 0;
const NOP: u32 = 1;
const SACK: u32 = 5;
/** Bytes of an option's kind and length, and of a block in SACK. */
const OPTION_HEADER: u32 = 2;
const BLOCK: u32 = 8;

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
  let delta = difference(number, tcp.sequence);
  let isWhole: bool = true;
  if ((tcp.flags & ACK) != 0) {
    const acknowledged = tcp.acknowledgement;
    tcp.acknowledgement = toSender(other, acknowledged);
    delta += difference(acknowledged, tcp.acknowledgement);
    const end = packet.l4 + tcp.headerLength;
    let at = packet.l4 + TCP_MIN;
    while (at < end) {
      const kind = <u32>load<u8>(at);
      if (kind == END) break;
      if (kind == NOP) {
        at++;
        continue;
      }
      const length = at + 1 < end ? <u32>load<u8>(at, 1) : 0;
      isWhole = length >= OPTION_HEADER && at + length <= end;
      if (!isWhole) break;
      if (kind == SACK && length % BLOCK == OPTION_HEADER) {
        const edges = adjustEdges(at + OPTION_HEADER, at + length, other);
        // At an odd place bytes count for the other half of their words.
        delta += ((at - packet.l4) & 1) == 0 ? edges : <u64>bswap<u16>(<u16>fold(edges));
      }
      at += length;
    }
  }
  // One that is only begun covers addresses alone.
  if (!frame.isPartial) tcp.checksum = update(tcp.checksum, delta);
  return isWhole;
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

/** What replacing a number in host order by another adds to a sum. */
function difference(from: u32, to: u32): u64 {
  return difference32(bswap<u32>(from), bswap<u32>(to));
}
