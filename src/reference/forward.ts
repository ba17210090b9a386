/**
 * Packets that are not addressed to the director: replies of servers, and all that is just routed.
 *
 * @module
 */
import { answer } from './answer.js';
import { drop, type Host, type Judgement, pass, type Received } from './host.js';
import { recordAgain } from './options.js';
import { IP_FLAG, type Ipv4Packet, totalLength, withLowerTtl } from './packet/ipv4.js';
import { TCP_FLAG } from './packet/tcp.js';
import { readTransport, type Transport } from './ports.js';
import { passReply } from './reply.js';
import { emit } from './transmit.js';

/** Routes a packet (RFC 1812 §5.2.1), and translates it on its way if a NAT connection's server sent it. */
export function forward(host: Host, received: Received): Judgement {
  const { packet } = received;
  if (host.sysctl.ip_forward === 0) return pass('not-forwarding');
  const route = host.network.route(packet.destination);
  if (route === undefined) return drop('no-route', answer(host, 'net-unreachable', packet));
  if (packet.ttl <= 1) return drop('ttl-exceeded', answer(host, 'time-exceeded', packet));
  if (totalLength(packet) > route.mtu && (packet.flags & IP_FLAG.dontFragment) !== 0) {
    return drop('too-big', answer(host, 'fragmentation-needed', packet, route.mtu));
  }
  const passed = translateReply(host, withLowerTtl(packet), received.now);
  if ('verdict' in passed) return passed;
  // The address that the packet leaves from is recorded: its new source if it was translated.
  const leavesFrom = passed.reason === 'nat-out' ? passed.packet.source : route.source;
  const options = recordAgain(packet.options, received.addressSlots, leavesFrom);
  return emit(host.network, route, { ...passed.packet, options }, passed.reason);
}

/** The packet as IPVS leaves it, or IPVS's own verdict. */
function translateReply(
  host: Host,
  packet: Ipv4Packet,
  now: number,
): { packet: Ipv4Packet; reason: 'nat-out' | 'routed' } | Judgement {
  const transport = readTransport(packet);
  if (transport?.tuple === undefined) return { packet, reason: 'routed' };
  const connection = host.connections.findReply(transport.tuple);
  if (connection === undefined) {
    if (!wantsPortUnreachable(host, transport)) return { packet, reason: 'routed' };
    return drop('no-connection', answer(host, 'port-unreachable', packet));
  }
  const translated = passReply(host, packet, connection, transport, now);
  return translated === undefined ? drop('transport-truncated') : { packet: translated, reason: 'nat-out' };
}

/** `nat_icmp_send`: a server that speaks without a connection is told so. A RST is never answered. */
function wantsPortUnreachable(host: Host, { tuple, tcpFlags }: Transport): boolean {
  if (host.sysctl.nat_icmp_send === 0 || tuple === undefined) return false;
  if (((tcpFlags ?? 0) & TCP_FLAG.rst) !== 0) return false;
  return host.services.hasNatDest(tuple.protocol, tuple.source, tuple.sourcePort);
}
