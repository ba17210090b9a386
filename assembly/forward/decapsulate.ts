/**
 * Taking packets out of tunnels at a server: IPIP, GRE and GUE, inside IPv4 or IPv6. The ECN field that comes out is
 * what RFC 6040 §4.2 makes of both.
 *
 * @module
 */

import { Protocol } from '../../src/abi/protocol';
import { FOU_MAX, SB_FOU, SB_REMOTE_FIELD, SB_REMOTE_START, SUPERBLOCK } from '../../src/abi/superblock';
import { Family, InterfaceFlag } from '../../src/abi/tables';
import { Reason } from '../../src/abi/verdict';
import { Scratch } from '../descriptor';
import { checkIpv4, checkIpv6 } from '../flow/parse';
import { pseudoOf } from '../flow/pseudo';
import { setField } from '../superblock';
import { fold, sum } from '../wire/checksum';
import { TYPE_IPV4_BE, TYPE_IPV6_BE } from '../wire/ethernet';
import { GRE_SIZE, Gre } from '../wire/gre';
import { GUE_SIZE, Gue } from '../wire/gue';
import { Ipv4 } from '../wire/ipv4';
import { Ipv6, isUnspecified6, isV4Mapped6 } from '../wire/ipv6';
import { portsBE } from '../wire/ports';
import { UDP_SIZE, Udp } from '../wire/udp';
import { isOwn } from './route';

/** ECN codepoints (RFC 3168 §5). */
const ECN_MASK: u32 = 3;
const NOT_ECT: u32 = 0;
const ECT_1: u32 = 1;
const ECT_0: u32 = 2;
const CE: u32 = 3;

/** A right Internet checksum makes the sum of all it covers this. */
const RIGHT: u32 = 0xffff;

/** What comes of looking into a tunnel packet: where the inner packet is, or why it cannot be had. */
function opened(inner: usize, v6: bool): u64 {
  return <u64>inner | (v6 ? V6 : 0);
}
function refused(reason: u32): u64 {
  return (<u64>reason) << 40;
}
const V6: u64 = 1 << 32;

/** Address of the inner packet, 0 when it was refused. */
export function innerAddress(found: u64): usize {
  return <usize>(found & 0xffffffff);
}
/** Whether the inner packet is IPv6. */
export function innerIsV6(found: u64): bool {
  return (found & V6) != 0;
}
/** Why it was refused. */
export function refusal(found: u64): Reason {
  return <Reason>(<u32>(found >> 40));
}

/** Whether the packet can be one of a tunnel: a quick look, before any table is asked. */
export function mayBeTunnel(packet: Scratch): bool {
  switch (packet.protocol) {
    case Protocol.Ipip:
    case Protocol.Ipv6:
    case Protocol.Gre:
      return true;
    case Protocol.Udp:
      return load<u32>(SUPERBLOCK, SB_FOU) != 0 && isGue(packet);
    default:
      return false;
  }
}

/** Whether the datagram is for a port where GUE is taken. */
function isGue(packet: Scratch): bool {
  if (packet.l4Length < UDP_SIZE) return false;
  const wanted = (portsBE(packet.l4) >> 16) | ((packet.isV6 ? <u32>Family.V6 : <u32>Family.V4) << 16);
  for (let i: usize = 0; i < <usize>FOU_MAX; i++) {
    const entry = load<u32>(<usize>SUPERBLOCK + SB_FOU + (i << 2));
    if (entry == 0) return false;
    if (entry == wanted) return true;
  }
  return false;
}

/** The kind of interface (InterfaceFlag) that takes this packet out of its tunnel; 0 for a GUE packet of no IP. */
export function tunnelKind(packet: Scratch): u32 {
  let protocol = packet.protocol;
  if (protocol == Protocol.Udp) {
    if (packet.l4Length < UDP_SIZE + GUE_SIZE) return 0;
    protocol = changetype<Gue>(packet.l4 + UDP_SIZE).protocol;
  } else if (protocol == Protocol.Gre) {
    return packet.isV6 ? InterfaceFlag.Ip6gre : InterfaceFlag.Gre;
  }
  if (protocol != Protocol.Ipip && protocol != Protocol.Ipv6) return 0;
  if (packet.isV6) return InterfaceFlag.Ip6tnl;
  return protocol == Protocol.Ipip ? InterfaceFlag.Ipip : InterfaceFlag.Sit;
}

/** Looks at what the tunnel packet carries, and gives that the ECN it is to have. */
export function decapsulate(packet: Scratch): u64 {
  const found = openMiddle(packet);
  const inner = innerAddress(found);
  if (inner == 0) return found;
  const room = <u32>(packet.l4 + packet.l4Length - inner);
  const fault = innerIsV6(found) ? checkIpv6(inner, room) : checkIpv4(inner, room);
  if (fault == Reason.Ipv4Checksum) return refused(fault);
  if (fault != Reason.None) return refused(Reason.TunnelMalformed);
  const outerTos = packet.isV6 ? packet.header6.trafficClass : packet.header.tos;
  if (!combineEcn(inner, innerIsV6(found), outerTos)) return refused(Reason.TunnelEcn);
  return packet.isV6 && packet.protocol != Protocol.Gre && !isTunnelEnd(packet.source)
    ? refused(Reason.MartianSource)
    : found;
}

/** Whether Linux's ip6_tunnel takes packets from that address: global, and of another host. */
function isTunnelEnd(source: usize): bool {
  return !isUnspecified6(source) && !isV4Mapped6(source) && !isOwn(true, source);
}

/** Goes past what is between the outer IP header and the inner packet. */
function openMiddle(packet: Scratch): u64 {
  switch (packet.protocol) {
    case Protocol.Gre:
      return openGre(packet);
    case Protocol.Udp:
      return openGue(packet);
    default:
      return opened(packet.l4, packet.protocol == Protocol.Ipv6);
  }
}

function openGre(packet: Scratch): u64 {
  const length = packet.l4Length;
  if (length < GRE_SIZE) return refused(Reason.TunnelMalformed);
  const gre = changetype<Gre>(packet.l4);
  if (!gre.isKnown(packet.isV6) || length < gre.size) return refused(Reason.TunnelMalformed);
  if (gre.hasChecksum && fold(sum(packet.l4, length)) != RIGHT) return refused(Reason.TunnelChecksum);
  const type = gre.protocolBE;
  if (type != TYPE_IPV4_BE && type != TYPE_IPV6_BE) return refused(Reason.TunnelMalformed);
  return opened(packet.l4 + gre.size, type == TYPE_IPV6_BE);
}

function openGue(packet: Scratch): u64 {
  let length = <u32>changetype<Udp>(packet.l4).length;
  // In IPv6 that is the length of a jumbogram (RFC 2675 §4): all there is.
  if (length == 0 && packet.isV6) length = packet.l4Length;
  if (length < UDP_SIZE + GUE_SIZE || length > packet.l4Length) return refused(Reason.TunnelMalformed);
  packet.l4Length = length;
  if (changetype<Udp>(packet.l4).checksum != 0) {
    if (fold(pseudoOf(packet, Protocol.Udp, length) + sum(packet.l4, length)) != RIGHT)
      return refused(Reason.TunnelChecksum);
  }
  const gue = changetype<Gue>(packet.l4 + UDP_SIZE);
  const size = gue.size;
  if (!gue.isData || length < UDP_SIZE + size || !gue.isKnown) return refused(Reason.TunnelMalformed);
  const inner = packet.l4 + UDP_SIZE + size;
  if (gue.hasRemoteChecksum) {
    const room = length - UDP_SIZE - size;
    if (gue.remoteStart > room || gue.remoteOffset + 2 > room) return refused(Reason.TunnelMalformed);
  }
  return opened(inner, gue.protocol == Protocol.Ipv6);
}

/**
 * Whether the datagram, that was opened, leaves a checksum of the packet at `inner` to us: of which bytes is noted for when
 * it leaves.
 */
export function leavesChecksum(packet: Scratch, inner: usize): bool {
  const gue = changetype<Gue>(packet.l4 + UDP_SIZE);
  if (packet.protocol != Protocol.Udp || !gue.hasRemoteChecksum) return false;
  setField(SB_REMOTE_START, <u32>inner + gue.remoteStart);
  // To Linux this is a number of 16 bits: a checksum before the start is one that nobody can fill in.
  setField(SB_REMOTE_FIELD, (gue.remoteOffset - gue.remoteStart) & 0xffff);
  return true;
}

/** RFC 6040 §4.2; false where it says to drop: CE outside of a packet that knows no ECN. */
function combineEcn(inner: usize, v6: bool, outerTos: u32): bool {
  const tos = v6 ? changetype<Ipv6>(inner).trafficClass : changetype<Ipv4>(inner).tos;
  const outerEcn = outerTos & ECN_MASK;
  const innerEcn = tos & ECN_MASK;
  if (innerEcn == NOT_ECT) return outerEcn != CE;
  const marked = outerEcn == CE ? CE : outerEcn == ECT_1 && innerEcn == ECT_0 ? ECT_1 : innerEcn;
  if (marked != innerEcn) setTos(inner, v6, (tos & ~ECN_MASK) | marked);
  return true;
}

function setTos(inner: usize, v6: bool, now: u32): void {
  if (v6) {
    changetype<Ipv6>(inner).trafficClass = now;
  } else {
    changetype<Ipv4>(inner).tos = now;
    changetype<Ipv4>(inner).fillChecksum();
  }
}
