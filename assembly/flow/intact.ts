/**
 * Whether a segment arrived as it was sent: asked where what it says is used, and not just sent on.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Descriptor, Scratch } from '../descriptor';
import { fold, pseudoHeader, pseudoHeader6, sum } from '../wire/checksum';

/** A right checksum makes the sum of all it covers this. */
const RIGHT: u32 = 0xffff;

/** Whether the segment's checksum is right, or still to be filled in; judges the frame when not. */
export function isIntact(frame: Descriptor, packet: Scratch): bool {
  if (frame.isPartial || fold(pseudoOf(packet) + sum(packet.l4, packet.l4Length)) == RIGHT) return true;
  frame.judge(Verdict.Drop, Reason.TcpChecksum);
  return false;
}

/** Sum of the segment's pseudo-header. */
export function pseudoOf(packet: Scratch): u64 {
  const length = packet.l4Length;
  return packet.isV6
    ? pseudoHeader6(packet.header6.source, packet.header6.destination, Protocol.Tcp, length)
    : pseudoHeader(packet.header.sourceBE, packet.header.destinationBE, Protocol.Tcp, length);
}
