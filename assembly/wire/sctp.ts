/**
 * SCTP common header and the chunks behind it (RFC 9260 §3).
 *
 * @module
 */
import { crc32c } from './crc32c';

//   0        2        4               8        12
//   ├────────┼────────┼───────────────┼────────┤
//   │ source │  dest  │ verification  │ CRC32c │ chunks: type 1, flags 1, length 2, value, padding to a multiple of 4
const SOURCE_PORT: usize = 0;
const DESTINATION_PORT: usize = 2;
const CHECKSUM: usize = 8;
/** Bytes of the common header. */
export const SCTP_SIZE: u32 = 12;

// Offsets within a chunk.
const CHUNK_TYPE: usize = 0;
const CHUNK_LENGTH: usize = 2;
/** Bytes of a chunk's header, which its length counts as well. */
export const CHUNK_SIZE: u32 = 4;

export const SCTP_INIT: u32 = 1;
export const SCTP_INIT_ACK: u32 = 2;
export const SCTP_ABORT: u32 = 6;
export const SCTP_SHUTDOWN: u32 = 7;
export const SCTP_SHUTDOWN_ACK: u32 = 8;
export const SCTP_ERROR: u32 = 9;
export const SCTP_COOKIE_ECHO: u32 = 10;
export const SCTP_COOKIE_ACK: u32 = 11;
export const SCTP_SHUTDOWN_COMPLETE: u32 = 14;
/** No type: a packet has no chunk there. */
export const SCTP_NO_CHUNK: u32 = 256;

/** View of the common header; valid where at least SCTP_SIZE bytes were seen. */
@unmanaged
@final
export class Sctp {
  set sourcePortBE(value: u32) {
    store<u16>(changetype<usize>(this), value, SOURCE_PORT);
  }

  set destinationPortBE(value: u32) {
    store<u16>(changetype<usize>(this), value, DESTINATION_PORT);
  }

  /** CRC32c as loaded: its low byte goes first (RFC 9260 §A). */
  get checksum(): u32 {
    return load<u32>(changetype<usize>(this), CHECKSUM);
  }

  set checksum(value: u32) {
    store<u32>(changetype<usize>(this), value, CHECKSUM);
  }
}

/** Computes the checksum of the packet of `length` bytes at `segment` anew. `tables`: see `crc32c`. */
export function fillSctpChecksum(segment: usize, length: u32, tables: usize): void {
  const header = changetype<Sctp>(segment);
  header.checksum = 0;
  header.checksum = crc32c(segment, length, tables);
}

/** Whether a packet of `length` bytes has a first chunk. */
export function hasChunk(length: u32): bool {
  return length >= SCTP_SIZE + CHUNK_SIZE;
}

/** Type of the first chunk, which must be there. */
export function sctpChunkType(segment: usize): u32 {
  return load<u8>(segment + SCTP_SIZE, CHUNK_TYPE);
}

/** Type of the chunk behind the first; SCTP_NO_CHUNK when there is none in a packet of `length` bytes. */
export function secondChunkType(segment: usize, length: u32): u32 {
  const first = <u32>bswap<u16>(load<u16>(segment + SCTP_SIZE, CHUNK_LENGTH));
  const second = SCTP_SIZE + ((first + 3) & ~3);
  if (first < CHUNK_SIZE || second + CHUNK_SIZE > length) return SCTP_NO_CHUNK;
  return load<u8>(segment + second, CHUNK_TYPE);
}
