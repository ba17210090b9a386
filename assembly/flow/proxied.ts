/**
 * SYN proxy: what both ends have agreed on with the director, and not with each other. The server's numbers and timestamps
 * are others to its client, and windows are scaled otherwise.
 *
 * @module
 */

import { hashAny } from '../conn/hash';
import { isAwaiting, Proxied, proxiedOf } from '../conn/proxied';
import { Conn } from '../conn/record';
import { Scratch } from '../descriptor';
import { now32 } from '../superblock';
import { difference16, difference32, fold } from '../wire/checksum';
import { NO_SCALE } from '../wire/offer';
import { ACK, SYN, TCP_MIN, Tcp } from '../wire/tcp';
import { nextOption, OPTION_HEADER, optionLength, SACK, TIMESTAMP, TIMESTAMP_SIZE } from '../wire/tcp-options';
import { isStampedIn, scaleIn, stampOffset } from './cookie';
import { isSane } from './sequence';

/** Bytes of a block in SACK. */
const BLOCK: u32 = 8;
const WINDOW_MAX: u32 = 0xffff;
/** Bytes of a segment with its number. */
const QUOTED_MIN: u32 = 8;
/** Where in their option TSval and TSecr are. */
const VALUE: usize = 2;
const ECHO: usize = 6;

/** The director's timestamp for a client. */
export function ownStamp(conn: Conn): u32 {
  return now32() + stampOffset(hashAny(conn.isV6, conn.caddr, conn.vaddr, conn.inPortsBE, conn.protocol));
}

/** A window as its receiver takes it. */
function capped(window: u32): u32 {
  return min<u32>(window, WINDOW_MAX);
}

/** A window of the client as the server takes it, which takes its scale only if it has one itself. */
export function toServer(window: u32, own: Proxied): u32 {
  const scale = scaleIn(own.terms);
  return own.serverScale == NO_SCALE && scale != NO_SCALE ? capped(window << scale) : window;
}

/** A window of the server, in bytes, as its client takes it: of what there is, something is left. */
export function toClient(bytes: u32, own: Proxied): u32 {
  if (scaleIn(own.terms) == NO_SCALE) return capped(bytes);
  const scaled = capped(bytes >> own.ownScale);
  return scaled == 0 && bytes != 0 ? 1 : scaled;
}

/** Adjusts a client's segment, if it is one that could be; returns what that adds to its sum. */
export function adjustForServer(packet: Scratch, conn: Conn): u64 {
  if (!isSane(packet)) return 0;
  const own = proxiedOf(conn);
  const tcp = changetype<Tcp>(packet.l4);
  let delta: u64 = 0;
  if ((tcp.flags & SYN) == 0) delta = putWindow(tcp, toServer(tcp.window, own));
  if ((tcp.flags & ACK) == 0) return delta;
  const number = tcp.acknowledgement;
  tcp.acknowledgement = number - own.shift;
  return delta + difference(number, tcp.acknowledgement) + adjustOptions(packet, own, false);
}

/** Adjusts a server's segment in the same way. */
export function adjustForClient(packet: Scratch, conn: Conn): u64 {
  if (!isSane(packet)) return 0;
  const own = proxiedOf(conn);
  const tcp = changetype<Tcp>(packet.l4);
  const number = tcp.sequence;
  tcp.sequence = number + own.shift;
  let delta = difference(number, tcp.sequence);
  if ((tcp.flags & SYN) == 0) {
    const scale = own.serverScale == NO_SCALE ? 0 : own.serverScale;
    delta += putWindow(tcp, toClient(tcp.window << scale, own));
  }
  return delta + adjustOptions(packet, own, true);
}

/** The number of a server's segment that is quoted, as far as `end`: as the server sent it. */
export function restoreNumber(segment: usize, end: usize, conn: Conn): void {
  if (isAwaiting(conn) || segment + QUOTED_MIN > end) return;
  const tcp = changetype<Tcp>(segment);
  tcp.sequence = tcp.sequence - proxiedOf(conn).shift;
}

function putWindow(tcp: Tcp, window: u32): u64 {
  const before = tcp.window;
  tcp.window = window;
  return difference16(bswap<u16>(<u16>before), bswap<u16>(<u16>window));
}

/** Timestamps; of a client's segment edges of blocks in SACK, too. As far as options can be read. */
function adjustOptions(packet: Scratch, own: Proxied, isServers: bool): u64 {
  const stamped = isStampedIn(own.terms);
  const end = packet.l4 + changetype<Tcp>(packet.l4).headerLength;
  let delta: u64 = 0;
  let length: u32 = 0;
  for (let at = nextOption(packet.l4 + TCP_MIN, end); at != 0; at = nextOption(at + length, end)) {
    length = optionLength(at, end);
    if (length == 0) break;
    const kind = <u32>load<u8>(at);
    if (kind == TIMESTAMP && length == TIMESTAMP_SIZE) {
      if (stamped) delta += isServers ? add(packet, at + VALUE, own.ahead) : add(packet, at + ECHO, -own.ahead);
    } else if (kind == SACK && !isServers && length % BLOCK == OPTION_HEADER) {
      for (let edge = at + OPTION_HEADER; edge < at + length; edge += 4) delta += add(packet, edge, -own.shift);
    }
  }
  return delta;
}

/** Adds to the number at `at`; what that adds to the segment's sum: at an odd place bytes count for the other half of their words. */
function add(packet: Scratch, at: usize, amount: u32): u64 {
  const before = bswap<u32>(load<u32>(at));
  const after = before + amount;
  store<u32>(at, bswap<u32>(after));
  const delta = difference(before, after);
  return ((at - packet.l4) & 1) == 0 ? delta : <u64>bswap<u16>(<u16>fold(delta));
}

/** What replacing a number in host order by another adds to a sum. */
function difference(from: u32, to: u32): u64 {
  return difference32(bswap<u32>(from), bswap<u32>(to));
}
