/**
 * Checksums that are still to be finished, as a sender leaves them to its network card (Linux: CHECKSUM_PARTIAL): the
 * field holds the sum of the pseudo-header, not complemented, and somebody has to add the rest.
 *
 * @module
 */
import { residue } from './checksum.js';
import { carriedBy, type IpPacket, ipLength } from './ip.js';

/** Which checksum is to be finished; both in bytes from the start of the IP packet. */
export interface PartialChecksum {
  /** Where the sum begins. */
  start: number;
  /** Where the checksum stands. */
  offset: number;
}

/** Where TCP and UDP have their checksums. */
const FIELD = new Map([
  [6, 16],
  [17, 6],
]);

/** Where the checksum of the TCP segment or UDP datagram in `packet` stands; `undefined` when it has none whole. */
export function partialChecksumOf(packet: IpPacket): PartialChecksum | undefined {
  const carried = carriedBy(packet);
  const field = FIELD.get(carried?.protocol ?? 0);
  if (carried === undefined || field === undefined || carried.isLaterFragment) return undefined;
  const start = ipLength(packet) - packet.payload.length + carried.offset;
  return start + field + 2 > ipLength(packet) ? undefined : { start, offset: start + field };
}

/** Whether a checksum is still to be finished: `true`, the transport's own; else the one that GUE's remote checksum names. */
export type Unfinished = boolean | PartialChecksum;

/** Which checksum of the packet is to be finished. */
export function pendingChecksum(packet: IpPacket, unfinished: Unfinished): PartialChecksum | undefined {
  return unfinished === true ? partialChecksumOf(packet) : unfinished || undefined;
}

/** The packet with that checksum finished; zero is spelt 0xffff, as UDP needs it and Linux does it for all. */
export function finishChecksum(bytes: Uint8Array, { start, offset }: PartialChecksum): Uint8Array {
  const finished = bytes.slice();
  const checksum = (0xffff - residue(bytes.subarray(start))) % 0xffff || 0xffff;
  new DataView(finished.buffer).setUint16(offset, checksum);
  return finished;
}
