/**
 * Address and port translation: what NAT changes in a packet, in either direction.
 *
 * TCP and UDP checksums are updated from what changed (RFC 1624), so that a wrong one stays as
 * wrong as it was. A UDP datagram without a checksum gets one. AH and ESP, which have no ports, keep all theirs. SCTP's checksum covers no addresses:
 * it is computed anew when the port changes, and only then.
 *
 * @module
 */

import { Protocol } from '../../src/abi/protocol';
import { SB_CRC_TABLES } from '../../src/abi/superblock';
import { Conn } from '../conn/record';
import { Descriptor, Scratch } from '../descriptor';
import { isIpv6 } from '../flow/family';
import { checksumOffset, forgetPartial } from '../flow/offload';
import { pseudoOf } from '../flow/pseudo';
import { field } from '../superblock';
import { difference16, difference32, difference128, finish, fold, sum, update } from '../wire/checksum';
import { copyAddress6 } from '../wire/ipv6';
import { fillSctpChecksum, SCTP_SIZE } from '../wire/sctp';
import { TCP_MIN, Tcp } from '../wire/tcp';
import { CHECKSUM_ZERO, UDP_SIZE, Udp } from '../wire/udp';

/** Whether the whole transport header is there, which translation needs. */
export function hasTransportHeader(packet: Scratch): bool {
  switch (packet.protocol) {
    case Protocol.Tcp:
      return packet.l4Length >= TCP_MIN;
    case Protocol.Udp:
      return packet.l4Length >= UDP_SIZE;
    case Protocol.Sctp:
      return packet.l4Length >= SCTP_SIZE;
    default:
      // AH and ESP: nothing of them is looked at. A query of ICMP is none without.
      return true;
  }
}

/** Client to server: the destination becomes the dest. Returns what that adds to the sum of an IPv4 header. */
export function translateIn<A>(frame: Descriptor, packet: Scratch, conn: Conn): u64 {
  const delta = isIpv6<A>() ? difference128(conn.vaddr6, conn.daddr6) : difference32(conn.vaddrBE, conn.daddrBE);
  if (isIpv6<A>()) copyAddress6(packet.header6.destination, conn.daddr6);
  else packet.header.destinationBE = conn.daddrBE;
  if (packet.bucket != 0) {
    changetype<Udp>(packet.l4).destinationPortBE = conn.dportBE;
    updateTransport(frame, packet, delta, conn.vportBE, conn.dportBE);
  }
  return delta;
}

/** Server to client: the source becomes the virtual service. Returns what that adds to the sum of an IPv4 header. */
export function translateOut<A>(frame: Descriptor, packet: Scratch, conn: Conn): u64 {
  const delta = isIpv6<A>() ? difference128(conn.daddr6, conn.vaddr6) : difference32(conn.daddrBE, conn.vaddrBE);
  if (isIpv6<A>()) copyAddress6(packet.header6.source, conn.vaddr6);
  else packet.header.sourceBE = conn.vaddrBE;
  if (packet.bucket != 0) {
    changetype<Udp>(packet.l4).sourcePortBE = conn.vportBE;
    updateTransport(frame, packet, delta, conn.dportBE, conn.vportBE);
  }
  return delta;
}

/** The transport checksum follows what the addresses add to its sum, and the port that became another. */
function updateTransport(frame: Descriptor, packet: Scratch, addresses: u64, fromBE: u32, toBE: u32): void {
  if (frame.isPartial) {
    updateBegun(frame, packet, addresses);
  } else if (packet.protocol == Protocol.Tcp) {
    const tcp = changetype<Tcp>(packet.l4);
    tcp.checksum = update(tcp.checksum, addresses + difference16(fromBE, toBE));
  } else {
    updateOther(packet, addresses, difference16(fromBE, toBE), fromBE != toBE);
  }
}

/** A checksum that is only begun: it covers no ports yet. That of SCTP is finished. */
export function updateBegun(frame: Descriptor, packet: Scratch, addresses: u64): void {
  if (packet.protocol == Protocol.Sctp) {
    forgetPartial(frame);
    fillSctpChecksum(packet.l4, packet.l4Length, field(SB_CRC_TABLES));
  } else {
    const at = packet.l4 + checksumOffset(packet.protocol);
    store<u16>(at, fold(<u64>load<u16>(at) + addresses));
  }
}

/** The same for UDP and SCTP: what the ports add to the sum is `ports`, if they are `others`. */
export function updateOther(packet: Scratch, addresses: u64, ports: u64, others: bool): void {
  if (packet.protocol == Protocol.Udp) {
    const udp = changetype<Udp>(packet.l4);
    const old = udp.checksum;
    const checksum = old == 0 ? fullUdp(packet) : update(old, addresses + ports);
    udp.checksum = checksum == 0 ? CHECKSUM_ZERO : checksum;
  } else if (others) {
    fillSctpChecksum(packet.l4, packet.l4Length, field(SB_CRC_TABLES));
  }
}

/** UDP checksum over the datagram as the IP length has it; the field itself is 0. */
function fullUdp(packet: Scratch): u32 {
  const length = packet.l4Length;
  return finish(pseudoOf(packet, Protocol.Udp, length) + sum(packet.l4, length));
}
