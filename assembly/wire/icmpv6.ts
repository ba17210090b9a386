/**
 * Types and codes of ICMPv6 (RFC 4443). The header is that of ICMP: `Icmp`.
 *
 * @module
 */

export const DESTINATION_UNREACHABLE6: u32 = 1;
export const PACKET_TOO_BIG: u32 = 2;
export const TIME_EXCEEDED6: u32 = 3;
export const PARAMETER_PROBLEM6: u32 = 4;

export const ECHO_REQUEST6: u32 = 128;
export const ECHO_REPLY6: u32 = 129;

// destination unreachable
export const NO_ROUTE: u32 = 0;
export const PROHIBITED: u32 = 1;
export const BEYOND_SCOPE: u32 = 2;
export const ADDRESS_UNREACHABLE: u32 = 3;
export const PORT_UNREACHABLE6: u32 = 4;
export const SOURCE_POLICY: u32 = 5;
export const REJECT_ROUTE: u32 = 6;

// time exceeded
export const HOP_LIMIT_EXCEEDED: u32 = 0;
export const REASSEMBLY_EXCEEDED: u32 = 1;

// parameter problem
export const HEADER_FIELD: u32 = 0;
export const UNKNOWN_NEXT_HEADER: u32 = 1;
export const UNKNOWN_OPTION: u32 = 2;
/** RFC 7112 §5. */
export const INCOMPLETE_HEADERS: u32 = 3;

/** Whether a type reports an error about another packet: no error is sent about it, and it relates to the connection it quotes. */
export function isError6(type: u32): bool {
  return type < 128;
}
