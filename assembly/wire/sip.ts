/**
 * The Call-ID of a SIP message (RFC 3261 §20.8; compact form §7.3.3), as Linux's connection tracking finds it: headers begin
 * a line, lines end with CR, LF or both, and a line that begins with a blank continues the one before.
 *
 * @module
 */
const CR: u32 = 13;
const LF: u32 = 10;
const TAB: u32 = 9;
const SPACE: u32 = 32;
const COLON: u32 = 58;
const AT: u32 = 64;
/** `i`, the compact name. */
const COMPACT: u32 = 105;
/** Letters of `call-id`. */
const NAME_LENGTH: usize = 7;
const NOTHING: u64 = 0;

/**
 * Address of the Call-ID in a message from `start` up to `end`, its length in the high half; 0 when there is none of at most
 * `longest` bytes.
 */
export function findCallId(start: usize, end: usize, longest: usize): u64 {
  let from = start;
  while (from < end) {
    const value = findValue(from, end);
    if (value == 0) return NOTHING;
    const length = callIdLength(value, end);
    if (length != 0) {
      const behind = value + length;
      const isWhole = length <= longest && behind < end && isLineEnd(load<u8>(behind));
      return isWhole ? <u64>value | ((<u64>length) << 32) : NOTHING;
    }
    // Linux goes on by as much as it came from the start.
    from += value - start;
  }
  return NOTHING;
}

/** Where the value of the next Call-ID header begins, 0 when there is none. */
function findValue(from: usize, end: usize): usize {
  for (let at = from; at < end; at++) {
    if (!isLineEnd(load<u8>(at))) continue;
    at = nextLine(at, end);
    if (at == 0) return 0;
    const name = nameLength(at, end);
    if (name == 0) continue;
    at = skipBlanks(at + name, end);
    if (at == 0 || at >= end || load<u8>(at) != COLON || at + 1 >= end) return 0;
    return skipBlanks(at + 1, end);
  }
  return 0;
}

/** Where the line behind the one that ends at `at` begins, 0: nowhere. */
function nextLine(at: usize, end: usize): usize {
  const next = at + (load<u8>(at) == CR && at + 1 < end && load<u8>(at + 1) == LF ? 2 : 1);
  return next < end ? next : 0;
}

/** Bytes of the header's name at `at`, 0 when another header is there. */
function nameLength(at: usize, end: usize): usize {
  if (at + NAME_LENGTH <= end && isName(at)) return NAME_LENGTH;
  const isCompact = at + 2 <= end && lower(load<u8>(at)) == COMPACT && !isLetter(load<u8>(at + 1));
  return isCompact ? 1 : 0;
}

function isName(at: usize): bool {
  // call-id, little-endian, the last byte apart.
  const word = <u64>load<u32>(at) | ((<u64>load<u16>(at, 4)) << 32) | ((<u64>load<u8>(at, 6)) << 48);
  return (word | 0x20_20_00_20_20_20_20) == 0x64_69_2d_6c_6c_61_63;
}

/** Past blanks, and past one line end that is continued; 0 when the line ends for good. */
function skipBlanks(from: usize, end: usize): usize {
  let at = pastBlanks(from, end);
  if (at >= end || !isLineEnd(load<u8>(at))) return at;
  at = nextLine(at, end);
  return at == 0 || !isBlank(load<u8>(at)) ? 0 : pastBlanks(at, end);
}

function pastBlanks(from: usize, end: usize): usize {
  let at = from;
  while (at < end && isBlank(load<u8>(at))) at++;
  return at;
}

/** Bytes of `word [ "@" word ]`, 0 when it is not one. */
function callIdLength(at: usize, end: usize): usize {
  const first = wordLength(at, end);
  const behind = at + first;
  if (first == 0 || behind >= end || load<u8>(behind) != AT) return first;
  const second = wordLength(behind + 1, end);
  return second == 0 ? 0 : first + 1 + second;
}

function wordLength(from: usize, end: usize): usize {
  let at = from;
  while (at < end && isWordByte(load<u8>(at))) at++;
  return at - from;
}

/** Bytes that are neither letters nor digits, by their number from 32 on: ! " % ' ( ) * + - . / : < > ? [ \ ] _ ` { } ~ */
const WORD_LOW: u64 = 0xd400_efa6;
const WORD_HIGH: u64 = 0x6800_0001_b800_0000;

/** Of RFC 3261's words; letters are those of ISO 8859-1, as Linux has them. */
function isWordByte(byte: u32): bool {
  if (isLetter(byte) || (byte >= 48 && byte <= 57)) return true;
  if (byte < 32 || byte > 126) return false;
  return byte < 64 ? ((WORD_LOW >> <u64>(byte - 32)) & 1) != 0 : ((WORD_HIGH >> <u64>(byte - 64)) & 1) != 0;
}

function isLetter(byte: u32): bool {
  const small = lower(byte);
  return (small >= 97 && small <= 122) || (byte >= 192 && byte != 215 && byte != 247);
}

function lower(byte: u32): u32 {
  return byte | 32;
}

function isBlank(byte: u32): bool {
  return byte == SPACE || byte == TAB;
}

function isLineEnd(byte: u32): bool {
  return byte == CR || byte == LF;
}
