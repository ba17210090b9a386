/**
 * The pseudo-header that transport checksums cover (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1).
 *
 * @module
 */
import { Scratch } from '../descriptor';
import { pseudoHeader, pseudoHeader6 } from '../wire/checksum';

/** Its sum, with the packet's addresses, for a segment of `length` bytes. */
export function pseudoOf(packet: Scratch, protocol: u32, length: u32): u64 {
  return packet.isV6
    ? pseudoHeader6(packet.header6.source, packet.header6.destination, protocol, length)
    : pseudoHeader(packet.header.sourceBE, packet.header.destinationBE, protocol, length);
}
