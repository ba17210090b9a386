/**
 * The way of packets that others than the director are to get: route, hops, MTU, and out.
 *
 * @module
 */
import { type AnswerName, answer, answerWith, tell } from './answer.js';
import { emit } from './emit.js';
import { gather } from './gather.js';
import { drop, type Host, type Judgement, type Received, watches } from './host.js';
import { arrivalOverIpv6, LONGER, lengthAcross } from './nat64/headers.js';
import type { Route } from './network.js';
import { recordAgain } from './options.js';
import { type Address, familyOf, isLinkLocal, isUnspecified } from './packet/address.js';
import { ICMPV6_TYPE } from './packet/icmpv6.js';
import { hopsOf, type IpPacket, ipLength, isIpv6, withHops } from './packet/ip.js';
import { IP_FLAG, isFragment, withChecksum } from './packet/ipv4.js';
import { unfinishedAfter } from './translate.js';
import type { ReferenceOutcome } from './types.js';
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
  /** What is left to be finished of it, where that is less than before. */
  partialChecksum?: Received['partialChecksum'];
}

/** How a packet goes on. */
interface Going {
  /** Whether it leaves with the TTL or hop limit that it came with. */
  keepsHops?: boolean;
  /** Whether it is made as short as it has to be. */
  isShortened?: boolean;
  /** Whether the host had taken it in. */
  isTaken?: boolean;
}

/**
 * Routes a packet to `destination` (RFC 1812 §5.2.1, RFC 8200 §3), which may be of the other family.
 *
 * @param pass what IPVS makes of it once it may go by a way with that MTU
 */
export function routeOn(
  host: Host,
  received: Received,
  destination: Address,
  pass: (passing: Received, mtu: number) => Passed | Judgement,
  going: Going = {},
): Judgement {
  const { keepsHops = false, isShortened = false } = going;
  const { interface: device, isRouted = false } = received;
  // One that is routed for the second time has had its hop counted; its sender is told of it as it came.
  const hops = hopsOf(received.packet) + Number(isRouted);
  const packet = isRouted ? withHops(received.packet, hops) : received.packet;
  const say = speaker(host, received, going);
  const route = host.network.route(destination, device);
  if (route === undefined) return drop('no-route', say('net-unreachable', packet));
  if (hops <= 1) return drop('ttl-exceeded', say('time-exceeded', packet));
  if (isIpv6(packet) && isBoundToLink(packet.source) && route.interface !== device) {
    return drop('martian-source', answerWith(host, BEYOND_SCOPE, packet, device));
  }
  // Its sender hears of the room that there is in the sender's own family.
  const crosses = familyOf(destination) !== familyOf(packet.destination);
  const mtu = crosses ? route.mtu - LONGER : route.mtu;
  if (!isShortened && isTooBig(received, mtu, crosses)) {
    return drop('too-big', say('fragmentation-needed', packet, mtu));
  }
  const counted = { ...received, packet: withHops(packet, keepsHops ? hops : hops - 1), isRouted: true };
  const go = (whole: Received): Judgement => leave(host, whole, route, pass(whole, route.mtu), going);
  return wantsWhole(host, packet) ? gather(host, counted, go) : go(counted);
}

/** Whether fragments are put together before IPVS sees them; of IPv6 that was done before. */
function wantsWhole(host: Host, packet: IpPacket): boolean {
  return !isIpv6(packet) && isFragment(packet) && watches(host, 4) && WHOLE.includes(packet.protocol);
}

function leave(host: Host, received: Received, route: Route, passed: Passed | Judgement, going: Going): Judgement {
  if ('verdict' in passed) return passed;
  if (isIpv6(passed.packet) && !isIpv6(received.packet)) return leaveAcross(host, received, route, passed, going);
  const { packet, reason, arrival = received.arrival } = passed;
  // Longer by what FTP's helper has put into it: nobody is told, as it comes from the director itself by now.
  if (reason === 'nat-out' && isTooBig({ ...received, packet }, route.mtu)) return drop('too-big');
  const begun = received.partialChecksum;
  const partialChecksum = reason === 'routed' ? begun : unfinishedAfter(packet, begun);
  // The address that the packet leaves from is recorded: its new source if it was given one, but by SNAT.
  const isRouters = reason === 'snat-in' || packet.source === received.packet.source;
  const leavesFrom = isRouters ? route.source : packet.source;
  const leaving = recorded(packet, received, leavesFrom);
  // A whole that must not be cut was not sent like this, and will not be: its fragments were.
  if (arrival?.family === 4 && arrival.dontFragment && reason !== 'snat-in') {
    const quoted = isIpv6(leaving) ? leaving : withChecksum(leaving);
    return drop('too-big', speaker(host, received, going)('fragmentation-needed', quoted, route.mtu));
  }
  return emit(host, { packet: leaving, reason, route, mtu: route.mtu, arrival, partialChecksum });
}

/** An IPv4 packet has become one of IPv6. */
function leaveAcross(
  host: Host,
  { packet: before, arrival: came, partialChecksum }: Received,
  route: Route,
  { packet, reason, partialChecksum: begun = partialChecksum }: Passed,
  { isShortened = false }: Going,
): Judgement {
  const { mtu } = route;
  const arrival = isShortened ? undefined : arrivalOverIpv6(came, mtu);
  const identification = isIpv6(before) ? 0 : before.identification;
  const left = unfinishedAfter(packet, begun);
  return emit(host, { packet, reason, route, mtu, arrival, identification, partialChecksum: left });
}

/** Tells the sender: of what the host had taken in as {@link tell} does, of what it passes on as a router. */
function speaker(host: Host, received: Received, { isTaken = false }: Going) {
  return (name: AnswerName, quoted: IpPacket, mtu = 0): ReferenceOutcome | undefined =>
    isTaken ? tell(host, received, name, quoted, mtu) : answer(host, name, quoted, received.interface, mtu);
}

/** A packet that was routed, with the hops that it came with. */
export function asItCame(packet: IpPacket): IpPacket {
  return withHops(packet, hopsOf(packet) + 1);
}

function recorded(packet: IpPacket, { addressSlots }: Received, address: number | bigint): IpPacket {
  if (isIpv6(packet) || typeof address === 'bigint') return packet;
  return { ...packet, options: recordAgain(packet.options, addressSlots, address) };
}

/** Source addresses that mean nothing on another link (RFC 4291 §2.5.2, §2.5.6). */
function isBoundToLink(address: bigint): boolean {
  return isUnspecified(address) || isLinkLocal(address);
}

function isTooBig({ packet, arrival }: Received, mtu: number, crosses = false): boolean {
  const length = crosses ? lengthAcross(packet) - LONGER : ipLength(packet);
  // Fragments are cut as it is needed where the family is another one.
  if (length <= mtu || (crosses && arrival !== undefined)) return false;
  // What came in fragments leaves in such fragments.
  if (isIpv6(packet)) return arrival === undefined || arrival.largest > mtu;
  return (packet.flags & IP_FLAG.dontFragment) !== 0;
}
