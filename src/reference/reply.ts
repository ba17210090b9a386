/**
 * Packets of a connection from its server.
 *
 * @module
 */
import type { Connection } from './connections.js';
import { countReply } from './counts.js';
import type { Host, Received } from './host.js';
import { type IpPacket, ipLength } from './packet/ip.js';
import type { Transport } from './ports.js';

/**
 * A packet from the server of a NAT connection passes: it is counted, and the connection follows it.
 *
 * @returns whether it may be translated; one whose transport header is cut short changes nothing
 */
export function passReply(
  host: Host,
  packet: IpPacket,
  connection: Connection,
  transport: Transport,
  now: number,
): boolean {
  if (transport.truncated) return false;
  countReply(ipLength(packet), connection);
  host.connections.pass(connection, 'output', transport.event, now);
  return true;
}

/**
 * A packet that may be from a DR or TUN connection's server, which answers by way of the director instead of past it, from
 * the virtual address: it is counted, and the connection follows it; nothing is translated. Of IPv4 it gets here only when
 * that address is none of the host's own.
 *
 * @returns whether it is
 */
export function passDirect(host: Host, { packet, now }: Received, { tuple, truncated, event }: Transport): boolean {
  if (tuple === undefined) return false;
  const connection = host.connections.findDirect(tuple);
  if (connection === undefined || connection.method === 'nat') return false;
  countReply(ipLength(packet), connection);
  host.connections.pass(connection, 'output', truncated ? undefined : event, now);
  return true;
}
