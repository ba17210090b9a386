/**
 * The last step of what is forwarded: cut where it must be, link header, and out.
 *
 * @module
 */
import { cut } from './fragments.js';
import { drop, type Host, type Judgement } from './host.js';
import type { Route } from './network.js';
import { carriedBy, type IpPacket, ipLength, isIpv6, parseIp, serialiseIp } from './packet/ip.js';
import { IP_FLAG, type Ipv4Packet, isFragment, withChecksum } from './packet/ipv4.js';
import { finishChecksum, partialChecksumOf, type Unfinished } from './packet/partial.js';
import type { Arrival } from './reassembly.js';

/** A finished packet and its way. */
export interface Shipment {
  packet: IpPacket;
  route: Route;
  /** Bytes that may leave in one piece. */
  mtu: number;
  /** How the datagram came, if in fragments. */
  arrival: Arrival | undefined;
  /** Whether it was on its way through over IPv4 when IPVS sent it elsewhere. */
  isRerouted?: boolean;
  /** Of the fragments of an IPv6 packet, where that is not the next one of the director's own. */
  identification?: number;
  reason: string;
  /** Whether the transport checksum, or another one, is only begun. */
  partialChecksum: Unfinished;
}

/** Puts a packet on the wire; where it is cut, the further pieces are frames of their own. */
export function emit(host: Host, given: Shipment): Judgement {
  const { route, reason } = given;
  const settled = settle(given.packet, given.partialChecksum);
  if (typeof settled === 'string') {
    // A checksum is finished last of all.
    const departure = host.network.depart(route, serialiseIp(given.packet));
    return drop(typeof departure === 'string' ? 'no-neighbour' : settled);
  }
  const shipment = { ...given, ...settled };
  const isCut = needsCutting(shipment);
  const pieces = isCut ? cutToFit(host, shipment) : [shipment.packet];
  if (pieces === 'too-big') return drop(pieces);
  const departures = pieces.map((piece) => host.network.depart(route, serialiseIp(piece)));
  const partialChecksum = shipment.partialChecksum && !isCut;
  const [first, ...rest] = departures.flatMap((departure) => (typeof departure === 'string' ? [] : [departure]));
  if (first === undefined) return drop('no-neighbour');
  const made = rest.map((departure) => ({
    verdict: 'forward',
    reason: 'fragment',
    ...departure,
    made: true,
    partialChecksum: false,
  }));
  return { verdict: 'forward', reason, ...first, partialChecksum, ...(made.length > 0 && { made }) };
}

/** Whether a packet leaves in pieces. */
export function needsCutting(shipment: Omit<Shipment, 'route' | 'reason' | 'partialChecksum'>): boolean {
  const { packet } = shipment;
  const pieces = cut(packet, { ...shipment, identification: 0 });
  return pieces === 'too-big' || pieces.length > 1 || pieces[0] !== packet;
}

function cutToFit(host: Host, shipment: Shipment): IpPacket[] | 'too-big' {
  const { packet, partialChecksum } = shipment;
  const whole = partialChecksum ? finished(packet) : packet;
  const identification = shipment.identification ?? (isIpv6(packet) ? host.nextFragmentIdentification() : 0);
  const pieces = cut(whole, { ...shipment, identification });
  if (pieces === 'too-big' || isIpv6(packet) || !isFragment(packet)) return pieces;
  return pieces.map((piece, i) => (isIpv6(piece) ? piece : within(packet, piece, i === pieces.length - 1)));
}

/** A piece of what was a fragment already. */
function within(fragment: Ipv4Packet, piece: Ipv4Packet, isLast: boolean): Ipv4Packet {
  const flags = isLast ? piece.flags | (fragment.flags & IP_FLAG.moreFragments) : piece.flags;
  return withChecksum({ ...piece, flags, fragmentOffset: fragment.fragmentOffset + piece.fragmentOffset });
}

/** A packet in which no checksum is to be finished but that of its transport. */
export interface Settled {
  packet: IpPacket;
  partialChecksum: boolean;
}

/** The packet with any checksum finished but the transport's own, which a network card can finish. */
export function settle(packet: IpPacket, unfinished: Unfinished): Settled | 'tunnel-malformed' {
  if (typeof unfinished === 'boolean') return { packet, partialChecksum: unfinished };
  const { start, offset } = unfinished;
  const own = partialChecksumOf(packet);
  if (own?.start === start && own.offset === offset) return { packet, partialChecksum: true };
  const carried = carriedBy(packet);
  const front = ipLength(packet) - packet.payload.length + (carried?.offset ?? packet.payload.length);
  if (offset < start || offset < front) return 'tunnel-malformed';
  return { packet: parseIp(finishChecksum(serialiseIp(packet), unfinished)), partialChecksum: false };
}

/** The packet with its transport checksum finished. */
export function finished(packet: IpPacket): IpPacket {
  const partial = partialChecksumOf(packet);
  return partial === undefined ? packet : parseIp(finishChecksum(serialiseIp(packet), partial));
}
