/**
 * IPv6 extension headers (RFC 8200 §4).
 *
 * Linux looks at them at three moments, and so there are three walks:
 * - `checkHopByHop`: a packet has come in, whomever it is for. Only the hop-by-hop header is looked at.
 * - `walkExtensions`: a director asks which transport header a packet has. Nothing is judged but lengths.
 * - `deliverExtensions`: the host itself takes a packet (out of a tunnel, here): options and routing headers count.
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
const ROUTING_TYPE: usize = 2;
const SEGMENTS_LEFT: usize = 3;
const FRAGMENT_OFFSET: usize = 2;

/** Every extension header has this many bytes at least; the length field counts those that follow, in eights. */
const UNIT: u32 = 8;
/** Bytes of a fragment header. */
export const FRAGMENT_SIZE: u32 = 8;
/** The fragment offset, as loaded: 0 in a first fragment and in an atomic one. */
const OFFSET_BITS_BE: u32 = 0xf8ff;

const PAD1: u32 = 0;
const PADN: u32 = 1;
const ROUTER_ALERT: u32 = 5;
const JUMBO: u32 = 194;
const HOME_ADDRESS: u32 = 201;

/** Linux's default limits: bytes of padding in a row, options in a header. */
const PADDING_MAX: u32 = 7;
const OPTIONS_MAX: u32 = 8;

// Routing headers of networks of their own, which Linux drops unless told otherwise: RFC 6275, 6554, 8754.
const ROUTING_MOBILE: u32 = 2;
const ROUTING_RPL: u32 = 3;
const ROUTING_SEGMENTS: u32 = 4;

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
 * names and the offset is that of what it carries: no transport header is there. Fault `Ipv6Extension`: a header
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
    if (p + UNIT > end) return found(Protocol.NoNext, <u32>(p - ip), fragment, Reason.Ipv6Extension);
    const next = <u32>load<u8>(p, NEXT);
    if (protocol == Protocol.Fragment) {
      fragment = <u32>(p - ip);
      if (isLaterFragment6(p)) return found(next, fragment + FRAGMENT_SIZE, fragment, Reason.None);
    }
    p += extensionLength(p, protocol);
    protocol = next;
  } while (isExtension(protocol));
  if (p > end) return found(Protocol.NoNext, <u32>(p - ip), fragment, Reason.Ipv6Extension);
  return found(protocol, <u32>(p - ip), fragment, Reason.None);
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
 * Fault `Ipv6Extension` or `Ipv6PayloadLength` (a jumbogram, RFC 2675): drop; or `ParameterProblem`.
 */
export function checkHopByHop(ip: usize, end: usize): u64 {
  const header = changetype<Ipv6>(ip);
  return header.nextHeader == Protocol.HopByHop ? checkOptions(header, ip + IPV6_SIZE, end, true) : 0;
}

/**
 * The transport header of the packet at `ip` that ends at `end`, for a packet that the host itself takes: destination
 * options and routing headers are obeyed as a host without mobility and segment routing does. The walk ends at any
 * other header. Faults are those of `checkHopByHop`, which went before.
 */
export function deliverExtensions(ip: usize, end: usize): u64 {
  const header = changetype<Ipv6>(ip);
  let protocol = header.nextHeader;
  let p = ip + IPV6_SIZE;
  let fragment: u32 = 0;
  while (true) {
    const offset = <u32>(p - ip);
    let fault: u64 = 0;
    switch (protocol) {
      case Protocol.HopByHop:
        // Checked already; anywhere else it is unknown.
        if (offset != IPV6_SIZE) return found(protocol, offset, fragment, Reason.None);
        break;
      case Protocol.DestinationOptions:
        fault = checkOptions(header, p, end, false);
        break;
      case Protocol.Routing:
        fault = checkRouting(header, p, end);
        break;
      case Protocol.Fragment:
        if (p + FRAGMENT_SIZE > end) return refused();
        if (isLaterFragment6(p)) return found(load<u8>(p, NEXT), offset + FRAGMENT_SIZE, offset, Reason.None);
        fragment = offset;
        break;
      default:
        return found(protocol, offset, fragment, Reason.None);
    }
    if (fault != 0) return fault;
    const length = extensionLength(p, protocol);
    protocol = load<u8>(p, NEXT);
    p += length;
  }
}

function refused(): u64 {
  return found(0, 0, 0, Reason.Ipv6Extension);
}

function problem(header: Ipv6, code: u32, at: usize): u64 {
  return found(code, <u32>(at - changetype<usize>(header)), 0, Reason.ParameterProblem);
}

/** Hop-by-hop or destination options (RFC 8200 §4.2) at `p`: 0, or the fault. */
function checkOptions(header: Ipv6, p: usize, end: usize, hopByHop: bool): u64 {
  if (p + UNIT > end) return refused();
  const stop = p + ((<u32>load<u8>(p, LENGTH) + 1) << 3);
  if (stop > end) return refused();
  let padding: u32 = 0;
  let count: u32 = 0;
  for (let option = p + 2; option < stop; ) {
    const kind = <u32>load<u8>(option);
    if (kind == PAD1) {
      if (++padding > PADDING_MAX) return refused();
      option++;
      continue;
    }
    if (option + 2 > stop) return refused();
    const length = <u32>load<u8>(option, LENGTH) + 2;
    if (option + length > stop) return refused();
    if (kind == PADN) {
      padding += length;
      if (padding > PADDING_MAX || !isZero(option + 2, length - 2)) return refused();
    } else {
      if (++count > OPTIONS_MAX) return refused();
      padding = 0;
      const fault = hopByHop ? checkHopOption(header, option, kind) : checkDestinationOption(header, option, kind);
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

function checkHopOption(header: Ipv6, option: usize, kind: u32): u64 {
  switch (kind) {
    case ROUTER_ALERT:
      return load<u8>(option, LENGTH) == 2 ? 0 : refused();
    case JUMBO:
      return checkJumbo(header, option);
    default:
      return checkUnknown(header, option, kind);
  }
}

/** No frame here is as long as a jumbogram; what only says that it is one gets the answer of RFC 2675 §3. */
function checkJumbo(header: Ipv6, option: usize): u64 {
  const offset = option - changetype<usize>(header);
  if (load<u8>(option, LENGTH) != 4 || (offset & 3) != 2) return refused();
  if (bswap<u32>(load<u32>(option, 2)) <= 0xffff) return problem(header, HEADER_FIELD, option + 2);
  if (header.payloadLength != 0) return problem(header, HEADER_FIELD, option);
  return found(0, 0, 0, Reason.Ipv6PayloadLength);
}

function checkDestinationOption(header: Ipv6, option: usize, kind: u32): u64 {
  // From a mobile node, of which this host knows none (RFC 6275 §6.3).
  return kind == HOME_ADDRESS ? refused() : checkUnknown(header, option, kind);
}

/** The two high bits of an option say what becomes of a packet whose option is not known (RFC 8200 §4.2). */
function checkUnknown(header: Ipv6, option: usize, kind: u32): u64 {
  switch (kind >> 6) {
    case 0:
      return 0;
    case 1:
      return refused();
    case 2:
      return problem(header, UNKNOWN_OPTION, option);
    default:
      return isMulticast6(header.destination) ? refused() : problem(header, UNKNOWN_OPTION, option);
  }
}

/** A routing header (RFC 8200 §4.4) at `p`: 0, or the fault. Type 0 is as unknown as any (RFC 5095). */
function checkRouting(header: Ipv6, p: usize, end: usize): u64 {
  if (p + UNIT > end || p + extensionLength(p, Protocol.Routing) > end) return refused();
  if (isMulticast6(header.destination)) return refused();
  switch (<u32>load<u8>(p, ROUTING_TYPE)) {
    case ROUTING_MOBILE:
    case ROUTING_RPL:
    case ROUTING_SEGMENTS:
      return refused();
    default:
      return load<u8>(p, SEGMENTS_LEFT) == 0 ? 0 : problem(header, HEADER_FIELD, p + ROUTING_TYPE);
  }
}
