/**
 * Options of a TCP header (RFC 9293 §3.2): reading them, and editing them in place.
 *
 * @module
 */
import { isToa } from './carried';
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
/** Bytes of the longest header. */
export const TCP_MAX: u32 = 60;

/** The options of nearly every segment, as they begin: two NOPs, then timestamps, and their bytes. */
const NOP_NOP_TIMESTAMP: u32 = 0x0a080101;
export const USUAL_SIZE: u32 = 12;

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

/** Any length. */
export const ANY_SIZE: u32 = 0;

/** Where the first option of a kind and length is; 0 for none before the options end, or cannot be read. */
export function findOption(tcp: usize, header: u32, kind: u32, size: u32): usize {
  const end = tcp + header;
  let length: u32 = 0;
  for (let at = nextOption(tcp + TCP_MIN, end); at != 0; at = nextOption(at + length, end)) {
    length = optionLength(at, end);
    if (length == 0) return 0;
    if ((length == size || size == ANY_SIZE) && load<u8>(at) == kind) return at;
  }
  return 0;
}

/** Whether the options are none, or nothing but timestamps, as in nearly every segment. */
export function areUsual(tcp: usize, header: u32): bool {
  return header == TCP_MIN || (header == TCP_MIN + USUAL_SIZE && load<u32>(tcp + TCP_MIN) == NOP_NOP_TIMESTAMP);
}

/** Puts NOPs where a sender names a client itself; whether there was such an option. */
export function effaceToa(tcp: usize, header: u32): bool {
  const start = tcp + TCP_MIN;
  const end = tcp + header;
  let isThere: bool = false;
  let length: u32 = 0;
  for (let at = nextOption(start, end); at != 0; at = nextOption(at + length, end)) {
    length = optionLength(at, end);
    if (length == 0) break;
    if (isToa(load<u8>(at), length)) {
      memory.fill(at, <u8>NOP, length);
      isThere = true;
    }
  }
  return isThere;
}

/** Bytes of whole words that the options take without NOPs, and without what follows END; all, when some cannot be read. */
export function squeezedSize(tcp: usize, header: u32): u32 {
  const end = tcp + header;
  let used: u32 = 0;
  let length: u32 = 0;
  for (let at = nextOption(tcp + TCP_MIN, end); at != 0; at = nextOption(at + length, end)) {
    length = optionLength(at, end);
    if (length == 0) return header - TCP_MIN;
    used += length;
  }
  return inWords(used);
}

/** Moves the options, which can be read, together at the end of the header, NOPs behind the last one. */
export function squeeze(tcp: usize, header: u32): void {
  const start = tcp + TCP_MIN;
  const end = tcp + header;
  let to = start;
  let length: u32 = 0;
  for (let at = nextOption(start, end); at != 0; at = nextOption(at + length, end)) {
    length = optionLength(at, end);
    memory.copy(to, at, length);
    to += length;
  }
  const used = <u32>(to - start);
  const words = inWords(used);
  memory.fill(to, <u8>NOP, words - used);
  memory.copy(end - words, start, words);
}

function inWords(bytes: u32): u32 {
  return (bytes + 3) & ~3;
}
