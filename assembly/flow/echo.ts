/**
 * The IPv4 options that an ICMP error carries: those of the packet that it is about which tell of the way, for the way
 * back (RFC 1812 §4.3.2.6, RFC 1122 §3.2.2.6). Record route, timestamp, source route turned round and CIPSO, in this order.
 *
 * @module
 */
import { SB_ECHO, SB_ECHO_TO, SUPERBLOCK } from '../../src/abi/superblock';
import { IPV4_MIN, Ipv4 } from '../wire/ipv4';
import {
  CIPSO,
  END,
  GOOD,
  LENGTH,
  LOOSE_SOURCE_ROUTE,
  NOP,
  OVERFLOW_FLAG,
  POINTER,
  RECORD_ROUTE,
  recordRoute,
  STRICT_SOURCE_ROUTE,
  TIME_PRESPECIFIED,
  TIMESTAMP,
  timestamp,
} from './options';

/** Bytes of an address, and of what a source route has before its addresses. */
const ADDRESS: u32 = 4;
const ROUTE_HEAD: u32 = 3;

const ECHO: usize = SUPERBLOCK + SB_ECHO;

/** Where the error goes: to the packet's source, or to the last host of its source route. */
export function echoTo(): u32 {
  return load<u32>(SUPERBLOCK + SB_ECHO_TO);
}

/**
 * Puts together what is carried of the options of `header`, filled in when they were received, up to the byte `fault` that
 * is wrong, or their end. Returns how many bytes that is.
 */
export function gatherEcho(header: Ipv4, fault: u32): u32 {
  const stop = changetype<usize>(header) + fault;
  let route: usize = 0;
  let time: usize = 0;
  let source: usize = 0;
  let label: usize = 0;
  for (let p = changetype<usize>(header) + IPV4_MIN; p < stop; ) {
    const kind = <u32>load<u8>(p);
    if (kind == END) break;
    if (kind == NOP) {
      p++;
      continue;
    }
    // The one option that counts although it is wrong.
    if (kind == CIPSO) label = p;
    const length = <u32>load<u8>(p, LENGTH);
    if (p + length > stop) break;
    if (kind == RECORD_ROUTE) route = p;
    else if (kind == TIMESTAMP) time = p;
    else if (kind == LOOSE_SOURCE_ROUTE || kind == STRICT_SOURCE_ROUTE) source = p;
    p += length;
  }
  store<u32>(SUPERBLOCK + SB_ECHO_TO, header.sourceBE);
  let to = copyOption(ECHO, route);
  to = copyOption(to, time);
  if (source != 0) to += turnRound(to, source, header.sourceBE);
  to = copyOption(to, label);
  while ((to & 3) != 0) store<u8>(to++, END);
  return <u32>(to - ECHO);
}

/** Copies the option at `p`, 0 for none; where the next one goes. */
function copyOption(to: usize, p: usize): usize {
  if (p == 0) return to;
  const length = <u32>load<u8>(p, LENGTH);
  memory.copy(to, p, length);
  return to + length;
}

/**
 * Writes to `to` the way back of the source route at `p`, as far as the packet went it: from host to host, and to its source
 * at last. Returns its length, 0 when it went none of it.
 */
function turnRound(to: usize, p: usize, sourceBE: u32): u32 {
  const length = <u32>load<u8>(p, LENGTH);
  let from = min<u32>(load<u8>(p, POINTER), length + 1) - ADDRESS;
  if (from < ADDRESS) return 0;
  const first = load<u32>(p + from - 1);
  let bytes = ROUTE_HEAD + ADDRESS;
  for (from -= ADDRESS; from >= ADDRESS; from -= ADDRESS, bytes += ADDRESS) {
    store<u32>(to + bytes - ADDRESS, load<u32>(p + from - 1));
  }
  // Some begin the route with themselves.
  if (load<u32>(p + from - 1 + ADDRESS) == sourceBE) bytes -= ADDRESS;
  if (bytes <= ROUTE_HEAD) return 0;
  store<u8>(to, load<u8>(p));
  store<u8>(to, bytes, LENGTH);
  store<u8>(to, ADDRESS, POINTER);
  store<u32>(to + bytes - ADDRESS, sourceBE);
  store<u32>(SUPERBLOCK + SB_ECHO_TO, first);
  return bytes;
}

/** Lets what was put together tell of the error's own start, `sourceBE`; false when it cannot be sent so. */
export function fillEcho(bytes: u32, sourceBE: u32): bool {
  let p = ECHO;
  const end = ECHO + bytes;
  if (p < end && load<u8>(p) == RECORD_ROUTE) {
    const length = <u32>load<u8>(p, LENGTH);
    if (recordRoute(p, length, true, sourceBE) != GOOD) return false;
    p += length;
  }
  return p >= end || load<u8>(p) != TIMESTAMP || stamp(p, sourceBE);
}

function stamp(p: usize, sourceBE: u32): bool {
  const length = <u32>load<u8>(p, LENGTH);
  const pointer = <u32>load<u8>(p, POINTER);
  if (pointer > length) return true;
  // Half a slot is no reason not to send it, if it is somebody else's.
  const isNamed = (load<u8>(p, OVERFLOW_FLAG) & 15) == TIME_PRESPECIFIED;
  if (isNamed && pointer + 7 > length) return pointer + 3 <= length;
  return timestamp(p, length, true, sourceBE) == GOOD;
}
