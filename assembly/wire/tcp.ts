/**
 * TCP header (RFC 9293 §3.1): what a director looks at.
 *
 * @module
 */

const SOURCE_PORT: usize = 0;
const DESTINATION_PORT: usize = 2;
const FLAGS: usize = 13;
const CHECKSUM: usize = 16;
/** Bytes of a header without options. */
export const TCP_MIN: u32 = 20;

export const FIN: u32 = 0x01;
export const SYN: u32 = 0x02;
export const RST: u32 = 0x04;
export const ACK: u32 = 0x10;

/** View of a TCP header; valid where at least TCP_MIN bytes were seen. The data offset is not looked at. */
@unmanaged
@final
export class Tcp {
  set sourcePortBE(value: u32) {
    store<u16>(changetype<usize>(this), value, SOURCE_PORT);
  }

  set destinationPortBE(value: u32) {
    store<u16>(changetype<usize>(this), value, DESTINATION_PORT);
  }

  /** The control bits, of which FIN, SYN, RST and ACK matter here. */
  get flags(): u32 {
    return load<u8>(changetype<usize>(this), FLAGS);
  }

  get checksum(): u32 {
    return load<u16>(changetype<usize>(this), CHECKSUM);
  }

  set checksum(value: u32) {
    store<u16>(changetype<usize>(this), value, CHECKSUM);
  }
}
