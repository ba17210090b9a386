/**
 * Input routing: whether a packet's addresses can be, and whom it is for.
 *
 * The order of the checks is Linux's (ip_route_input, then the options, then the hooks).
 *
 * @module
 */
import { DescriptorFlag, InterfaceFlag, RouteType } from '../../src/abi/memory';
import { Protocol } from '../../src/abi/protocol';
import { Reason, Verdict } from '../../src/abi/verdict';
import { Descriptor, Scratch } from '../descriptor';
import { walkOptions } from '../flow/options';
import { parseIpv4 } from '../flow/parse';
import { routePacket } from '../forward/route';
import { decapsulate } from '../forward/tunnel';
import { routeType } from '../net/hop';
import { findIpip, interfaceHas, NO_INTERFACE } from '../net/interface';
import { IPV4_MIN } from '../wire/ipv4';
import { deliver, keepLocal } from './balance';

const BROADCAST: u32 = 0xffffffff;
const THIS_NET: u32 = 0;
const LOOPBACK_NET: u32 = 127;

/** First octet of an address as loaded. */
function net(addressBE: u32): u32 {
  return addressBE & 0xff;
}

/** 224/4. */
function isMulticast(addressBE: u32): bool {
  return (addressBE & 0xf0) == 0xe0;
}

/** Judges a parsed packet that no connection took the short way. */
export function input(frame: Descriptor, packet: Scratch): void {
  const header = packet.header;
  const destinationBE = header.destinationBE;
  const reason = checkAddresses(
    header.sourceBE,
    destinationBE,
    interfaceHas(packet.receivedOn, InterfaceFlag.Loopback),
  );
  if (reason != Reason.None) {
    frame.judge(Verdict.Drop, reason);
    return;
  }
  if (header.headerLength != IPV4_MIN) {
    const fault = walkOptions(header, false, 0);
    if (fault != Reason.None) {
      frame.judge(Verdict.Drop, fault);
      return;
    }
  }
  if (header.isFragment) {
    frame.judge(Verdict.Pass, Reason.Fragment);
    return;
  }
  const type = routeType(destinationBE);
  if (type == RouteType.Broadcast || destinationBE == BROADCAST || isMulticast(destinationBE) || destinationBE == 0) {
    keepLocal(frame, Reason.LocalDelivery);
  } else if (type == RouteType.Local) {
    if (header.protocol == Protocol.Ipip) unwrap(frame, packet);
    else deliver(frame, packet);
  } else {
    routePacket(frame, packet);
  }
}

/** Reason.None, or why no packet can have these addresses. */
function checkAddresses(sourceBE: u32, destinationBE: u32, onLoopback: bool): Reason {
  if (isMulticast(sourceBE) || sourceBE == BROADCAST) return Reason.MartianSource;
  // A host without an address may call everybody (RFC 1122 §3.2.1.3).
  const toAll = destinationBE == BROADCAST || (sourceBE == 0 && destinationBE == 0);
  if (toAll && net(sourceBE) == THIS_NET) return Reason.None;
  if (net(sourceBE) == THIS_NET) return Reason.MartianSource;
  if (!toAll && net(destinationBE) == THIS_NET) return Reason.MartianDestination;
  if (onLoopback) return Reason.None;
  if (net(destinationBE) == LOOPBACK_NET) return Reason.MartianDestination;
  if (net(sourceBE) == LOOPBACK_NET || routeType(sourceBE) == RouteType.Local) return Reason.MartianSource;
  return Reason.None;
}

/** A tunnel packet to us: what is inside comes in by the tunnel's interface. One level only. */
function unwrap(frame: Descriptor, packet: Scratch): void {
  const tunnel = findIpip();
  if (tunnel == NO_INTERFACE || (frame.flags & DescriptorFlag.Decapsulated) != 0) {
    keepLocal(frame, Reason.LocalDelivery);
    return;
  }
  const inner = packet.l4;
  const room = packet.l4Length;
  const reason = decapsulate(inner, room, packet.header.tos);
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
  if (parseIpv4(frame, packet, inner, room)) input(frame, packet);
}
