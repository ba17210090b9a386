/**
 * What ICMP errors are in the other family (RFC 7915 §4.2, §5.2): types, codes, pointers and MTUs.
 *
 * @module
 */
import {
  DESTINATION_UNREACHABLE,
  FRAGMENTATION_NEEDED,
  HOST_UNREACHABLE,
  PARAMETER_PROBLEM,
  PORT_UNREACHABLE,
  TIME_EXCEEDED,
} from './icmp';
import {
  ADDRESS_UNREACHABLE,
  BEYOND_SCOPE,
  DESTINATION_UNREACHABLE6,
  HEADER_FIELD,
  NO_ROUTE,
  PACKET_TOO_BIG,
  PARAMETER_PROBLEM6,
  PORT_UNREACHABLE6,
  PROHIBITED,
  REASSEMBLY_EXCEEDED,
  TIME_EXCEEDED6,
  UNKNOWN_NEXT_HEADER,
} from './icmpv6';

/** The other family has nothing like it. */
export const UNTRANSLATABLE: u32 = 0xffffffff;

// Codes of destination unreachable, and of parameter problem.
const PROTOCOL_UNREACHABLE: u32 = 2;
const HOST_PROHIBITED: u32 = 10;
const BAD_LENGTH: u32 = 2;

/**
 * By code, four bits each, from 0 on: what destination unreachable becomes in ICMPv6, its code there, PROTOCOL, TOO_BIG or
 * NOTHING. Sixteen codes.
 */
const CODES: u64 = 0x1f10_0110_000e_4d00;
const PROTOCOL: u32 = 0xd;
const TOO_BIG: u32 = 0xe;
const NOTHING: u32 = 0xf;

function typed(type: u32, code: u32): u32 {
  return (type << 8) | code;
}

/** Type (above) and code (low byte) of an ICMP error in ICMPv6, or UNTRANSLATABLE. */
export function errorOf6(type: u32, code: u32): u32 {
  switch (type) {
    case DESTINATION_UNREACHABLE:
      return unreachableOf6(code);
    case TIME_EXCEEDED:
      return code <= REASSEMBLY_EXCEEDED ? typed(TIME_EXCEEDED6, code) : UNTRANSLATABLE;
    case PARAMETER_PROBLEM:
      return code == 0 || code == BAD_LENGTH ? typed(PARAMETER_PROBLEM6, HEADER_FIELD) : UNTRANSLATABLE;
    default:
      return UNTRANSLATABLE;
  }
}

function unreachableOf6(code: u32): u32 {
  const other = code < 16 ? <u32>(CODES >> (code << 2)) & 0xf : NOTHING;
  switch (other) {
    case NOTHING:
      return UNTRANSLATABLE;
    case PROTOCOL:
      return typed(PARAMETER_PROBLEM6, UNKNOWN_NEXT_HEADER);
    case TOO_BIG:
      return typed(PACKET_TOO_BIG, 0);
    default:
      return typed(DESTINATION_UNREACHABLE6, other);
  }
}

/** The same of an ICMPv6 error in ICMP. */
export function errorOf4(type: u32, code: u32): u32 {
  switch (type) {
    case DESTINATION_UNREACHABLE6:
      if (code == PROHIBITED) return typed(DESTINATION_UNREACHABLE, HOST_PROHIBITED);
      if (code == PORT_UNREACHABLE6) return typed(DESTINATION_UNREACHABLE, PORT_UNREACHABLE);
      return code == NO_ROUTE || code == BEYOND_SCOPE || code == ADDRESS_UNREACHABLE
        ? typed(DESTINATION_UNREACHABLE, HOST_UNREACHABLE)
        : UNTRANSLATABLE;
    case PACKET_TOO_BIG:
      return typed(DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED);
    case TIME_EXCEEDED6:
      return code <= REASSEMBLY_EXCEEDED ? typed(TIME_EXCEEDED, code) : UNTRANSLATABLE;
    case PARAMETER_PROBLEM6:
      if (code == HEADER_FIELD) return typed(PARAMETER_PROBLEM, 0);
      return code == UNKNOWN_NEXT_HEADER ? typed(DESTINATION_UNREACHABLE, PROTOCOL_UNREACHABLE) : UNTRANSLATABLE;
    default:
      return UNTRANSLATABLE;
  }
}

// By byte of an IPv4 header, four bits each, from 0 on: where in an IPv6 header that is, 0xf for nowhere.
const POINTERS: u64 = 0x8888_ff67_ffff_4410;
const DESTINATION: u32 = 16;
const DESTINATION6: u32 = 24;

/** Where in an IPv6 header a byte of an IPv4 header is (RFC 7915, figure 3), or UNTRANSLATABLE. */
export function pointerOf6(pointer: u32): u32 {
  if (pointer >= DESTINATION) return pointer < DESTINATION + 4 ? DESTINATION6 : UNTRANSLATABLE;
  const other = <u32>(POINTERS >> (pointer << 2)) & 0xf;
  return other == NOTHING ? UNTRANSLATABLE : other;
}

/** The same the other way (figure 6). */
export function pointerOf4(pointer: u32): u32 {
  if (pointer >= DESTINATION6) return pointer < DESTINATION6 + 16 ? DESTINATION : UNTRANSLATABLE;
  if (pointer >= 8) return 12;
  switch (pointer) {
    case 0:
    case 1:
      return pointer;
    case 4:
    case 5:
      return 2;
    case 6:
      return 9;
    case 7:
      return 8;
    default:
      return UNTRANSLATABLE;
  }
}

/** RFC 1191 §7.1: the longest packet shorter than one of `length` bytes that a router of old, which tells no MTU, may let through. */
export function plateauBelow(length: u32): u32 {
  if (length > 32000) return 32000;
  if (length > 17914) return 17914;
  if (length > 8166) return 8166;
  if (length > 4352) return 4352;
  if (length > 2002) return 2002;
  // What is less is told as the least of IPv6.
  return length > 1492 ? 1492 : 0;
}
