/**
 * The network around a director as a person would look it up: whose address is it, which route, which neighbour.
 *
 * @module
 */
import { formatPrefix, isIPv4, isIPv6Prefix, parseIPv4, parsePrefix, prefixMask } from '../address.js';
import type { InterfaceConfig, NetworkConfig, RouteConfig } from '../types.js';

/** How a packet to an address leaves. */
export interface WayOut {
  readonly route: RouteConfig;
  /** The gateway of the route, or the address itself. */
  readonly nextHop: string;
  /** MAC of the next hop; absent when no neighbour entry has it. */
  readonly mac: string | undefined;
  readonly mtu: number;
}

/** The interface that has `address`, if any. */
export function ownerOf(network: NetworkConfig, address: string): InterfaceConfig | undefined {
  return network.interfaces.find((one) => one.addresses?.some((prefix) => prefix.split('/')[0] === address));
}

/** Metric of a route that only an address implies: any given route of that length wins. */
const IMPLIED = 2 ** 32;

/** The routes that count: those given, but for interfaces that are down, and those that the addresses of interfaces imply. */
function routesOf(network: NetworkConfig): RouteConfig[] {
  const up = network.interfaces.filter((one) => one.up !== false);
  const routes: RouteConfig[] = (network.routes ?? []).filter(
    ({ dst, dev }) => !isIPv6Prefix(dst) && up.some(({ name }) => name === dev),
  );
  for (const { name, addresses } of up) {
    for (const text of addresses ?? []) {
      if (isIPv6Prefix(text)) continue;
      const { address, length } = parsePrefix(text);
      if (length === 32) continue;
      const dst = formatPrefix({ address: (address & prefixMask(length)) >>> 0, length });
      routes.push({ dst, dev: name, metric: IMPLIED });
    }
  }
  return routes;
}

/** The route to `address`: longest prefix, then lowest metric. */
export function routeTo(network: NetworkConfig, address: string): RouteConfig | undefined {
  if (!isIPv4(address)) return undefined;
  const value = parseIPv4(address);
  let best: RouteConfig | undefined;
  let bestLength = -1;
  for (const route of routesOf(network)) {
    const prefix = parsePrefix(route.dst);
    const mask = prefixMask(prefix.length);
    if ((value & mask) !== (prefix.address & mask)) continue;
    if (prefix.length > bestLength || (prefix.length === bestLength && (route.metric ?? 0) < (best?.metric ?? 0))) {
      best = route;
      bestLength = prefix.length;
    }
  }
  return best;
}

/** The route to `address` with its next hop and that one's MAC. */
export function wayTo(network: NetworkConfig, address: string): WayOut | undefined {
  const route = routeTo(network, address);
  if (route === undefined) return undefined;
  const nextHop = route.gateway ?? address;
  const neighbour = network.neighbours?.find(({ dst, dev }) => dst === nextHop && dev === route.dev);
  return { route, nextHop, mac: neighbour?.lladdr, mtu: interfaceOf(network, route.dev)?.mtu ?? 1500 };
}

/** The interface called `name`. */
export function interfaceOf(network: NetworkConfig, name: string | undefined): InterfaceConfig | undefined {
  return network.interfaces.find((one) => one.name === name);
}

/** The interface as which a frame counts that came in on `name` with this VLAN tag. */
export function receivingInterface(
  network: NetworkConfig,
  name: string,
  vlan: number | undefined,
): InterfaceConfig | undefined {
  if (vlan === undefined || vlan === 0) return interfaceOf(network, name);
  return network.interfaces.find((one) => one.vlan?.parent === name && one.vlan.id === vlan);
}

/** Whether frames of the interface start with an Ethernet header. */
export function isEthernet(one: InterfaceConfig): boolean {
  return (one.kind ?? (one.name === 'lo' ? 'loopback' : 'ether')) === 'ether';
}

/** `10.0.0.0/24 dev cli`, `default via 10.0.0.254 dev cli`: as `ip route` prints it. */
export function routeText(route: RouteConfig): string {
  return `${route.dst}${route.gateway === undefined ? '' : ` via ${route.gateway}`} dev ${route.dev}`;
}
