/**
 * Packets that are not addressed to the director: replies of servers, and all that is just routed.
 *
 * @module
 */
import { answer, answerWith } from './answer.js';
import { emit } from './emit.js';
import { gather } from './gather.js';
import { arrivalAfter } from './helper.js';
import { drop, type Host, type Judgement, pass, type Received } from './host.js';
import type { Route } from './network.js';
import { recordAgain } from './options.js';
import { isLinkLocal, isUnspecified } from './packet/address.js';
import { ICMPV6_TYPE } from './packet/icmpv6.js';
import { hopsOf, type IpPacket, ipLength, isIpv6, withLowerHops } from './packet/ip.js';
import { IP_FLAG, isFragment } from './packet/ipv4.js';
import { connectOutwards } from './persistence.js';
import { readTransport } from './ports.js';
import { judgePassingError } from './related.js';
import { passDirect, passReply } from './reply.js';
import { endOnce, messageOf } from './schedule.js';
import { isStray } from './stray.js';
import { unfinishedAfter } from './translate.js';
import { isIcmp, UPPER, upperLayer } from './upper.js';

/** Protocols whose fragments IPVS wants whole when they pass. */
const WHOLE: readonly number[] = [UPPER.icmp, UPPER.tcp, UPPER.udp, UPPER.sctp];

/** Beyond scope of source address (RFC 4443 §3.1). */
const BEYOND_SCOPE = { reason: 'net-unreachable', type: ICMPV6_TYPE.destinationUnreachable, code: 2, rest: 0 };

/** Routes a packet (RFC 1812 §5.2.1, RFC 8200 §3), and translates it on its way if a NAT connection's server sent it. */
export function forward(host: Host, received: Received): Judgement {
  const { packet, interface: device } = received;
  const isOn = isIpv6(packet) ? host.sysctl.ipv6_forwarding : host.sysctl.ip_forward;
  if (isOn === 0) return pass('not-forwarding');
  const route = host.network.route(packet.destination, device);
  if (route === undefined) return drop('no-route', answer(host, 'net-unreachable', packet, device));
  if (hopsOf(packet) <= 1) return drop('ttl-exceeded', answer(host, 'time-exceeded', packet, device));
  if (isIpv6(packet) && isBoundToLink(packet.source) && route.interface !== device) {
    return drop('martian-source', answerWith(host, BEYOND_SCOPE, packet, device));
  }
  if (isTooBig(received, route.mtu)) {
    return drop('too-big', answer(host, 'fragmentation-needed', packet, device, route.mtu));
  }
  const lowered = { ...received, packet: withLowerHops(packet), isRouted: true };
  return wantsWhole(host, packet)
    ? gather(host, lowered, (whole) => forwardOn(host, whole, route))
    : forwardOn(host, lowered, route);
}

/** Whether fragments are put together before IPVS sees them; of IPv6 that was done before. */
function wantsWhole(host: Host, packet: IpPacket): boolean {
  return !isIpv6(packet) && isFragment(packet) && host.services.any(4) && WHOLE.includes(packet.protocol);
}

function forwardOn(host: Host, received: Received, route: Route): Judgement {
  const passed = passIpvs(host, received);
  if ('verdict' in passed) return passed;
  const { packet, reason, arrival = received.arrival } = passed;
  // Longer by what FTP's helper has put into it: nobody is told, as it comes from the director itself by now.
  if (reason === 'nat-out' && isTooBig({ ...received, packet }, route.mtu)) return drop('too-big');
  const { interface: device } = received;
  const begun = received.partialChecksum;
  const partialChecksum = reason === 'routed' ? begun : unfinishedAfter(packet, begun);
  // A whole that must not be cut was not sent like this, and will not be: its fragments were.
  if (arrival?.family === 4 && arrival.dontFragment) {
    return drop('too-big', answer(host, 'fragmentation-needed', packet, device, route.mtu));
  }
  // The address that the packet leaves from is recorded: its new source if it was translated.
  const leavesFrom = reason === 'routed' ? route.source : packet.source;
  const leaving = recorded(packet, received, leavesFrom);
  return emit(host, { packet: leaving, reason, route, mtu: route.mtu, arrival, partialChecksum });
}

function recorded(packet: IpPacket, { addressSlots }: Received, address: number | bigint): IpPacket {
  if (isIpv6(packet) || typeof address === 'bigint') return packet;
  return { ...packet, options: recordAgain(packet.options, addressSlots, address) };
}

/** Source addresses that mean nothing on another link (RFC 4291 §2.5.2, §2.5.6). */
function isBoundToLink(address: bigint): boolean {
  return isUnspecified(address) || isLinkLocal(address);
}

function isTooBig({ packet, arrival }: Received, mtu: number): boolean {
  if (ipLength(packet) <= mtu) return false;
  // What came in fragments leaves in such fragments.
  if (isIpv6(packet)) return arrival === undefined || arrival.largest > mtu;
  return (packet.flags & IP_FLAG.dontFragment) !== 0;
}

/** A packet as IPVS leaves it; `arrival` where it knows less of its fragments now. */
interface Passed {
  packet: IpPacket;
  reason: string;
  arrival?: Received['arrival'];
}

/** The packet as IPVS leaves it, or IPVS's own verdict. */
function passIpvs(host: Host, received: Received): Passed | Judgement {
  const { packet, now } = received;
  const upper = upperLayer(packet);
  if (upper === undefined) return { packet, reason: 'routed' };
  if (isIcmp(packet, upper) && !upper.isLaterFragment) return judgePassingError(host, received, upper.bytes);
  const transport = readTransport(packet);
  if (transport?.tuple === undefined) return { packet, reason: 'routed' };
  let connection = host.connections.findReply(transport.tuple);
  if (connection === undefined) {
    if (passDirect(host, received, transport)) return { packet, reason: 'routed' };
    if (!transport.isSecured) connection = connectOutwards(host, transport.tuple, messageOf(received), now);
  }
  if (connection === undefined) {
    if (!isStray(host, transport)) return { packet, reason: 'routed' };
    return drop('no-connection', answer(host, 'port-unreachable', packet, received.interface));
  }
  const arrival = arrivalAfter(received.arrival, connection);
  const passed = passReply(host, received, connection, transport);
  endOnce(host, connection);
  return 'verdict' in passed ? passed : { packet: passed, reason: 'nat-out', arrival };
}
