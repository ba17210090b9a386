/**
 * Whether a segment arrived as it was sent: asked where what it says is used, and not just sent on.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Descriptor, Scratch } from '../descriptor';
import { fold, sum } from '../wire/checksum';
import { pseudoOf } from './pseudo';

/** A right checksum makes the sum of all it covers this. */
const RIGHT: u32 = 0xffff;

/** Whether the segment's checksum is right, or still to be filled in; judges the frame when not. */
export function isIntact(frame: Descriptor, packet: Scratch): bool {
  if (frame.isPartial || isRight(packet)) return true;
  frame.judge(Verdict.Drop, Reason.TcpChecksum);
  return false;
}

function isRight(packet: Scratch): bool {
  const length = packet.l4Length;
  return fold(pseudoOf(packet, Protocol.Tcp, length) + sum(packet.l4, length)) == RIGHT;
}
