/**
 * GRE header (RFC 2784 §2.1): the checksum is its only option here; key and sequence number (RFC 2890) are not taken.
 *
 * @module
 */

//   0       2          4            8
//   ├───────┼──────────┼────────────┤
//   │ flags │ protocol │ checksum,0 │   the last word only with the flag C
const FLAGS: usize = 0;
const PROTOCOL: usize = 2;
const CHECKSUM: usize = 4;

/** Bytes without and with a checksum. */
export const GRE_SIZE: u32 = 4;
export const GRE_CHECKSUM_SIZE: u32 = 8;

/** Flag C, as loaded; every other bit, version included, is 0. */
const CHECKSUM_PRESENT_BE: u32 = 0x0080;

/** View of a GRE header; valid where `size` bytes were seen. */
@unmanaged
@final
export class Gre {
  /** Flags and version; no other than C can be told apart, so whatever else is set makes the header unknown. */
  get isKnown(): bool {
    return (load<u16>(changetype<usize>(this), FLAGS) & ~CHECKSUM_PRESENT_BE) == 0;
  }

  get hasChecksum(): bool {
    return load<u16>(changetype<usize>(this), FLAGS) == CHECKSUM_PRESENT_BE;
  }

  /** Writes the first word, and a checksum of 0 when there is to be one. */
  setFlags(checksum: bool): void {
    store<u16>(changetype<usize>(this), checksum ? CHECKSUM_PRESENT_BE : 0, FLAGS);
    if (checksum) store<u32>(changetype<usize>(this), 0, CHECKSUM);
  }

  /** EtherType of what is inside, network order. */
  get protocolBE(): u32 {
    return load<u16>(changetype<usize>(this), PROTOCOL);
  }
  set protocolBE(value: u32) {
    store<u16>(changetype<usize>(this), value, PROTOCOL);
  }

  /** Over header and payload; only with the flag. */
  set checksum(value: u32) {
    store<u16>(changetype<usize>(this), value, CHECKSUM);
  }

  /** Bytes of the header. */
  get size(): u32 {
    return this.hasChecksum ? GRE_CHECKSUM_SIZE : GRE_SIZE;
  }
}
