/**
 * From the director to the dest of a connection: NAT, DR and TUN.
 *
 * @module
 */
import { answer } from './answer.js';
import type { Connection } from './connections.js';
import { drop, type Host, type Judgement, type Received } from './host.js';
import type { Network, Route } from './network.js';
import { isLoopback } from './packet/address.js';
import { concatenate } from './packet/checksum.js';
import { IP_FLAG, type Ipv4Packet, serialiseIpv4, totalLength, withLowerTtl } from './packet/ipv4.js';
import { translate } from './translate.js';
import { encapsulateIpip } from './tunnel.js';

const REASON = { nat: 'nat-in', dr: 'direct-route', tun: 'tunnel-ipip' } as const;

/** Bytes that the outer header takes. */
const OUTER_LENGTH = 20;

/** Every host must take packets of this size (RFC 791 §3.2). */
const SMALLEST_MTU = 68;

/** Sends a packet of `connection` on to its dest. */
export function transmit(host: Host, received: Received, connection: Connection): Judgement {
  const { packet } = received;
  const { dest, method } = connection;
  if (host.network.isLocal(dest.address)) return deliverHere(received, connection);
  const route = host.network.route(dest.address);
  if (route === undefined) return drop('no-route', answer(host, 'host-unreachable', packet));
  // A loopback address means nothing outside the host (RFC 1122 §3.2.1.3).
  if (isLoopback(packet.source)) return drop('local-boundary');
  if (packet.ttl <= 1) return drop('ttl-exceeded', answer(host, 'time-exceeded', packet));

  const lowered = withLowerTtl(packet);
  const mtu = method === 'tun' ? route.mtu - OUTER_LENGTH : route.mtu;
  if (method === 'tun' && mtu < SMALLEST_MTU) return drop('tunnel-mtu');
  const dontFragment = (packet.flags & IP_FLAG.dontFragment) !== 0;
  const mayAnswer = method !== 'tun' || host.sysctl.pmtu_disc !== 0;
  if (totalLength(packet) > mtu && dontFragment && mayAnswer) {
    return drop('too-big', answer(host, 'fragmentation-needed', lowered, mtu));
  }
  return emit(host.network, route, rewrite(host, lowered, connection, route), REASON[method]);
}

function rewrite(host: Host, packet: Ipv4Packet, connection: Connection, route: Route): Ipv4Packet {
  const { dest, method } = connection;
  if (method === 'dr') return packet;
  if (method === 'nat') return toDest(packet, connection);
  const dontFragment = (packet.flags & IP_FLAG.dontFragment) !== 0 && host.sysctl.pmtu_disc !== 0;
  return encapsulateIpip(packet, {
    source: route.source,
    destination: dest.address,
    identification: dontFragment ? 0 : host.nextIdentification(),
    copyDf: dontFragment,
  });
}

function toDest(packet: Ipv4Packet, { dest }: Connection): Ipv4Packet {
  return translate(packet, { destination: dest.address, destinationPort: dest.port });
}

/** The dest is the director itself: no hop, so no TTL (LOCALNODE). */
function deliverHere(received: Received, connection: Connection): Judgement {
  if (connection.method !== 'nat') return { verdict: 'local', reason: 'local-dest' };
  if (isLoopback(connection.dest.address) && received.interface.kind !== 'loopback') return drop('local-boundary');
  // The options are the stack's: it fills them in when it gets the packet.
  const given = { ...received.packet, options: received.givenOptions };
  const packet = serialiseIpv4(toDest(given, connection));
  return { verdict: 'local', reason: 'local-dest', frame: concatenate(received.link, packet) };
}

/** Puts a finished packet on the wire, if it fits. */
export function emit(network: Network, route: Route, packet: Ipv4Packet, reason: string): Judgement {
  if (totalLength(packet) > route.mtu) return drop('needs-fragmenting');
  const departure = network.depart(route, serialiseIpv4(packet));
  if (typeof departure === 'string') return drop(departure);
  return { verdict: 'forward', reason, ...departure };
}
