/**
 * GRE header (RFC 2784 §2.1) as it is written: with a checksum or without. Read are also those with key and sequence number
 * (RFC 2890), which nobody here asks for.
 *
 * @module
 */

//   0       2          4            8
//   ├───────┼──────────┼────────────┤
//   │ flags │ protocol │ checksum,0 │   the last word only with the flag C; then a word each for K and S
const FLAGS: usize = 0;
const PROTOCOL: usize = 2;
const CHECKSUM: usize = 4;

/** Bytes without and with a checksum. */
export const GRE_SIZE: u32 = 4;
export const GRE_CHECKSUM_SIZE: u32 = 8;

/** Flags C, K and S, as loaded. */
const CHECKSUM_PRESENT_BE: u32 = 0x0080;
const KEY_PRESENT_BE: u32 = 0x0020;
const SEQUENCE_PRESENT_BE: u32 = 0x0010;
/** Source routes (RFC 1701) and versions other than 0, which make the header unknown. */
const REFUSED_BE: u32 = 0x0740;
/** Linux takes the reserved bits before the version for a part of it where IPv4 is outside. */
const RESERVED4_BE: u32 = 0x7800;

/** View of a GRE header; valid where `size` bytes were seen. */
@unmanaged
@final
export class Gre {
  /** Whether the header, behind an IP header of that family, is one that can be gone past. */
  isKnown(v6: bool): bool {
    const refused = v6 ? REFUSED_BE : REFUSED_BE | RESERVED4_BE;
    return (load<u16>(changetype<usize>(this), FLAGS) & refused) == 0;
  }

  /** Whether the director itself writes such headers: there is a checksum in it or nothing. */
  get isOwn(): bool {
    return (load<u16>(changetype<usize>(this), FLAGS) & ~CHECKSUM_PRESENT_BE) == 0;
  }

  get hasChecksum(): bool {
    return (load<u16>(changetype<usize>(this), FLAGS) & CHECKSUM_PRESENT_BE) != 0;
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
    const flags = <u32>load<u16>(changetype<usize>(this), FLAGS);
    return GRE_SIZE + ((<u32>popcnt(flags & (CHECKSUM_PRESENT_BE | KEY_PRESENT_BE | SEQUENCE_PRESENT_BE))) << 2);
  }
}
