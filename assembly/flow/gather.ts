/**
 * Fragments on their way to be one packet again.
 *
 * @module
 */
import { ScratchFlag } from '../../src/abi/frames';
import { Protocol } from '../../src/abi/protocol';
import { SB_PIECE_COUNT } from '../../src/abi/superblock';
import { Descriptor, Scratch } from '../descriptor';
import { field } from '../superblock';
import { hasPorts } from '../wire/ports';
import { forgetPartial } from './offload';
import { parsePacket } from './parse';
import { mayConcern } from './quote';
import { reassemble } from './reassembly';

/** Keeps a fragment, and judges it; true when it completes its datagram, which `packet` then is. */
export function gather(frame: Descriptor, packet: Scratch): bool {
  const v6 = packet.isV6;
  if (!reassemble(frame, packet)) return false;
  packet.flags = (packet.flags & (ScratchFlag.Marked | ScratchFlag.RemoteChecksum)) | (v6 ? <u32>ScratchFlag.V6 : 0);
  // Of fragments nothing is left to be filled in, unless it is a single one.
  if (field(SB_PIECE_COUNT) != 1) forgetPartial(frame);
  if (!parsePacket(frame, packet, frame.address)) return false;
  packet.flags = packet.flags | ScratchFlag.Reassembled;
  return true;
}

/**
 * Whether a fragment that only passes through has to be gathered, too: it may belong to a reply. For IPv6 that is decided
 * before routing.
 */
export function gathersOnTheWay(packet: Scratch): bool {
  if (packet.isV6 || !mayConcern(false)) return false;
  return hasPorts(packet.protocol) || packet.protocol == Protocol.Icmp;
}
