/**
 * Ethernet II header (IEEE 802.3 §3.2).
 *
 * @module
 */
import { MAC_SIZE } from './mac';

//   0            6            12    14
//   ├────────────┼────────────┼─────┤
//   │ destination│ source     │ type│
const DESTINATION: usize = 0;
const SOURCE: usize = 6;
const ETHER_TYPE: usize = 12;
/** Bytes of the header. */
export const ETHERNET_SIZE: u32 = 14;

/** EtherTypes as loaded: network order. */
export const TYPE_IPV4_BE: u32 = 0x0008;
export const TYPE_ARP_BE: u32 = 0x0608;
export const TYPE_VLAN_BE: u32 = 0x0081;
export const TYPE_IPV6_BE: u32 = 0xdd86;

/** View of an Ethernet header; valid where at least ETHERNET_SIZE bytes were seen. */
@unmanaged
@final
export class Ethernet {
  /** EtherType, network order. */
  get typeBE(): u32 {
    return load<u16>(changetype<usize>(this), ETHER_TYPE);
  }

  set typeBE(value: u32) {
    store<u16>(changetype<usize>(this), value, ETHER_TYPE);
  }

  /** Address of the destination MAC. */
  get destination(): usize {
    return changetype<usize>(this) + DESTINATION;
  }

  /** Address of the source MAC. */
  get source(): usize {
    return changetype<usize>(this) + SOURCE;
  }

  /** Whether the destination is a broadcast or multicast MAC (the I/G bit). */
  get isGroup(): bool {
    return (load<u8>(changetype<usize>(this), DESTINATION) & 1) != 0;
  }
}

/** Bytes of both addresses: what stands before the type or the VLAN tag. */
export const ADDRESSES_SIZE: u32 = MAC_SIZE * 2;
