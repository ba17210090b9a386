/**
 * IEEE 802.1Q tag: the four bytes between the MAC addresses and the EtherType.
 *
 * @module
 */

//   0        2     4
//   ├────────┼─────┤
//   │ TCI    │ type│        TCI: priority 3 bits, DEI 1 bit, VID 12 bits
const TCI: usize = 0;
const ETHER_TYPE: usize = 2;
/** Bytes the tag adds to an Ethernet header. */
export const VLAN_SIZE: u32 = 4;

/** View of the tag, from the TCI on (after the EtherType 0x8100). */
@unmanaged
@final
export class Vlan {
  /** VLAN identifier; 0 is a priority tag, which belongs to no VLAN. */
  get identifier(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), TCI)) & 0x0fff;
  }

  set identifier(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), TCI);
  }

  /** EtherType of what follows, network order. */
  get typeBE(): u32 {
    return load<u16>(changetype<usize>(this), ETHER_TYPE);
  }

  set typeBE(value: u32) {
    store<u16>(changetype<usize>(this), value, ETHER_TYPE);
  }
}
