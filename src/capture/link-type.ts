/**
 * The link types of captures that are read and written here (the LINKTYPE registry of tcpdump.org).
 *
 * @module
 */

/** LINKTYPE_ETHERNET: frames begin with an Ethernet header. */
export const LINKTYPE_ETHERNET = 1;
/** LINKTYPE_RAW: packets begin with an IPv4 or IPv6 header. */
export const LINKTYPE_RAW = 101;
/** LINKTYPE_IPV4: packets begin with an IPv4 header. */
export const LINKTYPE_IPV4 = 228;
/** DLT_RAW of most systems, found in files of programs that wrote the DLT value where the LINKTYPE value belongs. */
export const DLT_RAW = 12;
/** DLT_RAW of OpenBSD, likewise. */
export const DLT_RAW_OPENBSD = 14;

/** How a packet of a capture begins: `ether` at an Ethernet header, `raw` at an IP header. */
export type LinkKind = 'ether' | 'raw';

/** The kind of a link type, or undefined for one that is not read here. */
export function linkKind(linkType: number): LinkKind | undefined {
  switch (linkType) {
    case LINKTYPE_ETHERNET:
      return 'ether';
    case LINKTYPE_RAW:
    case LINKTYPE_IPV4:
    case DLT_RAW:
    case DLT_RAW_OPENBSD:
      return 'raw';
    default:
      return undefined;
  }
}
