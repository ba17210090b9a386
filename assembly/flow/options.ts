/**
 * IPv4 options (RFC 791 §3.1) as a host's IP layer handles them: record route and timestamp are
 * filled in, source routes are refused, everything else is carried along.
 *
 * @module
 */
import { RouteType } from '../../src/abi/memory';
import { Reason } from '../../src/abi/verdict';
import { routeType } from '../net/hop';
import { now } from '../superblock';
import { BROADCAST, isMulticast, isThisNet } from '../wire/address';
import { IPV4_MIN, Ipv4 } from '../wire/ipv4';

const END: u8 = 0;
const NOP: u32 = 1;
const RECORD_ROUTE: u32 = 7;
const TIMESTAMP: u32 = 68;
const ROUTER_ALERT: u32 = 148;
const LOOSE_SOURCE_ROUTE: u32 = 131;
const STRICT_SOURCE_ROUTE: u32 = 137;

/** Offsets within a record route or timestamp option. Pointers count from 1. */
const LENGTH: usize = 1;
const POINTER: usize = 2;
const OVERFLOW_FLAG: usize = 3;

const TIME_ONLY: u32 = 0;
const TIME_AND_ADDRESS: u32 = 1;
const TIME_PRESPECIFIED: u32 = 3;

const DAY: u64 = 86_400_000;

/** Milliseconds since midnight UT, in network order. */
function timeOfDayBE(): u32 {
  return bswap<u32>(<u32>(now() % DAY));
}

/**
 * Walks the options of `header`, of which there may be one record route, one timestamp and one source route.
 * What stands after an end-of-options octet is cleared. With `fill`, record route and timestamp take `addressBE` and the
 * time; without it, they are only checked. Returns Reason.None or what is wrong.
 */
export function walkOptions(header: Ipv4, fill: bool, addressBE: u32): Reason {
  let p = changetype<usize>(header) + IPV4_MIN;
  const end = changetype<usize>(header) + header.headerLength;
  let routes = 0;
  let times = 0;
  let sources = 0;
  while (p < end) {
    const kind = <u32>load<u8>(p);
    if (kind == END) {
      if (fill) memory.fill(p, END, end - p);
      break;
    }
    if (kind == NOP) {
      p++;
      continue;
    }
    if (end - p < 2) return Reason.Ipv4Option;
    const length = <u32>load<u8>(p, LENGTH);
    if (length < 2 || <usize>length > end - p) return Reason.Ipv4Option;
    let ok: bool = true;
    switch (kind) {
      case RECORD_ROUTE:
        ok = routes++ == 0 && recordRoute(p, length, fill, addressBE);
        break;
      case TIMESTAMP:
        ok = times++ == 0 && timestamp(p, length, fill, addressBE);
        break;
      case ROUTER_ALERT:
        ok = length >= 4;
        break;
      case LOOSE_SOURCE_ROUTE:
      case STRICT_SOURCE_ROUTE:
        ok = sources++ == 0 && length >= 3 && load<u8>(p, POINTER) >= 4;
        break;
    }
    if (!ok) return Reason.Ipv4Option;
    p += length;
  }
  return sources == 0 ? Reason.None : Reason.SourceRoute;
}

function recordRoute(p: usize, length: u32, fill: bool, addressBE: u32): bool {
  if (length < 3) return false;
  const pointer = <u32>load<u8>(p, POINTER);
  if (pointer < 4) return false;
  if (pointer > length) return true;
  if (pointer + 3 > length) return false;
  if (fill) {
    store<u32>(p + pointer - 1, addressBE);
    store<u8>(p, pointer + 4, POINTER);
  }
  return true;
}

/** What Linux takes to be somebody else's address; for all others it fills a prespecified timestamp in. */
function isUnicast(addressBE: u32): bool {
  const type = routeType(addressBE);
  if (type == RouteType.Local || type == RouteType.Broadcast) return false;
  return addressBE != BROADCAST && !isThisNet(addressBE) && !isMulticast(addressBE);
}

function timestamp(p: usize, length: u32, fill: bool, addressBE: u32): bool {
  if (length < 4) return false;
  const pointer = <u32>load<u8>(p, POINTER);
  if (pointer < 5) return false;
  const flags = <u32>load<u8>(p, OVERFLOW_FLAG);
  if (pointer > length) {
    // No room: one more host that could not write. The count must not wrap.
    if ((flags & 15) == TIME_PRESPECIFIED) return true;
    if (flags >> 4 == 15) return false;
    if (fill) store<u8>(p, flags + 16, OVERFLOW_FLAG);
    return true;
  }
  if (pointer + 3 > length) return false;
  const slot = p + pointer - 1;
  switch (flags & 15) {
    case TIME_ONLY:
      if (fill) {
        store<u32>(slot, timeOfDayBE());
        store<u8>(p, pointer + 4, POINTER);
      }
      return true;
    case TIME_AND_ADDRESS:
      if (pointer + 7 > length) return false;
      if (fill) {
        store<u32>(slot, addressBE);
        store<u32>(slot, timeOfDayBE(), 4);
        store<u8>(p, pointer + 8, POINTER);
      }
      return true;
    case TIME_PRESPECIFIED:
      if (pointer + 7 > length) return false;
      if (fill && !isUnicast(load<u32>(slot))) {
        store<u32>(slot, timeOfDayBE(), 4);
        store<u8>(p, pointer + 8, POINTER);
      }
      return true;
    default:
      return true;
  }
}
