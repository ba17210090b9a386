/**
 * Packets of a NAT connection from its server: back to where the client believes it speaks to.
 *
 * @module
 */
import type { Connection } from './connections.js';
import type { Host } from './host.js';
import { type Ipv4Packet, totalLength } from './packet/ipv4.js';
import type { Transport } from './ports.js';
import { translate } from './translate.js';

/**
 * The packet with the virtual end as its source; counted, and the connection follows it (RFC 3022 §4.1).
 *
 * @returns `undefined` when the transport header is cut short: such a packet changes nothing
 */
export function passReply(
  host: Host,
  packet: Ipv4Packet,
  connection: Connection,
  transport: Transport,
  now: number,
): Ipv4Packet | undefined {
  if (transport.truncated) return undefined;
  if (connection.dest.available) {
    for (const stats of [connection.dest.stats, connection.dest.service.stats]) {
      stats.outPackets += 1n;
      stats.outBytes += BigInt(totalLength(packet));
    }
  }
  host.connections.pass(connection, 'output', transport.tcpFlags, now);
  return translate(packet, { source: connection.virtualAddress, sourcePort: connection.virtualPort });
}
