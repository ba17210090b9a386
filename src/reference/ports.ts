/**
 * What a director reads of TCP and UDP headers, however short they are.
 *
 * @module
 */
import type { Tuple } from './connections.js';
import { type Ipv4Packet, PROTOCOL } from './packet/ipv4.js';
import { parseTcp, TCP_LENGTH } from './packet/tcp.js';
import { UDP_LENGTH } from './packet/udp.js';
import type { ReferenceProtocol } from './types.js';

/** The transport header of a packet, as far as it is there. */
export interface Transport {
  protocol: ReferenceProtocol;
  /** `undefined` when not even the ports are there. */
  tuple: Tuple | undefined;
  /** Whether the fixed header is cut short. */
  truncated: boolean;
  /** `undefined` for UDP and for a truncated segment. */
  tcpFlags: number | undefined;
}

/** `undefined` when the packet is neither TCP nor UDP. */
export function readTransport(packet: Ipv4Packet): Transport | undefined {
  const { payload } = packet;
  const isTcp = packet.protocol === PROTOCOL.tcp;
  if (!isTcp && packet.protocol !== PROTOCOL.udp) return undefined;
  const protocol = isTcp ? 'tcp' : 'udp';
  const truncated = payload.length < (isTcp ? TCP_LENGTH : UDP_LENGTH);
  if (payload.length < 4) return { protocol, tuple: undefined, truncated, tcpFlags: undefined };
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const tuple = {
    protocol,
    source: packet.source,
    sourcePort: view.getUint16(0),
    destination: packet.destination,
    destinationPort: view.getUint16(2),
  } as const;
  return { protocol, tuple, truncated, tcpFlags: isTcp && !truncated ? parseTcp(payload).flags : undefined };
}
