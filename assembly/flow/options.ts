/**
 * IPv4 options (RFC 791 §3.1) as a host's IP layer handles them: record route and timestamp are
 * filled in, source routes are refused, everything else is carried along.
 *
 * @module
 */
import { ScratchFlag } from '../../src/abi/frames';
import { SB_HOP_BACK, SUPERBLOCK } from '../../src/abi/superblock';
import { RouteType } from '../../src/abi/tables';
import { Reason } from '../../src/abi/verdict';
import { Scratch } from '../descriptor';
import { Hop, resolveHop, routeType } from '../net/hop';
import { now } from '../superblock';
import { BROADCAST, isMulticast } from '../wire/address';
import { IPV4_MIN, Ipv4 } from '../wire/ipv4';

export const END: u8 = 0;
export const NOP: u32 = 1;
export const RECORD_ROUTE: u32 = 7;
export const TIMESTAMP: u32 = 68;
const ROUTER_ALERT: u32 = 148;
export const LOOSE_SOURCE_ROUTE: u32 = 131;
export const STRICT_SOURCE_ROUTE: u32 = 137;
/** Commercial IP security option: a label of a domain of interpretation, a number in front of what it says. */
export const CIPSO: u32 = 134;
const CIPSO_MIN: u32 = 8;

/** Offsets within an option. Pointers count from 1. */
export const LENGTH: u32 = 1;
export const POINTER: u32 = 2;
export const OVERFLOW_FLAG: u32 = 3;
const DOMAIN: u32 = 2;

const TIME_ONLY: u32 = 0;
const TIME_AND_ADDRESS: u32 = 1;
export const TIME_PRESPECIFIED: u32 = 3;

const DAY: u64 = 86_400_000;

/** Milliseconds since midnight UT, in network order. */
function timeOfDayBE(): u32 {
  return bswap<u32>(<u32>(now() % DAY));
}

/** Our address on the way back to where the packet came from. */
function backAddressBE(header: Ipv4): u32 {
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP_BACK);
  hop.sourceBE = 0;
  resolveHop(header.sourceBE, hop);
  return hop.sourceBE;
}

/** Fills in the options of a packet that IPVS sends on to a server: as they were when it was received. */
export function recordArrival(packet: Scratch): void {
  fillReceived(packet);
  packet.header.fillChecksum();
}

/**
 * Fills in the options of a packet that passes, when it leaves: of them record route alone takes the address that it
 * leaves from.
 */
export function recordPassing(header: Ipv4, addressBE: u32): void {
  walkOptions(header, true, addressBE, arrivalAddressBE(header, false));
  header.fillChecksum();
}

/**
 * Fills in the options of a packet that is answered, up to a fault, as a host does when it receives one. Its checksum would
 * be set right when it leaves; that of a datagram was when it was put together.
 */
export function recordReceived(packet: Scratch): void {
  fillReceived(packet);
  if (packet.isReassembled) packet.header.fillChecksum();
}

/** Fills them in a second time, as Linux does for a packet that it finds no way for; false when they have become faulty. */
export function recordAgain(packet: Scratch): bool {
  return foundReason(fillReceived(packet)) == Reason.None;
}

function fillReceived(packet: Scratch): u32 {
  const header = packet.header;
  const addressBE = arrivalAddressBE(header, (packet.flags & ScratchFlag.Marked) != 0);
  return walkOptions(header, true, addressBE, addressBE);
}

/** What a packet records when it is received: the address that it is to, if that is ours, be it by its mark alone, or ours on the way back. */
function arrivalAddressBE(header: Ipv4, isMarked: bool): u32 {
  const destinationBE = header.destinationBE;
  if (routeType(destinationBE) == RouteType.Local) return destinationBE;
  return isMarked && destinationBE != 0 && !isForMany(destinationBE) ? destinationBE : backAddressBE(header);
}

/** Whether an address is that of many: a group's, everybody's, a connected network's. */
export function isForMany(addressBE: u32): bool {
  return addressBE == BROADCAST || isMulticast(addressBE) || routeType(addressBE) == RouteType.Broadcast;
}

/** What Linux takes to be somebody else's address. */
export function isUnicast(addressBE: u32): bool {
  return addressBE != 0 && !isForMany(addressBE) && routeType(addressBE) != RouteType.Local;
}

/** Of an option without fault: no byte of it is wrong. */
export const GOOD: u32 = 0xff;

/**
 * Walks the options of `header`, of which there may be one record route, one timestamp and one source route.
 * What stands after an end-of-options octet is cleared. With `fill`, record route takes `addressBE`, timestamp the time and
 * `ownBE`, up to a fault; without it, they are only checked. Returns Reason.None or what is wrong: foundReason, foundPointer.
 */
export function walkOptions(header: Ipv4, fill: bool, addressBE: u32, ownBE: u32): u32 {
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
    const length = end - p < 2 ? 0 : <u32>load<u8>(p, LENGTH);
    let wrong: u32 = GOOD;
    if (length < 2 || <usize>length > end - p) wrong = 0;
    else {
      switch (kind) {
        case RECORD_ROUTE:
          wrong = routes++ == 0 ? recordRoute(p, length, fill, addressBE) : 0;
          break;
        case TIMESTAMP:
          wrong = times++ == 0 ? timestamp(p, length, fill, ownBE) : 0;
          break;
        case ROUTER_ALERT:
          if (length < 4) wrong = LENGTH;
          break;
        case CIPSO:
          // Nobody has taught the host a domain.
          wrong = <u32>length < CIPSO_MIN ? LENGTH : DOMAIN;
          break;
        case LOOSE_SOURCE_ROUTE:
        case STRICT_SOURCE_ROUTE:
          wrong = sourceRoute(p, length);
          // A second one is noticed only when nothing else is wrong.
          if (sources++ != 0 && wrong == GOOD) wrong = 0;
          break;
      }
    }
    if (wrong != GOOD) return Reason.Ipv4Option | ((<u32>(p - changetype<usize>(header)) + wrong) << 8);
    p += length;
  }
  return sources == 0 ? Reason.None : Reason.SourceRoute;
}

/** Reason.None, or why the packet is dropped. */
export function foundReason(found: u32): Reason {
  return found & 0xff;
}

/** Of Reason.Ipv4Option: the byte that is wrong, counted from the header. */
export function foundPointer(found: u32): u32 {
  return found >> 8;
}

// Each of these says which byte of the option is wrong.

function sourceRoute(p: usize, length: u32): u32 {
  if (length < 3) return LENGTH;
  return load<u8>(p, POINTER) < 4 ? POINTER : GOOD;
}

export function recordRoute(p: usize, length: u32, fill: bool, addressBE: u32): u32 {
  if (length < 3) return LENGTH;
  const pointer = <u32>load<u8>(p, POINTER);
  if (pointer < 4) return POINTER;
  if (pointer > length) return GOOD;
  if (pointer + 3 > length) return POINTER;
  if (fill) {
    store<u32>(p + pointer - 1, addressBE);
    store<u8>(p, pointer + 4, POINTER);
  }
  return GOOD;
}

export function timestamp(p: usize, length: u32, fill: bool, ownBE: u32): u32 {
  if (length < 4) return LENGTH;
  const pointer = <u32>load<u8>(p, POINTER);
  if (pointer < 5) return POINTER;
  const flags = <u32>load<u8>(p, OVERFLOW_FLAG);
  const kind = flags & 15;
  if (pointer > length) {
    // No room: one more host that could not write. The count must not wrap.
    if (kind == TIME_PRESPECIFIED) return GOOD;
    if (flags >> 4 == 15) return OVERFLOW_FLAG;
    if (fill) store<u8>(p, flags + 16, OVERFLOW_FLAG);
    return GOOD;
  }
  if (pointer + 3 > length) return POINTER;
  if (kind != TIME_ONLY && kind != TIME_AND_ADDRESS && kind != TIME_PRESPECIFIED) return GOOD;
  const size: u32 = kind == TIME_ONLY ? 4 : 8;
  if (pointer + size - 1 > length) return POINTER;
  const slot = p + pointer - 1;
  if (!fill || (kind == TIME_PRESPECIFIED && isUnicast(load<u32>(slot)))) return GOOD;
  if (kind == TIME_AND_ADDRESS) store<u32>(slot, ownBE);
  store<u32>(slot + size - 4, timeOfDayBE());
  store<u8>(p, pointer + size, POINTER);
  return GOOD;
}
