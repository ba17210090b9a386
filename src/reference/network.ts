/**
 * The network around the director: interfaces, routes, neighbours, and the way out.
 *
 * @module
 */
import {
  formatAddress,
  inPrefix,
  isLoopback,
  netmask,
  type Prefix,
  parseAddress,
  parseMac,
  parsePrefix,
} from './packet/address.js';
import { ETHERTYPE, serialiseEthernet } from './packet/ethernet.js';
import type { ReferenceInterface, ReferenceNetwork } from './types.js';

/** An interface with its defaults filled in. */
export interface Interface {
  name: string;
  kind: 'ether' | 'raw' | 'loopback' | 'ipip';
  mac: string;
  mtu: number;
  up: boolean;
  addresses: Prefix[];
  vlan: { parent: string; id: number } | undefined;
}

/** A way to a destination. */
export interface Route {
  interface: Interface;
  /** Where to hand the packet: the gateway, or the destination itself. */
  nextHop: number;
  /** Address that the director takes for packets of its own. */
  source: number;
  /** Bytes. */
  mtu: number;
}

/** A frame that leaves, or why it cannot. */
export type Departure = { outInterface: string; frame: Uint8Array } | 'no-neighbour';

interface RouteEntry {
  prefix: Prefix;
  interface: Interface;
  gateway: number | undefined;
  source: number;
  metric: number;
}

const isIpv6 = (text: string): boolean => text.includes(':');

/** The tables of one network; made anew for each change. */
export class Network {
  readonly #interfaces = new Map<string, Interface>();
  readonly #routes: RouteEntry[] = [];
  readonly #neighbours = new Map<string, string>();

  /** @throws RangeError when an address is malformed or a device does not exist. */
  constructor(config: ReferenceNetwork) {
    for (const each of config.interfaces) this.#interfaces.set(each.name, fillIn(each, config.interfaces));
    for (const route of config.routes ?? []) {
      if (isIpv6(route.dst) || isIpv6(route.gateway ?? '')) continue;
      const device = this.#device(route.dev);
      if (!device.up) continue;
      const prefix = parsePrefix(route.dst);
      const gateway = route.gateway === undefined ? undefined : parseAddress(route.gateway);
      const near = gateway ?? (prefix.address & netmask(prefix.length)) >>> 0;
      this.#routes.push({
        prefix,
        interface: device,
        gateway,
        source: route.prefsrc === undefined ? this.#sourceTowards(near, device) : parseAddress(route.prefsrc),
        metric: route.metric ?? 0,
      });
    }
    this.#routes.push(...this.#connectedRoutes());
    for (const neighbour of config.neighbours ?? []) {
      if (isIpv6(neighbour.dst)) continue;
      parseMac(neighbour.lladdr);
      this.#neighbours.set(
        `${this.#device(neighbour.dev).name} ${formatAddress(parseAddress(neighbour.dst))}`,
        neighbour.lladdr,
      );
    }
  }

  /** What every address implies: its subnet is on that link. A route that was given wins over it. */
  #connectedRoutes(): RouteEntry[] {
    return [...this.#interfaces.values()]
      .filter(({ up }) => up)
      .flatMap((device) =>
        device.addresses
          .filter(({ length }) => length < 32)
          .map((prefix) => ({
            prefix,
            interface: device,
            gateway: undefined,
            source: prefix.address,
            metric: Number.POSITIVE_INFINITY,
          })),
      );
  }

  /** The address that `device` sends from to `near` by default (RFC 1122 §3.3.4.3): best one of the same subnet. */
  #sourceTowards(near: number, device: Interface): number {
    const [first] = device.addresses;
    const own = device.addresses.find((each) => inPrefix(near, each)) ?? first;
    if (own !== undefined) return own.address;
    const others = [...this.#interfaces.values()].filter(({ up }) => up).flatMap(({ addresses }) => addresses);
    return others.find(({ address }) => !isLoopback(address))?.address ?? 0;
  }

  #device(name: string): Interface {
    const device = this.#interfaces.get(name);
    if (device === undefined) throw new RangeError(`no interface ${name}`);
    return device;
  }

  /** The interface of that name. */
  interface(name: string): Interface | undefined {
    return this.#interfaces.get(name);
  }

  /** The interface that takes VLAN `id` on `parent`. */
  vlanInterface(parent: string, id: number): Interface | undefined {
    return [...this.#interfaces.values()].find((each) => each.vlan?.parent === parent && each.vlan.id === id);
  }

  /** Whether an interface that takes tunnels apart is there and up. */
  get tunnelInterface(): Interface | undefined {
    return [...this.#interfaces.values()].find((each) => each.kind === 'ipip' && each.up);
  }

  /** Whether `address` is one of the director's own: all of 127/8, where there is a loopback interface. */
  isLocal(address: number): boolean {
    if (isLoopback(address) && [...this.#interfaces.values()].some(({ kind }) => kind === 'loopback')) return true;
    return [...this.#interfaces.values()].some(({ addresses }) => addresses.some((own) => own.address === address));
  }

  /** Whether `address` is the directed broadcast address of a connected subnet (RFC 919 §7; none below /30, RFC 3021). */
  isSubnetBroadcast(address: number): boolean {
    return this.#connectedRoutes().some(
      ({ prefix: { address: own, length } }) => length <= 30 && address === (own | ~netmask(length)) >>> 0,
    );
  }

  /** The route to `destination`: longest prefix, then lowest metric (RFC 1812 §5.2.4.3). */
  route(destination: number): Route | undefined {
    let best: RouteEntry | undefined;
    for (const entry of this.#routes) {
      if (!inPrefix(destination, entry.prefix)) continue;
      const longer = best === undefined || entry.prefix.length > best.prefix.length;
      const cheaper = entry.prefix.length === best?.prefix.length && entry.metric < best.metric;
      if (longer || cheaper) best = entry;
    }
    if (best === undefined) return undefined;
    return {
      interface: best.interface,
      nextHop: best.gateway ?? destination,
      source: best.source,
      mtu: best.interface.mtu,
    };
  }

  /** Puts the link header of the way out in front of an IP packet. */
  depart(route: Route, packet: Uint8Array): Departure {
    const device = route.interface;
    if (device.kind !== 'ether') return { outInterface: device.name, frame: packet };
    const destination = this.#neighbours.get(`${device.name} ${formatAddress(route.nextHop)}`);
    if (destination === undefined) return 'no-neighbour';
    const frame = serialiseEthernet({
      destination,
      source: device.mac,
      tag: device.vlan?.id,
      etherType: ETHERTYPE.ipv4,
      payload: packet,
    });
    return { outInterface: device.name, frame };
  }
}

function fillIn(config: ReferenceInterface, all: readonly ReferenceInterface[]): Interface {
  const kind = config.kind ?? (config.name === 'lo' ? 'loopback' : 'ether');
  const mac = config.mac ?? all.find((each) => each.name === config.vlan?.parent)?.mac;
  if (kind === 'ether' && mac === undefined) throw new RangeError(`interface ${config.name} needs a MAC address`);
  return {
    name: config.name,
    kind,
    mac: (mac ?? '00:00:00:00:00:00').toLowerCase(),
    // A total length has 16 bits.
    mtu: Math.min(config.mtu ?? 1500, 0xffff),
    up: config.up ?? true,
    addresses: (config.addresses ?? []).filter((address) => !isIpv6(address)).map(parsePrefix),
    vlan: config.vlan,
  };
}
