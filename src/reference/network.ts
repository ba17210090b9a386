/**
 * The network around the director: interfaces, routes, neighbours, and the way out, for both families.
 *
 * @module
 */
import {
  type Address,
  type Family,
  familyOf,
  formatAddress,
  inPrefix,
  isLinkLocal,
  isLoopback,
  netmask,
  type Prefix,
  parseAnyAddress,
  parseIpv6Prefix,
  parseMac,
  parsePrefix,
} from './packet/address.js';
import { ETHERTYPE, serialiseEthernet } from './packet/ethernet.js';
import type { ReferenceInterface, ReferenceNetwork, ReferenceRoute } from './types.js';

/** FTP's control port. */
const FTP_PORT = 21;

/** Kind of an interface, with the default filled in. */
export type InterfaceKind = NonNullable<ReferenceInterface['kind']>;

/** An interface with its defaults filled in. */
export interface Interface {
  name: string;
  kind: InterfaceKind;
  mac: string;
  mtu: number;
  up: boolean;
  addresses: Prefix<Address>[];
  vlan: { parent: string; id: number } | undefined;
}

/** A way to a destination. */
export interface Route {
  interface: Interface;
  /** Where to hand the packet: the gateway, or the destination itself. */
  nextHop: Address;
  /** Address that the director takes for packets of its own. */
  source: Address;
  /** That address where the route itself says so; for IPv6 only. */
  preferredSource: Address | undefined;
  /** Bytes. */
  mtu: number;
}

/** A frame that leaves, or why it cannot. */
export type Departure = { outInterface: string; frame: Uint8Array } | 'no-neighbour';

interface RouteEntry {
  prefix: Prefix<Address>;
  interface: Interface;
  gateway: Address | undefined;
  /** `undefined`: as the destination wants. */
  source: Address | undefined;
  metric: number;
}

/** Every IPv6 link carries packets of this size (RFC 8200 §5). */
const SMALLEST_IPV6_MTU = 1280;

/** The tables of one network; made anew for each change. */
export class Network {
  readonly #interfaces = new Map<string, Interface>();
  readonly #routes: RouteEntry[] = [];
  readonly #neighbours = new Map<string, string>();
  readonly #guePorts = new Set<string>();

  /** @throws RangeError when an address is malformed or a device does not exist. */
  /** Where the FTP helper listens. */
  readonly ftpPorts: readonly number[];

  constructor(config: ReferenceNetwork) {
    this.ftpPorts = config.ip_vs_ftp === undefined ? [] : (config.ip_vs_ftp.ports ?? [FTP_PORT]);
    for (const each of config.interfaces) this.#interfaces.set(each.name, fillIn(each, config.interfaces));
    for (const route of config.routes ?? []) {
      const device = this.#device(route.dev);
      if (!device.up) continue;
      const prefix = readDestination(route);
      const gateway = route.gateway === undefined ? undefined : parseAnyAddress(route.gateway);
      const near = gateway ?? withoutHostBits(prefix);
      this.#routes.push({
        prefix,
        interface: device,
        gateway,
        source: route.prefsrc === undefined ? this.#usualSource(near, device) : parseAnyAddress(route.prefsrc),
        metric: route.metric ?? 0,
      });
    }
    this.#routes.push(...this.#connectedRoutes());
    for (const { dst, dev, lladdr } of config.neighbours ?? []) {
      parseMac(lladdr);
      this.#neighbours.set(neighbourName(this.#device(dev), parseAnyAddress(dst)), lladdr);
    }
    for (const { port, family = 4 } of config.fou ?? []) this.#guePorts.add(`${family} ${port}`);
  }

  /** What every address implies: its subnet is on that link. A route that was given wins over it. */
  #connectedRoutes(): RouteEntry[] {
    return [...this.#interfaces.values()]
      .filter(({ up }) => up)
      .flatMap((device) =>
        device.addresses
          .filter(({ address, length }) => length < bitsOf(familyOf(address)))
          .map((prefix) => ({
            prefix,
            interface: device,
            gateway: undefined,
            source: typeof prefix.address === 'number' ? prefix.address : undefined,
            metric: Number.POSITIVE_INFINITY,
          })),
      );
  }

  /** IPv6 chooses its source for each destination anew. */
  #usualSource(near: Address, device: Interface): Address | undefined {
    return typeof near === 'number' ? this.sourceTowards(near, device) : undefined;
  }

  /** The address that `device` sends from to `near` by default; 0 when there is none at all. */
  sourceTowards(near: Address, device: Interface): Address {
    const others = [...this.#interfaces.values()].filter((each) => each.up && each !== device);
    const own = device.addresses.map((prefix) => ({ prefix, isOwn: true }));
    const all = [...own, ...others.flatMap(({ addresses }) => addresses.map((prefix) => ({ prefix, isOwn: false })))];
    const candidates = all.filter(({ prefix: { address }, isOwn }) => {
      return familyOf(address) === familyOf(near) && (isOwn || !isLoopback(address));
    });
    const none = typeof near === 'bigint' ? 0n : 0;
    const ranks = candidates.map(({ prefix, isOwn }) => rankSource(prefix, isOwn, near));
    return candidates[ranks.indexOf(Math.max(...ranks))]?.prefix.address ?? none;
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

  /** The interface that takes tunnels of that kind apart, if it is there and up. */
  tunnelInterface(kind: InterfaceKind): Interface | undefined {
    return [...this.#interfaces.values()].find((each) => each.kind === kind && each.up);
  }

  /** Whether GUE is taken apart on a UDP port. */
  takesGue(family: Family, port: number): boolean {
    return this.#guePorts.has(`${family} ${port}`);
  }

  /** Whether `address` is one of the director's own: all of 127/8 and ::1, where there is a loopback interface. */
  isLocal(address: Address): boolean {
    if (isLoopback(address) && [...this.#interfaces.values()].some(({ kind }) => kind === 'loopback')) return true;
    // An interface that goes down loses its addresses of IPv6, but not those of IPv4.
    return [...this.#interfaces.values()]
      .filter(({ up }) => up || familyOf(address) === 4)
      .some(({ addresses }) => addresses.some((own) => own.address === address));
  }

  /** The interface that has `address`, or leads there from `on`. */
  linkOf(address: Address, on: Interface): Interface | undefined {
    const owners = [...this.#interfaces.values()].filter(({ up }) => up);
    const owner = owners.find(({ addresses }) => addresses.some((own) => own.address === address));
    return owner ?? this.route(address, on)?.interface;
  }

  /** Whether `address` is the directed broadcast address of a connected subnet (RFC 919 §7; none below /30, RFC 3021). */
  isSubnetBroadcast(address: Address): boolean {
    return this.#connectedRoutes().some(
      ({ prefix: { address: own, length } }) =>
        typeof own === 'number' && length <= 30 && address === (own | ~netmask(length)) >>> 0,
    );
  }

  /**
   * The route to `destination`: longest prefix, then lowest metric (RFC 1812 §5.2.4.3). A link-local one is on the link of
   * the interface `on` (RFC 4291 §2.5.6), where that is known.
   */
  route(destination: Address, on?: Interface): Route | undefined {
    let best: RouteEntry | undefined;
    for (const entry of this.#routes) {
      if (on !== undefined && isLinkLocal(destination) && entry.interface !== on) continue;
      if (!inPrefix(destination, entry.prefix)) continue;
      const longer = best === undefined || entry.prefix.length > best.prefix.length;
      const cheaper = entry.prefix.length === best?.prefix.length && entry.metric < best.metric;
      if (longer || cheaper) best = entry;
    }
    if (best === undefined) return undefined;
    const { mtu } = best.interface;
    return {
      interface: best.interface,
      nextHop: best.gateway ?? destination,
      source: best.source ?? this.sourceTowards(destination, best.interface),
      preferredSource: best.source,
      mtu: familyOf(destination) === 6 ? Math.max(mtu, SMALLEST_IPV6_MTU) : mtu,
    };
  }

  /** Puts the link header of the way out in front of an IP packet. */
  depart(route: Route, packet: Uint8Array): Departure {
    const device = route.interface;
    if (device.kind !== 'ether') return { outInterface: device.name, frame: packet };
    const destination = this.#neighbours.get(neighbourName(device, route.nextHop));
    if (destination === undefined) return 'no-neighbour';
    const frame = serialiseEthernet({
      destination,
      source: device.mac,
      tag: device.vlan?.id,
      etherType: familyOf(route.nextHop) === 6 ? ETHERTYPE.ipv6 : ETHERTYPE.ipv4,
      payload: packet,
    });
    return { outInterface: device.name, frame };
  }
}

/**
 * How well a source address suits a destination; of equals the first one is taken. IPv4 (RFC 1122 §3.3.4.3): on the
 * interface, there in the same subnet. IPv6 (RFC 6724 §5, rules 2, 5 and 8): of the same scope, on the interface, the
 * longest common prefix, which ends with that of the subnet.
 */
function rankSource({ address, length }: Prefix<Address>, isOwn: boolean, near: Address): number {
  if (typeof near === 'number') return isOwn ? 1 + Number(inPrefix(near, { address, length })) : 0;
  const common = Array.from({ length }, (_, i) => i + 1).filter((bits) => inPrefix(near, { address, length: bits }));
  return Number(isLinkLocal(address) === isLinkLocal(near)) * 1000 + Number(isOwn) * 500 + common.length;
}

function bitsOf(family: Family): number {
  return family === 6 ? 128 : 32;
}

function neighbourName(device: Interface, address: Address): string {
  return `${device.name} ${formatAddress(address)}`;
}

function readPrefix(text: string): Prefix<Address> {
  return text.includes(':') ? parseIpv6Prefix(text) : parsePrefix(text);
}

/** `default` does not tell its family. */
function readDestination({ dst, gateway, prefsrc }: ReferenceRoute): Prefix<Address> {
  const isIpv6 = (gateway ?? prefsrc ?? '').includes(':');
  return dst === 'default' && isIpv6 ? parseIpv6Prefix(dst) : readPrefix(dst);
}

function withoutHostBits({ address, length }: Prefix<Address>): Address {
  if (typeof address === 'number') return (address & netmask(length)) >>> 0;
  const hostBits = BigInt(bitsOf(6) - length);
  return (address >> hostBits) << hostBits;
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
    addresses: (config.addresses ?? []).map(readPrefix),
    vlan: config.vlan,
  };
}
