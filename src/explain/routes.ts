/**
 * The network around a director as a person would look it up: whose address is it, which route, which neighbour.
 *
 * @module
 */
import { addressBytes, familyOf, formatPrefixBytes, type PrefixBytes, prefixBytes } from '../address.js';
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
  return network.interfaces.find((one) => one.addresses?.some((prefix) => isSame(prefix.split('/')[0] ?? '', address)));
}

/** Whether two texts are of the same address. */
function isSame(a: string, b: string): boolean {
  if (a === b) return true;
  const isIPv6 = a.includes(':') && b.includes(':');
  return isIPv6 && familyOf(a) === 6 && familyOf(b) === 6 && contains({ ...addressBytes(a), length: 128 }, b);
}

/** Metric of a route that only an address implies: any given route of that length wins. */
const IMPLIED = 2 ** 32;

/** The routes that count: those given, but for interfaces that are down, and those that the addresses of interfaces imply. */
function routesOf(network: NetworkConfig): RouteConfig[] {
  const up = network.interfaces.filter((one) => one.up !== false);
  const routes = (network.routes ?? []).filter(({ dev }) => up.some(({ name }) => name === dev));
  for (const { name, addresses } of up) {
    for (const text of addresses ?? []) {
      const { family, bytes, length } = prefixBytes(text);
      if (length === bytes.length * 8) continue;
      const network = bytes.map((byte, i) => byte & ~(0xff >>> Math.min(Math.max(length - i * 8, 0), 8)));
      routes.push({ dst: formatPrefixBytes({ family, bytes: network, length }), dev: name, metric: IMPLIED });
    }
  }
  return routes;
}

/** Whether a prefix holds an address of its family. */
function contains({ family, bytes, length }: PrefixBytes, address: string): boolean {
  if (familyOf(address) !== family) return false;
  const other = addressBytes(address).bytes;
  return bytes.every((byte, i) => {
    const mask = 0xff & ~(0xff >>> Math.min(Math.max(length - i * 8, 0), 8));
    return ((byte ^ other[i]!) & mask) === 0;
  });
}

/** The network of a route; `default` is of its gateway's family. */
function networkOf({ dst, gateway }: RouteConfig): PrefixBytes {
  return prefixBytes(dst, gateway === undefined ? 4 : (familyOf(gateway) ?? 4));
}

/** The route to `address`: longest prefix, then lowest metric. */
export function routeTo(network: NetworkConfig, address: string): RouteConfig | undefined {
  let best: RouteConfig | undefined;
  let bestLength = -1;
  for (const route of routesOf(network)) {
    const prefix = networkOf(route);
    if (!contains(prefix, address)) continue;
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
  const neighbour = network.neighbours?.find(({ dst, dev }) => dev === route.dev && isSame(dst, nextHop));
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
