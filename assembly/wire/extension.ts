/**
 * IPv6 extension headers (RFC 8200 §4).
 *
 * Linux looks at them at two moments, before the host itself has a packet:
 * - `checkHopByHop`: it has come in, whomever it is for. Only the hop-by-hop header is looked at.
 * - `walkExtensions`: a director asks which transport header it has. Nothing is judged but lengths.
 *
 * Each returns a word made of what it found; `foundProtocol` and the others take it apart. A fault is
 * - `ParameterProblem`: to be answered with one (RFC 4443 §3.4), of code `foundProtocol` and pointer `foundOffset`;
 * - anything else: the reason to drop the packet for.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { Reason } from '../../src/abi/verdict';
import { HEADER_FIELD, UNKNOWN_OPTION } from './icmpv6';
import { IPV6_SIZE, Ipv6, isMulticast6, NEXT_HEADER } from './ipv6';

// Offsets within an extension header.
const NEXT: usize = 0;
const LENGTH: usize = 1;
const FRAGMENT_OFFSET: usize = 2;
const SEGMENTS_LEFT: usize = 3;

/** Every extension header has this many bytes at least; the length field counts those that follow, in eights. */
const UNIT: u32 = 8;
/** Bytes of a fragment header. */
export const FRAGMENT_SIZE: u32 = 8;
/** The fragment offset, as loaded: 0 in a first fragment and in an atomic one. */
const OFFSET_BITS_BE: u32 = 0xf8ff;

const PAD1: u32 = 0;
const PADN: u32 = 1;
const ROUTER_ALERT: u32 = 5;
/** A label (RFC 5570): Linux drops packets of domains that it does not know. */
const CALIPSO: u32 = 7;
/** In situ measurement (RFC 9486), aligned to four bytes. */
const IOAM: u32 = 49;
const JUMBO: u32 = 194;

/** Linux's default limits: bytes of padding in a row, options in a header. */
const PADDING_MAX: u32 = 7;
const OPTIONS_MAX: u32 = 8;

function found(protocol: u32, offset: u32, fragment: u32, fault: u32): u64 {
  return <u64>protocol | ((<u64>offset) << 8) | ((<u64>fragment) << 32) | ((<u64>fault) << 56);
}

/** Protocol of the transport header; NoNext where there is none. */
export function foundProtocol(word: u64): u32 {
  return <u32>word & 0xff;
}

/** Bytes from the IPv6 header to the transport header. */
export function foundOffset(word: u64): u32 {
  return <u32>word >> 8;
}

/** Bytes from the IPv6 header to the (last) fragment header; 0 where there is none. */
export function foundFragment(word: u64): u32 {
  return <u32>(word >> 32) & 0xffffff;
}

/** Reason.None, or what is wrong. */
export function foundFault(word: u64): u32 {
  return <u32>(word >> 56);
}

/** Whether a header of this number is passed over to get to the transport header. */
function isExtension(protocol: u32): bool {
  switch (protocol) {
    case Protocol.HopByHop:
    case Protocol.Routing:
    case Protocol.Fragment:
    case Protocol.Ah:
    case Protocol.DestinationOptions:
      return true;
    default:
      return false;
  }
}

/** Bytes of the extension header at `p`. AH counts in fours, without the first eight bytes (RFC 4302 §2.2). */
function extensionLength(p: usize, protocol: u32): u32 {
  const length = <u32>load<u8>(p, LENGTH);
  if (protocol == Protocol.Fragment) return FRAGMENT_SIZE;
  return protocol == Protocol.Ah ? (length + 2) << 2 : (length + 1) << 3;
}

/** Whether the fragment header at `p` is that of a fragment other than the first. */
export function isLaterFragment6(p: usize): bool {
  return (load<u16>(p, FRAGMENT_OFFSET) & OFFSET_BITS_BE) != 0;
}

/**
 * The transport header of the packet at `ip` that ends at `end`, of which at least the IPv6 header is there.
 *
 * A first fragment and an atomic one are gone on behind. In a later fragment the protocol is what its fragment header
 * names and the offset is that of what it carries: no transport header is there. Fault `Ipv6Truncated`: a header
 * reaches beyond the packet, and the protocol is NoNext. To Linux that is no reason to drop the packet: it is none of
 * the director's, but is routed, or handed to the host.
 */
export function walkExtensions(ip: usize, end: usize): u64 {
  const protocol = changetype<Ipv6>(ip).nextHeader;
  return isExtension(protocol) ? walkFrom(ip, end, protocol) : found(protocol, IPV6_SIZE, 0, Reason.None);
}

function walkFrom(ip: usize, end: usize, first: u32): u64 {
  let protocol = first;
  let p = ip + IPV6_SIZE;
  let fragment: u32 = 0;
  do {
    if (p + UNIT > end) return found(Protocol.NoNext, <u32>(p - ip), fragment, Reason.Ipv6Truncated);
    const next = <u32>load<u8>(p, NEXT);
    if (protocol == Protocol.Fragment) {
      fragment = <u32>(p - ip);
      if (isLaterFragment6(p)) return found(next, fragment + FRAGMENT_SIZE, fragment, Reason.None);
    }
    p += extensionLength(p, protocol);
    protocol = next;
  } while (isExtension(protocol));
  if (p > end) return found(Protocol.NoNext, <u32>(p - ip), fragment, Reason.Ipv6Truncated);
  return found(protocol, <u32>(p - ip), fragment, Reason.None);
}

/**
 * What the last header of the packet at `ip` names, of which the beginning is there and the end lies behind `end`. NoNext for
 * another extension header, of which nothing is there, and for what is whole, or a later fragment.
 */
export function protocolBehindCut(ip: usize, end: usize): u32 {
  let protocol = changetype<Ipv6>(ip).nextHeader;
  let p = ip + IPV6_SIZE;
  while (isExtension(protocol)) {
    const isFragment = protocol == Protocol.Fragment;
    if (p + (isFragment ? FRAGMENT_OFFSET + 2 : LENGTH + 1) > end) return Protocol.NoNext;
    if (isFragment && isLaterFragment6(p)) return Protocol.NoNext;
    const next = <u32>load<u8>(p, NEXT);
    p += extensionLength(p, protocol);
    protocol = next;
  }
  return p > end ? protocol : <u32>Protocol.NoNext;
}

/** Address of the segments left of the first routing header between the packet at `ip` and `l4` that has some; 0: none has. */
export function findWaypoint(ip: usize, l4: usize): usize {
  let protocol = changetype<Ipv6>(ip).nextHeader;
  for (let p = ip + IPV6_SIZE; p < l4; ) {
    if (protocol == Protocol.Routing && load<u8>(p, SEGMENTS_LEFT) != 0) return p + SEGMENTS_LEFT;
    const length = extensionLength(p, protocol);
    protocol = load<u8>(p, NEXT);
    p += length;
  }
  return 0;
}

/** Address of the byte that names the header at `ip + offset`, an offset that `walkExtensions` found. */
export function namedAt(ip: usize, offset: u32): usize {
  const header = ip + offset;
  let protocol = changetype<Ipv6>(ip).nextHeader;
  let name = ip + NEXT_HEADER;
  for (let p = ip + IPV6_SIZE; p < header; ) {
    name = p;
    const length = extensionLength(p, protocol);
    protocol = load<u8>(p, NEXT);
    p += length;
  }
  return name;
}

/**
 * The hop-by-hop header of the packet at `ip` that ends at `end`, if it has one, as every host and router checks it.
 * Returns a fault, or 0.
 */
export function checkHopByHop(ip: usize, end: usize): u64 {
  const header = changetype<Ipv6>(ip);
  return header.nextHeader == Protocol.HopByHop ? checkOptions(header, ip + IPV6_SIZE, end) : 0;
}

function refused(reason: Reason): u64 {
  return found(0, 0, 0, reason);
}

function problem(header: Ipv6, code: u32, at: usize): u64 {
  return found(code, <u32>(at - changetype<usize>(header)), 0, Reason.ParameterProblem);
}

/** The options of the header at `p` (RFC 8200 §4.2): 0, or the fault. */
function checkOptions(header: Ipv6, p: usize, end: usize): u64 {
  if (p + UNIT > end) return refused(Reason.Ipv6Truncated);
  const stop = p + extensionLength(p, Protocol.HopByHop);
  if (stop > end) return refused(Reason.Ipv6Truncated);
  let padding: u32 = 0;
  let count: u32 = 0;
  for (let option = p + 2; option < stop; ) {
    const kind = <u32>load<u8>(option);
    if (kind == PAD1) {
      if (++padding > PADDING_MAX) return refused(Reason.Ipv6Extension);
      option++;
      continue;
    }
    if (option + 2 > stop) return refused(Reason.Ipv6Extension);
    const length = <u32>load<u8>(option, LENGTH) + 2;
    if (option + length > stop) return refused(Reason.Ipv6Extension);
    if (kind == PADN) {
      padding += length;
      if (padding > PADDING_MAX || !isZero(option + 2, length - 2)) return refused(Reason.Ipv6Extension);
    } else {
      if (++count > OPTIONS_MAX) return refused(Reason.Ipv6Extension);
      padding = 0;
      const fault = checkOption(header, option, kind);
      if (fault != 0) return fault;
    }
    option += length;
  }
  return 0;
}

function isZero(p: usize, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) {
    if (load<u8>(p + i) != 0) return false;
  }
  return true;
}

function checkOption(header: Ipv6, option: usize, kind: u32): u64 {
  switch (kind) {
    case ROUTER_ALERT:
      return load<u8>(option, LENGTH) == 2 ? 0 : refused(Reason.Ipv6Extension);
    case CALIPSO:
      return refused(Reason.Ipv6Extension);
    case IOAM:
      return ((option - changetype<usize>(header)) & 3) == 0 ? 0 : refused(Reason.Ipv6Extension);
    case JUMBO:
      return checkJumbo(header, option);
    default:
      return checkUnknown(header, option, kind);
  }
}

/** A jumbogram has no payload length (RFC 2675 §3): a packet with this option and with a length is wrong either way. */
function checkJumbo(header: Ipv6, option: usize): u64 {
  const offset = option - changetype<usize>(header);
  if (load<u8>(option, LENGTH) != 4 || (offset & 3) != 2) return refused(Reason.Ipv6Extension);
  const isLarge = load<u16>(option, 2) != 0;
  return problem(header, HEADER_FIELD, isLarge ? option : option + 2);
}

/** The two high bits of an option say what becomes of a packet whose option is not known (RFC 8200 §4.2). */
function checkUnknown(header: Ipv6, option: usize, kind: u32): u64 {
  switch (kind >> 6) {
    case 0:
      return 0;
    case 1:
      return refused(Reason.Ipv6Extension);
    case 2:
      return problem(header, UNKNOWN_OPTION, option);
    default:
      return isMulticast6(header.destination) ? refused(Reason.Ipv6Extension) : problem(header, UNKNOWN_OPTION, option);
  }
}
