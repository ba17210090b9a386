/**
 * Input routing: whether a packet's addresses can be, and whom it is for.
 *
 * The order of the checks is Linux's (ip_route_input, then the options, then the hooks).
 *
 * @module
 */
import { DescriptorFlag, InterfaceFlag, RouteType } from '../../src/abi/memory';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Descriptor, Scratch } from '../descriptor';
import { walkOptions } from '../flow/options';
import { parseIpv4 } from '../flow/parse';
import { routePacket } from '../forward/route';
import { decapsulate } from '../forward/tunnel';
import { routeType } from '../net/hop';
import { findIpip, interfaceHas, NO_INTERFACE } from '../net/interface';
import { BROADCAST, isLoopback, isMulticast, isThisNet } from '../wire/address';
import { IPV4_MIN } from '../wire/ipv4';
import { deliver, keepLocal } from './balance';

/** Judges a parsed packet that no connection took the short way. */
export function input(frame: Descriptor, packet: Scratch): void {
  const reason = admit(packet);
  if (reason != Reason.None) {
    frame.judge(Verdict.Drop, reason);
    return;
  }
  const header = packet.header;
  if (header.isFragment) {
    frame.judge(Verdict.Pass, Reason.Fragment);
    return;
  }
  const destinationBE = header.destinationBE;
  const type = routeType(destinationBE);
  if (type == RouteType.Broadcast || destinationBE == BROADCAST || isMulticast(destinationBE) || destinationBE == 0) {
    keepLocal(frame, Reason.LocalDelivery);
  } else if (type == RouteType.Local) {
    deliver(frame, packet);
  } else {
    routePacket(frame, packet);
  }
}

/** Reason.None, or why a host takes no packet like this: its addresses, its options. */
function admit(packet: Scratch): Reason {
  const header = packet.header;
  const onLoopback = interfaceHas(packet.receivedOn, InterfaceFlag.Loopback);
  const reason = checkAddresses(header.sourceBE, header.destinationBE, onLoopback);
  return reason == Reason.None && header.headerLength != IPV4_MIN ? walkOptions(header, false, 0) : reason;
}

/** Reason.None, or why no packet can have these addresses. */
function checkAddresses(sourceBE: u32, destinationBE: u32, onLoopback: bool): Reason {
  if (isMulticast(sourceBE) || sourceBE == BROADCAST) return Reason.MartianSource;
  // A host without an address may call everybody (RFC 1122 §3.2.1.3).
  const toAll = destinationBE == BROADCAST || (sourceBE == 0 && destinationBE == 0);
  if (toAll && isThisNet(sourceBE)) return Reason.None;
  if (isThisNet(sourceBE)) return Reason.MartianSource;
  if (!toAll && isThisNet(destinationBE)) return Reason.MartianDestination;
  if (onLoopback) return Reason.None;
  if (isLoopback(destinationBE)) return Reason.MartianDestination;
  if (isLoopback(sourceBE) || routeType(sourceBE) == RouteType.Local) return Reason.MartianSource;
  return Reason.None;
}

/**
 * Takes what is inside a tunnel packet to us out: it comes in by the tunnel's interface, and is judged later like any
 * packet. One level only. Every other packet is left as it is. Called before the stage that looks connections up, so
 * that the inner packets' lookups overlap, too.
 */
export function openTunnel(frame: Descriptor, packet: Scratch): void {
  const header = packet.header;
  const tunnel = findIpip();
  if (
    tunnel == NO_INTERFACE ||
    header.isFragment ||
    routeType(header.destinationBE) != RouteType.Local ||
    admit(packet) != Reason.None
  ) {
    return;
  }
  const inner = packet.l4;
  const room = packet.l4Length;
  packet.ip = 0;
  const reason = decapsulate(inner, room, header.tos);
  if (reason != Reason.None) {
    frame.judge(Verdict.Drop, reason);
    return;
  }
  const floor = frame.floor;
  frame.address = inner;
  frame.headroom = <u32>(inner - floor);
  frame.inInterface = tunnel;
  frame.flags = frame.flags | DescriptorFlag.Decapsulated;
  packet.receivedOn = tunnel;
  parseIpv4(frame, packet, inner, room);
}
