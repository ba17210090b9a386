/**
 * The last step of what is forwarded: link header, and out.
 *
 * @module
 */
import { drop, type Host, type Judgement } from './host.js';
import type { Route } from './network.js';
import { type IpPacket, ipLength, serialiseIp } from './packet/ip.js';

/** A finished packet and its way. */
export interface Shipment {
  packet: IpPacket;
  route: Route;
  /** Bytes that may leave in one piece. */
  mtu: number;
  reason: string;
  /** Whether the transport checksum is only begun. */
  partialChecksum: boolean;
}

/** Puts a packet on the wire, if it fits. */
export function emit(host: Host, { packet, route, mtu, reason, partialChecksum }: Shipment): Judgement {
  if (ipLength(packet) > mtu) return drop('needs-fragmenting');
  const departure = host.network.depart(route, serialiseIp(packet));
  if (typeof departure === 'string') return drop(departure);
  return { verdict: 'forward', reason, ...departure, partialChecksum };
}
