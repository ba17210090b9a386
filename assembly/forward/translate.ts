/**
 * Address and port translation: what NAT changes in a packet, in either direction.
 *
 * TCP and UDP checksums are updated from what changed (RFC 1624), so that a wrong one stays as
 * wrong as it was. A UDP datagram without a checksum gets one.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { Conn } from '../conn/record';
import { Scratch } from '../descriptor';
import { difference16, difference32, finish, pseudoHeader, sum, update } from '../wire/checksum';
import { Ipv4 } from '../wire/ipv4';
import { TCP_MIN, Tcp } from '../wire/tcp';
import { CHECKSUM_ZERO, UDP_SIZE, Udp } from '../wire/udp';

/** Whether the whole transport header is there, which translation needs. */
export function hasTransportHeader(packet: Scratch): bool {
  return packet.l4Length >= (packet.header.protocol == Protocol.Tcp ? TCP_MIN : UDP_SIZE);
}

/** Client to server: the destination becomes the dest. Returns what that adds to the IP header's sum. */
export function translateIn(packet: Scratch, conn: Conn): u64 {
  const header = packet.header;
  const delta = difference32(conn.vaddrBE, conn.daddrBE);
  header.destinationBE = conn.daddrBE;
  changetype<Udp>(packet.l4).destinationPortBE = conn.dportBE;
  updateTransport(packet, header, delta + difference16(conn.vportBE, conn.dportBE));
  return delta;
}

/** Server to client: the source becomes the virtual service. Returns what that adds to the IP header's sum. */
export function translateOut(packet: Scratch, conn: Conn): u64 {
  const header = packet.header;
  const delta = difference32(conn.daddrBE, conn.vaddrBE);
  header.sourceBE = conn.vaddrBE;
  changetype<Udp>(packet.l4).sourcePortBE = conn.vportBE;
  updateTransport(packet, header, delta + difference16(conn.dportBE, conn.vportBE));
  return delta;
}

function updateTransport(packet: Scratch, header: Ipv4, delta: u64): void {
  if (header.protocol == Protocol.Tcp) {
    const tcp = changetype<Tcp>(packet.l4);
    tcp.checksum = update(tcp.checksum, delta);
    return;
  }
  const udp = changetype<Udp>(packet.l4);
  const checksum = udp.checksum == 0 ? fullUdp(packet, header) : update(udp.checksum, delta);
  udp.checksum = checksum == 0 ? CHECKSUM_ZERO : checksum;
}

/** UDP checksum over the datagram as the IP length has it; the field itself is 0. */
function fullUdp(packet: Scratch, header: Ipv4): u32 {
  const length = packet.l4Length;
  return finish(pseudoHeader(header.sourceBE, header.destinationBE, Protocol.Udp, length) + sum(packet.l4, length));
}
