/**
 * Checksums that are not finished yet (Linux: CHECKSUM_PARTIAL). The transport's may have been left to the network card:
 * then the field holds the folded sum of the pseudo-header alone. GUE's remote checksum names any bytes to be summed up, and
 * where their checksum goes. What leaves has it filled in, as by a card that cannot do it.
 *
 * @module
 */
import { DescriptorFlag, ScratchFlag } from '../../src/abi/frames';
import { Protocol } from '../../src/abi/protocol';
import { SB_CRC_TABLES, SB_REMOTE_FIELD, SB_REMOTE_START } from '../../src/abi/superblock';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Descriptor, Scratch } from '../descriptor';
import { field } from '../superblock';
import { finish, sum } from '../wire/checksum';
import { fillSctpChecksum, SCTP_SIZE } from '../wire/sctp';
import { CHECKSUM_ZERO } from '../wire/udp';

/** Fills the checksum in, where it is still to be filled. False: that cannot be, and the frame is judged. */
export function completeChecksum(frame: Descriptor, packet: Scratch): bool {
  return !frame.isPartial || fillChecksum(frame, packet);
}

/** Whether it can be: nothing is written to headers that the director goes on to read. */
export function canComplete(frame: Descriptor, packet: Scratch): bool {
  if (!frame.isPartial || !packet.hasRemoteChecksum) return true;
  const at = checksumField(packet);
  return at >= packet.l4 && at + 2 <= packet.l4 + packet.l4Length;
}

/** The segment's checksum is to be filled in; the folded sum of its pseudo-header is `pseudo`. */
export function beginChecksum(frame: Descriptor, packet: Scratch, pseudo: u32): void {
  frame.flags = frame.flags | DescriptorFlag.PartialChecksum;
  packet.flags = packet.flags & ~ScratchFlag.RemoteChecksum;
  store<u16>(packet.l4 + checksumOffset(packet.protocol), pseudo);
}

/** What was left to be filled in was computed anew. */
export function forgetPartial(frame: Descriptor): void {
  frame.flags = frame.flags & ~DescriptorFlag.PartialChecksum;
}

function fillChecksum(frame: Descriptor, packet: Scratch): bool {
  const isPossible = canComplete(frame, packet);
  forgetPartial(frame);
  if (!isPossible) {
    frame.judge(Verdict.Drop, Reason.TunnelMalformed);
    return false;
  }
  const end = packet.l4 + packet.l4Length;
  const at = checksumField(packet);
  if (!packet.hasRemoteChecksum && checksumOffset(packet.protocol) == 0) {
    if (packet.protocol == Protocol.Sctp && packet.l4Length >= SCTP_SIZE) {
      fillSctpChecksum(packet.l4, packet.l4Length, field(SB_CRC_TABLES));
    }
    return true;
  }
  if (at + 2 > end) return true;
  const start = sumStart(packet);
  const checksum = finish(sum(start, <u32>(end - start)));
  store<u16>(at, checksum == 0 ? CHECKSUM_ZERO : checksum);
  return true;
}

/** Where the bytes begin that an unfinished checksum is of. */
export function sumStart(packet: Scratch): usize {
  return packet.hasRemoteChecksum ? <usize>field(SB_REMOTE_START) : packet.l4;
}

/** Where an unfinished checksum goes. */
export function checksumField(packet: Scratch): usize {
  return sumStart(packet) + (packet.hasRemoteChecksum ? field(SB_REMOTE_FIELD) : checksumOffset(packet.protocol));
}

/** Where in the transport header the checksum is; 0 for a protocol without. */
export function checksumOffset(protocol: u32): u32 {
  switch (protocol) {
    case Protocol.Tcp:
      return 16;
    case Protocol.Udp:
      return 6;
    default:
      return 0;
  }
}
