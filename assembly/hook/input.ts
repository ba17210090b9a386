/**
 * Input routing: whether a packet's addresses can be, and whom it is for.
 *
 * The order of the checks is Linux's: for IPv4 ip_route_input, then the options, then the hooks; for IPv6 the addresses and
 * the hop-by-hop header, reassembly, then routing.
 *
 * @module
 */
import { DescriptorFlag, ScratchFlag } from '../../src/abi/frames';
import { Protocol } from '../../src/abi/protocol';
import {
  SB_HOP,
  SB_IP_FORWARD,
  SB_REMOTE_FIELD,
  SB_REMOTE_START,
  SB_SERVICE6_COUNT,
  SB_TUNNEL_ADDRESSES,
  SB_TUNNEL_GENERATION,
  SB_TUNNEL_INTERFACE,
  SUPERBLOCK,
} from '../../src/abi/superblock';
import { HopKind, InterfaceFlag, RouteType } from '../../src/abi/tables';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Descriptor, Scratch } from '../descriptor';
import { gather } from '../flow/gather';
import { completeChecksum } from '../flow/offload';
import { foundPointer, foundReason, walkOptions } from '../flow/options';
import { parsePacket } from '../flow/parse';
import { findByTuple } from '../flow/tuple';
import { answerMalformedOption, answerParameterProblem } from '../forward/answer';
import {
  decapsulate,
  innerAddress,
  innerIsV6,
  leavesChecksum,
  mayBeTunnel,
  refusal,
  tunnelKind,
} from '../forward/decapsulate';
import { Hop, resolveHop, routeType, routeTypeAny } from '../net/hop';
import { findTunnel, interfaceHas, NO_INTERFACE } from '../net/interface';
import { field, netGeneration, setField } from '../superblock';
import { BROADCAST, isLoopback, isMulticast } from '../wire/address';
import { checkHopByHop, foundFault, foundOffset, foundProtocol } from '../wire/extension';
import { IPV4_MIN, IPV4_SOURCE } from '../wire/ipv4';
import { isLinkLocal6, isLoopback6, isMulticast6, multicastScope6 } from '../wire/ipv6';
import { portsBE } from '../wire/ports';
import { deliver, keepLocal } from './balance';
import { routePacket } from './forward';
import { answerFragment } from './fragment';
import { isMarked, serviceOf } from './schedule';
import { isStray } from './stray';

/** Judges a parsed packet that no connection took the short way. What came out of a tunnel is looked at like any packet. */
export function input(frame: Descriptor, packet: Scratch): void {
  while (packet.isV6 ? isForUs6(frame, packet) : isForUs4(frame, packet)) {
    // Most tunnel packets were opened before; here come GUE, what was put together from fragments, and what is ours by mark.
    const isLate = packet.bucket != 0 || (packet.flags & (ScratchFlag.Reassembled | ScratchFlag.Marked)) != 0;
    if (!isLate || !mayBeTunnel(packet) || !openLate(frame, packet)) {
      deliver(frame, packet);
      return;
    }
    if (packet.ip == 0) return;
  }
}

/** Whether the packet, whole, is for a service of this host or a tunnel's end; judges it when not. */
function isForUs4(frame: Descriptor, packet: Scratch): bool {
  const found = admit4(frame, packet);
  if (found != Reason.None) {
    if (foundReason(found) == Reason.Ipv4Option) {
      // Nobody answers from an address that is the host's by its mark alone.
      if (routeType(packet.header.destinationBE) != RouteType.Local) takesMark(frame, packet);
      answerMalformedOption(frame, packet, foundPointer(found));
    }
    frame.judge(Verdict.Drop, foundReason(found));
    return false;
  }
  const destinationBE = packet.header.destinationBE;
  // What everybody gets may be marked for a service; who is in a group the host knows.
  if (isMulticast(destinationBE) || (isForAll(destinationBE) && !takesMark(frame, packet))) {
    if (!packet.isFragment || gather(frame, packet)) keepLocal(frame, Reason.LocalDelivery);
    return false;
  }
  if (routeType(destinationBE) == RouteType.Local || takesMark(frame, packet)) {
    return !packet.isFragment || gather(frame, packet);
  }
  routePacket(frame, packet);
  return false;
}

/** The same for IPv6. */
function isForUs6(frame: Descriptor, packet: Scratch): bool {
  const reason = admit6(frame, packet);
  if (reason != Reason.None) {
    frame.judge(Verdict.Drop, reason);
    return false;
  }
  // Linux reassembles for all as soon as there is a service that needs it.
  if (packet.isFragment && field(SB_SERVICE6_COUNT) != 0 && !gather(frame, packet)) {
    answerFragment(frame, packet);
    return false;
  }
  const destination = packet.destination;
  const forAll = isMulticast6(destination);
  // No rule's way to the host itself leads to a link-local address: that must be one by the packet's own interface.
  const isOurs = routeTypeAny(true, destination) == RouteType.Local;
  if (!forAll && !isOurs && (isLinkLocal6(destination) || !takesMark(frame, packet))) {
    routePacket(frame, packet);
    return false;
  }
  // A fragment that nobody here needs whole is for the host to gather.
  if (!forAll && !packet.isFragment) return true;
  keepLocal(frame, Reason.LocalDelivery);
  return false;
}

/** A firewall mark with a service: what policy routing (`ip rule … fwmark`) does for the kernel. */
function takesMark(frame: Descriptor, packet: Scratch): bool {
  if (!isMarked(frame, packet.isV6)) return false;
  packet.flags = packet.flags | ScratchFlag.Marked;
  return true;
}

/** Whether it was a tunnel packet: `packet` is what it carried then, or judged. */
function openLate(frame: Descriptor, packet: Scratch): bool {
  const inner = openTunnel(frame, packet);
  if (inner == 0) return packet.ip == 0;
  const end = packet.l4 + packet.l4Length;
  const remote = leavesChecksum(packet, inner);
  if (parsePacket(frame, packet, inner) && remote) leaveChecksum(frame, packet, end);
  return true;
}

/** Reason.None, or why a host takes no packet like this: its addresses, its options (foundReason, foundPointer). */
function admit4(frame: Descriptor, packet: Scratch): u32 {
  const header = packet.header;
  const reason = checkAddresses4(frame, packet);
  return reason == Reason.None && header.headerLength != IPV4_MIN ? walkOptions(header, false, 0, 0) : reason;
}

/** Reason.None, or why no packet can have these addresses. */
function checkAddresses4(frame: Descriptor, packet: Scratch): Reason {
  const sourceBE = packet.header.sourceBE;
  const destinationBE = packet.header.destinationBE;
  if (isMulticast(sourceBE) || sourceBE == BROADCAST) return Reason.MartianSource;
  // A host without an address may call everybody (RFC 1122 §3.2.1.3).
  const toAll = destinationBE == BROADCAST || (sourceBE == 0 && destinationBE == 0);
  // Of 0.0.0.0/8 that is all: the others are addresses like any.
  if (sourceBE == 0) return toAll ? Reason.None : Reason.MartianSource;
  if (destinationBE == 0) return Reason.MartianDestination;
  if (interfaceHas(packet.receivedOn, InterfaceFlag.Loopback)) return Reason.None;
  if (isLoopback(destinationBE)) return Reason.MartianDestination;
  if (isLoopback(sourceBE)) return Reason.MartianSource;
  return routeType(sourceBE) == RouteType.Local && hasWay(frame, packet) ? Reason.MartianSource : Reason.None;
}

/** Whether there is a way for the packet: without one Linux does not ask where its source is. */
function hasWay(frame: Descriptor, packet: Scratch): bool {
  const destinationBE = packet.header.destinationBE;
  const isOurs = isForAll(destinationBE) || routeType(destinationBE) == RouteType.Local;
  if (isOurs || isMarked(frame, false)) return true;
  if (field(SB_IP_FORWARD) == 0) return false;
  const hop = changetype<Hop>(SUPERBLOCK + SB_HOP);
  resolveHop(destinationBE, hop);
  return hop.kind != HopKind.NoRoute;
}

function isForAll(addressBE: u32): bool {
  if (addressBE == BROADCAST || addressBE == 0 || isMulticast(addressBE)) return true;
  return routeType(addressBE) == RouteType.Broadcast;
}

/** The same for IPv6: the addresses, and the hop-by-hop header, about whose options the sender may be told. */
function admit6(frame: Descriptor, packet: Scratch): Reason {
  const reason = checkAddresses6(packet);
  if (reason != Reason.None) return reason;
  const found = checkHopByHop(packet.ip, packet.ip + packet.totalLength);
  const fault = foundFault(found);
  if (fault != Reason.ParameterProblem) return <Reason>fault;
  answerParameterProblem(frame, packet, foundProtocol(found), foundOffset(found));
  return Reason.Ipv6Extension;
}

/** Reason.None, or why no packet can have these addresses (RFC 4291 §2.5.3, §2.7). */
function checkAddresses6(packet: Scratch): Reason {
  const source = packet.source;
  const destination = packet.destination;
  const onLoopback = interfaceHas(packet.receivedOn, InterfaceFlag.Loopback);
  if (!onLoopback && isLoopback6(source)) return Reason.MartianSource;
  if (!onLoopback && isLoopback6(destination)) return Reason.MartianDestination;
  if (isMulticast6(destination)) {
    const scope = multicastScope6(destination);
    if (scope == 0 || (scope == 1 && !onLoopback)) return Reason.MartianDestination;
  }
  return isMulticast6(source) ? Reason.MartianSource : Reason.None;
}

/**
 * Takes what is inside a tunnel packet to us out: it comes in by the tunnel's interface, and is parsed and judged like any
 * packet. One level only. Returns its address; 0 when it is judged, as is `packet.ip` then, or when the packet is left as it
 * is. Called before the stage that looks connections up, so that the inner packets' lookups overlap, too; for GUE and what
 * was in pieces only afterwards.
 */
export function openTunnel(frame: Descriptor, packet: Scratch): usize {
  if (!mayBeTunnel(packet) || packet.isFragment || (frame.flags & DescriptorFlag.Decapsulated) != 0) return 0;
  const tunnel = findTunnel(tunnelKind(packet));
  if (tunnel == NO_INTERFACE || !mayEndHere(frame, packet)) return 0;
  if (packet.protocol == Protocol.Udp && isServed(frame, packet)) return 0;
  // GUE's own checksum is looked at next.
  if (packet.protocol == Protocol.Udp) completeChecksum(frame, packet);
  const found = decapsulate(packet);
  const end = packet.l4 + packet.l4Length;
  packet.ip = 0;
  const inner = innerAddress(found);
  if (inner == 0) {
    frame.judge(Verdict.Drop, refusal(found));
    return 0;
  }
  const floor = frame.floor;
  frame.address = inner;
  frame.length = <u32>(end - inner);
  frame.headroom = <u32>min<usize>(inner - floor, 0xffff);
  frame.inInterface = tunnel;
  frame.flags = frame.flags | DescriptorFlag.Decapsulated;
  packet.receivedOn = tunnel;
  packet.flags = innerIsV6(found) ? <u32>ScratchFlag.V6 : 0;
  return inner;
}

/** The packet has a remote checksum, which may not lie in what was behind the packet, up to `end`, and is cut off. */
function leaveChecksum(frame: Descriptor, packet: Scratch, end: usize): void {
  const last = packet.l4 + packet.l4Length;
  if (last != end && field(SB_REMOTE_START) + field(SB_REMOTE_FIELD) + 2 > <u32>last) {
    packet.ip = 0;
    frame.judge(Verdict.Drop, Reason.TunnelMalformed);
    return;
  }
  packet.flags = packet.flags | ScratchFlag.RemoteChecksum;
  frame.flags = frame.flags | DescriptorFlag.PartialChecksum;
}

/** Whether the tunnel packet is for this host, and may come in. */
function mayEndHere(frame: Descriptor, packet: Scratch): bool {
  if (packet.isV6 || <u32>(packet.l4 - packet.ip) != IPV4_MIN) return isOurs(packet) && mayComeIn(frame, packet);
  const addresses = load<u64>(packet.ip, IPV4_SOURCE);
  const isLike =
    load<u64>(SUPERBLOCK, SB_TUNNEL_ADDRESSES) == addresses &&
    field(SB_TUNNEL_GENERATION) == netGeneration() &&
    field(SB_TUNNEL_INTERFACE) == packet.receivedOn;
  return isLike || mayEndAnew(frame, packet, addresses);
}

/** Looks it up, and notes it for the next one; what came by its mark is no example for others. */
function mayEndAnew(frame: Descriptor, packet: Scratch, addresses: u64): bool {
  if (!isOurs(packet) || !mayComeIn(frame, packet)) return false;
  if ((packet.flags & ScratchFlag.Marked) != 0) return true;
  store<u64>(SUPERBLOCK, addresses, SB_TUNNEL_ADDRESSES);
  setField(SB_TUNNEL_GENERATION, netGeneration());
  setField(SB_TUNNEL_INTERFACE, packet.receivedOn);
  return true;
}

function isOurs(packet: Scratch): bool {
  const isMarked = (packet.flags & ScratchFlag.Marked) != 0;
  return isMarked || routeTypeAny(packet.isV6, packet.destination) == RouteType.Local;
}

/** Whether a connection or a service takes the datagram before the port of GUE can, or it is refused. */
function isServed(frame: Descriptor, packet: Scratch): bool {
  if (findByTuple(packet) != 0 || isStray(packet)) return true;
  return serviceOf(frame, packet.isV6, packet.destination, Protocol.Udp, portsBE(packet.l4) >> 16) != 0;
}

/** Whether a host would take this packet in; without an answer when not. */
function mayComeIn(frame: Descriptor, packet: Scratch): bool {
  if (!packet.isV6) return admit4(frame, packet) == Reason.None;
  if (checkAddresses6(packet) != Reason.None) return false;
  return foundFault(checkHopByHop(packet.ip, packet.ip + packet.totalLength)) == Reason.None;
}
