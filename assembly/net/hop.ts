/**
 * How a packet gets to an address: the route by longest prefix, then the neighbour's MAC.
 *
 * The host keeps both tables sorted (src/net-tables.ts); they are asked once per dest and per
 * connection, and again when the net generation changes.
 *
 * @module
 */
import {
  SB_NEIGHBOUR_COUNT,
  SB_NEIGHBOUR6_COUNT,
  SB_NEIGHBOURS,
  SB_NEIGHBOURS6,
  SB_ROUTE_COUNT,
  SB_ROUTE6_COUNT,
  SB_ROUTES,
  SB_ROUTES6,
} from '../../src/abi/superblock';
import {
  ADDRESS_SIZE,
  HOP_INTERFACE,
  HOP_KIND,
  HOP_MAC,
  HOP_MTU,
  HOP_SRC,
  HopKind,
  IF_FLAGS,
  IF_MTU,
  InterfaceFlag,
  NB_ADDRESS_BE,
  NB_INTERFACE,
  NB_MAC,
  NB6_ADDRESS,
  NB6_INTERFACE,
  NB6_MAC,
  NEIGHBOUR_SIZE,
  NEIGHBOUR6_SIZE,
  ROUTE_DST_BE,
  ROUTE_GATEWAY_BE,
  ROUTE_INTERFACE,
  ROUTE_MASK_BE,
  ROUTE_SIZE,
  ROUTE_SRC_BE,
  ROUTE_TYPE,
  ROUTE6_DST,
  ROUTE6_GATEWAY,
  ROUTE6_INTERFACE,
  ROUTE6_LENGTH,
  ROUTE6_SIZE,
  ROUTE6_SRC,
  ROUTE6_TYPE,
  RouteType,
} from '../../src/abi/tables';
import { field } from '../superblock';
import { copyAddress6, isLinkLocal6, isUnspecified6, matchesPrefix6 } from '../wire/ipv6';
import { copyMac } from '../wire/mac';
import { interfaceAt, NO_INTERFACE } from './interface';

/** No IPv4 packet is longer, whatever the MTU (loopback has 65536). */
const PACKET_MAX: u32 = 0xffff;

/** View of a hop record. */
@unmanaged
@final
export class Hop {
  get kind(): u32 {
    return load<u8>(changetype<usize>(this), HOP_KIND);
  }
  set kind(value: u32) {
    store<u8>(changetype<usize>(this), value, HOP_KIND);
  }
  get outInterface(): u32 {
    return load<u16>(changetype<usize>(this), HOP_INTERFACE);
  }
  set outInterface(value: u32) {
    store<u16>(changetype<usize>(this), value, HOP_INTERFACE);
  }
  /** Source address for packets of the director's own that go this way. */
  get sourceBE(): u32 {
    return load<u32>(changetype<usize>(this), HOP_SRC);
  }
  set sourceBE(value: u32) {
    store<u32>(changetype<usize>(this), value, HOP_SRC);
  }
  /** Address of it, of either family. */
  get source(): usize {
    return changetype<usize>(this) + HOP_SRC;
  }
  get mtu(): u32 {
    return load<u32>(changetype<usize>(this), HOP_MTU);
  }
  set mtu(value: u32) {
    store<u32>(changetype<usize>(this), value, HOP_MTU);
  }
  get mac(): usize {
    return changetype<usize>(this) + HOP_MAC;
  }
}

/** The route to an address: longest prefix, then lowest metric; 0 when there is none. */
export function findRoute(addressBE: u32): usize {
  let route = <usize>field(SB_ROUTES);
  const end = route + <usize>field(SB_ROUTE_COUNT) * ROUTE_SIZE;
  for (; route < end; route += ROUTE_SIZE) {
    if ((addressBE & load<u32>(route, ROUTE_MASK_BE)) == load<u32>(route, ROUTE_DST_BE)) return route;
  }
  return 0;
}

/** Kind of the route to an address (RouteType), 0 when there is none. */
export function routeType(addressBE: u32): u32 {
  const route = findRoute(addressBE);
  return route == 0 ? 0 : load<u32>(route, ROUTE_TYPE);
}

/** MAC of an address on an interface, by bisection; 0 when it is not known. */
function findNeighbour(addressBE: u32, interfaceIndex: u32): usize {
  const base = <usize>field(SB_NEIGHBOURS);
  const wanted = ((<u64>bswap<u32>(addressBE)) << 16) | <u64>interfaceIndex;
  let low: u32 = 0;
  let high = field(SB_NEIGHBOUR_COUNT);
  while (low < high) {
    const middle = (low + high) >> 1;
    const record = base + <usize>middle * NEIGHBOUR_SIZE;
    const key = ((<u64>bswap<u32>(load<u32>(record, NB_ADDRESS_BE))) << 16) | <u64>load<u16>(record, NB_INTERFACE);
    if (key == wanted) return record + NB_MAC;
    if (key < wanted) low = middle + 1;
    else high = middle;
  }
  return 0;
}

/** Looks up the way to `addressBE` and writes it to `hop`: that of a packet to `targetBE`, whose neighbour it is on a link. */
export function resolveHop(addressBE: u32, hop: Hop, targetBE: u32 = addressBE): void {
  const route = findRoute(addressBE);
  if (route == 0) {
    hop.kind = HopKind.NoRoute;
    return;
  }
  const index = load<u32>(route, ROUTE_INTERFACE);
  const out = interfaceAt(index);
  hop.outInterface = index;
  hop.sourceBE = load<u32>(route, ROUTE_SRC_BE);
  hop.mtu = min<u32>(load<u32>(out, IF_MTU), PACKET_MAX);
  const type = load<u32>(route, ROUTE_TYPE);
  if (type != RouteType.Unicast) {
    hop.kind = type == RouteType.Local ? HopKind.Local : HopKind.Broadcast;
    return;
  }
  hop.kind = HopKind.Forward;
  if ((load<u32>(out, IF_FLAGS) & InterfaceFlag.Ethernet) == 0) return;
  const gatewayBE = load<u32>(route, ROUTE_GATEWAY_BE);
  const mac = findNeighbour(gatewayBE != 0 ? gatewayBE : targetBE, index);
  if (mac == 0) hop.kind = HopKind.NoNeighbour;
  else copyMac(hop.mac, mac);
}

/**
 * The route to the IPv6 address at `address`; 0 when there is none. A link-local one is on the link of the interface `on`
 * (RFC 4291 §2.5.6), or anywhere for NO_INTERFACE.
 */
export function findRoute6(address: usize, on: u32 = NO_INTERFACE): usize {
  const anywhere = on == NO_INTERFACE || !isLinkLocal6(address);
  let route = <usize>field(SB_ROUTES6);
  const end = route + <usize>field(SB_ROUTE6_COUNT) * ROUTE6_SIZE;
  for (; route < end; route += ROUTE6_SIZE) {
    if (
      matchesPrefix6(address, route + ROUTE6_DST, load<u32>(route, ROUTE6_LENGTH)) &&
      (anywhere || load<u32>(route, ROUTE6_INTERFACE) == on)
    ) {
      return route;
    }
  }
  return 0;
}

/** Kind of the route to the address at `address` (RouteType), 0 when there is none. */
export function routeTypeAny(v6: bool, address: usize): u32 {
  if (!v6) return routeType(load<u32>(address));
  const route = findRoute6(address);
  return route == 0 ? 0 : load<u32>(route, ROUTE6_TYPE);
}

/** MAC of an IPv6 address on an interface, by bisection; 0 when it is not known. */
function findNeighbour6(address: usize, interfaceIndex: u32): usize {
  const base = <usize>field(SB_NEIGHBOURS6);
  let low: u32 = 0;
  let high = field(SB_NEIGHBOUR6_COUNT);
  while (low < high) {
    const middle = (low + high) >> 1;
    const record = base + <usize>middle * NEIGHBOUR6_SIZE;
    let order = memory.compare(record + NB6_ADDRESS, address, ADDRESS_SIZE);
    if (order == 0) order = <i32>load<u16>(record, NB6_INTERFACE) - <i32>interfaceIndex;
    if (order == 0) return record + NB6_MAC;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return 0;
}

/** Looks up the way to the IPv6 address at `address` and writes it to `hop`. */
function resolveHop6(address: usize, hop: Hop, on: u32, target: usize): void {
  const route = findRoute6(address, on);
  if (route == 0) {
    hop.kind = HopKind.NoRoute;
    return;
  }
  const index = load<u32>(route, ROUTE6_INTERFACE);
  const out = interfaceAt(index);
  hop.outInterface = index;
  copyAddress6(hop.source, route + ROUTE6_SRC);
  hop.mtu = load<u32>(out, IF_MTU);
  if (load<u32>(route, ROUTE6_TYPE) == RouteType.Local) {
    hop.kind = HopKind.Local;
    return;
  }
  hop.kind = HopKind.Forward;
  if ((load<u32>(out, IF_FLAGS) & InterfaceFlag.Ethernet) == 0) return;
  const gateway = route + ROUTE6_GATEWAY;
  const mac = findNeighbour6(isUnspecified6(gateway) ? target : gateway, index);
  if (mac == 0) hop.kind = HopKind.NoNeighbour;
  else copyMac(hop.mac, mac);
}

/** Looks up the way to the address of either family at `address` and writes it to `hop`; `on` as for findRoute6. */
export function resolveAny(v6: bool, address: usize, hop: Hop, on: u32 = NO_INTERFACE): void {
  if (v6) resolveHop6(address, hop, on, address);
  else resolveHop(load<u32>(address), hop);
}

/** The same for packets to the address at `target`, which take the route of the one at `address`. */
export function resolveFor(v6: bool, address: usize, target: usize, hop: Hop): void {
  if (v6) resolveHop6(address, hop, NO_INTERFACE, target);
  else resolveHop(load<u32>(address), hop, load<u32>(target));
}
