/**
 * For tests: SCTP's header, checksum and states.
 *
 * @module
 */
import { SB_CRC_TABLES } from '../../src/abi/superblock';
import { isActiveSctp, nextSctpState, sctpEvent } from '../conn/sctp-state';
import { field } from '../superblock';
import { crc32c } from '../wire/crc32c';
import { fillSctpChecksum, Sctp } from '../wire/sctp';

/** CRC32c over `length` bytes, as stored. */
export function crcOf(address: usize, length: u32): u32 {
  return crc32c(address, length, field(SB_CRC_TABLES));
}

/** Source port, destination port, checksum. */
export function writeSctp(address: usize, from: usize): void {
  const header = changetype<Sctp>(address);
  header.sourcePortBE = load<u32>(from);
  header.destinationPortBE = load<u32>(from, 4);
  header.checksum = load<u32>(from, 8);
}

/** The checksum that a packet gets, as stored. */
export function fillSctp(address: usize, length: u32): u32 {
  fillSctpChecksum(address, length, field(SB_CRC_TABLES));
  return changetype<Sctp>(address).checksum;
}

/** The state after the packet of `length` bytes at `segment`. */
export function sctpState(direction: u32, segment: usize, length: u32, state: u32): u32 {
  return nextSctpState(direction, sctpEvent(segment, length), state);
}

export function sctpIsActive(state: u32): bool {
  return isActiveSctp(state);
}
