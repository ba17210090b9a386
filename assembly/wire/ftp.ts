/**
 * Commands and replies of FTP that name the two ends of a data connection (RFC 959 §4.1.2, RFC 2428), as Linux's helper for
 * IPVS reads them: at the beginning of a segment, PASV and EPSV anywhere in one.
 *
 * What one names is given as one number: its port, where in the data the part begins that names it, how long that is, and
 * FOUND. The address goes where the caller says; an IPv4 one takes four bytes.
 *
 * @module
 */
import { parseAddress4, parseAddress6 } from './address-text';

/** What a client's data ask for: nothing, a passive mode that is not theirs to ask for, or one of the two. */
export enum Asked {
  Nothing,
  Otherwise,
  Pasv,
  Epsv,
}

export const NOTHING: u64 = 0;
const FOUND: u64 = 1 << 48;

/** Host order. */
export function namedPort(found: u64): u32 {
  return <u32>found & 0xffff;
}

/** Bytes of the data before the part that names it. */
export function namedAt(found: u64): u32 {
  return <u32>(found >> 16) & 0xffff;
}

/** Bytes of that part. */
export function namedLength(found: u64): u32 {
  return <u32>(found >> 32) & 0xffff;
}

function named(port: u32, start: usize, end: usize, data: usize): u64 {
  return FOUND | <u64>(port & 0xffff) | ((<u64>(start - data)) << 16) | ((<u64>(end - start)) << 32);
}

// Four characters, the first in the low byte.
const PASV: u32 = 0x76736170;
const EPSV: u32 = 0x76737065;
const PORT: u32 = 0x74726f70;
const EPRT: u32 = 0x74727065;
const ENTERING_PASSIVE: u32 = 0x20373232;
const ENTERING_EXTENDED: u32 = 0x20393232;
const NAME_LENGTH: u32 = 4;

const CR: u32 = 13;
const LF: u32 = 10;
const SPACE: u32 = 32;
const OPEN: u32 = 40;
const COMMA: u32 = 44;
const ONE: u32 = 49;
const TWO: u32 = 50;
/** Delimiters of the extended form are the printable characters of ASCII but the blank. */
const FIRST_DELIMITER: u32 = 33;
const LAST_DELIMITER: u32 = 126;

function at8(at: usize): u32 {
  return load<u8>(at);
}

function isDigit(char: u32): bool {
  return char - 48 < 10;
}

/** Whether the four characters there are `name`, in any case. */
function isNamed(at: usize, name: u32): bool {
  for (let i: u32 = 0; i < NAME_LENGTH; i++) {
    const char = at8(at + i);
    if ((char - 65 < 26 ? char + 32 : char) != ((name >> (i << 3)) & 0xff)) return false;
  }
  return true;
}

/** Which passive mode a client's data ask for. */
export function askedOf(data: usize, end: usize, v6: bool): Asked {
  for (let at = data; at + 6 <= end; at++) {
    if (!v6 && isNamed(at, PASV) && at8(at + 4) == CR && at8(at + 5) == LF) return Asked.Pasv;
    if (!isNamed(at, EPSV)) continue;
    const next = at8(at + 4);
    if (next == CR) return Asked.Epsv;
    if (next != SPACE) continue;
    const isOwn = at + 7 <= end && at8(at + 5) == (v6 ? TWO : ONE) && at8(at + 6) == CR;
    return isOwn ? Asked.Epsv : Asked.Otherwise;
  }
  return Asked.Nothing;
}

/** The end that a client's PORT or EPRT names; the latter's address may not be of the other family. */
export function findActive(data: usize, end: usize, v6: bool, address: usize): u64 {
  const found = v6 ? NOTHING : readPlain(data, end, PORT, SPACE, address);
  return found != NOTHING ? found : readExtended(data, end, EPRT, SPACE, false, v6, address);
}

/** The end that a server's reply names; without an address, as usual in an extended one, the one at `address` stays. */
export function findPassive(extended: bool, data: usize, end: usize, v6: bool, address: usize): u64 {
  return extended
    ? readExtended(data, end, ENTERING_EXTENDED, OPEN, true, v6, address)
    : readPlain(data, end, ENTERING_PASSIVE, OPEN, address);
}

/** Where the argument behind `name` begins: behind the first run of `skip`, or at a digit before it if that may be; 0: nowhere. */
function argumentOf(data: usize, end: usize, name: u32, skip: u32, digits: bool): usize {
  if (data + NAME_LENGTH > end || !isNamed(data, name)) return 0;
  let at = data + NAME_LENGTH;
  while (at < end && at8(at) != skip && !(digits && isDigit(at8(at)))) at++;
  while (at < end && at8(at) == skip) at++;
  return at < end ? at : 0;
}

/** Six numbers with commas between them, and something behind them: four of the address, two of the port. Each counts modulo 256. */
function readPlain(data: usize, end: usize, name: u32, skip: u32, address: usize): u64 {
  const start = argumentOf(data, end, name, skip, true);
  if (start == 0) return NOTHING;
  let commas: u32 = 0;
  let number: u32 = 0;
  let numbers: u64 = 0;
  let at = start;
  for (; at < end; at++) {
    const char = at8(at);
    if (isDigit(char)) {
      number = (number * 10 + char - 48) & 0xff;
    } else if (char == COMMA && commas < 5) {
      numbers |= (<u64>number) << (commas << 3);
      number = 0;
      commas++;
    } else {
      break;
    }
  }
  if (at == end || commas != 5) return NOTHING;
  store<u32>(address, <u32>numbers);
  return named((<u32>(numbers >> 24) & 0xff00) | number, start, at, data);
}

/** `|protocol|address|port|` with any delimiter; a reply may leave out protocol and address, but only both. */
function readExtended(data: usize, end: usize, name: u32, skip: u32, reply: bool, v6: bool, address: usize): u64 {
  const start = argumentOf(data, end, name, skip, false);
  if (start == 0) return NOTHING;
  const delimiter = at8(start);
  if (delimiter < FIRST_DELIMITER || delimiter > LAST_DELIMITER) return NOTHING;
  // The shortest: three delimiters, a digit, a delimiter.
  if (start + 5 > end) return NOTHING;
  let at = start + 1;
  if (at8(at) == delimiter) {
    if (!reply || at8(at + 1) != delimiter) return NOTHING;
    at += 2;
  } else {
    if (at8(at) != (v6 ? TWO : ONE) || at8(at + 1) != delimiter) return NOTHING;
    at += 2;
    at = v6 ? parseAddress6(at, end, delimiter, address) : parseAddress4(at, end, delimiter, address);
    if (at == 0) return NOTHING;
    at++;
  }
  let port: u32 = 0;
  for (; at < end && isDigit(at8(at)); at++) port = (port * 10 + at8(at) - 48) & 0xffff;
  if (at == end || port == 0 || at8(at) != delimiter) return NOTHING;
  return named(port, start, at + 1, data);
}
