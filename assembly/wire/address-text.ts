/**
 * Addresses as text, up to a delimiter, as Linux reads them (in4_pton, in6_pton): like RFC 4291 §2.2, with as many leading
 * zeros as one likes. Any character may be the delimiter, and is nothing else then.
 *
 * @module
 */
const DOT: u32 = 46;
const COLON: u32 = 58;
const GROUPS: u32 = 8;
/** Of a character that is no digit. */
const NONE: u32 = 16;
/** Behind the end there is none of the characters. */
const NOTHING: u32 = 0x100;
const NO_GAP: u32 = 0xffff;

function digitOf(char: u32): u32 {
  if (char - 48 < 10) return char - 48;
  const letter = (char | 32) - 97;
  return letter < 6 ? letter + 10 : NONE;
}

/** What stands there. */
function charAt(at: usize, end: usize): u32 {
  return at < end ? <u32>load<u8>(at) : NOTHING;
}

/** Reads an IPv4 address; where the delimiter is behind it, 0 when there is none. */
export function parseAddress4(from: usize, end: usize, delimiter: u32, address: usize): usize {
  let numbers: u32 = 0;
  let at = from;
  for (let i: u32 = 0; i < 4; i++) {
    let number: u32 = 0;
    const first = at;
    for (; charAt(at, end) != delimiter; at++) {
      const digit = digitOf(charAt(at, end));
      if (digit > 9) break;
      number = number * 10 + digit;
      if (number > 255) return 0;
    }
    if (at == first) return 0;
    numbers |= number << (i << 3);
    const char = charAt(at, end);
    if (i == 3) {
      if (char != delimiter) return 0;
    } else {
      if (char != DOT || char == delimiter) return 0;
      at++;
    }
  }
  store<u32>(address, numbers);
  return at;
}

/** The same of IPv6. `::` stands for one group at least. */
export function parseAddress6(from: usize, end: usize, delimiter: u32, address: usize): usize {
  if (delimiter == COLON) return 0;
  let at = from;
  let count: u32 = 0;
  // How many groups stand before `::`.
  let gap: u32 = NO_GAP;
  if (charAt(at, end) == COLON) {
    if (charAt(at + 1, end) != COLON) return 0;
    gap = 0;
    at += 2;
  }
  while (charAt(at, end) != delimiter || gap != count) {
    const used = count + (gap == NO_GAP ? 0 : 1);
    if (used == GROUPS) return 0;
    const start = at;
    let group: u32 = 0;
    for (; charAt(at, end) != delimiter; at++) {
      const digit = digitOf(charAt(at, end));
      if (digit == NONE) break;
      if (group > 0xfff) return 0;
      group = (group << 4) | digit;
    }
    const char = charAt(at, end);
    if (char == DOT && char != delimiter) {
      if (gap == NO_GAP ? count != GROUPS - 2 : used > GROUPS - 2) return 0;
      at = parseAddress4(start, end, delimiter, address + 2 * count);
      if (at == 0) return 0;
      count += 2;
      break;
    }
    if (at == start) return 0;
    store<u16>(address + 2 * count, bswap<u16>(<u16>group));
    count++;
    if (char == delimiter) {
      if (gap == NO_GAP && count != GROUPS) return 0;
      break;
    }
    if (char != COLON || used + 1 == GROUPS) return 0;
    at++;
    if (charAt(at, end) != COLON) continue;
    if (gap != NO_GAP) return 0;
    gap = count;
    at++;
  }
  if (gap != NO_GAP) widen(address, gap, count);
  return at;
}

/** Puts the groups from `gap` on at the end of the address, and zeros in between. */
function widen(address: usize, gap: u32, count: u32): void {
  const tail = 2 * (count - gap);
  memory.copy(address + 2 * GROUPS - tail, address + 2 * gap, tail);
  memory.fill(address + 2 * gap, 0, 2 * (GROUPS - gap) - tail);
}
