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
const NEIGHBOUR_SOLICITATION = 135;
/** Multicast listener reports and done, router and neighbour solicitation, version 2 reports. */
const ICMPV6_TYPES = [131, 132, 133, NEIGHBOUR_SOLICITATION, 143];

const word = (frame: Uint8Array, at: number) => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);

/** Whether it is an ARP request, a neighbour or router solicitation, or about multicast listeners. */
export function isSpontaneous(frame: Uint8Array): boolean {
  return isArpRequest(frame) || ICMPV6_TYPES.some((type) => type === icmpv6Type(frame));
}

/** Whether it asks for a next hop. */
export function isSolicitation(frame: Uint8Array): boolean {
  return isArpRequest(frame) || icmpv6Type(frame) === NEIGHBOUR_SOLICITATION;
}

function isArpRequest(frame: Uint8Array): boolean {
  return word(frame, 12) === ARP && word(frame, 20) === ARP_REQUEST;
}

function icmpv6Type(frame: Uint8Array): number | undefined {
  if (word(frame, 12) !== IPV6) return undefined;
  const [next, at] = frame[20] === HOP_BY_HOP ? [frame[54], 62] : [frame[20], 54];
  return next === ICMPV6 ? frame[at] : undefined;
}
