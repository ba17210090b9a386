/**
 * Frames of the core's own: answers, and further pieces of what is cut. They follow the frames of the burst.
 *
 * @module
 */
import { DESCRIPTOR_MAX, DESCRIPTOR_SIZE, DescriptorFlag, HEADROOM } from '../../src/abi/frames';
import { SB_BURST_COUNT, SB_DESCRIPTORS } from '../../src/abi/superblock';
import { Descriptor } from '../descriptor';
import { takeRoom } from '../flow/arena';
import { NO_INTERFACE } from '../net/interface';
import { field, setField } from '../superblock';

/**
 * A frame with room for `bytes` bytes at its address and HEADROOM bytes before; null when there is no room. Without a cause it
 * is made because it is time.
 */
export function takeFrame(cause: Descriptor | null, bytes: u32): Descriptor | null {
  const index = field(SB_BURST_COUNT);
  if (index >= <u32>DESCRIPTOR_MAX) return null;
  const address = takeRoom(bytes);
  if (address == 0) return null;
  setField(SB_BURST_COUNT, index + 1);
  const made = Descriptor.at(index);
  made.clear();
  made.address = address;
  made.headroom = HEADROOM;
  made.flags = DescriptorFlag.Made;
  // It came in by none, then.
  made.inInterface = cause == null ? NO_INTERFACE : cause.inInterface;
  if (cause == null) return made;
  made.cause = <u32>((changetype<usize>(cause) - <usize>field(SB_DESCRIPTORS)) / DESCRIPTOR_SIZE);
  return made;
}
