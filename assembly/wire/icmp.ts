/**
 * ICMP message header (RFC 792). That of ICMPv6 (RFC 4443 §2.1) has the same fields, other types: icmpv6.ts.
 *
 * @module
 */
import { difference16, update } from './checksum';

const TYPE: usize = 0;
const CODE: usize = 1;
const CHECKSUM: usize = 2;
const REST: usize = 4;
/** Bytes before the quoted packet of an error. */
export const ICMP_SIZE: u32 = 8;

export const ECHO_REPLY: u32 = 0;
export const ECHO_REQUEST: u32 = 8;
export const TIMESTAMP_REQUEST: u32 = 13;
export const TIMESTAMP_REPLY: u32 = 14;
export const DESTINATION_UNREACHABLE: u32 = 3;
export const SOURCE_QUENCH: u32 = 4;
export const REDIRECT: u32 = 5;
export const TIME_EXCEEDED: u32 = 11;
export const PARAMETER_PROBLEM: u32 = 12;

export const NET_UNREACHABLE: u32 = 0;
export const HOST_UNREACHABLE: u32 = 1;
export const PORT_UNREACHABLE: u32 = 3;
export const FRAGMENTATION_NEEDED: u32 = 4;

/** View of an ICMP message; valid where at least ICMP_SIZE bytes were seen. */
@unmanaged
@final
export class Icmp {
  get type(): u32 {
    return load<u8>(changetype<usize>(this), TYPE);
  }

  set type(value: u32) {
    store<u8>(changetype<usize>(this), value, TYPE);
  }

  get code(): u32 {
    return load<u8>(changetype<usize>(this), CODE);
  }

  set code(value: u32) {
    store<u8>(changetype<usize>(this), value, CODE);
  }

  get checksum(): u32 {
    return load<u16>(changetype<usize>(this), CHECKSUM);
  }

  set checksum(value: u32) {
    store<u16>(changetype<usize>(this), value, CHECKSUM);
  }

  /**
   * The second word: 0, or for 3/4 the next-hop MTU in its low half (RFC 1191 §4). In ICMPv6 the MTU of a packet too
   * big, the pointer of a parameter problem.
   */
  get rest(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), REST));
  }

  set rest(value: u32) {
    store<u32>(changetype<usize>(this), bswap<u32>(value), REST);
  }

  /** Of a query and its reply, of ICMPv6, too: whose they are. */
  get identifierBE(): u32 {
    return load<u16>(changetype<usize>(this), REST);
  }

  set identifierBE(value: u32) {
    store<u16>(changetype<usize>(this), value, REST);
  }
}

/** Writes the identifier of a query or its reply; the checksum follows it, and what `addresses` add to its sum. */
export function putIdentifier(icmp: Icmp, addresses: u64, fromBE: u32, toBE: u32): void {
  icmp.identifierBE = toBE;
  icmp.checksum = update(icmp.checksum, addresses + difference16(fromBE, toBE));
}

/** The last type that RFC 792 and its successors know as no error. */
const TYPE_MAX: u32 = 18;

/** Types that report an error about another packet, or may: no error is ever sent about them (RFC 1122 §3.2.2). */
export function isError(type: u32): bool {
  if (type > TYPE_MAX) return true;
  switch (type) {
    case DESTINATION_UNREACHABLE:
    case SOURCE_QUENCH:
    case REDIRECT:
    case TIME_EXCEEDED:
    case PARAMETER_PROBLEM:
      return true;
    default:
      return false;
  }
}

/** Types that the director relates to the connection they quote. */
export function isRelated(type: u32): bool {
  return type == DESTINATION_UNREACHABLE || type == SOURCE_QUENCH || type == TIME_EXCEEDED;
}
