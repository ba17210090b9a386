/**
 * ICMP errors that the director makes (RFC 792; RFC 1812 §4.3.2).
 *
 * @module
 */
import type { Host } from './host.js';
import { ICMP_TYPE, isIcmpError, serialiseIcmp } from './packet/icmp.js';
import { type Ipv4Packet, PROTOCOL, serialiseIpv4 } from './packet/ipv4.js';
import type { ReferenceOutcome } from './types.js';

/** Largest ICMP error in bytes, IP header included (RFC 1812 §4.3.2.3). */
const LARGEST = 576;

/** The errors by the name of their reason: type and code. */
const ERRORS = {
  'net-unreachable': [ICMP_TYPE.destinationUnreachable, 0],
  'host-unreachable': [ICMP_TYPE.destinationUnreachable, 1],
  'port-unreachable': [ICMP_TYPE.destinationUnreachable, 3],
  'fragmentation-needed': [ICMP_TYPE.destinationUnreachable, 4],
  'time-exceeded': [ICMP_TYPE.timeExceeded, 0],
} as const;

/** Name of an error that the director may send. */
export type AnswerName = keyof typeof ERRORS;

/**
 * The error about `packet`, quoted as given, to its source: from its destination if that is ours, else from the address
 * that belongs to the way back. `undefined` where none may or can be sent; fragments never come here.
 *
 * @param nextHopMtu for `fragmentation-needed` (RFC 1191 §4)
 */
export function answer(host: Host, name: AnswerName, packet: Ipv4Packet, nextHopMtu = 0): ReferenceOutcome | undefined {
  const icmpType = packet.payload[0];
  if (packet.protocol === PROTOCOL.icmp && (icmpType === undefined || isIcmpError(icmpType))) return undefined;
  if (host.network.isLocal(packet.source) || host.network.isSubnetBroadcast(packet.source)) return undefined;
  const route = host.network.route(packet.source);
  if (route === undefined) return undefined;

  const [type, code] = ERRORS[name];
  const room = Math.min(LARGEST, route.mtu) - 20 - 8;
  const quote = serialiseIpv4(packet, packet.checksum).slice(0, Math.max(room, 0));
  const error = serialiseIpv4({
    // The precedence of internetwork control, the sender's type of service (RFC 1812 §4.3.2.5).
    tos: (packet.tos & 0x1e) | 0xc0,
    identification: host.nextIdentification(),
    flags: 0,
    fragmentOffset: 0,
    ttl: 64,
    protocol: PROTOCOL.icmp,
    checksum: 0,
    source: host.network.isLocal(packet.destination) ? packet.destination : route.source,
    destination: packet.source,
    options: new Uint8Array(0),
    payload: serialiseIcmp({ type, code, rest: nextHopMtu, payload: quote }),
  });
  const departure = host.network.depart(route, error);
  if (typeof departure === 'string') return undefined;
  return { verdict: 'forward', reason: name, ...departure, made: true };
}
