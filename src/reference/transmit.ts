/**
 * From the director to the dest of a connection: NAT, DR, TUN, and bypass.
 *
 * @module
 */
import { answer, answerProblem, tell } from './answer.js';
import { type Connection, type FullNat, isTranslated } from './connection.js';
import { emit, finished, needsCutting, type Shipment, settle } from './emit.js';
import { flowPort } from './flow-port.js';
import { certainGrowth, type Room, tellServer } from './fullnat/carry.js';
import { keepsHops } from './fullnat/profile.js';
import { arrivalAfter, followShift, hearClient } from './helper.js';
import { drop, type Host, type Judgement, type Received } from './host.js';
import { arrivalOverIpv4, isNat64, isUncut, LONGER, lengthAcross, numbered, toIpv4 } from './nat64/headers.js';
import type { Route } from './network.js';
import { optionContext, processOptions, recordAgain } from './options.js';
import { type Address, familyOf, isLinkLocal, isLoopback } from './packet/address.js';
import { concatenate } from './packet/checksum.js';
import { hopsOf, type IpPacket, ipLength, isIpv6, serialiseIp, withLowerHops } from './packet/ip.js';
import { IP_FLAG, type Ipv4Packet } from './packet/ipv4.js';
import { IPV6_LENGTH, IPV6_MIN_MTU } from './packet/ipv6.js';
import { findSegmentsLeft } from './packet/ipv6-extensions.js';
import { pendingChecksum, type Unfinished } from './packet/partial.js';
import type { Dest } from './services.js';
import { proxiedIn } from './synproxy/proxied.js';
import { isBegun, translate, translateInto, unfinishedAfter } from './translate.js';
import { encapsulate, tunnelMtu } from './tunnels.js';
import type { ReferenceOutcome } from './types.js';
import { withEnds } from './upper.js';

/** What is sent: a packet of the connection, or an ICMP error about one. */
export interface Load {
  /**
   * What NAT or FullNAT makes of it, perhaps with a packet of the director in front; or the verdict where that stops it.
   *
   * @param unfinished what is left to be finished of `packet`
   */
  translate(packet: IpPacket, room: Room, unfinished: Unfinished): [IpPacket, ...IpPacket[]] | Judgement;
  /** `undefined`: that of the method. */
  reason: string | undefined;
  /** About errors no errors are sent, so that those of IPv4 are cut instead. */
  isError: boolean;
  /** Its transport header is cut short: NAT has nothing to rewrite, but looks at the way first. */
  isCut: boolean;
}

const REASON = {
  nat: 'nat-in',
  fullnat: 'fullnat-in',
  snat: 'snat-in',
  dr: 'direct-route',
  tun: 'tunnel-ipip',
  bypass: 'bypass',
} as const;
/** No length field of IPv4 says more. */
const LONGEST = 0xffff;

const TUNNEL_REASON = { ipip: 'tunnel-ipip', gre: 'tunnel-gre', gue: 'tunnel-gue' } as const;

/** Sends a packet of `connection` on; `isCut` as in Load. */
export function transmit(host: Host, received: Received, connection: Connection, isCut: boolean): Judgement {
  const { destAddress: destination, destPort: destinationPort, fullnat } = connection;
  const { now } = received;
  return send(host, received, connection, {
    translate: (packet, room, unfinished) => {
      const isPartial = isBegun(packet, unfinished);
      if (fullnat !== undefined) return translateToServer(packet, connection, fullnat, room, isPartial);
      const stopped = hearClient(host, packet, connection, unfinished, now);
      if (stopped !== undefined) return stopped;
      const translated = translate(packet, { destination, destinationPort }, isPartial);
      const followed = followShift(proxiedIn(translated, connection, isPartial), connection, 'input', isPartial);
      return 'verdict' in followed ? followed : [followed];
    },
    reason: undefined,
    isError: false,
    isCut,
  });
}

/** A client's packet as by FullNAT or SNAT, perhaps with one of the director's ahead of it. */
export function translateToServer(
  packet: IpPacket,
  connection: Connection,
  fullnat: FullNat,
  room: Room,
  isPartial: boolean,
): [IpPacket, ...IpPacket[]] | Judgement {
  const { destAddress: destination, destPort: destinationPort } = connection;
  const { address: source, port: sourcePort } = fullnat.local;
  const ends = { source, sourcePort, destination, destinationPort };
  const addressed = isNat64(connection) ? toIpv4(packet, ends, fullnat.profile) : withEnds(packet, ends);
  const translated = translateInto(packet, addressed, ends, isPartial);
  return tellServer(proxiedIn(translated, connection, isPartial), connection, fullnat, room, isPartial);
}

/** Sends a packet, or an error about one, to the dest of `connection`. */
export function send(host: Host, received: Received, connection: Connection, load: Load): Judgement {
  const { packet } = received;
  const { method, fullnat } = connection;
  const goal = method === 'bypass' ? packet.destination : connection.destAddress;
  // A data connection of FTP may go elsewhere than to its dest, whose way it takes.
  const to = (method === 'nat' && connection.dest?.address) || goal;
  const neighbour = neighbourOf(host, received, connection) ?? goal;
  if (host.network.isLocal(to)) {
    return method === 'bypass' ? drop('local-boundary') : deliverHere(host, received, connection, load);
  }
  const found = host.network.route(to);
  if (found === undefined) return drop('no-route', tellUnreachable(host, received));
  const route = found.nextHop === to ? { ...found, nextHop: neighbour } : found;
  // A loopback address means nothing outside the host (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3).
  if (isLoopback(packet.source)) return drop('local-boundary');
  if (hopsOf(packet) <= 1) return drop('ttl-exceeded', tellExceeded(host, received));

  if (isNat64(connection)) return sendAcross(host, received, connection, load, route);
  const lowered = keepsHops(fullnat?.profile) ? packet : withLowerHops(packet);
  const tunnelled = method === 'tun' ? connection.dest : undefined;
  // The way to a dest by SNAT is nobody's.
  const linkMtu = method === 'snat' ? route.mtu : pathMtu(host, connection.dest, to, route.mtu, received.now);
  const pending = pendingChecksum(packet, received.partialChecksum);
  const partialChecksum = pending !== undefined && received.partialChecksum;
  const mtu =
    tunnelled === undefined ? linkMtu : tunnelMtu(tunnelled.tunnel, familyOf(to), linkMtu, pending !== undefined);
  if (mtu === 'tunnel-mtu') return drop(mtu);
  const growth = load.isError ? 0 : certainGrowth(connection);
  const mayCut = load.isError || (tunnelled !== undefined && host.sysctl.pmtu_disc === 0);
  // What SNAT sends was routed before.
  const isLookedAt = method === 'snat' && received.isRouted === true;
  if (!isLookedAt && isTooBig(received, mtu, mayCut, growth)) {
    return drop('too-big', tell(host, received, 'fragmentation-needed', lowered, lessened(packet, mtu, growth)));
  }
  if (load.isCut && isTranslated(connection)) return drop('transport-truncated');
  // Numbers and what tells the server hang on it; what a helper thinks of a packet does not.
  if (fullnat !== undefined && lacksNeighbour(host, route, packet)) return drop('no-neighbour');
  const { isRouted = false } = received;
  const arrival = load.isError ? received.arrival : arrivalAfter(received.arrival, connection);
  const shipment = { route, mtu: linkMtu, partialChecksum, arrival, isRerouted: isRouted && !isIpv6(packet) };
  if (tunnelled !== undefined) return emitByTunnel(host, lowered, tunnelled, load.reason, shipment);
  const outgoing = { ...shipment, reason: load.reason ?? REASON[method] };
  if (!isTranslated(connection)) return emit(host, { ...outgoing, packet: lowered });
  const isWholeOnly = isIpv6(packet) ? arrival === undefined : (packet.flags & IP_FLAG.dontFragment) !== 0;
  const room = { mtu: linkMtu, mayCut: !isWholeOnly, mayBeTwo: true };
  const settled = settledFor(connection, received, load);
  if (typeof settled === 'string') return emit(host, { ...outgoing, packet: lowered });
  const passing = method === 'snat' ? recorded(settled.packet, received, route) : settled.packet;
  const own = keepsHops(fullnat?.profile) ? passing : withLowerHops(passing);
  const translated = load.translate(own, room, settled.partialChecksum);
  if ('verdict' in translated) return translated;
  const [first, second] = translated;
  const leaving = { ...outgoing, partialChecksum: pending !== undefined && settled.partialChecksum };
  return emitBoth(host, second === undefined ? undefined : first, second ?? first, leaving);
}

/** The packet as it is translated. Where something may be put in, what GUE left to be finished is so first: it is found by where it stands. */
function settledFor(
  { fullnat }: Connection,
  { packet, partialChecksum }: Received,
  { isError }: Load,
): Pick<Received, 'packet' | 'partialChecksum'> | 'tunnel-malformed' {
  return isError || fullnat?.carry === undefined ? { packet, partialChecksum } : settle(packet, partialChecksum);
}

/** By SNAT a packet leaves as from a router, whose address on the way out is recorded. */
function recorded(packet: IpPacket, { addressSlots }: Received, { source }: Route): IpPacket {
  if (isIpv6(packet) || typeof source === 'bigint') return packet;
  return { ...packet, options: recordAgain(packet.options, addressSlots, source) };
}

/** A client's packet, perhaps with one of the director's ahead of it. */
function emitBoth(
  host: Host,
  ahead: IpPacket | undefined,
  packet: IpPacket,
  outgoing: Omit<Shipment, 'packet'>,
): Judgement {
  const own = { ...outgoing, packet, partialChecksum: unfinishedAfter(packet, outgoing.partialChecksum) };
  if (ahead === undefined) return emit(host, own);
  const told = { ...outgoing, packet: ahead, partialChecksum: false, arrival: undefined, reason: 'client-address' };
  return withMade(emit(host, told), emit(host, own));
}

/** NAT64: the way is known, and the packet leaves over IPv4. */
function sendAcross(host: Host, received: Received, connection: Connection, load: Load, route: Route): Judgement {
  const { packet, arrival } = received;
  const { profile } = connection.fullnat!;
  const refused = load.isError ? undefined : refuseRouted(host, received);
  if (refused !== undefined) return refused;
  const lower = (each: IpPacket): IpPacket => (keepsHops(profile) ? each : withLowerHops(each));
  const mtu = pathMtu(host, connection.dest, connection.destAddress, route.mtu, received.now);
  const growth = certainGrowth(connection);
  const length = lengthAcross(packet) + growth;
  if (!load.isError && arrival === undefined && length > mtu && isUncut(length, profile)) {
    const told = Math.max(IPV6_MIN_MTU, mtu - growth + LONGER);
    return drop('too-big', tell(host, received, 'fragmentation-needed', lower(packet), told));
  }
  if (load.isCut) return drop('transport-truncated');
  if (lacksNeighbour(host, route, packet)) return drop('no-neighbour');
  const room = { mtu, mayCut: !load.isError && arrival !== undefined, mayBeTwo: true };
  const crossed = cross(host, received, connection, load, lower, room);
  if ('verdict' in crossed) return crossed;
  const { ahead, packet: own, partialChecksum } = crossed;
  const reason = load.reason ?? 'nat64-in';
  const cutAs = load.isError ? undefined : arrivalOverIpv4(arrival);
  return emitBoth(host, ahead, own, { route, mtu, arrival: cutAs, reason, partialChecksum });
}

/** A client's packet as IPv4, and what is put ahead of it. */
function cross(
  host: Host,
  { packet, arrival, partialChecksum }: Received,
  { fullnat }: Connection,
  load: Load,
  lower: (packet: IpPacket) => IpPacket,
  room: Room,
): { ahead: IpPacket | undefined; packet: Ipv4Packet; partialChecksum: boolean } | Judgement {
  // What GUE left to be finished is found by where it stands, which another header moves. That of an error is made anew.
  const settled = load.isError ? { packet, partialChecksum: false } : settle(packet, partialChecksum);
  if (typeof settled === 'string') return drop(settled);
  const translated = load.translate(lower(settled.packet), room, settled.partialChecksum);
  if ('verdict' in translated) return translated;
  const [first, second] = translated;
  const own = second ?? first;
  if (ipLength(own) > LONGEST || isIpv6(own)) return drop('too-big');
  const number = numbered(host, own, fullnat!.profile, load.isError ? undefined : arrival);
  return { ...settled, ahead: second === undefined ? undefined : first, packet: number };
}

function lacksNeighbour({ network }: Host, route: Route, packet: IpPacket): boolean {
  return network.depart(route, serialiseIp(packet)) === 'no-neighbour';
}

/** A packet that has not come to its last destination yet is not translated (RFC 7915 §5.1). */
function refuseRouted(host: Host, { packet, interface: device }: Received): Judgement | undefined {
  const at = isIpv6(packet) ? findSegmentsLeft(packet) : undefined;
  return at === undefined
    ? undefined
    : drop('ipv6-extension', answerProblem(host, 0, IPV6_LENGTH + at, packet, device));
}

/**
 * Who is next on the dest's own link, if that is not who it seems: the kernel keeps the dest's route with the flag that it was
 * looked up with, and DR needs one.
 */
function neighbourOf({ network }: Host, { packet }: Received, { dest, method }: Connection): Address | undefined {
  if (dest === undefined) return undefined;
  const isDirect = method === 'dr';
  if (dest.routed?.network !== network) dest.routed = { network, isDirect };
  return isDirect && !dest.routed.isDirect ? packet.destination : undefined;
}

/** What may come by a way on which each packet becomes longer; every link of IPv6 takes 1280 bytes. */
function lessened(packet: IpPacket, mtu: number, growth: number): number {
  return isIpv6(packet) && growth > 0 ? Math.max(mtu - growth, IPV6_MIN_MTU) : mtu - growth;
}

/** Two packets for one that came; neither without the other. */
function withMade(told: Judgement, { verdict, reason, outInterface, frame, made = [], ...own }: Judgement): Judgement {
  if (verdict !== 'forward' || frame === undefined) return drop(reason);
  const { partialChecksum = false } = own;
  return { ...told, made: [{ verdict, reason, outInterface, frame, made: true, partialChecksum }, ...made] };
}

/** Linux takes a link-local client to be on the link that the packet's destination belongs to. */
function tellExceeded(host: Host, received: Received): ReferenceOutcome | undefined {
  const { packet, interface: device } = received;
  if (!isIpv6(packet)) return tell(host, received, 'time-exceeded', packet);
  const link = host.network.linkOf(packet.destination, device);
  // Others are found without a link.
  if (link === undefined && isLinkLocal(packet.source)) return undefined;
  return answer(host, 'time-exceeded', packet, device, 0, link ?? device);
}

/** Linux fills in the options of such a packet a second time, and says nothing if they are faulty by then. */
function tellUnreachable(host: Host, received: Received): ReferenceOutcome | undefined {
  const { packet, now } = received;
  if (isIpv6(packet)) return tell(host, received, 'host-unreachable', packet);
  const again = processOptions(packet.options, optionContext(host, packet.destination, now));
  if ('reason' in again) return undefined;
  return tell(host, received, 'host-unreachable', { ...packet, options: again.options });
}

/** The MTU of the way to a dest, which from now on holds what is known of it. */
function pathMtu(host: Host, dest: Dest | undefined, to: Address, own: number, now: number): number {
  const path = host.paths.get(to, now);
  if (dest !== undefined) dest.way = { mtu: own, path };
  return Math.min(own, path?.mtu ?? own);
}

/** @param mayCut IPv4 packets are cut although they say otherwise, or nothing is to be said about it */
function isTooBig({ packet, arrival }: Received, mtu: number, mayCut: boolean, growth: number): boolean {
  const length = ipLength(packet) + growth;
  // What came in fragments leaves in such fragments.
  if (isIpv6(packet)) return (arrival?.largest ?? length) > mtu;
  return length > mtu && !mayCut && (packet.flags & IP_FLAG.dontFragment) !== 0;
}

function emitByTunnel(
  host: Host,
  inner: IpPacket,
  dest: Dest,
  reason: string | undefined,
  way: Omit<Shipment, 'packet' | 'reason'>,
): Judgement {
  const dontFragment = !isIpv6(inner) && (inner.flags & IP_FLAG.dontFragment) !== 0 && host.sysctl.pmtu_disc !== 0;
  const isNumbered = familyOf(dest.address) === 4 && !dontFragment;
  const tunnel = {
    ...dest.tunnel,
    source: way.route.source,
    destination: dest.address,
    identification: isNumbered ? host.nextIdentification() : 0,
    copyDf: dontFragment,
    ecn: host.ecn,
    sourcePort: flowPort(inner),
    destinationPort: dest.tunnel.port,
  };
  const isRemote = dest.tunnel.type === 'gue' && dest.tunnel.checksum === 'remcsum';
  const { partialChecksum } = way;
  const settled = isRemote ? { packet: inner, partialChecksum } : settle(inner, partialChecksum);
  if (typeof settled === 'string') return drop(lacksNeighbour(host, way.route, inner) ? 'no-neighbour' : settled);
  const begun = encapsulate(settled, tunnel);
  // No length field says more.
  if (ipLength(begun.packet) > 0xffff + (isIpv6(begun.packet) ? 40 : 0)) return drop('too-big');
  const outer =
    begun.partialChecksum && needsCutting({ ...way, packet: begun.packet })
      ? encapsulate({ packet: finished(settled.packet), partialChecksum: false }, tunnel)
      : begun;
  return emit(host, { ...way, ...outer, reason: reason ?? TUNNEL_REASON[dest.tunnel.type] });
}

/** The dest is the director itself: no hop, so no TTL (LOCALNODE). */
function deliverHere(host: Host, received: Received, connection: Connection, load: Load): Judgement {
  // What passes does not go to the host itself.
  if (received.isRouted) return drop('local-boundary');
  if (!isTranslated(connection)) return { verdict: 'local', reason: 'local-dest' };
  const crosses = isNat64(connection);
  const refused = crosses && !load.isError ? refuseRouted(host, received) : undefined;
  if (refused !== undefined) return refused;
  if (load.isCut) return drop('transport-truncated');
  if (isLoopback(connection.destAddress) && received.interface.kind !== 'loopback') return drop('local-boundary');
  const room = { mtu: 0, mayCut: true, mayBeTwo: false };
  if (crosses) {
    const crossed = cross(host, received, connection, load, (packet) => packet, { ...room, mtu: 0xffff });
    if ('verdict' in crossed) return crossed;
    const { packet, partialChecksum } = crossed;
    return { verdict: 'local', reason: 'local-dest', frame: given(received, packet), partialChecksum };
  }
  const settled = settledFor(connection, received, load);
  if (typeof settled === 'string') return drop(settled);
  const translated = load.translate(settled.packet, room, settled.partialChecksum);
  if ('verdict' in translated) return translated;
  const partialChecksum = settled.partialChecksum !== false;
  return { verdict: 'local', reason: 'local-dest', frame: given(received, translated[0]), partialChecksum };
}

/**
 * The frame of a changed packet, with the options as they came, and what was put behind them: the stack fills them in when
 * it gets the packet.
 */
export function given({ packet, givenOptions, link }: Received, changed: IpPacket): Uint8Array {
  // The link header names the family that came.
  if (isIpv6(changed) !== isIpv6(packet)) return serialiseIp(changed);
  if (isIpv6(changed)) return concatenate(link, serialiseIp(changed));
  const options = concatenate(givenOptions, changed.options.subarray(givenOptions.length));
  return concatenate(link, serialiseIp({ ...changed, options }));
}
