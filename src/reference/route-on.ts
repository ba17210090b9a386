/**
 * The way of packets that others than the director are to get: route, hops, MTU, and out.
 *
 * @module
 */
import { answer, answerWith } from './answer.js';
import { emit } from './emit.js';
import { gather } from './gather.js';
import { drop, type Host, type Judgement, type Received } from './host.js';
import type { Route } from './network.js';
import { recordAgain } from './options.js';
import { type Address, isLinkLocal, isUnspecified } from './packet/address.js';
import { ICMPV6_TYPE } from './packet/icmpv6.js';
import { hopsOf, type IpPacket, ipLength, isIpv6, withHops } from './packet/ip.js';
import { IP_FLAG, isFragment } from './packet/ipv4.js';
import { unfinishedAfter } from './translate.js';
import { UPPER } from './upper.js';

/** Protocols whose fragments IPVS wants whole when they pass. */
const WHOLE: readonly number[] = [UPPER.icmp, UPPER.tcp, UPPER.udp, UPPER.sctp];

/** Beyond scope of source address (RFC 4443 §3.1). */
const BEYOND_SCOPE = { reason: 'net-unreachable', type: ICMPV6_TYPE.destinationUnreachable, code: 2, rest: 0 };

/** A packet as IPVS leaves it; `arrival` where it knows less of its fragments now. */
export interface Passed {
  packet: IpPacket;
  reason: string;
  arrival?: Received['arrival'];
}

/**
 * Routes a packet to `destination` (RFC 1812 §5.2.1, RFC 8200 §3).
 *
 * @param pass what IPVS makes of it once it may go
 * @param keepsHops whether it leaves with the TTL or hop limit that it came with
 */
export function routeOn(
  host: Host,
  received: Received,
  destination: Address,
  pass: (passing: Received) => Passed | Judgement,
  keepsHops = false,
): Judgement {
  const { packet, interface: device, isRouted = false } = received;
  const route = host.network.route(destination, device);
  if (route === undefined) return drop('no-route', answer(host, 'net-unreachable', packet, device));
  // One that is routed for the second time has had its hop counted.
  const hops = hopsOf(packet) + Number(isRouted);
  if (hops <= 1) return drop('ttl-exceeded', answer(host, 'time-exceeded', packet, device));
  if (isIpv6(packet) && isBoundToLink(packet.source) && route.interface !== device) {
    return drop('martian-source', answerWith(host, BEYOND_SCOPE, packet, device));
  }
  if (isTooBig(received, route.mtu)) {
    return drop('too-big', answer(host, 'fragmentation-needed', packet, device, route.mtu));
  }
  const counted = { ...received, packet: withHops(packet, keepsHops ? hops : hops - 1), isRouted: true };
  const go = (whole: Received): Judgement => leave(host, whole, route, pass(whole));
  return wantsWhole(host, packet) ? gather(host, counted, go) : go(counted);
}

/** Whether fragments are put together before IPVS sees them; of IPv6 that was done before. */
function wantsWhole(host: Host, packet: IpPacket): boolean {
  return !isIpv6(packet) && isFragment(packet) && host.services.any(4) && WHOLE.includes(packet.protocol);
}

function leave(host: Host, received: Received, route: Route, passed: Passed | Judgement): Judgement {
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
