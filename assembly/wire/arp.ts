/**
 * ARP for IPv4 over Ethernet (RFC 826): enough to see what is asked. The host answers.
 *
 * @module
 */

const OPERATION: usize = 6;
const SENDER_IP: usize = 14;
const TARGET_IP: usize = 24;
/** Bytes of a packet for Ethernet and IPv4. */
export const ARP_SIZE: u32 = 28;

/** View of an ARP packet; valid where at least ARP_SIZE bytes were seen. */
@unmanaged
@final
export class Arp {
  /** 1 request, 2 reply. */
  get operation(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), OPERATION));
  }

  get senderBE(): u32 {
    return load<u32>(changetype<usize>(this), SENDER_IP);
  }

  get targetBE(): u32 {
    return load<u32>(changetype<usize>(this), TARGET_IP);
  }
}
