/**
 * What a packet says of its connection's beginning and end, by its first bits alone.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { Scratch } from '../descriptor';
import { hasChunk, SCTP_ABORT, SCTP_INIT, sctpChunkType } from '../wire/sctp';
import { RST, SYN, TCP_MIN, Tcp } from '../wire/tcp';

/** A SYN or an INIT, whatever else it says. */
export function isOpening(packet: Scratch): bool {
  return says(packet, SYN, SCTP_INIT);
}

/** A RST or an ABORT. */
export function isReset(packet: Scratch): bool {
  return says(packet, RST, SCTP_ABORT);
}

/** Whether it has one of the flags, or its first chunk is that one; not when it is too short to tell. */
function says(packet: Scratch, flags: u32, chunk: u32): bool {
  const protocol = packet.protocol;
  if (protocol == Protocol.Tcp) {
    return packet.l4Length >= TCP_MIN && (changetype<Tcp>(packet.l4).flags & flags) != 0;
  }
  return protocol == Protocol.Sctp && hasChunk(packet.l4Length) && sctpChunkType(packet.l4) == chunk;
}
