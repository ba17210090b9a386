/**
 * From the director to the dest of a connection: NAT, DR, TUN, and bypass.
 *
 * @module
 */
import { type AnswerName, answer } from './answer.js';
import { type Connection, isTranslated } from './connections.js';
import { emit, finished, needsCutting, type Shipment, settle } from './emit.js';
import { flowPort } from './flow-port.js';
import { certainGrowth, type Room, tellServer } from './fullnat/carry.js';
import { keepsHops } from './fullnat/profile.js';
import { arrivalAfter, followShift, hearClient } from './helper.js';
import { drop, type Host, type Judgement, type Received } from './host.js';
import { optionContext, processOptions } from './options.js';
import { type Address, familyOf, isLoopback } from './packet/address.js';
import { concatenate } from './packet/checksum.js';
import { hopsOf, type IpPacket, ipLength, isIpv6, serialiseIp, withLowerHops } from './packet/ip.js';
import { IP_FLAG } from './packet/ipv4.js';
import { IPV6_MIN_MTU } from './packet/ipv6.js';
import { pendingChecksum } from './packet/partial.js';
import type { Dest } from './services.js';
import { translate, unfinishedAfter } from './translate.js';
import { encapsulate, tunnelMtu } from './tunnels.js';
import type { ReferenceOutcome } from './types.js';

/** What is sent: a packet of the connection, or an ICMP error about one. */
export interface Load {
  /** What NAT or FullNAT makes of it, perhaps with a packet of the director in front; or the verdict where that stops it. */
  translate(packet: IpPacket, room: Room): [IpPacket, ...IpPacket[]] | Judgement;
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
  dr: 'direct-route',
  tun: 'tunnel-ipip',
  bypass: 'bypass',
} as const;
const TUNNEL_REASON = { ipip: 'tunnel-ipip', gre: 'tunnel-gre', gue: 'tunnel-gue' } as const;

/** Sends a packet of `connection` on; `isCut` as in Load. */
export function transmit(host: Host, received: Received, connection: Connection, isCut: boolean): Judgement {
  const { destAddress: destination, destPort: destinationPort, fullnat } = connection;
  const { partialChecksum, now } = received;
  const isPartial = partialChecksum !== false;
  return send(host, received, connection, {
    translate: (packet, room) => {
      if (fullnat !== undefined) {
        const { address: source, port: sourcePort } = fullnat.local;
        const ends = { source, sourcePort, destination, destinationPort };
        return tellServer(translate(packet, ends, isPartial), connection, fullnat, room, isPartial);
      }
      const stopped = hearClient(host, packet, connection, partialChecksum, now);
      if (stopped !== undefined) return stopped;
      const translated = translate(packet, { destination, destinationPort }, isPartial);
      const followed = followShift(translated, connection, 'input', isPartial);
      return 'verdict' in followed ? followed : [followed];
    },
    reason: undefined,
    isError: false,
    isCut,
  });
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
    return method === 'bypass' ? drop('local-boundary') : deliverHere(received, connection, load);
  }
  const found = host.network.route(to);
  if (found === undefined) return drop('no-route', tellUnreachable(host, received));
  const route = found.nextHop === to ? { ...found, nextHop: neighbour } : found;
  // A loopback address means nothing outside the host (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3).
  if (isLoopback(packet.source)) return drop('local-boundary');
  if (hopsOf(packet) <= 1) return drop('ttl-exceeded', tellExceeded(host, received));

  const lowered = keepsHops(fullnat?.profile) ? packet : withLowerHops(packet);
  const tunnelled = method === 'tun' ? connection.dest : undefined;
  const linkMtu = pathMtu(host, connection.dest, to, route.mtu, received.now);
  const pending = pendingChecksum(packet, received.partialChecksum);
  const partialChecksum = pending !== undefined && received.partialChecksum;
  const mtu =
    tunnelled === undefined ? linkMtu : tunnelMtu(tunnelled.tunnel, familyOf(to), linkMtu, pending !== undefined);
  if (mtu === 'tunnel-mtu') return drop(mtu);
  const growth = load.isError ? 0 : certainGrowth(connection);
  const mayCut = load.isError || (tunnelled !== undefined && host.sysctl.pmtu_disc === 0);
  if (isTooBig(received, mtu, mayCut, growth)) {
    return drop('too-big', tell(host, received, 'fragmentation-needed', lowered, lessened(packet, mtu, growth)));
  }
  if (load.isCut && isTranslated(connection)) return drop('transport-truncated');
  const { isRouted = false } = received;
  const arrival = load.isError ? received.arrival : arrivalAfter(received.arrival, connection);
  const shipment = { route, mtu: linkMtu, partialChecksum, arrival, isRerouted: isRouted && !isIpv6(packet) };
  if (tunnelled !== undefined) return emitByTunnel(host, lowered, tunnelled, load.reason, shipment);
  const outgoing = { ...shipment, reason: load.reason ?? REASON[method] };
  if (!isTranslated(connection)) return emit(host, { ...outgoing, packet: lowered });
  const isWholeOnly = isIpv6(packet) ? arrival === undefined : (packet.flags & IP_FLAG.dontFragment) !== 0;
  const translated = load.translate(lowered, { mtu: linkMtu, mayCut: !isWholeOnly, mayBeTwo: true });
  if ('verdict' in translated) return translated;
  const [first, second] = translated;
  const last = second ?? first;
  const own = { ...outgoing, packet: last, partialChecksum: unfinishedAfter(last, partialChecksum) };
  if (second === undefined) return emit(host, own);
  const ahead = { ...outgoing, packet: first, partialChecksum: false, arrival: undefined };
  return withMade(emit(host, { ...ahead, reason: 'client-address' }), emit(host, own));
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

/** Linux takes a link-local client to be on the link that the packet's destination belongs to. */
function tellExceeded(host: Host, received: Received): ReferenceOutcome | undefined {
  const { packet, interface: device } = received;
  if (!isIpv6(packet)) return tell(host, received, 'time-exceeded', packet);
  const link = host.network.linkOf(packet.destination, device);
  return link && answer(host, 'time-exceeded', packet, device, 0, link);
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
  if (typeof settled === 'string') return drop(settled);
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
function deliverHere(received: Received, connection: Connection, load: Load): Judgement {
  if (!isTranslated(connection)) return { verdict: 'local', reason: 'local-dest' };
  if (load.isCut) return drop('transport-truncated');
  if (isLoopback(connection.destAddress) && received.interface.kind !== 'loopback') return drop('local-boundary');
  const translated = load.translate(received.packet, { mtu: 0, mayCut: true, mayBeTwo: false });
  if ('verdict' in translated) return translated;
  return { verdict: 'local', reason: 'local-dest', frame: given(received, translated[0]) };
}

/**
 * The frame of a changed packet, with the options as they came, and what was put behind them: the stack fills them in when
 * it gets the packet.
 */
export function given({ givenOptions, link }: Received, changed: IpPacket): Uint8Array {
  if (isIpv6(changed)) return concatenate(link, serialiseIp(changed));
  const options = concatenate(givenOptions, changed.options.subarray(givenOptions.length));
  return concatenate(link, serialiseIp({ ...changed, options }));
}
