/**
 * The PROXY protocol's header (haproxy's proxy-protocol.txt): as text (§2.1), or binary (§2.2).
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { digitsOf, hexDigitsOf, writeHex, writeNumber } from './decimal';
import { copyAddress6 } from './ipv6';

const DOT: u32 = 46;
const COLON: u32 = 58;
const COLONS: u32 = 0x3a3a;
const SPACE: u32 = 32;
const DIGIT_4: u32 = 52;
const DIGIT_6: u32 = 54;

/** "PROXY TC" and "P" as they lie in memory, and the end of the line. */
const PROXY_TC: u64 = 0x43542059584f5250;
const P: u32 = 80;
const CRLF: u32 = 0x0a0d;
/** "PROXY TCP4 " and the end of the line, and the three spaces between addresses and ports. */
const TEXT_FIXED: u32 = 11 + 2 + 3;

/** The twelve bytes with which the binary header begins, version 2 with the command PROXY, and where the addresses are. */
const SIGNATURE: u64 = 0x510a0d000a0d0a0d;
const SIGNATURE_END: u32 = 0x0a544955;
const VERSION_COMMAND: u32 = 0x21;
const ADDRESSES: u32 = 16;
/** Families, in the high half of their byte; STREAM and DGRAM in the low one. */
const INET: u32 = 0x10;
const INET6: u32 = 0x20;
const STREAM: u32 = 1;
const DGRAM: u32 = 2;

/** Bytes of the text for these ends, whose addresses are at `source` and `destination`. */
export function textSize(v6: bool, source: usize, destination: usize, portsBE: u32): u32 {
  const ports = digitsOf(bswap<u16>(<u16>portsBE)) + digitsOf(bswap<u16>(<u16>(portsBE >> 16)));
  return TEXT_FIXED + addressSize(v6, source) + addressSize(v6, destination) + ports;
}

/** Writes the text. */
export function writeText(to: usize, v6: bool, source: usize, destination: usize, portsBE: u32): void {
  store<u64>(to, PROXY_TC);
  store<u8>(to, P, 8);
  store<u8>(to, v6 ? DIGIT_6 : DIGIT_4, 9);
  store<u8>(to, SPACE, 10);
  let at = writeAddress(to + 11, v6, source);
  store<u8>(at, SPACE);
  at = writeAddress(at + 1, v6, destination);
  store<u8>(at, SPACE);
  at = writeNumber(at + 1, bswap<u16>(<u16>portsBE));
  store<u8>(at, SPACE);
  at = writeNumber(at + 1, bswap<u16>(<u16>(portsBE >> 16)));
  store<u16>(at, CRLF);
}

/** Bytes of an address as text. */
function addressSize(v6: bool, address: usize): u32 {
  if (v6) return size6(address);
  let size: u32 = 3;
  for (let i: usize = 0; i < 4; i++) size += digitsOf(load<u8>(address + i));
  return size;
}

/** Writes an address; where it ends. */
function writeAddress(to: usize, v6: bool, address: usize): usize {
  if (v6) return write6(to, address);
  let at = writeNumber(to, load<u8>(address));
  for (let i: usize = 1; i < 4; i++) {
    store<u8>(at, DOT);
    at = writeNumber(at + 1, load<u8>(address + i));
  }
  return at;
}

const GROUPS: u32 = 8;

function groupAt(address: usize, group: u32): u32 {
  return bswap<u16>(load<u16>(address + ((<usize>group) << 1)));
}

/** How many groups from that one on are 0. */
function zeros(address: usize, group: u32): u32 {
  let end = group;
  while (end < GROUPS && groupAt(address, end) == 0) end++;
  return end - group;
}

/** The first of the longest run of groups that are 0, two at least (RFC 5952 §4.2); GROUPS for none. */
function gapOf(address: usize): u32 {
  let gap = GROUPS;
  let longest: u32 = 1;
  for (let group: u32 = 0; group < GROUPS; group++) {
    const run = zeros(address, group);
    if (run <= longest) continue;
    gap = group;
    longest = run;
  }
  return gap;
}

function size6(address: usize): u32 {
  const gap = gapOf(address);
  const end = gap + zeros(address, gap);
  // A colon in front of each group but the first, and two in place of those that are left out.
  let size: u32 = gap == GROUPS ? GROUPS - 1 : 2;
  for (let group: u32 = 0; group < GROUPS; group++) {
    if (group >= gap && group < end) continue;
    size += hexDigitsOf(groupAt(address, group));
    if (gap != GROUPS && group != 0 && group != end) size++;
  }
  return size;
}

function write6(to: usize, address: usize): usize {
  const gap = gapOf(address);
  const end = gap + zeros(address, gap);
  let at = to;
  for (let group: u32 = 0; group < GROUPS; group++) {
    if (group == gap) {
      store<u16>(at, COLONS);
      at += 2;
      group = end - 1;
      continue;
    }
    if (group != 0 && group != end) store<u8>(at++, COLON);
    at = writeHex(at, groupAt(address, group));
  }
  return at;
}

/** Bytes of the binary header. */
export function binarySize(v6: bool): u32 {
  return ADDRESSES + (v6 ? 36 : 12);
}

/** Writes the binary header. */
export function writeBinary(to: usize, v6: bool, protocol: u32, source: usize, destination: usize, portsBE: u32): void {
  store<u64>(to, SIGNATURE);
  store<u32>(to, SIGNATURE_END, 8);
  store<u8>(to, VERSION_COMMAND, 12);
  store<u8>(to, (v6 ? INET6 : INET) | (protocol == Protocol.Udp ? DGRAM : STREAM), 13);
  store<u16>(to, bswap<u16>(<u16>(binarySize(v6) - ADDRESSES)), 14);
  const addresses = to + ADDRESSES;
  if (v6) {
    copyAddress6(addresses, source);
    copyAddress6(addresses + 16, destination);
    store<u32>(addresses, portsBE, 32);
  } else {
    store<u32>(addresses, load<u32>(source));
    store<u32>(addresses, load<u32>(destination), 4);
    store<u32>(addresses, portsBE, 8);
  }
}
