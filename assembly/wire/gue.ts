/**
 * Generic UDP Encapsulation, version 0 (draft-ietf-intarea-gue §3), as Linux has it, with its one private option: the
 * remote checksum, by which the far end fills in a transport checksum that the sender left unfinished.
 *
 * @module
 */

//   0            1       2      4             8               12
//   ├────────────┼───────┼──────┼─────────────┼───────┬───────┤
//   │ ver C hlen │ proto │ flags│ private     │ start │ offset│   from byte 4 on: only with the flags
const FIRST: usize = 0;
const PROTOCOL: usize = 1;
const FLAGS: usize = 2;
const PRIVATE: usize = 4;
const START: usize = 8;
const OFFSET: usize = 10;

/** Bytes without options, and with the remote checksum. */
export const GUE_SIZE: u32 = 4;
export const GUE_REMCSUM_SIZE: u32 = 12;

/** Version (2 bits) and control flag: all 0 in a data packet of version 0. */
const VERSION_CONTROL: u32 = 0xe0;
const LENGTH_BITS: u32 = 0x1f;

const PRIVATE_FLAG_BE: u32 = 0x0100;
const REMCSUM_BE: u32 = 0x00000080;

/** View of a GUE header; valid where GUE_SIZE bytes were seen, options where `size` were. */
@unmanaged
@final
export class Gue {
  /** Whether this is a data packet of version 0. */
  get isData(): bool {
    return (load<u8>(changetype<usize>(this), FIRST) & VERSION_CONTROL) == 0;
  }

  /** Bytes of the header with its options. */
  get size(): u32 {
    return GUE_SIZE + ((<u32>load<u8>(changetype<usize>(this), FIRST) & LENGTH_BITS) << 2);
  }

  /** IP protocol of what is inside. */
  get protocol(): u32 {
    return load<u8>(changetype<usize>(this), PROTOCOL);
  }

  /** Whether every option that is there is known and lies within the header; what follows them does not count. */
  get isKnown(): bool {
    const flags = load<u16>(changetype<usize>(this), FLAGS);
    if (flags == 0) return true;
    if (flags != PRIVATE_FLAG_BE || this.size == GUE_SIZE) return false;
    const options = load<u32>(changetype<usize>(this), PRIVATE);
    return options == 0 || (options == REMCSUM_BE && this.size >= GUE_REMCSUM_SIZE);
  }

  /** Whether there is a remote checksum, in a header that is known. */
  get hasRemoteChecksum(): bool {
    return load<u16>(changetype<usize>(this), FLAGS) != 0 && load<u32>(changetype<usize>(this), PRIVATE) != 0;
  }

  /** Where the sum starts, and where its checksum goes: bytes of the payload. */
  get remoteStart(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), START));
  }
  get remoteOffset(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), OFFSET));
  }

  /** Writes a header without options. */
  setPlain(protocol: u32): void {
    store<u32>(changetype<usize>(this), protocol << 8);
  }

  /** Writes a header with the remote checksum. */
  setRemoteChecksum(protocol: u32, start: u32, offset: u32): void {
    const words = (GUE_REMCSUM_SIZE - GUE_SIZE) >> 2;
    store<u32>(changetype<usize>(this), words | (protocol << 8) | (PRIVATE_FLAG_BE << 16));
    store<u32>(changetype<usize>(this), REMCSUM_BE, PRIVATE);
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>start), START);
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>offset), OFFSET);
  }
}
