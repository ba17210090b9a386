/**
 * IPv4 header (RFC 791 §3.1).
 *
 * @module
 */
import { finish, fold, sumScalar, update } from './checksum';

//   0       1       2               4               6               8       9       10      12  16  20
//   ├───────┼───────┼───────────────┼───────────────┼───────────────┼───────┼───────┼───────┼───┼───┤
//   │ver│IHL│  TOS  │ total length  │identification │flags│ offset  │  TTL  │ proto │ check │src│dst│
const VERSION_IHL: usize = 0;
const TOS: usize = 1;
const TOTAL_LENGTH: usize = 2;
const IDENTIFICATION: usize = 4;
const FRAGMENT: usize = 6;
const TTL: usize = 8;
const PROTOCOL: usize = 9;
const CHECKSUM: usize = 10;
const SOURCE: usize = 12;
const DESTINATION: usize = 16;
/** Where the addresses are. */
export const IPV4_SOURCE: usize = SOURCE;
export const IPV4_DESTINATION: usize = DESTINATION;
/** Bytes of a header without options. */
export const IPV4_MIN: u32 = 20;
/** Every way of IPv4 carries packets so long (RFC 791 §3.2). */
export const IPV4_MTU_MIN: u32 = 68;

/** First byte of a header without options: version 4, five words. */
const PLAIN: u32 = 0x45;

/** Don't fragment, as loaded. */
export const DF_BE: u32 = 0x0040;
/** More fragments and the fragment offset, as loaded: not 0 in any fragment. */
const FRAGMENT_BITS_BE: u32 = 0xff3f;
/** The fragment offset alone. */
const OFFSET_BITS_BE: u32 = 0xff1f;

/** What one TTL less adds to the header's sum: ~m + m' with the TTL in the low byte of its word as loaded. */
const TTL_DIFFERENCE: u64 = 0xfffe;

/** View of an IPv4 header. `headerLength` bytes must have been seen before options or payload are used. */
@unmanaged
@final
export class Ipv4 {
  get version(): u32 {
    return load<u8>(changetype<usize>(this), VERSION_IHL) >> 4;
  }

  /** Bytes of the header with its options. */
  get headerLength(): u32 {
    return (load<u8>(changetype<usize>(this), VERSION_IHL) & 15) << 2;
  }

  set headerLength(value: u32) {
    store<u8>(changetype<usize>(this), 0x40 | (value >> 2), VERSION_IHL);
  }

  /**
   * Writes a header without options, its checksum included. In words, which are summed up before they are stored:
   * narrower stores would make the loads wait.
   */
  write(
    tos: u32,
    totalLength: u32,
    identification: u32,
    fragmentBE: u32,
    ttl: u32,
    protocol: u32,
    sourceBE: u32,
    destinationBE: u32,
  ): void {
    const p = changetype<usize>(this);
    const first = PLAIN | (tos << 8) | ((<u32>bswap<u16>(<u16>totalLength)) << 16);
    const second = <u32>bswap<u16>(<u16>identification) | (fragmentBE << 16);
    const third = ttl | (protocol << 8);
    const checksum = finish(<u64>first + <u64>second + <u64>third + <u64>sourceBE + <u64>destinationBE);
    store<u32>(p, first, VERSION_IHL);
    store<u32>(p, second, IDENTIFICATION);
    store<u32>(p, third | (checksum << 16), TTL);
    store<u32>(p, sourceBE, SOURCE);
    store<u32>(p, destinationBE, DESTINATION);
  }

  /** Adds `bytes` of options, a multiple of four, to a header that has none, and room behind it. */
  addOptions(options: usize, bytes: u32): void {
    const p = changetype<usize>(this);
    memory.copy(p + IPV4_MIN, options, bytes);
    store<u8>(p, PLAIN + (bytes >> 2), VERSION_IHL);
    this.fillChecksum();
  }

  get tos(): u32 {
    return load<u8>(changetype<usize>(this), TOS);
  }

  set tos(value: u32) {
    store<u8>(changetype<usize>(this), value, TOS);
  }

  get totalLength(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), TOTAL_LENGTH));
  }

  set totalLength(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), TOTAL_LENGTH);
  }

  get identification(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), IDENTIFICATION));
  }

  /** Flags and fragment offset, network order. */
  get fragmentBE(): u32 {
    return load<u16>(changetype<usize>(this), FRAGMENT);
  }

  set fragmentBE(value: u32) {
    store<u16>(changetype<usize>(this), value, FRAGMENT);
  }

  get isFragment(): bool {
    return (this.fragmentBE & FRAGMENT_BITS_BE) != 0;
  }

  /** A fragment other than the first: no transport header inside. */
  get isLaterFragment(): bool {
    return (this.fragmentBE & OFFSET_BITS_BE) != 0;
  }

  get ttl(): u32 {
    return load<u8>(changetype<usize>(this), TTL);
  }

  set ttl(value: u32) {
    store<u8>(changetype<usize>(this), value, TTL);
  }

  get protocol(): u32 {
    return load<u8>(changetype<usize>(this), PROTOCOL);
  }

  set protocol(value: u32) {
    store<u8>(changetype<usize>(this), value, PROTOCOL);
  }

  get checksum(): u32 {
    return load<u16>(changetype<usize>(this), CHECKSUM);
  }

  set checksum(value: u32) {
    store<u16>(changetype<usize>(this), value, CHECKSUM);
  }

  get sourceBE(): u32 {
    return load<u32>(changetype<usize>(this), SOURCE);
  }

  set sourceBE(value: u32) {
    store<u32>(changetype<usize>(this), value, SOURCE);
  }

  get destinationBE(): u32 {
    return load<u32>(changetype<usize>(this), DESTINATION);
  }

  set destinationBE(value: u32) {
    store<u32>(changetype<usize>(this), value, DESTINATION);
  }

  /** Sum of the header's words; 0xffff once folded when the checksum is right. */
  private sumHeader(): u64 {
    const p = changetype<usize>(this);
    const base =
      <u64>load<u32>(p) + <u64>load<u32>(p, 4) + <u64>load<u32>(p, 8) + <u64>load<u32>(p, 12) + <u64>load<u32>(p, 16);
    const options = this.headerLength - IPV4_MIN;
    return options == 0 ? base : base + sumScalar(p + IPV4_MIN, options);
  }

  get checksumOk(): bool {
    return fold(this.sumHeader()) == 0xffff;
  }

  /** Computes the checksum anew. */
  fillChecksum(): void {
    this.checksum = 0;
    this.checksum = finish(this.sumHeader());
  }

  /**
   * TTL - 1, and the checksum updated for that and for `delta` (RFC 1624 eqn 3). For a header whose checksum is
   * right the result is what computing it anew gives. One load and one store: narrower ones in a row would make
   * the loads wait for the stores.
   */
  forwardUpdating(delta: u64): void {
    const word = load<u32>(changetype<usize>(this), TTL);
    const checksum = update(word >> 16, delta + TTL_DIFFERENCE);
    store<u32>(changetype<usize>(this), (word & 0xff00) | ((word - 1) & 0xff) | (checksum << 16), TTL);
  }

  /** TTL - 1, the checksum following as the forwarding path of Linux has it: never left at 0xffff. */
  decrementTtl(): void {
    this.ttl = this.ttl - 1;
    // The TTL is the high byte of its word: one less in it is 0x0100 more in the complement,
    // which on this machine's byte order is 0x0001.
    const check = this.checksum + 1;
    this.checksum = check >= 0xffff ? check + 1 : check;
  }
}
