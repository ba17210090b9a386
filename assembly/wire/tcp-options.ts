/**
 * Options of a TCP header (RFC 9293 §3.2): reading them, and editing them in place.
 *
 * @module
 */
import { TCP_MIN } from './tcp';

const END: u32 = 0;
export const NOP: u32 = 1;
export const MSS: u32 = 2;
export const MSS_SIZE: u32 = 4;
export const SACK: u32 = 5;
export const TIMESTAMP: u32 = 8;
export const TIMESTAMP_SIZE: u32 = 10;
/** Bytes of an option's kind and length. */
export const OPTION_HEADER: u32 = 2;

/** The first option from `at` on that is no NOP; 0 when the options end before. */
export function nextOption(at: usize, end: usize): usize {
  for (let p = at; p < end; p++) {
    const kind = <u32>load<u8>(p);
    if (kind != NOP) return kind == END ? 0 : p;
  }
  return 0;
}

/** Bytes of the option at `at`; 0 when it says that it reaches beyond `end`, or is shorter than its header. */
export function optionLength(at: usize, end: usize): u32 {
  const length = at + 1 < end ? <u32>load<u8>(at, 1) : 0;
  return length >= OPTION_HEADER && at + length <= end ? length : 0;
}

/** Where the first option of a kind and length is; 0 for none before the options end, or cannot be read. */
export function findOption(tcp: usize, header: u32, kind: u32, size: u32): usize {
  const end = tcp + header;
  let length: u32 = 0;
  for (let at = nextOption(tcp + TCP_MIN, end); at != 0; at = nextOption(at + length, end)) {
    length = optionLength(at, end);
    if (length == 0) return 0;
    if (length == size && load<u8>(at) == kind) return at;
  }
  return 0;
}

/** The same of any length. */
export function findKind(tcp: usize, header: u32, kind: u32): usize {
  const end = tcp + header;
  let length: u32 = 0;
  for (let at = nextOption(tcp + TCP_MIN, end); at != 0; at = nextOption(at + length, end)) {
    length = optionLength(at, end);
    if (length == 0) return 0;
    if (load<u8>(at) == kind) return at;
  }
  return 0;
}
