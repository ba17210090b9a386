/**
 * Packets of a NAT connection from its server.
 *
 * @module
 */
import type { Connection } from './connections.js';
import { countReply } from './counts.js';
import type { Host } from './host.js';
import { type IpPacket, ipLength } from './packet/ip.js';
import type { Transport } from './ports.js';

/**
 * A packet from the server passes: it is counted, and the connection follows it.
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
