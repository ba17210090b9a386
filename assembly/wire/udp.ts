/**
 * UDP header (RFC 768). IPVS does not look at its length field: the IP length says where the datagram ends.
 *
 * @module
 */

const SOURCE_PORT: usize = 0;
const DESTINATION_PORT: usize = 2;
const LENGTH: usize = 4;
const CHECKSUM: usize = 6;
/** Bytes of the header. */
export const UDP_SIZE: u32 = 8;

/** What a checksum that computes to 0 is sent as; 0 itself says that there is none. */
export const CHECKSUM_ZERO: u32 = 0xffff;

/** View of a UDP header; valid where at least UDP_SIZE bytes were seen. */
@unmanaged
@final
export class Udp {
  set sourcePortBE(value: u32) {
    store<u16>(changetype<usize>(this), value, SOURCE_PORT);
  }

  set destinationPortBE(value: u32) {
    store<u16>(changetype<usize>(this), value, DESTINATION_PORT);
  }

  /** Bytes of header and payload. */
  get length(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), LENGTH));
  }

  set length(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), LENGTH);
  }

  /** 0: the sender computed none. */
  get checksum(): u32 {
    return load<u16>(changetype<usize>(this), CHECKSUM);
  }

  set checksum(value: u32) {
    store<u16>(changetype<usize>(this), value, CHECKSUM);
  }
}
