/**
 * What ICMP errors say, in the words of the other family (RFC 7915 §4.2, §5.2).
 *
 * @module
 */
import { ICMP_TYPE, type IcmpMessage } from '../packet/icmp.js';
import { ICMPV6_TYPE } from '../packet/icmpv6.js';
import { IPV4_MIN_MTU } from '../packet/ipv4.js';
import { IPV6_MIN_MTU } from '../packet/ipv6.js';
import { LONGER } from './headers.js';

/** Type, code and second word of a message. */
export type Said = Pick<IcmpMessage, 'type' | 'code' | 'rest'>;

const FRAGMENTATION_NEEDED = 4;

/** What a network seems to carry whose routers do not tell (RFC 1191 §7). */
const PLATEAUS = [65_535, 32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];

function unreachableOverIpv6(code: number): Said | undefined {
  const unreachable = (as: number): Said => ({ type: ICMPV6_TYPE.destinationUnreachable, code: as, rest: 0 });
  // The protocol is what the next header names.
  if (code === 2) return { type: ICMPV6_TYPE.parameterProblem, code: 1, rest: 6 };
  if (code === 3) return unreachable(4);
  if ([9, 10, 13, 15].includes(code)) return unreachable(1);
  return [0, 1, 5, 6, 7, 8, 11, 12].includes(code) ? unreachable(0) : undefined;
}

/** By the code of ICMPv6's type 1 the one of ICMP's type 3. */
const UNREACHABLE: readonly number[] = [1, 10, 1, 1, 3];

/** Figure 3: fields of an IPv4 header by their first byte, and where IPv6 has them. */
function pointerToIpv6(pointer: number): number | undefined {
  if (pointer >= 12) return pointer < 16 ? 8 : pointer < 20 ? 24 : undefined;
  return [0, 1, 4, 4, undefined, undefined, undefined, undefined, 7, 6][pointer];
}

/** Figure 6: the other way. */
function pointerToIpv4(pointer: number): number | undefined {
  if (pointer >= 8) return pointer < 24 ? 12 : pointer < 40 ? 16 : undefined;
  return [0, 1, undefined, undefined, 2, 2, 9, 8][pointer];
}

/**
 * An ICMP error as one of ICMPv6; `undefined` when it has no counterpart.
 *
 * @param quotedLength the total length that the quoted packet tells
 * @param mtu towards the client
 * @param lessen what is left of an MTU for the client
 */
export function saidOverIpv6(
  { type, code, rest }: Said,
  quotedLength: number,
  mtu: number,
  lessen: (mtu: number) => number,
): Said | undefined {
  if (type === ICMP_TYPE.destinationUnreachable && code === FRAGMENTATION_NEEDED) {
    const told = rest & 0xffff || (PLATEAUS.find((plateau) => plateau < quotedLength) ?? 0);
    const left = Math.max(IPV6_MIN_MTU, Math.min(lessen(told + LONGER), mtu));
    return { type: ICMPV6_TYPE.packetTooBig, code: 0, rest: left };
  }
  if (type === ICMP_TYPE.destinationUnreachable) return unreachableOverIpv6(code);
  if (type === ICMP_TYPE.timeExceeded && code <= 1) return { type: ICMPV6_TYPE.timeExceeded, code, rest: 0 };
  if (type !== ICMP_TYPE.parameterProblem || (code !== 0 && code !== 2)) return undefined;
  const pointer = pointerToIpv6(rest >>> 24);
  return pointer === undefined ? undefined : { type: ICMPV6_TYPE.parameterProblem, code: 0, rest: pointer };
}

/** An ICMPv6 error as one of ICMP; `undefined` when it has no counterpart. `mtu`: towards the server. */
export function saidOverIpv4({ type, code, rest }: Said, mtu: number): Said | undefined {
  const unreachable = (as: number | undefined, word = 0): Said | undefined =>
    as === undefined ? undefined : { type: ICMP_TYPE.destinationUnreachable, code: as, rest: word };
  if (type === ICMPV6_TYPE.destinationUnreachable) return unreachable(UNREACHABLE[code]);
  // Its code says nothing (RFC 4443 §3.2).
  if (type === ICMPV6_TYPE.packetTooBig) {
    return unreachable(FRAGMENTATION_NEEDED, Math.min(Math.max(rest - LONGER, IPV4_MIN_MTU), mtu));
  }
  if (type === ICMPV6_TYPE.timeExceeded && code <= 1) return { type: ICMP_TYPE.timeExceeded, code, rest: 0 };
  if (type !== ICMPV6_TYPE.parameterProblem) return undefined;
  // The next header is what names the protocol.
  if (code === 1) return unreachable(2);
  const pointer = code === 0 ? pointerToIpv4(rest) : undefined;
  if (pointer === undefined) return undefined;
  return { type: ICMP_TYPE.parameterProblem, code: 0, rest: pointer * 2 ** 24 };
}
