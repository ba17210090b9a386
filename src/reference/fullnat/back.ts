/**
 * The way of what servers of FullNAT send: it is addressed to the director, and goes on to the client.
 *
 * @module
 */
import type { Connection } from '../connections.js';
import type { Host, Judgement, Received } from '../host.js';
import type { IpPacket } from '../packet/ip.js';
import type { Transport } from '../ports.js';
import { passReply } from '../reply.js';
import { routeOn } from '../route-on.js';
import { keepsHops } from './profile.js';

/** A packet of the connection's server. */
export function sendBack(host: Host, received: Received, connection: Connection, transport: Transport): Judgement {
  return back(host, received, connection, (passing) => {
    const passed = passReply(host, passing, connection, transport);
    return 'verdict' in passed ? passed : { packet: passed, reason: 'fullnat-out' };
  });
}

/** An error about a packet to its server; `translateBack` counts it and tells how it is translated. */
export function sendErrorBack(
  host: Host,
  received: Received,
  connection: Connection,
  translateBack: () => { translate(packet: IpPacket): IpPacket } | Judgement,
): Judgement {
  return back(host, received, connection, ({ packet }) => {
    const changed = translateBack();
    return 'verdict' in changed ? changed : { packet: changed.translate(packet), reason: 'icmp-out' };
  });
}

function back(
  host: Host,
  received: Received,
  { clientAddress, fullnat }: Connection,
  pass: Parameters<typeof routeOn>[3],
): Judgement {
  return routeOn(host, received, clientAddress, pass, keepsHops(fullnat?.profile));
}
