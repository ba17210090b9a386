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
/** LINKTYPE_IPV6: packets begin with an IPv6 header. */
export const LINKTYPE_IPV6 = 229;
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
    case LINKTYPE_IPV6:
    case DLT_RAW:
    case DLT_RAW_OPENBSD:
      return 'raw';
    default:
      return undefined;
  }
}

/** Names of link types that captures of networks have. */
const NAMES: Readonly<Record<number, string>> = {
  0: 'NULL',
  1: 'ETHERNET',
  9: 'PPP',
  12: 'RAW',
  14: 'RAW',
  50: 'PPP_HDLC',
  51: 'PPP_ETHER',
  101: 'RAW',
  105: 'IEEE802_11',
  108: 'LOOP',
  113: 'LINUX_SLL',
  127: 'IEEE802_11_RADIOTAP',
  189: 'USB_LINUX',
  228: 'IPV4',
  229: 'IPV6',
  239: 'NFLOG',
  253: 'NETLINK',
  276: 'LINUX_SLL2',
};

/** A link type for people: `113 (LINUX_SLL)`, or the number alone. */
export function linkTypeText(linkType: number): string {
  const name = NAMES[linkType];
  return name === undefined ? String(linkType) : `${linkType} (${name})`;
}

/** Why a capture of a link type without a `linkKind` is refused. */
export function unreadLinkType(linkType: number): string {
  return `link type ${linkTypeText(linkType)} is not read here, only Ethernet and raw IP are`;
}
