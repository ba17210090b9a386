/**
 * Changing the TCP segment in a packet: numbers, options, data.
 *
 * @module
 */
import { carryChecksum, concatenate, pseudoHeader } from './packet/checksum.js';
import type { IpPacket } from './packet/ip.js';
import { parseTcp, serialiseTcp, TCP_LENGTH, type TcpSegment } from './packet/tcp.js';
import { UPPER, upperLayer, withUpperLayer } from './upper.js';

/** The sum of a pseudo header whose length has grown; its zero is spelt 0xffff. */
export function grownSum(sum: number, growth: number): number {
  return (sum + growth + 0xffff) % 0xffff || 0xffff;
}

/** What a TCP checksum covers. */
export function coveredByTcp({ source, destination }: IpPacket, bytes: Uint8Array): Uint8Array {
  return concatenate(pseudoHeader(source, destination, UPPER.tcp, bytes.length), bytes);
}

/** Flags that connection tracking takes for those of a segment, whatever PSH, ECE and CWR say. */
const POSSIBLE_FLAGS = new Set(['S', 'SU', 'SA', 'R', 'RA', 'A', 'AU', 'FA', 'FAU']);

/** Whether connection tracking takes it for a segment: nothing else is adjusted. */
export function isPossible(segment: TcpSegment, length: number): boolean {
  const names = [...'FSRAU'].filter((_, i) => (segment.flags & [1, 2, 4, 16, 32][i]!) !== 0).join('');
  return hasHeader(segment, length) && POSSIBLE_FLAGS.has(names);
}

/** Whether its header is there as long as it says. */
function hasHeader({ offsetAndReserved }: TcpSegment, length: number): boolean {
  const offset = (offsetAndReserved >>> 4) * 4;
  return offset >= TCP_LENGTH && offset <= length;
}

/** The segment in a packet, if it is one. */
export function segmentIn(packet: IpPacket): TcpSegment | undefined {
  return segmentThat(isPossible, packet);
}

/** The same, whatever its flags say. */
export function anySegmentIn(packet: IpPacket): TcpSegment | undefined {
  return segmentThat(hasHeader, packet);
}

function segmentThat(
  holds: (segment: TcpSegment, length: number) => boolean,
  packet: IpPacket,
): TcpSegment | undefined {
  const upper = upperLayer(packet);
  if (upper?.protocol !== UPPER.tcp || upper.isLaterFragment || upper.bytes.length < TCP_LENGTH) return undefined;
  const segment = parseTcp(upper.bytes);
  return holds(segment, upper.bytes.length) ? segment : undefined;
}

/**
 * The packet with another segment; its checksum keeps whatever error it had.
 *
 * @param isPartial its checksum is only begun: it covers nothing of the segment yet but its length
 */
export function withSegment(packet: IpPacket, segment: TcpSegment, isPartial: boolean): IpPacket {
  const { bytes } = upperLayer(packet)!;
  const changed = serialiseTcp({ ...segment, checksum: 0 });
  if (isPartial) {
    const checksum = grownSum(segment.checksum, changed.length - bytes.length);
    return withUpperLayer(packet, serialiseTcp({ ...segment, checksum }));
  }
  const before = coveredByTcp(packet, bytes);
  const after = coveredByTcp(packet, changed);
  return withUpperLayer(packet, serialiseTcp({ ...segment, checksum: carryChecksum(before, after) }));
}
