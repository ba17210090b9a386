/**
 * Transport checksums that were left to the network card (Linux: CHECKSUM_PARTIAL): the field holds the folded sum of the
 * pseudo-header alone. What leaves has its checksum filled in, as by a card that cannot do it.
 *
 * @module
 */
import { DescriptorFlag, SB_CRC_TABLES } from '../../src/abi/memory';
import { Protocol } from '../../src/abi/protocol';
import { Descriptor, Scratch } from '../descriptor';
import { field } from '../superblock';
import { finish, sum } from '../wire/checksum';
import { fillSctpChecksum, SCTP_SIZE } from '../wire/sctp';
import { TCP_MIN, Tcp } from '../wire/tcp';
import { CHECKSUM_ZERO, UDP_SIZE, Udp } from '../wire/udp';

/** Fills the transport checksum in, where it is still to be filled. */
export function completeChecksum(frame: Descriptor, packet: Scratch): void {
  if (frame.isPartial) fillChecksum(frame, packet);
}

function fillChecksum(frame: Descriptor, packet: Scratch): void {
  frame.flags = frame.flags & ~DescriptorFlag.PartialChecksum;
  const length = packet.l4Length;
  switch (packet.protocol) {
    case Protocol.Tcp:
      if (length >= TCP_MIN) changetype<Tcp>(packet.l4).checksum = finish(sum(packet.l4, length));
      break;
    case Protocol.Udp:
      if (length >= UDP_SIZE) {
        const checksum = finish(sum(packet.l4, length));
        changetype<Udp>(packet.l4).checksum = checksum == 0 ? CHECKSUM_ZERO : checksum;
      }
      break;
    case Protocol.Sctp:
      if (length >= SCTP_SIZE) fillSctpChecksum(packet.l4, length, field(SB_CRC_TABLES));
      break;
  }
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
