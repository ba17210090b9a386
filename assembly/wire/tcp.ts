/**
 * TCP header (RFC 9293 §3.1): what a director looks at.
 *
 * @module
 */

const SOURCE_PORT: usize = 0;
const DESTINATION_PORT: usize = 2;
const SEQUENCE: usize = 4;
const ACKNOWLEDGEMENT: usize = 8;
export const DATA_OFFSET: usize = 12;
const FLAGS: usize = 13;
const WINDOW: usize = 14;
const CHECKSUM: usize = 16;
const URGENT: usize = 18;
/** Bytes of a header without options. */
export const TCP_MIN: u32 = 20;

/** The largest segment that every host takes, over IPv4 and over IPv6 (RFC 9293 §3.7.1). */
export const MSS_DEFAULT: u32 = 536;
export const MSS_DEFAULT6: u32 = 1220;

export const FIN: u32 = 0x01;
export const SYN: u32 = 0x02;
export const RST: u32 = 0x04;
export const PSH: u32 = 0x08;
export const ACK: u32 = 0x10;
export const URG: u32 = 0x20;

/** View of a TCP header; valid where at least TCP_MIN bytes were seen. What the data offset says was not checked. */
@unmanaged
@final
export class Tcp {
  set sourcePortBE(value: u32) {
    store<u16>(changetype<usize>(this), value, SOURCE_PORT);
  }

  set destinationPortBE(value: u32) {
    store<u16>(changetype<usize>(this), value, DESTINATION_PORT);
  }

  get sequence(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), SEQUENCE));
  }

  set sequence(value: u32) {
    store<u32>(changetype<usize>(this), bswap<u32>(value), SEQUENCE);
  }

  get acknowledgement(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), ACKNOWLEDGEMENT));
  }

  set acknowledgement(value: u32) {
    store<u32>(changetype<usize>(this), bswap<u32>(value), ACKNOWLEDGEMENT);
  }

  /** Bytes of the header with its options, as it says: 0 to 60. */
  get headerLength(): u32 {
    return (load<u8>(changetype<usize>(this), DATA_OFFSET) >> 4) << 2;
  }

  set headerLength(value: u32) {
    const reserved = load<u8>(changetype<usize>(this), DATA_OFFSET) & 15;
    store<u8>(changetype<usize>(this), (value << 2) | reserved, DATA_OFFSET);
  }

  /** The control bits, of which FIN, SYN, RST and ACK matter here. */
  get flags(): u32 {
    return load<u8>(changetype<usize>(this), FLAGS);
  }

  /** As it is: scaled by whoever sent it. */
  get window(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), WINDOW));
  }

  set window(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), WINDOW);
  }

  /** Writes a header of `length` bytes but for its options and its checksum, which is 0. */
  write(portsBE: u32, sequence: u32, acknowledgement: u32, length: u32, flags: u32, window: u32): void {
    const p = changetype<usize>(this);
    store<u32>(p, portsBE, SOURCE_PORT);
    this.sequence = sequence;
    this.acknowledgement = acknowledgement;
    store<u8>(p, length << 2, DATA_OFFSET);
    store<u8>(p, flags, FLAGS);
    this.window = window;
    this.checksum = 0;
    store<u16>(p, 0, URGENT);
  }

  get checksum(): u32 {
    return load<u16>(changetype<usize>(this), CHECKSUM);
  }

  set checksum(value: u32) {
    store<u16>(changetype<usize>(this), value, CHECKSUM);
  }

  /** Urgent pointer. */
  get urgent(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), URGENT));
  }

  set urgent(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), URGENT);
  }
}
