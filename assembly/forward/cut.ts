/**
 * Cutting a packet that is too long for its way into fragments (RFC 791 §3.2, RFC 8200 §4.5).
 *
 * A datagram that came in fragments leaves in fragments: the same ones where they fit, else none that is longer than the
 * longest of them. The frame itself becomes the first piece, the others are frames of the core's own.
 *
 * @module
 */

import { Protocol } from '../../src/abi/protocol';
import {
  FRAG_PMTU,
  SB_ARENA_NEXT,
  SB_BURST_COUNT,
  SB_FRAGMENT_ID,
  SB_PIECE_COUNT,
  SB_PIECE_FAMILY,
  SB_PIECE_MAX,
  SB_PIECE_WORD,
  SB_PIECES,
} from '../../src/abi/superblock';
import { Family } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Descriptor } from '../descriptor';
import { Hop } from '../net/hop';
import { field, setField } from '../superblock';
import { FRAGMENT_SIZE, namedAt } from '../wire/extension';
import { IPV4_MIN, Ipv4 } from '../wire/ipv4';
import { IPV6_MTU_MIN, IPV6_SIZE, Ipv6 } from '../wire/ipv6';
import { hasHeadroom, putLink } from './link';
import { takeFrame } from './made';

/** Don't fragment, more fragments, and the offset in eights, in the fragment field of IPv4. */
const DF: u32 = 0x4000;
const MORE: u32 = 0x2000;
const OFFSET_BITS: u32 = 0x1fff;
/** Identification of fragments of IPv6: the director's next. An IPv4 packet, which is translated, has 16 bits. */
const OWN_ID: u32 = 0xffffffff;
/** More fragments, in the low bits of the offset in bytes, in the fragment header of IPv6. */
const MORE6: u32 = 1;

/** In an IPv4 option's first byte: it is in every fragment (RFC 791 §3.1). */
const COPIED: u32 = 0x80;
const END: u32 = 0;
const NOP: u32 = 1;

/**
 * Sends the finished packet at `ip` on `hop`: as it is, if it fits `mtu` and did not come in fragments that tell otherwise,
 * else cut. `reassembled`: SB_PIECE_ fields tell of what. Judges the frame: forwarded for `reason`, or dropped. The
 * headroom for a whole packet was asked for. Fragments of IPv6 have the identification `id`.
 */
export function sendCut(
  frame: Descriptor,
  ip: usize,
  hop: Hop,
  mtu: u32,
  reassembled: bool,
  reason: Reason,
  id: u32 = OWN_ID,
): void {
  const v6 = changetype<Ipv4>(ip).version == 6;
  const total = v6 ? IPV6_SIZE + changetype<Ipv6>(ip).payloadLength : changetype<Ipv4>(ip).totalLength;
  const longest = reassembled ? longestOf(v6) : 0;
  // A datagram of IPv4 must not leave in fewer packets than it came in; one of IPv6 may, if it is no longer than those.
  if (total <= mtu && (longest == 0 || (v6 && total <= longest))) {
    putLink(frame, ip, hop.outInterface, hop.mac);
    frame.judge(Verdict.Forward, reason);
    return;
  }
  const limit = longest == 0 ? mtu : min<u32>(mtu, v6 ? max<u32>(longest, IPV6_MTU_MIN) : longest);
  const fault = cut(frame, ip, total, hop, limit, reassembled, id);
  if (fault == Reason.None) frame.judge(Verdict.Forward, reason);
  else frame.judge(Verdict.Drop, fault);
}

/** What Linux takes for the longest fragment that came in, 0 for nothing: outside of a tunnel of IPv6 that is SB_PIECE_WORD. */
function longestOf(v6: bool): u32 {
  if (v6) return field(SB_PIECE_WORD);
  return field(SB_PIECE_FAMILY) == <u32>Family.V4 ? field(SB_PIECE_MAX) : 0;
}

/** Cuts the packet of `total` bytes into ones of at most `limit`. Reason.None, or why it is left as it is. */
function cut(frame: Descriptor, ip: usize, total: u32, hop: Hop, limit: u32, reassembled: bool, id: u32): Reason {
  const v6 = changetype<Ipv4>(ip).version == 6;
  const header = v6 ? unfragmentable(ip, total) : changetype<Ipv4>(ip).headerLength;
  if (header == 0) return Reason.Ipv6Truncated;
  const front = v6 ? header + FRAGMENT_SIZE : header;
  if (limit < front + 8) return Reason.TooBig;
  if (v6 && !hasHeadroom(frame, ip - FRAGMENT_SIZE, hop.outInterface)) return Reason.NoHeadroom;

  const room = limit - front;
  const data = total - header;
  const same = reassembled ? firstOfSame(data, room) : 0;
  const first = same != 0 ? same : uniform(data, room);
  const mark = v6 ? (id == OWN_ID ? nextFragmentId() : id) : markOf(changetype<Ipv4>(ip), reassembled && same == 0);

  const made = field(SB_BURST_COUNT);
  const arena = field(SB_ARENA_NEXT);
  for (let at = first, lengths = <usize>field(SB_PIECES) + 2; at < data; lengths += 2) {
    const length = same != 0 ? <u32>load<u16>(lengths) : uniform(data - at, room);
    const piece = takeFrame(frame, front + length);
    if (piece == null) {
      setField(SB_BURST_COUNT, made);
      setField(SB_ARENA_NEXT, arena);
      return Reason.NoRoom;
    }
    const start = piece.address;
    memory.copy(start, ip, header);
    memory.copy(start + front, ip + header + at, length);
    makeFragment(v6, start, header, at, length, data, mark);
    putLink(piece, start, hop.outInterface, hop.mac);
    at += length;
  }
  for (let i = made; i < field(SB_BURST_COUNT); i++) Descriptor.at(i).judge(Verdict.Forward, Reason.FragmentPiece);

  const start = ip + header - front;
  memory.copy(start, ip, header);
  makeFragment(v6, start, header, 0, first, data, mark);
  putLink(frame, start, hop.outInterface, hop.mac);
  return Reason.None;
}

/** Payload bytes of a piece that has room for `room`, when there are `left`. */
function uniform(left: u32, room: u32): u32 {
  return left > room ? room & ~7 : left;
}

/**
 * Payload bytes of the first piece when the others are the fragments that came in; 0 when that cannot be, because one is
 * too long, or none can begin where it would. What was put in front since then is part of the first.
 */
function firstOfSame(data: u32, room: u32): u32 {
  const count = field(SB_PIECE_COUNT);
  const lengths = <usize>field(SB_PIECES);
  if (count < 2) return 0;
  let first = data;
  for (let i: u32 = 1; i < count; i++) {
    const length = <u32>load<u16>(lengths + 2 * i);
    if (length > room || ((length & 7) != 0 && i + 1 < count)) return 0;
    first -= length;
  }
  return first > room || (first & 7) != 0 ? 0 : first;
}

/** Makes the header at `ip`, a copy of the whole packet's, that of the fragment [at, at + length) of `data` bytes. */
function makeFragment(v6: bool, ip: usize, header: u32, at: u32, length: u32, data: u32, mark: u32): void {
  const more = at + length < data;
  if (v6) makeFragment6(ip, header, at, length, more, mark);
  else makeFragment4(changetype<Ipv4>(ip), at, length, more, mark);
}

/**
 * What the fragment fields of all pieces have in common: a fragment may be cut, too, into ones that begin where it does,
 * and more follow. In `other` fragments than those that came in there is DF by SB_PIECE_WORD, outside of a tunnel, too.
 */
function markOf(header: Ipv4, other: bool): u32 {
  const word = <u32>bswap<u16>(<u16>header.fragmentBE);
  return (word & (MORE | OFFSET_BITS)) | (other && (field(SB_PIECE_WORD) & FRAG_PMTU) != 0 ? DF : 0);
}

function makeFragment4(header: Ipv4, at: u32, length: u32, more: bool, mark: u32): void {
  // What is later in the first fragment of all has only the options that are in every one.
  if (at != 0 && (mark & OFFSET_BITS) == 0) clearOptions(header);
  header.totalLength = header.headerLength + length;
  header.fragmentBE = bswap<u16>(<u16>((mark + (at >> 3)) | (more ? MORE : 0)));
  header.fillChecksum();
}

/** Puts NOPs where options are that only the first fragment has. */
function clearOptions(header: Ipv4): void {
  let p = changetype<usize>(header) + IPV4_MIN;
  const end = changetype<usize>(header) + header.headerLength;
  while (p < end) {
    const kind = <u32>load<u8>(p);
    if (kind == END) return;
    if (kind == NOP) {
      p++;
      continue;
    }
    const length = p + 1 < end ? <u32>load<u8>(p, 1) : 0;
    if (length < 2 || p + length > end) return;
    if ((kind & COPIED) == 0) memory.fill(p, <u8>NOP, length);
    p += length;
  }
}

function makeFragment6(ip: usize, header: u32, at: u32, length: u32, more: bool, id: u32): void {
  const name = namedAt(ip, header);
  const fragment = ip + header;
  store<u8>(fragment, load<u8>(name));
  store<u8>(fragment, 0, 1);
  store<u16>(fragment, bswap<u16>(<u16>(at | (more ? MORE6 : 0))), 2);
  store<u32>(fragment, bswap<u32>(id), 4);
  store<u8>(name, Protocol.Fragment);
  changetype<Ipv6>(ip).payloadLength = header - IPV6_SIZE + FRAGMENT_SIZE + length;
}

function nextFragmentId(): u32 {
  const id = field(SB_FRAGMENT_ID);
  setField(SB_FRAGMENT_ID, id + 1);
  return id;
}

/**
 * Bytes of an IPv6 packet of `total` bytes that every fragment has: the header, and the extension headers that routers look
 * at (RFC 8200 §4.5), which Linux takes destination options for unless a routing header went before. 0 when one reaches
 * beyond the packet.
 */
function unfragmentable(ip: usize, total: u32): u32 {
  let protocol = changetype<Ipv6>(ip).nextHeader;
  let offset = IPV6_SIZE;
  let routed = false;
  while (
    protocol == Protocol.HopByHop ||
    protocol == Protocol.Routing ||
    (protocol == Protocol.DestinationOptions && !routed)
  ) {
    if (offset + 8 > total) return 0;
    if (protocol == Protocol.Routing) routed = true;
    protocol = load<u8>(ip + offset);
    offset += (<u32>load<u8>(ip + offset, 1) + 1) << 3;
  }
  return offset <= total ? offset : 0;
}
