/**
 * Reassembly (RFC 791 §3.2, RFC 8200 §4.5), by the rules of Linux: datagrams with overlapping fragments are dropped
 * (RFC 5722, which Linux follows for IPv4, too), a fragment that is there already is dropped alone.
 *
 * @module
 */
import { BLK_LENGTH, BLK_OFFSET, HEADROOM, ScratchFlag } from '../../src/abi/frames';
import { Protocol } from '../../src/abi/protocol';
import {
  FRAG_PMTU,
  ROUTED,
  SB_PIECE_COUNT,
  SB_PIECE_FAMILY,
  SB_PIECE_ID,
  SB_PIECE_MAX,
  SB_PIECE_WORD,
  SB_PIECES,
} from '../../src/abi/superblock';
import { Family } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { readChain, takeChain, writeChain } from '../block';
import { Descriptor, Scratch } from '../descriptor';
import { countReason, field, setField } from '../superblock';
import {
  FRAGMENT_SIZE,
  foundFault,
  foundFragment,
  foundOffset,
  foundProtocol,
  namedAt,
  walkExtensions,
} from '../wire/extension';
import { ICMP_SIZE } from '../wire/icmp';
import { DF_BE, IPV4_DESTINATION, IPV4_SOURCE, Ipv4 } from '../wire/ipv4';
import { IPV6_SIZE, Ipv6 } from '../wire/ipv6';
import { TCP_MIN } from '../wire/tcp';
import { UDP_SIZE } from '../wire/udp';
import { takeRoom } from './arena';
import { closeDatagram, Datagram, findDatagram, freeRun, oldestDatagram, openDatagram } from './datagram';
import { endOf, extendRun, findRun, following, lengthOf, offsetOf, startRun, takeFirstRun } from './run';

/** Milliseconds that a datagram may take: Linux's ipfrag_time, and RFC 8200 §4.5. */
const TIMEOUT: u32 = 30_000;
const TIMEOUT_V6: u32 = 60_000;

/** No IPv4 packet is longer, nor the payload of an IPv6 one. */
const LENGTH_MAX: u32 = 0xffff;

// As loaded.
const MORE_BE: u32 = 0x0020;
const OFFSET_BE: u32 = 0xff1f;
const MORE6_BE: u32 = 0x0100;
const OFFSET6_BE: u32 = 0xf8ff;
const IDENTIFICATION: usize = 4;
/** In a fragment header. */
const FRAGMENT_FIELD: usize = 2;

const ECN_MASK: u32 = 3;
const CE: u32 = 3;
/** Bits of what was seen: 1 << ECN. */
const NOT_ECT_SEEN: u32 = 1 << 0;
const CE_SEEN: u32 = 1 << CE;

/** What fits the descriptor's field. */
const HEADROOM_MAX: u32 = 0xffff;

/**
 * Takes in the fragment in `packet`. True when its datagram is complete: then the frame is all of it, from the IP header
 * on, and SB_PIECE_ fields tell what it was made of. Otherwise the frame has been judged.
 */
export function reassemble(frame: Descriptor, packet: Scratch): bool {
  return packet.isV6 ? gather6(frame, packet) : gather4(frame, packet);
}

/** Forgets the datagrams that waited too long at time `now` (low half, in milliseconds). */
export function expireFragments(now: u32): void {
  expire(oldestDatagram(false), now, TIMEOUT);
  expire(oldestDatagram(true), now, TIMEOUT_V6);
}

function expire(oldest: usize, now: u32, timeout: u32): void {
  for (let at = oldest; at != 0; ) {
    const datagram = changetype<Datagram>(at);
    if (now - datagram.since < timeout) return;
    for (let left = datagram.count; left != 0; left--) countReason(Reason.FragmentTimeout);
    at = datagram.newer;
    closeDatagram(datagram);
  }
}

function gather4(frame: Descriptor, packet: Scratch): bool {
  const header = packet.header;
  const word = header.fragmentBE;
  const more = (word & MORE_BE) != 0;
  const offset = (<u32>bswap<u16>(<u16>(word & OFFSET_BE))) << 3;
  // The next one begins at a multiple of eight: what is beyond the last is cut off, as Linux does.
  const length = more ? packet.l4Length & ~7 : packet.l4Length;
  const end = offset + length;
  const source = packet.ip + IPV4_SOURCE;
  const destination = packet.ip + IPV4_DESTINATION;
  const protocol = header.protocol;
  const id = <u32>load<u16>(packet.ip, IDENTIFICATION);
  let at = findDatagram(Family.V4, source, destination, protocol, id);
  // Without room for its datagram Linux does not look at a fragment.
  if (at == 0) at = openDatagram(Family.V4, source, destination, protocol, id);
  if (at == 0) return refuse(frame, Reason.FragmentLimit);
  if (length == 0 || end > LENGTH_MAX || conflicts(at, end, more)) {
    return refuseAll(frame, at, Reason.FragmentMalformed);
  }
  const headerLength = header.headerLength;
  if (keep(frame, at, offset, length, more, packet.ip, headerLength, packet.l4) == 0) return false;
  const datagram = changetype<Datagram>(at);
  note(datagram, end, more, header.tos, headerLength + length);
  if ((word & DF_BE) != 0) datagram.longestDf = max<u32>(datagram.longestDf, headerLength + length);
  return finish(frame, datagram);
}

function gather6(frame: Descriptor, packet: Scratch): bool {
  const ip = packet.ip;
  const total = packet.totalLength;
  const found = walkExtensions(ip, ip + total);
  const headerLength = foundFragment(found);
  const fragmentHeader = ip + headerLength;
  const payload = fragmentHeader + FRAGMENT_SIZE;
  const word = <u32>load<u16>(fragmentHeader, FRAGMENT_FIELD);
  const more = (word & MORE6_BE) != 0;
  const offset = <u32>bswap<u16>(<u16>(word & OFFSET6_BE));
  const length = <u32>(ip + total - payload);
  const end = offset + length;
  if (end == 0 || end > LENGTH_MAX) return refuse(frame, Reason.FragmentMalformed);
  const header = packet.header6;
  const id = load<u32>(fragmentHeader, IDENTIFICATION);
  let at = findDatagram(Family.V6, header.source, header.destination, Protocol.Fragment, id);
  // Whole (RFC 6946), unless others of its identification wait: Linux takes it for one of them.
  if (offset == 0 && !more && at == 0) return unwrap(frame, packet, headerLength);
  if (isIncomplete(ip, found, total)) return refuse(frame, Reason.FragmentMalformed);
  if (at == 0) at = openDatagram(Family.V6, header.source, header.destination, Protocol.Fragment, id);
  if (at == 0) return refuse(frame, Reason.FragmentLimit);
  if (endsOdd(ip, found, total)) return refuseAll(frame, at, Reason.FragmentMalformed);
  if (conflicts(at, end, more)) return refuse(frame, Reason.FragmentMalformed);
  if (length == 0) return refuseEmpty(frame, at, end, more);
  const fragment = keep(frame, at, offset, length, more, ip, headerLength, payload);
  if (fragment == 0) return false;
  // Without the fragment header, what it named is named where it was named itself.
  if (offset == 0) writeChain(fragment, <u32>(namedAt(ip, headerLength) - ip), fragmentHeader, 1);
  const datagram = changetype<Datagram>(at);
  note(datagram, end, more, header.trafficClass, total);
  return finish(frame, datagram);
}

/** Drops the frame. */
function refuse(frame: Descriptor, reason: Reason): bool {
  frame.judge(Verdict.Drop, reason);
  return false;
}

/** Drops the frame, and forgets the datagram it is of, if there is one. */
function refuseAll(frame: Descriptor, at: usize, reason: Reason): bool {
  if (at != 0) closeDatagram(changetype<Datagram>(at));
  return refuse(frame, reason);
}

/** Drops a frame without payload. It has told where the datagram `at` ends, all the same. */
function refuseEmpty(frame: Descriptor, at: usize, end: u32, more: bool): bool {
  noteEnd(changetype<Datagram>(at), end, more);
  return refuse(frame, Reason.FragmentMalformed);
}

/**
 * Whether it is a first fragment that ends within the transport header, or before it (RFC 8200 §4.5: discarded). Where an
 * extension header is cut off, or none that can be, the rest is waited for, as Linux does. `found`: of the IPv6 packet of
 * `total` bytes at `ip`.
 */
export function isIncomplete(ip: usize, found: u64, total: u32): bool {
  const word = <u32>load<u16>(ip + foundFragment(found), FRAGMENT_FIELD);
  if ((word & OFFSET6_BE) != 0 || (word & MORE6_BE) == 0) return false;
  return foundFault(found) == Reason.None && foundOffset(found) + transportMin(foundProtocol(found)) > total;
}

/** Whether it is a fragment before the last that does not end at a multiple of eight, within what a packet may hold. */
export function endsOdd(ip: usize, found: u64, total: u32): bool {
  const word = <u32>load<u16>(ip + foundFragment(found), FRAGMENT_FIELD);
  const end = <u32>bswap<u16>(<u16>(word & OFFSET6_BE)) + total - foundFragment(found) - FRAGMENT_SIZE;
  return (word & MORE6_BE) != 0 && (end & 7) != 0 && end <= LENGTH_MAX;
}

/** Bytes that Linux wants to see of a transport header in a first fragment. */
function transportMin(protocol: u32): u32 {
  switch (protocol) {
    case Protocol.NoNext:
      return 0;
    case Protocol.Tcp:
      return TCP_MIN;
    case Protocol.Udp:
      return UDP_SIZE;
    case Protocol.Icmpv6:
      return ICMP_SIZE;
    default:
      return 1;
  }
}

/** Whether a fragment cannot end there, with what is known of the datagram `at` (0: nothing). */
function conflicts(at: usize, end: u32, more: bool): bool {
  if (at == 0) return false;
  const datagram = changetype<Datagram>(at);
  if (!datagram.hasLast) return !more && end < datagram.end;
  return more ? end > datagram.end : end != datagram.end;
}

/**
 * Keeps `length` bytes from `payload` as the fragment at `offset` of the datagram `at`, the first one with the header in
 * front. Its address; 0 when it has been judged: no room, or bytes that are there already.
 */
function keep(
  frame: Descriptor,
  at: usize,
  offset: u32,
  length: u32,
  more: bool,
  header: usize,
  headerLength: u32,
  payload: usize,
): usize {
  const datagram = changetype<Datagram>(at);
  const end = offset + length;
  const run = findRun(datagram.runs, offset, end);
  if (run != 0) {
    if (offset >= offsetOf(run) && end <= endOf(run)) {
      // It has told where its datagram ends, all the same.
      noteEnd(datagram, end, more);
      refuse(frame, Reason.FragmentDuplicate);
    } else {
      refuseAll(frame, at, Reason.FragmentOverlap);
    }
    return 0;
  }
  const front = offset == 0 ? headerLength : 0;
  const fragment = takeChain(front + length);
  if (fragment == 0) {
    refuseAll(frame, datagram.count == 0 ? at : 0, Reason.FragmentLimit);
    return 0;
  }
  writeChain(fragment, 0, header, front);
  writeChain(fragment, front, payload, length);
  if (offset == 0) datagram.headerLength = headerLength;
  store<u16>(fragment, offset, BLK_OFFSET);
  store<u16>(fragment, length, BLK_LENGTH);

  const last = datagram.lastRun;
  if (last != 0 && offset == endOf(last)) {
    extendRun(last, datagram.last, fragment);
    datagram.last = fragment;
  } else {
    startRun(datagram.runs, fragment);
    if (last == 0 || offset > endOf(last)) {
      datagram.lastRun = fragment;
      datagram.last = fragment;
    }
  }
  datagram.bytes = datagram.bytes + length;
  return fragment;
}

/** What a fragment tells of its datagram: where it ends, its TOS, the bytes it had as an IP packet. */
function note(datagram: Datagram, end: u32, more: bool, tos: u32, total: u32): void {
  noteEnd(datagram, end, more);
  datagram.count = datagram.count + 1;
  datagram.ecn = datagram.ecn | (1 << (tos & ECN_MASK));
  datagram.longest = max<u32>(datagram.longest, total);
}

function noteEnd(datagram: Datagram, end: u32, more: bool): void {
  if (!more) datagram.hasLast = true;
  datagram.end = max<u32>(datagram.end, end);
}

/** After a fragment was kept: true when it completed the datagram, which the frame then is. */
function finish(frame: Descriptor, datagram: Datagram): bool {
  if (!datagram.hasLast || datagram.bytes != datagram.end) {
    frame.judge(Verdict.Held, Reason.FragmentHeld);
    return false;
  }
  const reason = rebuild(frame, datagram);
  closeDatagram(datagram);
  return reason == Reason.None || refuse(frame, reason);
}

/** Makes the frame the whole datagram. Reason.None, or why that cannot be. */
function rebuild(frame: Descriptor, datagram: Datagram): Reason {
  const v6 = datagram.isV6;
  const headerLength = datagram.headerLength;
  const total = headerLength + datagram.end;
  const count = datagram.count;
  if (total - (v6 ? IPV6_SIZE : 0) > LENGTH_MAX) return Reason.FragmentMalformed;
  // RFC 3168 §5.3: no fragment, or each, is of a transport that knows ECN.
  const ecn = datagram.ecn;
  if ((ecn & NOT_ECT_SEEN) != 0 && ecn != NOT_ECT_SEEN) return Reason.FragmentMalformed;
  const pieces = (total + 1) & ~1;
  const ip = takeRoom(pieces + 2 * count);
  if (ip == 0) return Reason.NoRoom;

  readRuns(datagram, ip, headerLength, ip + pieces);
  frame.address = ip;
  frame.length = total;
  frame.headroom = HEADROOM;
  // A sender that looks for the path MTU must go on to do so: but a small fragment with DF says nothing about a large one.
  const keepsDf = !v6 && datagram.longestDf == datagram.longest;
  tell(v6, datagram.longest, count, ip + pieces, keepsDf);
  setField(SB_PIECE_ID, datagram.id);
  const mark = (ecn & CE_SEEN) != 0 ? CE : 0;
  if (v6) {
    const header = changetype<Ipv6>(ip);
    header.payloadLength = total - IPV6_SIZE;
    header.trafficClass = header.trafficClass | mark;
  } else {
    const header = changetype<Ipv4>(ip);
    header.totalLength = total;
    header.tos = header.tos | mark;
    header.fragmentBE = keepsDf ? DF_BE : 0;
    header.fillChecksum();
  }
  return Reason.None;
}

/** Takes all fragments out: their bytes go to `to`, behind the header of the first one, their lengths to `lengths`. */
function readRuns(datagram: Datagram, to: usize, headerLength: u32, lengths: usize): void {
  let front = headerLength;
  for (let run = takeFirstRun(datagram.runs); run != 0; run = takeFirstRun(datagram.runs)) {
    for (let fragment = run; fragment != 0; fragment = following(fragment)) {
      const length = lengthOf(fragment);
      readChain(fragment, 0, to, front + length);
      store<u16>(lengths, length);
      lengths += 2;
      to += front + length;
      front = 0;
    }
    freeRun(run);
  }
}

/** Takes the fragment header out of an atomic fragment, in place: what is before it moves up. */
function unwrap(frame: Descriptor, packet: Scratch, headerLength: u32): bool {
  const ip = packet.ip;
  const total = packet.totalLength;
  const id = load<u32>(ip + headerLength, IDENTIFICATION);
  store<u8>(namedAt(ip, headerLength), load<u8>(ip + headerLength));
  const start = ip + FRAGMENT_SIZE;
  memory.copy(start, ip, headerLength);
  changetype<Ipv6>(start).payloadLength = total - FRAGMENT_SIZE - IPV6_SIZE;
  frame.headroom = min<u32>(<u32>(start - frame.floor), HEADROOM_MAX);
  frame.address = start;
  frame.length = total - FRAGMENT_SIZE;
  tell(true, total, 1, 0, false);
  setField(SB_PIECE_ID, id);
  return true;
}

/**
 * Leaves word that an IPv4 packet was on its way through when it was taken. It counts as put together, even from no
 * fragments: all that tells of it is SB_PIECE_WORD.
 */
export function noteRouted(packet: Scratch): void {
  if (packet.isV6) return;
  if (!packet.isReassembled) tell(false, 0, 0, 0, false);
  setField(SB_PIECE_WORD, field(SB_PIECE_WORD) | ROUTED);
  packet.flags = packet.flags | ScratchFlag.Reassembled;
}

/**
 * It is a datagram of the other family from now on, by whose headers fragments are `more` bytes longer. One fragment alone
 * was not made for its length, and does not tell how to cut.
 */
export function translatePieces(v6: bool, more: i32): void {
  const longest = field(SB_PIECE_COUNT) < 2 ? 0 : field(SB_PIECE_MAX) + more;
  setField(SB_PIECE_FAMILY, v6 ? Family.V6 : Family.V4);
  setField(SB_PIECE_MAX, longest);
  setField(SB_PIECE_WORD, v6 ? longest : 0);
}

/** The datagram is in one buffer from now on: if it has to be cut, nobody knows where its fragments began. */
export function joinPieces(): void {
  setField(SB_PIECE_COUNT, min<u32>(field(SB_PIECE_COUNT), 1));
}

/** Leaves word of what the datagram was made of. */
function tell(v6: bool, longest: u32, count: u32, lengths: usize, keepsDf: bool): void {
  setField(SB_PIECE_FAMILY, v6 ? Family.V6 : Family.V4);
  setField(SB_PIECE_MAX, longest);
  setField(SB_PIECE_COUNT, count);
  setField(SB_PIECES, <u32>lengths);
  setField(SB_PIECE_WORD, v6 ? longest : keepsDf ? FRAG_PMTU : 0);
}
