/**
 * What a SYN or SYN-ACK offers in its options: maximum segment size (RFC 9293 §3.2), window scale and timestamps (RFC 7323),
 * selective acknowledgments (RFC 2018). Read, it is one number; written, it is in Linux's order.
 *
 * @module
 */
import { TCP_MIN } from './tcp';
import { MSS, MSS_SIZE, nextOption, optionLength, TIMESTAMP, TIMESTAMP_SIZE } from './tcp-options';

const WINDOW_SCALE: u32 = 3;
const WINDOW_SCALE_SIZE: u32 = 3;
const SACK_PERMITTED: u32 = 4;
const SACK_PERMITTED_SIZE: u32 = 2;
/** In place of a window scale. */
export const NO_SCALE: u32 = 15;
/** RFC 7323 §2.3: whoever says more means that. */
const SCALE_MAX: u32 = 14;
/** Bytes of all that is written at most. */
export const OFFER_MAX: u32 = 20;

// TSval in the low half, then the MSS (0: none), window scale, SACK, timestamps.
const MSS_AT: u64 = 32;
const SCALE_AT: u64 = 48;
const SACK_AT: u64 = 52;
const STAMPED_AT: u64 = 53;

/** What the segment at `tcp` offers, as far as its options can be read; its header is `header` bytes long. */
export function readOffer(tcp: usize, header: u32): u64 {
  const end = tcp + header;
  let mss: u64 = 0;
  let scale: u64 = NO_SCALE;
  let rest: u64 = 0;
  let length: u32 = 0;
  for (let at = nextOption(tcp + TCP_MIN, end); at != 0; at = nextOption(at + length, end)) {
    length = optionLength(at, end);
    if (length == 0) break;
    const kind = <u32>load<u8>(at);
    if (kind == MSS && length == MSS_SIZE) {
      mss = bswap<u16>(load<u16>(at, 2));
    } else if (kind == WINDOW_SCALE && length == WINDOW_SCALE_SIZE) {
      scale = min<u32>(load<u8>(at, 2), SCALE_MAX);
    } else if (kind == SACK_PERMITTED && length == SACK_PERMITTED_SIZE) {
      rest |= 1 << SACK_AT;
    } else if (kind == TIMESTAMP && length == TIMESTAMP_SIZE) {
      rest = (rest & (1 << SACK_AT)) | (1 << STAMPED_AT) | <u64>bswap<u32>(load<u32>(at, 2));
    }
  }
  return rest | (mss << MSS_AT) | (scale << SCALE_AT);
}

/** Its MSS, 0: none. */
export function mssOf(offer: u64): u32 {
  return <u32>(offer >> MSS_AT) & 0xffff;
}

/** Its window scale, or NO_SCALE. */
export function scaleOf(offer: u64): u32 {
  return <u32>(offer >> SCALE_AT) & 15;
}

export function hasSack(offer: u64): bool {
  return (offer & (1 << SACK_AT)) != 0;
}

export function isStamped(offer: u64): bool {
  return (offer & (1 << STAMPED_AT)) != 0;
}

/** Its TSval. */
export function stampOf(offer: u64): u32 {
  return <u32>offer;
}

/** Writes options; `mss` 0 and `scale` NO_SCALE stand for none. Their bytes: whole words, OFFER_MAX at most. */
export function writeOffer(to: usize, mss: u32, scale: u32, sack: bool, stamped: bool, stamp: u32, echo: u32): u32 {
  let at = to;
  if (mss != 0) {
    store<u32>(at, MSS | (MSS_SIZE << 8) | ((<u32>bswap<u16>(<u16>mss)) << 16));
    at += 4;
  }
  // What is not there is two NOPs.
  if (sack || stamped) {
    store<u16>(at, sack ? SACK_PERMITTED | (SACK_PERMITTED_SIZE << 8) : 0x0101);
    store<u16>(at, stamped ? TIMESTAMP | (TIMESTAMP_SIZE << 8) : 0x0101, 2);
    at += 4;
  }
  if (stamped) {
    store<u32>(at, bswap<u32>(stamp));
    store<u32>(at, bswap<u32>(echo), 4);
    at += 8;
  }
  if (scale != NO_SCALE) {
    store<u32>(at, 1 | (WINDOW_SCALE << 8) | (WINDOW_SCALE_SIZE << 16) | (scale << 24));
    at += 4;
  }
  return <u32>(at - to);
}
