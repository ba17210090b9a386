/**
 * Packets of a NAT connection from its server: back to where the client believes it speaks to.
 *
 * @module
 */
import type { Connection } from './connections.js';
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
  countReply(packet, connection);
  host.connections.pass(connection, 'output', transport.event, now);
  return true;
}

/** Counts what goes to the client. */
export function countReply(packet: IpPacket, { dest }: Connection): void {
  if (dest?.available !== true) return;
  for (const stats of [dest.stats, dest.service.stats]) {
    stats.outPackets += 1n;
    stats.outBytes += BigInt(ipLength(packet));
  }
}
