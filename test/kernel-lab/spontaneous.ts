/**
 * What a host says by itself on an Ethernet that it is new to.
 *
 * @module
 */

const ARP = 0x0806;
const ARP_REQUEST = 1;
const IPV6 = 0x86dd;
const HOP_BY_HOP = 0;
const ICMPV6 = 58;
/** Multicast listener reports and done, router and neighbour solicitation, version 2 reports. */
const ICMPV6_TYPES = [131, 132, 133, 135, 143];

/** Whether it is an ARP request, a neighbour or router solicitation, or about multicast listeners. */
export function isSpontaneous(frame: Uint8Array): boolean {
  const word = (at: number) => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  if (word(12) === ARP) return word(20) === ARP_REQUEST;
  if (word(12) !== IPV6) return false;
  const [next, at] = frame[20] === HOP_BY_HOP ? [frame[54], 62] : [frame[20], 54];
  return next === ICMPV6 && ICMPV6_TYPES.includes(frame[at] ?? 0);
}
