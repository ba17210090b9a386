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

const CHUNK_TYPE: usize = 0;
const CHUNK_LENGTH: usize = 2;
/** Bytes of a chunk's header, which its length counts as well. */
export const CHUNK_SIZE: u32 = 4;

export const CHUNK_INIT: u32 = 1;
export const CHUNK_INIT_ACK: u32 = 2;
export const CHUNK_ABORT: u32 = 6;
export const CHUNK_SHUTDOWN: u32 = 7;
export const CHUNK_SHUTDOWN_ACK: u32 = 8;
export const CHUNK_ERROR: u32 = 9;
export const CHUNK_COOKIE_ECHO: u32 = 10;
export const CHUNK_COOKIE_ACK: u32 = 11;
export const CHUNK_SHUTDOWN_COMPLETE: u32 = 14;
/** No type: a packet has no chunk there. */
export const CHUNK_NONE: u32 = 256;

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

  /** Computes the checksum anew, over a packet of `length` bytes. */
  fillChecksum(length: u32): void {
    this.checksum = 0;
    this.checksum = crc32c(changetype<usize>(this), length);
  }
}

/** Type of the chunk `offset` bytes into a packet of `length` bytes at `segment`. */
export function chunkType(segment: usize, length: u32, offset: u32): u32 {
  return offset + CHUNK_SIZE <= length ? load<u8>(segment + offset, CHUNK_TYPE) : CHUNK_NONE;
}

/** Type of the first chunk. */
export function firstChunk(segment: usize, length: u32): u32 {
  return chunkType(segment, length, SCTP_SIZE);
}

/** Where the chunk behind the first one begins; 0 when the first one's length cannot be. */
export function secondChunk(segment: usize): u32 {
  const length = <u32>bswap<u16>(load<u16>(segment + SCTP_SIZE, CHUNK_LENGTH));
  return length < CHUNK_SIZE ? 0 : SCTP_SIZE + ((length + 3) & ~3);
}
