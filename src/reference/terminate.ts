/**
 * Tunnels that end at the director.
 *
 * @module
 */
import { finished } from './emit.js';
import { drop, type Host, type Judgement, type Received } from './host.js';
import type { Interface, InterfaceKind } from './network.js';
import { isIpv4Mapped, isLinkLocal, isUnspecified } from './packet/address.js';
import { type IpPacket, isIpv6 } from './packet/ip.js';
import type { Unfinished } from './packet/partial.js';
import type { Origin } from './receive.js';
import { type Decapsulated, decapsulate, isTunnelProtocol } from './tunnels.js';
import { UPPER, upperLayer } from './upper.js';

/** A packet that came out of its tunnel, as if it had come in on the tunnel's interface. */
export interface Arrival {
  bytes: Uint8Array;
  origin: Origin;
}

/** Where a UDP datagram of GUE names what is inside. */
const GUE_PROTOCOL = 9;

/**
 * Takes the outer headers off a packet that the host got, be it IP in IP, GRE, or GUE at a port for it; `undefined` when
 * it is none of them, or there is no interface for what is inside.
 */
export function leaveTunnel(host: Host, received: Received): Arrival | Judgement | undefined {
  const { packet } = received;
  const upper = upperLayer(packet);
  if (upper === undefined || upper.isLaterFragment) return undefined;
  const isGue = upper.protocol === UPPER.udp;
  if (isGue ? !isGuePort(host, packet, upper.bytes) : !isTunnelProtocol(upper.protocol)) return undefined;
  // A checksum outside that is only begun is finished now: it is verified next.
  const outer = isGue && received.partialChecksum ? finished(packet) : packet;
  const carried = isGue ? (upper.bytes[GUE_PROTOCOL] ?? 0) : upper.protocol;
  // Of what is in GUE only IP is taken out.
  if (isGue && carried === UPPER.gre) return undefined;
  const device = tunnelDevice(host, packet, carried);
  if (device === undefined) return undefined;
  const inner = decapsulate(outer);
  if (typeof inner === 'string') return drop(inner);
  if (isIpv6(packet) && upper.protocol !== UPPER.gre && !isTunnelEnd(host, packet.source))
    return drop('martian-source');
  return arrival(received, inner, device, !isGue && received.partialChecksum);
}

/** Whether Linux's IPv6 tunnels take packets from there: from another host, whose address means something beyond its link. */
function isTunnelEnd(host: Host, source: bigint): boolean {
  return !isUnspecified(source) && !isLinkLocal(source) && !isIpv4Mapped(source) && !host.network.isLocal(source);
}

function isGuePort(host: Host, packet: IpPacket, datagram: Uint8Array): boolean {
  if (datagram.length < 4) return false;
  const port = (datagram[2]! << 8) | datagram[3]!;
  return host.network.takesGue(isIpv6(packet) ? 6 : 4, port);
}

/** The interface for what a protocol of the outer header, or of GUE, carries. */
function tunnelDevice(host: Host, outer: IpPacket, protocol: number): Interface | undefined {
  if (!isTunnelProtocol(protocol)) return undefined;
  const over4: InterfaceKind = protocol === UPPER.gre ? 'gre' : protocol === UPPER.ipv6 ? 'sit' : 'ipip';
  const over6: InterfaceKind = protocol === UPPER.gre ? 'ip6gre' : 'ip6tnl';
  return host.network.tunnelInterface(isIpv6(outer) ? over6 : over4);
}

function arrival(received: Received, inner: Decapsulated, device: Interface, isPartial: Unfinished): Arrival {
  return {
    bytes: inner.bytes,
    origin: {
      interface: device,
      link: new Uint8Array(0),
      decapsulated: true,
      mark: received.mark,
      // What remote checksum offload leaves to us is finished when it leaves.
      partialChecksum: inner.partialChecksum ?? isPartial,
      now: received.now,
    },
  };
}
