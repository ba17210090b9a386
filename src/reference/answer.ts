/**
 * ICMP and ICMPv6 errors that the director makes (RFC 792, RFC 1812 §4.3.2; RFC 4443 §2.4).
 *
 * @module
 */
import { countReply } from './counts.js';
import { type Echo, echo, signEcho } from './echo.js';
import { type Host, type Received, watches } from './host.js';
import { isForAll } from './martians.js';
import type { Interface, Route } from './network.js';
import { optionContext } from './options.js';
import { familyOf, isMulticast, isUnspecified } from './packet/address.js';
import { ICMP_LENGTH, ICMP_TYPE, isIcmpError, serialiseIcmp } from './packet/icmp.js';
import { ICMPV6_TYPE, isIcmpv6Error, serialiseIcmpv6 } from './packet/icmpv6.js';
import { type IpPacket, ipLength, isIpv6, serialiseIp } from './packet/ip.js';
import { type Ipv4Packet, PROTOCOL } from './packet/ipv4.js';
import { IPV6_MIN_MTU, type Ipv6Packet, NEXT_HEADER } from './packet/ipv6.js';
import { isRelated, lacksPorts, quotedTuple, readQuote, reversed } from './quote.js';
import type { ReferenceOutcome } from './types.js';
import { isIcmp, serialiseAsIs, upperLayer } from './upper.js';

/** Largest ICMP error in bytes, IP header included (RFC 1812 §4.3.2.3). */
const LARGEST = 576;

/** Bytes of an IPv4 header without options. */
const IPV4_LENGTH = 20;

/** Bytes of an IPv6 header and an ICMPv6 one. */
const IPV6_HEADERS = 48;

/** Hop limit or TTL of packets that the host makes. */
const OWN_HOPS = 64;

/** Code of an option that is not known (RFC 4443 §3.4): the one parameter problem that groups may cause. */
const UNKNOWN_OPTION = 2;

/** The errors by the name of their reason: type and code of ICMP, then of ICMPv6. */
const ERRORS = {
  'net-unreachable': [ICMP_TYPE.destinationUnreachable, 0, ICMPV6_TYPE.destinationUnreachable, 0],
  'host-unreachable': [ICMP_TYPE.destinationUnreachable, 1, ICMPV6_TYPE.destinationUnreachable, 3],
  'port-unreachable': [ICMP_TYPE.destinationUnreachable, 3, ICMPV6_TYPE.destinationUnreachable, 4],
  'fragmentation-needed': [ICMP_TYPE.destinationUnreachable, 4, ICMPV6_TYPE.packetTooBig, 0],
  'time-exceeded': [ICMP_TYPE.timeExceeded, 0, ICMPV6_TYPE.timeExceeded, 0],
} as const;

/** Name of an error that the director may send. */
export type AnswerName = keyof typeof ERRORS;

/** What an error says. */
export interface ErrorMessage {
  reason: string;
  type: number;
  code: number;
  /** The second word: an MTU, a pointer, or nothing. */
  rest: number;
}

/**
 * The error about `packet`, quoted as given, to its source; `undefined` where none may or can be sent.
 *
 * @param device on which the packet came in
 * @param mtu for `fragmentation-needed` (RFC 1191 §4, RFC 4443 §3.2)
 * @param link where a link-local source is looked for
 */
export function answer(
  host: Host,
  name: AnswerName,
  packet: IpPacket,
  device: Interface,
  mtu = 0,
  link = device,
): ReferenceOutcome | undefined {
  const [type, code, type6, code6] = ERRORS[name];
  const words = isIpv6(packet) ? { type: type6, code: code6 } : { type, code };
  return answerWith(host, { reason: name, ...words, rest: mtu }, packet, device, serialiseAsIs(packet), link);
}

/** The ICMP error about a packet that was taken in. What is taken in by its mark alone has no address to send from. */
export function tell(
  host: Host,
  received: Received,
  name: AnswerName,
  quoted: IpPacket,
  mtu = 0,
): ReferenceOutcome | undefined {
  const { destination } = received.packet;
  if (familyOf(destination) === 4 && !host.network.isLocal(destination)) return undefined;
  return answer(host, name, quoted, received.interface, mtu);
}

/** A parameter problem; `pointer` counts bytes from the start of the IP header. */
export function answerProblem(
  host: Host,
  code: number,
  pointer: number,
  packet: IpPacket,
  device: Interface,
): ReferenceOutcome | undefined {
  const words = isIpv6(packet)
    ? { type: ICMPV6_TYPE.parameterProblem, rest: pointer }
    : { type: ICMP_TYPE.parameterProblem, rest: pointer * 2 ** 24 };
  return answerWith(host, { reason: 'parameter-problem', code, ...words }, packet, device);
}

/**
 * Any error; as {@link answer}.
 *
 * @param quoted what is left of the packet, where that is not all
 */
export function answerWith(
  host: Host,
  message: ErrorMessage,
  packet: IpPacket,
  device: Interface,
  quoted = serialiseAsIs(packet),
  link = device,
): ReferenceOutcome | undefined {
  const echoed = isIpv6(packet) ? undefined : echo(packet.options, packet.source, faultOf(message));
  const to = echoed?.destination ?? packet.source;
  if (host.network.isLocal(to)) return undefined;
  const route = host.network.route(to, link);
  if (route === undefined) return undefined;
  const error = isIpv6(packet)
    ? makeIcmpv6(host, message, packet, route, device, quoted)
    : makeIcmp(host, message, packet, route, quoted, echoed!);
  if (error === undefined || isHeldBack(host, error)) return undefined;
  const departure = host.network.depart(route, serialiseIp(error));
  if (typeof departure === 'string') return undefined;
  countOwnError(host, error);
  return { verdict: 'forward', reason: message.reason, ...departure, made: true, partialChecksum: false };
}

/**
 * Whether IPVS does not let an error of the director itself out: with `schedule_icmp` it looks for the connection that the
 * error tells of, and drops it if that cannot be told.
 */
function isHeldBack(host: Host, error: IpPacket): boolean {
  const { payload } = error;
  const isLookedAt = watches(host, isIpv6(error) ? 6 : 4) && isRelated(error, payload[0]!);
  if (host.sysctl.schedule_icmp === 0 || !isLookedAt) return false;
  const quote = readQuote(payload.subarray(ICMP_LENGTH), isIpv6(error));
  return quote !== undefined && lacksPorts(quote);
}

/** An error about a packet to the virtual end of a DR or TUN connection counts as one from there. */
function countOwnError({ services, connections }: Host, error: IpPacket): void {
  const { payload } = error;
  if (!services.any(isIpv6(error) ? 6 : 4) || !isRelated(error, payload[0]!)) return;
  const quote = readQuote(payload.subarray(ICMP_LENGTH), isIpv6(error));
  const tuple = quote && quotedTuple(quote);
  const connection = tuple && connections.findDirect(reversed(tuple));
  if (connection !== undefined) countReply(ipLength(error), connection);
}

/** Which byte of a packet's options an error finds wrong, if that is what it tells. */
function faultOf({ type, rest }: ErrorMessage): number | undefined {
  return type === ICMP_TYPE.parameterProblem ? rest / 2 ** 24 - IPV4_LENGTH : undefined;
}

/** From the packet's destination if that is ours, else from the address that belongs to the way back. */
function makeIcmp(
  host: Host,
  { type, code, rest }: ErrorMessage,
  packet: Ipv4Packet,
  back: Route,
  quoted: Uint8Array,
  echoed: Echo,
): IpPacket | undefined {
  const icmpType = packet.payload[0];
  if (packet.fragmentOffset !== 0 || host.network.isSubnetBroadcast(packet.source)) return undefined;
  if (isForAll(host, packet.destination) || isForAll(host, echoed.destination)) return undefined;
  if (packet.protocol === PROTOCOL.icmp && (icmpType === undefined || isIcmpError(icmpType))) return undefined;
  const source = host.network.isLocal(packet.destination) ? packet.destination : back.source;
  if (typeof source !== 'number') return undefined;
  const options = signEcho(echoed, optionContext(host, source, host.now));
  if (options === undefined) return undefined;
  const room = Math.min(LARGEST, back.mtu) - IPV4_LENGTH - options.length - ICMP_LENGTH;
  // With no more than a header quoted it would tell nothing.
  if (room <= IPV4_LENGTH) return undefined;
  const payload = quoted.slice(0, room);
  return {
    // The precedence of internetwork control, the sender's type of service (RFC 1812 §4.3.2.5).
    tos: (packet.tos & 0x1e) | 0xc0,
    identification: host.nextIdentification(),
    flags: 0,
    fragmentOffset: 0,
    ttl: OWN_HOPS,
    protocol: PROTOCOL.icmp,
    checksum: 0,
    source,
    destination: echoed.destination,
    options,
    payload: serialiseIcmp({ type, code, rest, payload }),
  };
}

/**
 * From the packet's destination if that is ours, else from the address that the way back names, or from one of the
 * interface that the packet came in by.
 */
function makeIcmpv6(
  host: Host,
  { type, code, rest }: ErrorMessage,
  packet: Ipv6Packet,
  back: Route,
  device: Interface,
  quoted: Uint8Array,
): IpPacket | undefined {
  if (isUnspecified(packet.source) || isMulticast(packet.source)) return undefined;
  const forGroups =
    type === ICMPV6_TYPE.packetTooBig || (type === ICMPV6_TYPE.parameterProblem && code === UNKNOWN_OPTION);
  if (isMulticast(packet.destination) && !forGroups) return undefined;
  const upper = upperLayer(packet);
  if (upper !== undefined && isIcmp(packet, upper) && !upper.isLaterFragment) {
    const [icmpType] = upper.bytes;
    // Without one it could be an error.
    if (icmpType === undefined || isIcmpv6Error(icmpType)) return undefined;
  }
  const isOurs = host.network.isLocal(packet.destination);
  const named = back.preferredSource ?? host.network.sourceTowards(packet.source, device);
  const source = isOurs ? packet.destination : named;
  if (typeof source !== 'bigint') return undefined;
  const destination = packet.source;
  const payload = quoted.slice(0, IPV6_MIN_MTU - IPV6_HEADERS);
  return {
    trafficClass: 0,
    flowLabel: 0,
    nextHeader: NEXT_HEADER.icmpv6,
    hopLimit: OWN_HOPS,
    source,
    destination,
    payload: serialiseIcmpv6({ type, code, rest, payload }, source, destination),
  };
}
